//! Signatures against those of zeep (libxmlsec1) and signxml (lxml, OpenSSL), two stacks of Python.

mod common;
#[path = "common/python.rs"]
mod environment;

use std::time::Duration;

use common::{certificate, now, path, policy, run, signer, template, write};
use environment::environment;
use wsse::{Algorithms, Envelope, Hash, Writer};

/// Runs the Python program; `false` if there is none.
fn python(arguments: &[&str]) -> bool {
    let Some(programs) = environment() else {
        return false;
    };
    let program = programs.join("python");
    let script = path("../python/signatures.py");
    let output = run(
        program.to_str().expect("UTF-8"),
        &[&[script.as_str()], arguments].concat(),
    );
    assert!(output.status.success(), "{output:?}");
    true
}

#[test]
fn python_and_we_verify_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let template = template().replace("<Pay ", "<Pay a='\t&#9;&lt;' xml:lang='en' ");
    let template = write(folder.path(), "template", template.as_bytes());
    let (key, certificate_file) = (path("mpay.key.pem"), path("chain/mpay.pem"));
    let to = folder.path().to_str().expect("UTF-8");
    if !python(&["sign", &template, &key, &certificate_file, to]) {
        return;
    }
    let mut signed = 0;
    for file in std::fs::read_dir(folder.path()).expect("a folder") {
        let file = file.expect("a file").path();
        if file.extension().is_none_or(|extension| extension != "xml") {
            continue;
        }
        let message = std::fs::read(&file).expect("a message");
        let envelope = Envelope::parse(&message).expect("an envelope");
        let verified = envelope.verify(&policy(&["service", "chain/mpay"]), now());
        let verified = verified.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(verified.signer(), &certificate("chain/mpay"));
        signed += 1;
    }
    assert_eq!(signed, 12);

    let mut body = Writer::new();
    body.start_in("Answer", "urn:example:pay");
    body.element("Text", "ăîșț <&>\"' \r\n\t");
    let body = body.finish();
    let files = [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512].map(|hash| {
        let lifetime = Duration::from_secs(300);
        let message = signer("service").sign(&body, Algorithms::new(hash), now(), lifetime);
        write(
            folder.path(),
            &hash.to_string(),
            message.expect("a message").as_bytes(),
        )
    });
    let signer = path("service.pem");
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    python(&[&["verify", signer.as_str()], &files[..]].concat());
}
