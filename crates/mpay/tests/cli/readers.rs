//! Whoever reads what the command prints may go before the end, as `head` does.

use std::{
    io::pipe,
    net::TcpListener,
    process::{Command, Stdio},
    time::Duration,
};

use mpay::development::{Credentials, SERVICE_ID, read};

use crate::{mpay, workspace};

/// The command writes to somebody who does not read any more.
fn unread(command: &mut Command) -> &mut Command {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    command.stdout(writer)
}

#[test]
fn a_command_does_what_it_was_asked_for_and_says_the_rest_to_nobody() {
    let commands: [&[&str]; 5] = [
        &["access", "add", "Ana", "--role", "read"],
        &["--help"],
        &["conform", "--list"],
        &["completions", "bash"],
        &["keys", "show", "crates/wsse/tests/data/service.pem"],
    ];
    for arguments in commands {
        let output = unread(mpay().args(arguments)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
    // Standard error as well, `2>&1`.
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut command = mpay();
    let command = unread(command.args(commands[0])).stderr(writer);
    assert!(command.status().unwrap().success());
}

#[test]
fn a_provider_serves_on() {
    let state = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let mut command = mpay();
    command
        .args(["up", "--listen", &address, "--state-dir"])
        .arg(state.path())
        .stderr(Stdio::null());
    let mut process = unread(&mut command).spawn().unwrap();
    let token = Credentials::of_workspace(workspace()).api_token();
    // The last of what it does while it says where it is.
    let registered = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        let token = read(&token).unwrap_or_default();
        let token = token.trim();
        ureq::get(format!("http://{address}/api/orders/{SERVICE_ID}/DEMO-3"))
            .header("Authorization", format!("Bearer {token}"))
            .call()
            .is_ok()
    });
    process.kill().ok();
    process.wait().unwrap();
    assert!(registered);
}
