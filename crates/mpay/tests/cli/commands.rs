//! The commands of the pages, word for word, as a reader would type them: in one folder a page, beside
//! a provider as `cargo run` starts it. Only addresses are others, since the ports may be taken.
//!
//! Every block of commands has a line in [`PAGES`]: a block that is added without one is a failure.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Command, Output, Stdio},
};

use How::{Elsewhere, Run, Serve};

use crate::{Up, is_there, workspace};

/// The treatment of a block of commands.
enum How {
    /// It is run, and succeeds; with these words replaced.
    Run(&'static [(&'static str, &'static str)]),
    /// It is run until it says this.
    Serve(&'static str),
    /// It is not run here, for this reason.
    Elsewhere(#[allow(dead_code)] &'static str),
}

/// The files that a page's reader has at hand before the first command.
const SETUP: &str = "\
    cp PICTURE logo.png
    curl -fsS -X PUT http://127.0.0.1:3000/api/orders/DEMO/2026-0001 \\
        -H \"Authorization: Bearer $(cat certs/dev/api-token)\" -d \\
        '{\"reason\": \"Chirie\", \"lines\": [{\"line_id\": \"1\", \"reason\": \"Sala\", \"amount_due\": \"600\"}]}'
    mpay orders export --output taxe.xlsx
    printf 'Document,Suma\\nP-1,100.00\\n' > extras.csv
    cp certs/dev/mpay.key.pem certs/dev/mpay.pem certs/dev/service.pem .
    cp mpay.pem mpay.cer; cp service.pem ours.pem
    printf '<GetOrderDetails xmlns=\"https://mpay.gov.md\"/>' > operation.xml";

/// The certificate that an authority would send, and what else comes between two blocks.
const ISSUED: &str = "openssl req -x509 -new -key service.key.pem -passin pass:a-long-passphrase \
    -subj '/C=MD/O=Primaria Exemplu/serialNumber=1008600038413/CN=plati.exemplu.md' -days 365 -addext basicConstraints=critical,CA:FALSE \
    -addext keyUsage=digitalSignature -out certificate.cer";

const STARTED: How = Elsewhere("it is what starts the provider");
const SUITE: How = Elsewhere("it is this suite, or a part of it");
const QUICKSTART: How = Elsewhere("tests/component/quickstarts.rs follows the page");
const SYSTEM: How = Elsewhere("it changes the system; deploy/ has tests of its own");
const SPIN: How = Elsewhere("it needs Spin, or builds the components");
const RELEASE: How = Elsewhere("cli/archive.rs begins with a release");
const SAVED_CARD: How = Elsewhere("tests/component/card_pages.rs saves a card in a browser");
const IN_PROGRAM: How =
    Elsewhere("it needs jq; tests/component/books.rs and personal_data.rs do it");

/// The pages with the blocks of each, in their order.
const PAGES: &[(&str, &[How])] = &[
    (
        "README.md",
        &[
            STARTED,
            RELEASE,
            STARTED,
            SUITE,
            Run(&[]),
            Run(&[]),
            Run(&[]),
            Run(&[]),
        ],
    ),
    ("CONTRIBUTING.md", &[STARTED, SUITE, SUITE, SUITE, RELEASE]),
    ("SECURITY.md", &[]),
    (
        "docs/api.md",
        &[Elsewhere("tests/component/openapi.rs makes a client so")],
    ),
    (
        "docs/cards.md",
        &[
            Run(&[]),
            Serve("Card gateway"),
            Run(&[]),
            Run(&[]),
            Elsewhere("it needs a payment that was made in a browser"),
            SAVED_CARD,
            SAVED_CARD,
        ],
    ),
    ("docs/cards.ro.md", &[Run(&[])]),
    ("docs/configuration.md", &[Run(&[])]),
    (
        "docs/conform.md",
        // The template describes orders that this provider does not have.
        &[Run(&[(
            "mpay conform https://pay.example.md/mpay",
            "! mpay conform URL",
        )])],
    ),
    ("docs/connect.md", CONNECT),
    ("docs/connect.ro.md", ROMANIAN),
    (
        "docs/operate.md",
        &[
            SPIN,
            SYSTEM,
            SYSTEM,
            Elsewhere("it needs Docker; cli/archive.rs looks at what the image is made of"),
            SYSTEM,
            SPIN,
            Run(&[("/var/lib/mpay-provider", "STATE")]),
            Elsewhere("it needs PostgreSQL; tests/component/engines.rs has it"),
            SYSTEM,
            Run(&[("/mnt/backup", "."), ("/var/lib/mpay-provider", "STATE")]),
            Elsewhere("it needs a server; tests/component/moves.rs has some"),
            Run(&[("/srv/evidence", "evidence")]),
            IN_PROGRAM,
        ],
    ),
    ("docs/personal-data.md", &[IN_PROGRAM]),
    (
        "docs/quickstart-php.md",
        &[QUICKSTART, QUICKSTART, QUICKSTART, QUICKSTART],
    ),
    (
        "docs/quickstart-python.md",
        &[QUICKSTART, QUICKSTART, QUICKSTART, QUICKSTART],
    ),
    (
        "docs/rehearsal.md",
        &[STARTED, Run(&[]), Run(&[]), Serve("MPay offline"), Run(&[])],
    ),
    ("docs/security.md", &[]),
    (
        "docs/tools.md",
        &[
            Run(&[]),
            Serve("MPay offline"),
            Run(&[("TAX", "DEMO"), ("cancel ", "cancel --yes ")]),
            Run(&[]),
            Run(&[]),
            Run(&[]),
            Run(&[]),
            Run(&[("https://plati.exemplu.md/", "URL")]),
            Run(&[]),
            Run(&[
                ("…\"", "$(cat certs/dev/api-token)\""),
                ("https://…/", "URL"),
            ]),
            Run(&[("--duration 10", "--duration 1")]),
        ],
    ),
    ("docs/webhooks.md", &[Serve("http")]),
];

const CONNECT: &[How] = &[
    STARTED,
    Run(&[]),
    Run(&[]),
    Run(&[]),
    Run(&[]),
    Run(&[("https://plati.exemplu.md/", "URL")]),
];

const ROMANIAN: &[How] = &[const { Elsewhere("the commands are those of connect.md") }; 6];

/// The blocks of commands of a page: whether output follows, and the lines.
fn blocks(page: &str) -> Vec<(bool, Vec<String>)> {
    let mut blocks = Vec::new();
    let mut block: Option<(bool, Vec<String>)> = None;
    for line in page.lines() {
        match (line.trim(), &mut block) {
            ("```sh" | "```bash" | "```console", None) => {
                block = Some((line.trim() == "```console", Vec::new()));
            }
            ("```", block) => blocks.extend(block.take()),
            (_, Some((_, lines))) => lines.push(line.to_owned()),
            (_, None) => {}
        }
    }
    blocks
}

/// The place where a page's commands are typed, and the provider beside it.
struct Desk {
    folder: tempfile::TempDir,
    state: tempfile::TempDir,
    /// It serves until the end.
    _up: Up,
    /// The pages' ports, each with the address that takes its place.
    ports: [(&'static str, String); 3],
}

impl Desk {
    fn new() -> Self {
        let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // They are let go together, so that they are three.
        let taken = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [provider, offline, gateway] = taken
            .each_ref()
            .map(|port| port.local_addr().unwrap().to_string());
        drop(taken);
        let listen = ["--offline-listen", &offline, "--gateway-listen", &gateway];
        let up = Up::start_with(state.path(), &provider, &listen);
        // As in the repository.
        for name in ["certs", "spin.toml", "target"] {
            std::os::unix::fs::symlink(workspace().join(name), folder.path().join(name)).unwrap();
        }
        let desk = Self {
            folder,
            state,
            _up: up,
            ports: [
                ("127.0.0.1:3000", provider),
                ("127.0.0.1:3001", offline),
                ("127.0.0.1:3002", gateway),
            ],
        };
        let programs = desk.folder.path().join("programs");
        std::fs::create_dir(&programs).unwrap();
        let mpay = format!(
            "#!/bin/sh\ncase $1 in call) set -- \"$@\" --url \"$MPAY_URL\";; bench) set -- \"$@\" \
             \"$MPAY_URL\";; offline | gateway) set -- \"$@\" --listen 127.0.0.1:0;; esac\nexec {} \"$@\"\n",
            env!("CARGO_BIN_EXE_mpay")
        );
        // Of `cargo run -q -- …` the rest.
        let cargo = "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec mpay \"$@\"\n";
        for (name, text) in [("mpay", mpay.as_str()), ("cargo", cargo)] {
            let file = programs.join(name);
            std::fs::write(&file, text).unwrap();
            let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(file, executable).unwrap();
        }
        let picture = workspace().join("docs/screenshots/start-phone-ru.png");
        let ready = desk.type_in(SETUP, &[("PICTURE", picture.to_str().unwrap())]);
        assert!(ready.status.success(), "{ready:?}");
        desk
    }

    fn url(&self) -> String {
        format!("http://{}/", self.ports[0].1)
    }

    /// A shell that runs these commands, with other words in place of some.
    fn shell(&self, commands: &str, words: &[(&str, &str)]) -> Command {
        let mut commands = commands.to_owned();
        for (word, other) in words {
            assert!(commands.contains(word), "{word} is not in {commands}");
            let state = self.state.path().to_str().unwrap();
            let other = other.replace("URL", &self.url()).replace("STATE", state);
            commands = commands.replace(word, &other);
        }
        for (port, used) in &self.ports {
            commands = commands.replace(port, used);
        }
        let path = std::env::var("PATH").unwrap();
        let mut shell = Command::new("bash");
        shell
            .args(["-euc", &commands])
            .current_dir(self.folder.path())
            .env("PATH", format!("programs:{path}"))
            .env("MPAY_URL", self.url())
            .env("MPAY_PASSPHRASE", "a-long-passphrase")
            .stdin(Stdio::null());
        shell
    }

    fn type_in(&self, commands: &str, words: &[(&str, &str)]) -> Output {
        self.shell(commands, words).output().unwrap()
    }

    /// Runs a block without output, or each command of one with.
    fn run(&self, place: &str, block: &(bool, Vec<String>), words: &[(&str, &str)]) {
        let (has_output, lines) = block;
        if !has_output {
            let done = self.type_in(&lines.join("\n"), words);
            assert!(done.status.success(), "{place}: {done:?}");
            return;
        }
        let begins: Vec<_> = (0..lines.len())
            .filter(|&line| lines[line].starts_with("$ "))
            .collect();
        for (number, &begin) in begins.iter().enumerate() {
            let end = begins.get(number + 1).copied().unwrap_or(lines.len());
            // A terminal shows both.
            let commands = format!("exec 2>&1\n{}", &lines[begin][2..]);
            let done = self.type_in(&commands, words);
            let printed = String::from_utf8_lossy(&done.stdout);
            let printed: Vec<_> = printed.lines().collect();
            let expected: Vec<_> = lines[begin + 1..end].iter().map(String::as_str).collect();
            assert!(
                fits(&expected, &printed),
                "{place}: {expected:#?} is printed as {printed:#?}"
            );
        }
    }

    /// Runs a block that does not end by itself, until it says something.
    fn serve(&self, place: &str, lines: &[String], says: &str) {
        let mut shell = self.shell(&format!("exec {}", lines.join("\n")), &[]);
        let mut process = shell.stdout(Stdio::piped()).spawn().unwrap();
        // The pipe is open until it has ended: who can print to nobody fails.
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        let said = lines.any(|line| line.contains(says));
        process.kill().ok();
        process.wait().unwrap();
        assert!(said, "{place} does not say {says}");
    }
}

/// True if lines are those of a page, where `…` stands for any lines or for any words, and one number of
/// seconds is as good as another.
fn fits(expected: &[&str], printed: &[&str]) -> bool {
    match expected {
        [] => printed.is_empty(),
        ["…", rest @ ..] => (0..=printed.len()).any(|begin| fits(rest, &printed[begin..])),
        [line, rest @ ..] => {
            let fit = printed.first().is_some_and(|it| line_fits(line, it));
            fit && fits(rest, &printed[1..])
        }
    }
}

fn line_fits(expected: &str, printed: &str) -> bool {
    let words = |line: &str| -> Vec<_> { line.split(' ').map(str::to_owned).collect() };
    let (expected, printed) = (words(expected.trim_end()), words(printed.trim_end()));
    let is_second = |unit: &String| unit.trim_end_matches(':') == "s";
    let is_time = |position: usize| expected.get(position + 1).is_some_and(is_second);
    expected.len() == printed.len()
        && expected
            .iter()
            .zip(&printed)
            .enumerate()
            .all(|(position, (word, other))| {
                let is_number = is_time(position) && other.parse::<f64>().is_ok();
                word == "…" || word == other || is_number
            })
}

#[test]
fn every_block_of_commands_is_known() {
    for (page, hows) in PAGES {
        let blocks = blocks(&std::fs::read_to_string(workspace().join(page)).unwrap());
        let first: Vec<_> = blocks.iter().map(|(_, lines)| lines.first()).collect();
        assert_eq!(blocks.len(), hows.len(), "{page} has the blocks {first:#?}");
    }
    let mut files: Vec<_> = std::fs::read_dir(workspace().join("docs"))
        .unwrap()
        .collect();
    files.extend(std::fs::read_dir(workspace()).unwrap());
    for file in files {
        let file = file.unwrap().path();
        let known = PAGES.iter().any(|(page, _)| workspace().join(page) == file);
        if !known && file.extension().is_some_and(|it| it == "md") {
            let page = std::fs::read_to_string(&file).unwrap();
            assert!(blocks(&page).is_empty(), "{} has commands", file.display());
        }
    }
    let page = |name| blocks(&std::fs::read_to_string(workspace().join(name)).unwrap());
    assert_eq!(page("docs/connect.ro.md"), page("docs/connect.md"));
}

#[test]
fn commands_of_pages_do_what_the_pages_say() {
    if !is_there("curl") || !is_there("openssl") {
        return;
    }
    for (page, hows) in PAGES {
        if hows.iter().all(|how| matches!(how, Elsewhere(_))) {
            continue;
        }
        let desk = Desk::new();
        let blocks = blocks(&std::fs::read_to_string(workspace().join(page)).unwrap());
        for (number, (block, how)) in blocks.iter().zip(*hows).enumerate() {
            let place = format!("{page}, block {} ({:?})", number + 1, block.1.first());
            match how {
                Run(words) => desk.run(&place, block, words),
                Serve(says) => desk.serve(&place, &block.1, says),
                Elsewhere(_) => {}
            }
            if block.1.iter().any(|line| line.contains("keys new")) {
                let issued = desk.type_in(ISSUED, &[]);
                assert!(issued.status.success(), "{place}: {issued:?}");
            }
        }
    }
}
