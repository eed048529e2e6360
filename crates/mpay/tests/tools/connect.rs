use std::{fs, path::Path};

use crate::support::*;

/// A PNG picture of one colour, as far as its size is asked.
fn logo(width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend(width.to_be_bytes());
    png.extend(height.to_be_bytes());
    png.extend(b"\x08\x02\0\0\0....\0\0\0\0IEND\xaeB`\x82");
    png
}

fn connect(folder: &Path, change: &[(&str, &str)]) -> Outcome {
    fs::write(folder.join("logo.png"), logo(512, 256)).unwrap();
    let certificate = data("service.pem");
    let mut flags = vec![
        ("--out", "form"),
        ("--provider-name", "Primăria Exemplu"),
        ("--website", "https://exemplu.md"),
        ("--service-name", "Impozitul funciar"),
        ("--url", "https://plati.exemplu.md/mpay"),
        ("--address", "203.0.113.7"),
        ("--certificate", certificate.to_str().unwrap()),
        ("--logo", "logo.png"),
    ];
    for (name, value) in change {
        flags.retain(|(given, _)| given != name);
        flags.push((name, value));
    }
    let mut arguments = vec!["connect"];
    arguments.extend(flags.iter().flat_map(|(name, value)| [*name, *value]));
    run(folder, &arguments)
}

#[test]
fn the_folder_has_all_that_the_form_asks() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    connect(folder, &[]).expect(0, &["formular.txt", "suport.mpay@gov.md", "mpay doctor"]);
    let form = fs::read_to_string(folder.join("form/formular.txt")).unwrap();
    for word in [
        "Primăria Exemplu",
        "https://exemplu.md",
        "Impozitul funciar",
        "https://plati.exemplu.md/mpay\n",
        "https://plati.exemplu.md/mpay/?wsdl",
        "203.0.113.7",
        "primaria-exemplu.cer",
        "512 × 256",
        "suport.mpay@gov.md",
        "Cheia privată nu se trimite nimănui",
        "2120-01-01",
    ] {
        assert!(form.contains(word), "{word}: {form}");
    }
    let cer = fs::read(folder.join("form/primaria-exemplu.cer")).unwrap();
    assert_eq!(mpay_ledger::digest::sha256(&cer).len(), 64);
    assert!(form.contains(&mpay_ledger::digest::sha256(&cer)));
    assert_eq!(
        fs::read(folder.join("form/primaria-exemplu.png")).unwrap(),
        logo(512, 256)
    );
    assert_eq!(
        fs::read_dir(folder.join("form")).unwrap().count(),
        3,
        "and no key"
    );
    connect(folder, &[]).expect(2, &["is there already"]);
}

#[test]
fn the_letters_to_the_bank_name_both_addresses_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let letters = |more: &[&str]| {
        let mut arguments = vec![
            "connect",
            "--cards",
            "--out",
            "letters",
            "--provider-name",
            "Primăria Exemplu",
            "--website",
            "https://exemplu.md",
        ];
        arguments.extend(more);
        run(folder, &arguments)
    };
    let url = ["--url", "https://plati.exemplu.md/"];
    letters(&["--url", "https://plati.exemplu.md/?a=b"]).expect(2, &["has a query"]);
    letters(&[&url[..], &["--stages", "two"]].concat()).expect(0, &["scrisoare-1-test.txt"]);
    for (file, words) in [
        ("scrisoare-1-test.txt", ["două etape", "test access"]),
        ("scrisoare-2-comercial.txt", ["TemplateTag", "prin SMS"]),
    ] {
        let letter = fs::read_to_string(folder.join("letters").join(file)).unwrap();
        let addresses = [
            "Primăria Exemplu",
            "https://plati.exemplu.md/cards/notifications\n",
            "https://plati.exemplu.md/cards/return/{orderid}\n",
        ];
        for word in addresses.into_iter().chain(words) {
            assert!(letter.contains(word), "{word}: {letter}");
        }
    }
    letters(&url).expect(2, &["is there already"]);
    fs::remove_dir_all(folder.join("letters")).unwrap();
    letters(&[&url[..], &["--interface", "wallet"]].concat()).expect(0, &[]);
    let letter = fs::read_to_string(folder.join("letters/scrisoare-1-test.txt")).unwrap();
    for word in [
        "VWID",
        "vwapi",
        "CustomerAdd",
        "MerchantPay",
        "fără titular",
    ] {
        assert!(letter.contains(word), "{word}: {letter}");
    }
    assert!(
        !letter.contains("Ap&Pay") && !letter.contains("Key"),
        "{letter}"
    );
    run(folder, &["connect", "--out", "x"]).expect(2, &["--provider-name"]);
}

#[test]
fn what_mpay_could_not_use_is_refused_or_doubted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("cut.png"), &logo(512, 256)[..40]).unwrap();
    fs::write(folder.join("photo.jpg"), b"\xff\xd8\xff\xe0JFIF").unwrap();
    let (expired, root) = (data("expired.pem"), data("chain/root.pem"));
    for (flag, value, word) in [
        ("--url", "plati.exemplu.md", "https://"),
        ("--website", "ftp://exemplu.md", "https://"),
        ("--address", "plati.exemplu.md", "--address"),
        ("--provider-name", " ", "one line"),
        ("--logo", "photo.jpg", "not a PNG"),
        ("--logo", "cut.png", "cut off"),
        ("--certificate", expired.to_str().unwrap(), "expired"),
        ("--certificate", root.to_str().unwrap(), "authority's"),
    ] {
        connect(folder, &[(flag, value)]).expect(2, &[word]);
        assert!(!folder.join("form").exists(), "{flag} {value}");
    }
    let development = mpay::development::Credentials::of_workspace(folder);
    development.ensure().unwrap();
    let file = development.service_certificate();
    connect(folder, &[("--certificate", file.to_str().unwrap())]).expect(2, &["a development one"]);
    fs::write(folder.join("small.png"), logo(16, 16)).unwrap();
    for (n, (flag, value, word)) in [
        ("--url", "http://localhost:3000/", "without TLS"),
        ("--url", "http://localhost:3000/", "this machine itself"),
        ("--address", "192.168.1.7", "an inner one"),
        ("--logo", "small.png", "16 × 16"),
    ]
    .into_iter()
    .enumerate()
    {
        let out = format!("doubt-{n}");
        connect(folder, &[(flag, value), ("--out", &out)]).expect(0, &["warning", word]);
    }
}
