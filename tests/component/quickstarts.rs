//! The programs of the quickstarts, as the pages have them.

use std::{
    fs::{self, File},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::harness::*;

/// A program that runs until it is dropped, and the file of its output.
struct Running<'a>(Child, &'a Path);

impl<'a> Running<'a> {
    fn start(folder: &Path, command: &[&str], output: &'a Path) -> Self {
        let file = File::create(output).unwrap();
        let child = Command::new(command[0])
            .args(&command[1..])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self(child, output)
    }

    #[track_caller]
    fn prints(&self, text: &str) {
        wait(|| {
            let printed = fs::read_to_string(self.1).unwrap();
            printed.contains(text).then_some(()).ok_or(printed)
        });
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn wait(mut done: impl FnMut() -> Result<(), String>) {
    let begun = Instant::now();
    while let Err(seen) = done() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{seen}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Writes the programs of a page into a folder, with the addresses and names of this test.
fn write_programs(page: &str, folder: &Path, provider: &str, hook: u16) {
    let page = fs::read_to_string(workspace().join("docs").join(page)).unwrap();
    let mut name = None;
    for part in page.split("```") {
        match (name.take(), part.split_once('\n')) {
            (Some(name), Some(("python" | "php", code))) => {
                let code = code
                    .replace("http://127.0.0.1:3000", provider)
                    .replace("8000", &hook.to_string())
                    .replace("DEMO", SERVICE);
                fs::write(folder.join(name), code).unwrap();
            }
            _ => {
                // The last line before the code names its file.
                let line = part.trim_end().rsplit('\n').next().unwrap_or_default();
                name = line
                    .strip_prefix('`')
                    .and_then(|line| line.split('`').next());
            }
        }
    }
    fs::create_dir_all(folder.join("certs/dev")).unwrap();
    fs::write(folder.join("certs/dev/api-token"), TOKEN).unwrap();
}

fn follow(page: &str, interpreter: &str, extension: &str, hook_path: &str) {
    if Command::new(interpreter).arg("--version").output().is_err() {
        eprintln!("left out: {interpreter} is not installed");
        return;
    }
    let hook = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = hook.local_addr().unwrap().port();
    drop(hook);
    let origin = format!("http://127.0.0.1:{port}");
    let provider = Provider::start_with(
        &[
            (
                "webhooks",
                &format!("erp {origin}{hook_path} whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            ),
            ("webhook_origin", &origin),
        ],
        None,
    );
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write_programs(page, folder, provider.url.trim_end_matches('/'), port);
    let program = |name: &str| format!("{name}.{extension}");

    let output = folder.join("hook.out");
    let listen = format!("127.0.0.1:{port}");
    let hook = match interpreter {
        "php" => Running::start(folder, &["php", "-S", &listen], &output),
        _ => Running::start(folder, &[interpreter, &program("hook")], &output),
    };
    wait(|| match TcpStream::connect(&listen) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    });

    let registered = Command::new(interpreter)
        .arg(program("register"))
        .current_dir(folder)
        .output()
        .unwrap();
    let registered = String::from_utf8_lossy(&registered.stdout).into_owned()
        + &String::from_utf8_lossy(&registered.stderr);
    let (_, key) = registered.split_once("OrderKey=").expect(&registered);
    let key = key.trim();
    assert!(
        registered.contains(&format!("{} {} {}", &key[..4], &key[4..8], &key[8..])),
        "{registered}"
    );

    let confirmation = confirmation(key, "P-1", "600.00");
    assert_eq!(code(provider.mpay().confirm(&confirmation).unwrap()), "ok");
    hook.prints(&format!("Paid: {key} 600.00 MDL as P-1 to review: []"));
    let forged = ureq::post(format!("{origin}{hook_path}")).send("{}");
    assert!(matches!(forged, Err(ureq::Error::StatusCode(401))));

    let output = folder.join("poll.out");
    let poll = Running::start(folder, &[interpreter, &program("poll")], &output);
    poll.prints(&format!(
        "Paid: {key} 600.00 MDL - the order is Paid with 0.00 due"
    ));
}

#[test]
fn the_programs_in_python_do_as_the_page_says() {
    follow("quickstart-python.md", "python3", "py", "/hook");
}

#[test]
fn the_programs_in_php_do_as_the_page_says() {
    follow("quickstart-php.md", "php", "php", "/hook.php");
}
