//! The messages of `tests/corpus`, whose index says what becomes of each.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{certificate, data, path, policy, time, variant};
use wsse::{Envelope, Policy, Trust};

struct Row {
    file: String,
    trusts: String,
    at: String,
    error: String,
}

fn index() -> Vec<Row> {
    let index = data("../corpus/README.md");
    let rows = index.lines().filter(|line| line.contains(".xml |"));
    rows.map(|line| {
        let cells: Vec<&str> = line.split(" | ").collect();
        let [file, trusts, at, error, tries, why] = cells[..] else {
            panic!("{line}");
        };
        assert!(tries.len() > 2 && why.len() > 2, "{line}");
        Row {
            file: file.trim_start_matches("| ").to_owned(),
            trusts: trusts.to_owned(),
            at: at.to_owned(),
            error: error.trim().to_owned(),
        }
    })
    .collect()
}

fn trust(names: &str) -> Policy {
    let in_chain = |name: &str| certificate(&format!("chain/{name}"));
    let chain: Vec<&str> = names.split('+').collect();
    let trust = match chain[..] {
        [pinned] if pinned != "root" => return policy(&pinned.split(' ').collect::<Vec<_>>()),
        [root, ref intermediates @ ..] => Trust::pinned(vec![]).with_authorities(
            vec![in_chain(root)],
            intermediates.iter().map(|name| in_chain(name)).collect(),
            &["1003600000001"],
        ),
        [] => panic!("nobody is trusted"),
    };
    Policy {
        trust: trust.expect("authorities"),
        ..policy(&[])
    }
}

#[test]
fn every_message_of_the_corpus_is_accepted_or_refused_as_the_index_says() {
    let mut wrong = Vec::new();
    for row in index() {
        let message = std::fs::read(path(&format!("../corpus/{}", row.file))).expect(&row.file);
        let found = match Envelope::parse(&message) {
            Err(error) => variant(&error),
            Ok(envelope) => match envelope.verify(&trust(&row.trusts), time(&row.at)) {
                Err(error) => variant(&error),
                Ok(verified) => {
                    assert!(verified.body().children().next().is_some());
                    String::new()
                }
            },
        };
        if found != row.error {
            wrong.push(format!("{}: {found:?}, not {:?}", row.file, row.error));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_index_has_every_file() {
    let rows = index();
    let listed: BTreeSet<String> = rows.iter().map(|row| row.file.clone()).collect();
    assert_eq!(listed.len(), rows.len(), "a file is listed twice");
    let mut there = BTreeSet::new();
    for folder in ["accept", "reject"] {
        for file in std::fs::read_dir(Path::new(&path("../corpus")).join(folder)).expect(folder) {
            let name = file.expect("a file").file_name();
            there.insert(format!("{folder}/{}", name.to_str().expect("UTF-8")));
        }
    }
    assert_eq!(listed, there);
    let rejected = rows.iter().filter(|row| row.file.starts_with("reject/"));
    assert!(rejected.clone().all(|row| !row.error.is_empty()));
    assert!(rejected.count() >= 60);
}
