use crate::support::*;

#[test]
fn every_command_has_help_with_examples() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for command in [
        &[][..],
        &["keys", "new"],
        &["keys", "show"],
        &["keys", "export-cer"],
        &["keys", "variables"],
        &["sign"],
        &["inspect"],
        &["verify"],
        &["doctor"],
        &["connect"],
        &["bench"],
        &["completions"],
        &["call"],
        &["up"],
        &["orders", "import"],
        &["orders", "export"],
        &["orders", "list"],
        &["orders", "show"],
        &["orders", "cancel"],
        &["payments", "list"],
        &["payments", "show"],
        &["settle"],
    ] {
        let help = run(folder, &[command, &["--help"]].concat()).expect(0, &["Example"]);
        let example = format!("  mpay {}", command.join(" "));
        let example = example.trim_end();
        assert!(help.stdout.contains(example), "{example}: {}", help.stdout);
    }
}

#[test]
fn shells_complete_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for shell in ["bash", "zsh", "fish"] {
        run(folder, &["completions", shell])
            .expect(0, &["export-cer", "provider-certificate", "doctor"]);
    }
    run(folder, &["completions", "cmd"]).expect(2, &["bash"]);
    // A shell takes the script as it is.
    let script = run(folder, &["completions", "bash"]).stdout;
    std::fs::write(folder.join("mpay.bash"), script).unwrap();
    let check = "source mpay.bash && COMP_WORDS=(mpay keys e) COMP_CWORD=2 && _mpay mpay e keys && echo \"${COMPREPLY[@]}\"";
    match std::process::Command::new("bash")
        .current_dir(folder)
        .args(["-c", check])
        .output()
    {
        Ok(output) => {
            Outcome::of(output).expect(0, &["export-cer"]);
        }
        Err(error) => eprintln!("left out: bash: {error}"),
    }
}

#[test]
fn output_that_is_no_terminal_has_no_colours() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let certificate = data("mpay.pem");
    let shown = run(folder, &["keys", "show", certificate.to_str().unwrap()])
        .expect(0, &["Example Authority"]);
    assert!(!shown.stdout.contains('\u{1b}'));
    let forced = mpay(folder)
        .args(["keys", "show", certificate.to_str().unwrap()])
        .env("CLICOLOR_FORCE", "1")
        .output();
    assert!(
        Outcome::of(forced.unwrap()).stdout.contains('\u{1b}'),
        "colours are there to be left out"
    );
    let never = mpay(folder)
        .args(["keys", "show", certificate.to_str().unwrap()])
        .envs([("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")])
        .output();
    assert!(!Outcome::of(never.unwrap()).stdout.contains('\u{1b}'));
}

#[test]
fn an_error_with_hostile_text_is_printed_harmlessly() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let name = "no\u{1b}[2Jsuch\u{202e}.pem";
    let outcome =
        run(folder, &["keys", "show", name]).expect(2, &["no\\u{1b}[2Jsuch\\u{202e}.pem"]);
    assert!(!outcome.stderr.contains(['\u{1b}', '\u{202e}']));
}
