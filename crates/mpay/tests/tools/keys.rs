use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::*;

const PASSPHRASE: &str = "corect horse ștampilă";

fn new_key(folder: &Path, more: &[&str]) -> Outcome {
    fs::write(folder.join("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
    let mut arguments = vec![
        "keys",
        "new",
        "--common-name",
        "plati.exemplu.md",
        "--organization",
        "Primăria Exemplu",
        "--idno",
        "1008600038413",
        "--locality",
        "Chișinău",
    ];
    if !more.contains(&"--plain") {
        arguments.extend(["--passphrase-file", "passphrase"]);
    }
    arguments.extend(more);
    run(folder, &arguments)
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn openssl_reads_the_key_and_the_request() {
    let folder = folder();
    let folder = folder.path();
    new_key(folder, &[]).expect(0, &["service.key.pem", "service.csr", "encrypted"]);
    assert_eq!(mode(&folder.join("service.key.pem")), 0o600);
    let pem = fs::read_to_string(folder.join("service.key.pem")).unwrap();
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));

    let request = ["req", "-in", "service.csr", "-noout", "-verify", "-subject"];
    let Some(shown) = openssl(
        folder,
        &[&request[..], &["-nameopt", "utf8,sep_comma_plus"]].concat(),
    ) else {
        return;
    };
    shown.expect(
        0,
        &[
            "verify OK",
            "C=MD,L=Chișinău,O=Primăria Exemplu,serialNumber=1008600038413,CN=plati.exemplu.md",
        ],
    );
    let text = ["req", "-in", "service.csr", "-noout", "-text"];
    openssl(folder, &text)
        .unwrap()
        .expect(0, &["Digital Signature, Non Repudiation", "(2048 bit)"]);

    let public = |from: &[&str]| {
        openssl(folder, from)
            .unwrap()
            .expect(0, &["PUBLIC KEY"])
            .stdout
    };
    let pass = ["-passin", "file:passphrase"];
    assert_eq!(
        public(&[&["pkey", "-in", "service.key.pem", "-pubout"], &pass[..]].concat()),
        public(&["req", "-in", "service.csr", "-noout", "-pubkey"])
    );
    let wrong = [
        "pkey",
        "-in",
        "service.key.pem",
        "-noout",
        "-passin",
        "pass:wrong",
    ];
    assert_ne!(openssl(folder, &wrong).unwrap().code, 0);
}

#[test]
fn a_key_is_plain_only_where_that_is_said() {
    let folder = folder();
    let folder = folder.path();
    new_key(folder, &["--plain", "--out", "open"]).expect(0, &["open.key.pem", "NOT encrypted"]);
    let pem = fs::read_to_string(folder.join("open.key.pem")).unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert_eq!(mode(&folder.join("open.key.pem")), 0o600);
    run(folder, &["keys", "show", "open.key.pem", "open.csr"])
        .expect(0, &["whoever can read the file", "belong together"]);
}

#[test]
fn nothing_is_overwritten_and_nothing_is_made_by_halves() {
    let folder = folder();
    let folder = folder.path();
    fs::write(folder.join("service.csr"), "precious").unwrap();
    new_key(folder, &["--plain"]).expect(2, &["service.csr is there already", "--out"]);
    assert!(!folder.join("service.key.pem").exists());
    assert_eq!(
        fs::read_to_string(folder.join("service.csr")).unwrap(),
        "precious"
    );
}

#[test]
fn without_a_passphrase_or_a_terminal_it_says_how_to_give_one() {
    let folder = folder();
    let folder = folder.path();
    let new = [
        "keys",
        "new",
        "--common-name",
        "a",
        "--organization",
        "b",
        "--idno",
        "1008600038413",
    ];
    // A session of its own has no terminal to ask at.
    let Ok(output) = Command::new("setsid")
        .arg("--wait")
        .arg(env!("CARGO_BIN_EXE_mpay"))
        .args(new)
        .current_dir(folder)
        .env_remove("MPAY_PASSPHRASE")
        .stdin(Stdio::null())
        .output()
    else {
        eprintln!("left out: setsid");
        return;
    };
    Outcome::of(output).expect(2, &["--passphrase-file FILE", "MPAY_PASSPHRASE"]);
    let short = mpay(folder)
        .args(new)
        .env("MPAY_PASSPHRASE", "short")
        .output();
    Outcome::of(short.unwrap()).expect(2, &["8 characters"]);
    let given = mpay(folder)
        .args(new)
        .env("MPAY_PASSPHRASE", PASSPHRASE)
        .output();
    Outcome::of(given.unwrap()).expect(0, &["service.key.pem"]);
}

/// Types lines at a terminal, which util-linux's `script` makes. `None` where it is missing.
fn at_a_terminal(folder: &Path, command: &str, typed: &str) -> Option<Outcome> {
    let mut script = Command::new("script");
    script
        .args(["-qec", command, "/dev/null"])
        .current_dir(folder);
    script.env_remove("MPAY_PASSPHRASE").stdin(Stdio::piped());
    script.stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut process) = script.spawn() else {
        eprintln!("left out: script");
        return None;
    };
    process
        .stdin
        .take()
        .unwrap()
        .write_all(typed.as_bytes())
        .unwrap();
    Some(Outcome::of(process.wait_with_output().unwrap()))
}

#[test]
fn at_a_terminal_the_passphrase_is_asked_for_twice() {
    let folder = folder();
    let folder = folder.path();
    let new = "keys new --common-name a --organization b --idno 1008600038413";
    let new = format!("{} {new}", env!("CARGO_BIN_EXE_mpay"));
    let Some(differ) = at_a_terminal(folder, &new, "correct horse\nincorrect horse\n") else {
        return;
    };
    differ.expect(
        2,
        &[
            "Passphrase for the new key",
            "Once more",
            "differ; nothing was made",
        ],
    );
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
    at_a_terminal(folder, &new, "correct horse\ncorrect horse\n")
        .unwrap()
        .expect(0, &["service.csr"]);
    let show = format!("{} keys show service.key.pem", env!("CARGO_BIN_EXE_mpay"));
    at_a_terminal(folder, &show, "correct horse\n")
        .unwrap()
        .expect(0, &["Passphrase of service.key.pem", "RSA, 2048 bits"]);
}

#[test]
fn a_subject_that_cannot_be_is_refused_with_the_flag_that_is_wrong() {
    let folder = folder();
    let folder = folder.path();
    for (flag, value, word) in [
        ("--country", "Moldova", "two letters"),
        ("--organization", &"ș".repeat(65), "1 to 64"),
        ("--idno", "123", "13 digits"),
        ("--email", "nobody", "no e-mail address"),
    ] {
        let mut arguments = vec!["keys", "new", "--plain", "--common-name", "a"];
        for (name, default) in [("--organization", "b"), ("--idno", "1008600038413")] {
            if name != flag {
                arguments.extend([name, default]);
            }
        }
        arguments.extend([flag, value]);
        run(folder, &arguments).expect(2, &[flag, word]);
    }
    // One whose check digit is wrong may still be right: the state has not published the rule.
    new_key(folder, &["--plain", "--out", "x"]).expect(0, &[]);
    let doubtful = [
        "keys",
        "new",
        "--plain",
        "--common-name",
        "a",
        "--organization",
        "b",
    ];
    run(
        folder,
        &[&doubtful[..], &["--idno", "1008600038414"]].concat(),
    )
    .expect(0, &["Warning", "mistyped"]);
}

#[test]
fn a_file_is_shown_in_every_form() {
    let folder = folder();
    let folder = folder.path();
    let pem = data("service.pem");
    let pem = pem.to_str().unwrap();
    let shown = run(folder, &["keys", "show", pem]).expect(
        0,
        &[
            "Example Institution",
            "SHA-1",
            "RSA, 2048 bits",
            "2120-01-01",
        ],
    );
    let json = run(folder, &["keys", "show", pem, "--json"]).json();
    let item = &json["items"][0];
    assert_eq!(item["kind"], "certificate");
    assert!(shown.stdout.contains(item["sha256"].as_str().unwrap()));

    let Some(fingerprint) = openssl(
        folder,
        &["x509", "-in", pem, "-noout", "-fingerprint", "-sha1"],
    ) else {
        return;
    };
    let hexadecimal = |text: &str| {
        text.rsplit('=')
            .next()
            .unwrap()
            .trim()
            .replace(':', "")
            .to_lowercase()
    };
    assert_eq!(
        hexadecimal(&fingerprint.stdout),
        item["sha1"].as_str().unwrap()
    );
    let fingerprint = ["x509", "-in", pem, "-noout", "-fingerprint", "-sha256"];
    let fingerprint = openssl(folder, &fingerprint).unwrap().stdout;
    assert_eq!(hexadecimal(&fingerprint), item["sha256"].as_str().unwrap());
    let identifier = ["x509", "-in", pem, "-noout", "-ext", "subjectKeyIdentifier"];
    let identifier = openssl(folder, &identifier).unwrap().stdout;
    let identifier = hexadecimal(identifier.lines().last().unwrap_or_default());
    if !identifier.is_empty() {
        assert_eq!(identifier, item["subject_key_identifier"].as_str().unwrap());
    }

    openssl(
        folder,
        &["x509", "-in", pem, "-outform", "der", "-out", "c.der"],
    )
    .unwrap()
    .expect(0, &[]);
    let der = run(folder, &["keys", "show", "c.der", "--json"]).json();
    assert_eq!(der["items"][0]["sha256"], item["sha256"]);

    // Keys: PKCS#1, PKCS#8, encrypted; the wrong passphrase.
    let key = |name: &str| data(name).to_str().unwrap().to_owned();
    for name in ["service.key.pem", "service.pkcs1.pem"] {
        run(folder, &["keys", "show", &key(name), pem]).expect(0, &["belong together"]);
    }
    let encrypted = key("service.encrypted.pem");
    let with = |passphrase: &str| {
        let output = mpay(folder)
            .args(["keys", "show", &encrypted, pem])
            .env("MPAY_PASSPHRASE", passphrase)
            .output();
        Outcome::of(output.unwrap())
    };
    with("secret").expect(0, &["PKCS#8, encrypted", "belong together"]);
    with("wrong").expect(2, &["passphrase is wrong"]);

    // As old programs encrypt keys.
    let old = [
        "pkcs8",
        "-topk8",
        "-v1",
        "PBE-SHA1-3DES",
        "-passout",
        "pass:secret",
        "-out",
        "old.pem",
        "-in",
    ];
    openssl(folder, &[&old[..], &[&key("service.key.pem")]].concat())
        .unwrap()
        .expect(0, &[]);
    let old = mpay(folder)
        .args(["keys", "show", "old.pem", pem])
        .env("MPAY_PASSPHRASE", "secret")
        .output();
    Outcome::of(old.unwrap()).expect(0, &["belong together"]);

    run(folder, &["keys", "show", &key("stranger.key.pem"), pem])
        .expect(1, &["another certificate", "the request was made with"]);
    run(folder, &["keys", "show", &key("ec.pem")]).expect(0, &["not RSA"]);
    run(folder, &["keys", "show", &key("short.pem")]).expect(0, &["1024 bits: too short"]);
    run(folder, &["keys", "show", &key("expired.pem")]).expect(0, &["EXPIRED"]);
    fs::write(folder.join("junk"), [0x30, 0x80, 1, 2, 3]).unwrap();
    run(folder, &["keys", "show", "junk"]).expect(2, &["junk", "nor PKCS#12"]);
}

/// Makes a PKCS#12 file of the service's key, certificate and a chain.
fn pkcs12(folder: &Path, name: &str, options: &[&str]) -> Option<()> {
    let (key, certificate) = (data("service.key.pem"), data("service.pem"));
    let chain = data("chain/root.pem");
    let mut arguments = vec!["pkcs12", "-export", "-out", name];
    arguments.extend([
        "-inkey",
        key.to_str().unwrap(),
        "-in",
        certificate.to_str().unwrap(),
    ]);
    arguments.extend(["-certfile", chain.to_str().unwrap(), "-name", "Primăria"]);
    arguments.extend(["-passout", "env:PASS"]);
    arguments.extend(options);
    // By the environment: as an argument, OpenSSL would not take it for UTF-8 everywhere.
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(arguments)
        .env("PASS", PASSPHRASE)
        .output();
    match output {
        Ok(output) => {
            Outcome::of(output).expect(0, &[]);
            Some(())
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "openssl: {error}");
            eprintln!("left out: openssl: {error}");
            None
        }
    }
}

#[test]
fn pkcs12_files_old_and_new_become_variables() {
    let folder = folder();
    let folder = folder.path();
    fs::write(folder.join("passphrase"), PASSPHRASE).unwrap();
    let key = fs::read_to_string(data("service.key.pem")).unwrap();
    let certificate = fs::read_to_string(data("service.pem")).unwrap();
    for (name, options) in [
        ("new", &[][..]),
        ("legacy", &["-legacy"]),
        (
            "windows",
            &[
                "-keypbe",
                "PBE-SHA1-3DES",
                "-certpbe",
                "PBE-SHA1-3DES",
                "-macalg",
                "sha1",
            ],
        ),
        (
            "java",
            &[
                "-keypbe",
                "AES-128-CBC",
                "-certpbe",
                "AES-128-CBC",
                "-macalg",
                "sha512",
            ],
        ),
        ("open", &["-keypbe", "NONE", "-certpbe", "NONE"]),
    ] {
        let file = format!("{name}.p12");
        if pkcs12(folder, &file, options).is_none() {
            return;
        }
        let variables = [
            "keys",
            "variables",
            &file,
            "--passphrase-file",
            "passphrase",
            "--out",
            name,
        ];
        run(folder, &variables).expect(
            0,
            &[
                "service_key",
                "--variable service_key=@",
                "1: for an authority's certificate",
            ],
        );
        let written =
            |name: &str, file: &str| fs::read_to_string(folder.join(name).join(file)).unwrap();
        assert_eq!(
            written(name, "service.key.pem").trim(),
            key.trim(),
            "{name}"
        );
        assert_eq!(
            written(name, "service.pem").trim(),
            certificate.trim(),
            "{name}"
        );
        assert_eq!(mode(&folder.join(name).join("service.key.pem")), 0o600);
        run(
            folder,
            &["keys", "show", &file, "--passphrase-file", "passphrase"],
        )
        .expect(0, &["Example Institution", "belong together"]);

        let wrong = mpay(folder)
            .args(["keys", "show", &file])
            .env("MPAY_PASSPHRASE", "wrong")
            .output();
        Outcome::of(wrong.unwrap()).expect(2, &["the passphrase is wrong, or the file is damaged"]);
    }
    // Again: nothing is overwritten, since it is the same.
    run(
        folder,
        &[
            "keys",
            "variables",
            "new.p12",
            "--passphrase-file",
            "passphrase",
            "--out",
            "new",
        ],
    )
    .expect(
        0,
        &[
            "new/service.key.pem",
            "was there already, and is left as it is",
        ],
    );

    let env = [
        "keys",
        "variables",
        "new.p12",
        "--passphrase-file",
        "passphrase",
        "--env",
        "--out",
        "env",
    ];
    run(folder, &env).expect(0, &[".env"]);
    assert_eq!(mode(&folder.join("env/.env")), 0o600);
    let text = fs::read_to_string(folder.join("env/.env")).unwrap();
    assert!(text.contains(&format!("SPIN_VARIABLE_SERVICE_KEY=\"{}\"\n", key.trim())));

    // A damaged file is not taken for a whole one.
    let mut damaged = fs::read(folder.join("new.p12")).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(folder.join("damaged.p12"), damaged).unwrap();
    run(
        folder,
        &[
            "keys",
            "show",
            "damaged.p12",
            "--passphrase-file",
            "passphrase",
        ],
    )
    .expect(2, &["damaged.p12"]);
}

#[test]
fn a_key_and_a_certificate_that_do_not_belong_together_become_no_variables() {
    let folder = folder();
    let folder = folder.path();
    let (key, certificate) = (data("stranger.key.pem"), data("service.pem"));
    run(
        folder,
        &[
            "keys",
            "variables",
            key.to_str().unwrap(),
            certificate.to_str().unwrap(),
        ],
    )
    .expect(2, &["do not belong together", "Example Institution"]);
    run(
        folder,
        &["keys", "variables", certificate.to_str().unwrap()],
    )
    .expect(2, &["no private key", "the key's file"]);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}

#[test]
fn the_cer_file_is_the_certificate_alone() {
    let folder = folder();
    let folder = folder.path();
    let certificate = data("service.pem");
    let certificate = certificate.to_str().unwrap();
    run(
        folder,
        &["keys", "export-cer", certificate, "--out", "a.cer"],
    )
    .expect(0, &["a.cer", "SHA-256"]);
    let der = fs::read(folder.join("a.cer")).unwrap();
    assert_eq!(der[0], 0x30);
    run(
        folder,
        &["keys", "export-cer", certificate, "--out", "b.cer", "--pem"],
    )
    .expect(0, &[]);
    assert_eq!(
        fs::read_to_string(folder.join("b.cer")).unwrap().trim(),
        fs::read_to_string(certificate).unwrap().trim()
    );
    if let Some(shown) = openssl(
        folder,
        &[
            "x509", "-inform", "der", "-in", "a.cer", "-noout", "-subject",
        ],
    ) {
        shown.expect(0, &["Example Institution"]);
    }
    // Of a PKCS#12 file it is the one of the key, and the key stays where it is.
    if pkcs12(folder, "x.p12", &[]).is_some() {
        fs::write(folder.join("passphrase"), PASSPHRASE).unwrap();
        run(
            folder,
            &[
                "keys",
                "export-cer",
                "x.p12",
                "--passphrase-file",
                "passphrase",
            ],
        )
        .expect(0, &["x.cer"]);
        assert_eq!(fs::read(folder.join("x.cer")).unwrap(), der);
    }
    let authority = data("chain/root.pem");
    run(
        folder,
        &[
            "keys",
            "export-cer",
            authority.to_str().unwrap(),
            "--out",
            "c.cer",
        ],
    )
    .expect(2, &["authority's"]);
    let short = data("short.pem");
    run(
        folder,
        &[
            "keys",
            "export-cer",
            short.to_str().unwrap(),
            "--out",
            "c.cer",
        ],
    )
    .expect(2, &["1024 bits"]);
}

/// Makes the certificate of a key of `mpay keys new`, as the authority would.
fn certify(folder: &Path, key: &str) -> Option<()> {
    let request = [
        "req",
        "-x509",
        "-new",
        "-key",
        key,
        "-subj",
        "/CN=Example Institution",
        "-days",
        "30",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ];
    let rest = [
        "-passin",
        "file:passphrase",
        "-outform",
        "DER",
        "-out",
        "certificate.cer",
    ];
    openssl(folder, &[&request[..], &rest].concat()).map(|made| {
        made.expect(0, &[]);
    })
}

#[test]
fn a_new_key_and_its_certificate_become_variables_where_they_are() {
    for plain in [false, true] {
        let folder = folder();
        let folder = folder.path();
        new_key(folder, if plain { &["--plain"] } else { &[] }).expect(0, &[]);
        fs::write(folder.join("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
        let Some(()) = certify(folder, "service.key.pem") else {
            return;
        };
        let before = fs::read(folder.join("service.key.pem")).unwrap();
        let arguments = [
            "keys",
            "variables",
            "service.key.pem",
            "certificate.cer",
            "--passphrase-file",
            "passphrase",
        ];
        let key = match plain {
            true => "service.key.pem",
            false => "service.plain.key.pem",
        };
        let outcome = run(folder, &arguments).expect(0, &["service.pem", "eft as it is", key]);
        let outcome = match plain {
            true => outcome,
            false => outcome.expect(0, &["Left as it is", "service.key.pem, encrypted"]),
        };
        assert!(
            outcome.stdout.contains(&format!("service_key=@./{key}")),
            "{outcome:#?}"
        );
        assert_eq!(fs::read(folder.join("service.key.pem")).unwrap(), before);
        run(folder, &["keys", "show", key, "service.pem"])
            .expect(0, &["whoever can read the file", "belong together"]);

        // Once more: all is there.
        let files = || fs::read_dir(folder).unwrap().count();
        let there = files();
        run(folder, &arguments).expect(0, &["was there already, and is left as it is"]);
        assert_eq!(files(), there);
        // What is another's is not overwritten.
        fs::write(folder.join("service.pem"), "precious").unwrap();
        run(folder, &arguments).expect(2, &["service.pem is there already"]);
        assert_eq!(
            fs::read_to_string(folder.join("service.pem")).unwrap(),
            "precious"
        );
        fs::remove_file(folder.join("service.pem")).unwrap();
        fs::copy(data("stranger.key.pem"), folder.join(key)).unwrap();
        if !plain {
            run(folder, &arguments).expect(2, &["service.plain.key.pem is there already"]);
        }
        assert!(!folder.join("service.pem").exists());
    }
}

#[test]
fn files_of_the_field_are_shown_and_become_variables() {
    let field = data("field");
    let names = ["bag.pem", "bom.pem", "backslash-n.pem", "bare-base64.cer"];
    let place = folder();
    for name in names {
        let file = field.join(name);
        run(place.path(), &["keys", "show", file.to_str().unwrap()]).expect(0, &["MPay Field"]);
        let folder = folder();
        let both = field.join("both.pem");
        let arguments = [
            "keys",
            "variables",
            both.to_str().unwrap(),
            file.to_str().unwrap(),
        ];
        run(folder.path(), &arguments).expect(0, &["MPay Field", "service.pem"]);
    }
    let both = fs::read_to_string(field.join("both.pem")).unwrap();
    let utf16: Vec<u8> = both.encode_utf16().flat_map(u16::to_be_bytes).collect();
    fs::write(
        place.path().join("utf16.pem"),
        [&b"\xfe\xff"[..], &utf16].concat(),
    )
    .unwrap();
    run(place.path(), &["keys", "variables", "utf16.pem"]).expect(0, &["MPay Field"]);
}

#[test]
fn pkcs12_of_bouncycastle_is_read() {
    let folder = folder();
    let folder = folder.path();
    let file = workspace().join("crates/mpay/tests/data/bc-pkcs12.p12");
    fs::write(folder.join("secret"), "secret\n").unwrap();
    let arguments = [
        "keys",
        "variables",
        file.to_str().unwrap(),
        "--passphrase-file",
        "secret",
    ];
    run(folder, &arguments).expect(0, &["service.key.pem", "service.pem"]);
    run(folder, &["keys", "show", "service.key.pem", "service.pem"])
        .expect(0, &["belong together"]);
    fs::write(folder.join("wrong"), "Secret\n").unwrap();
    let arguments = [
        "keys",
        "show",
        file.to_str().unwrap(),
        "--passphrase-file",
        "wrong",
    ];
    run(folder, &arguments).expect(2, &["the passphrase is wrong"]);
}

#[test]
fn what_is_missing_is_said_with_the_name_of_the_file() {
    let folder = folder();
    let folder = folder.path();
    fs::copy(data("service.pem"), folder.join("only.pem")).unwrap();
    fs::write(folder.join("operation.xml"), "<a xmlns='urn:a'/>").unwrap();
    run(folder, &["keys", "variables", "only.pem"])
        .expect(2, &["there is no private key in only.pem"]);
    run(folder, &["sign", "operation.xml", "--key", "only.pem"])
        .expect(2, &["there is no private key in only.pem"]);
    fs::copy(data("service.key.pem"), folder.join("key.pem")).unwrap();
    run(folder, &["sign", "operation.xml", "--key", "key.pem"])
        .expect(2, &["there is no certificate in key.pem"]);
}
