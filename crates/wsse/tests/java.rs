//! Signatures against those of the JDK, which are Apache Santuario's, as in WSS4J: in both
//! directions, with the names of certificates as Java writes them.

mod common;

use std::time::Duration;

use common::{certificate, has_tool, now, path, policy, run, signer, template, write};
use wsse::{Algorithms, Envelope, Hash, Writer};

fn java(arguments: &[&str]) {
    let program = path("../java/Signatures.java");
    let output = run("java", &[&[program.as_str()], arguments].concat());
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn we_verify_what_java_signs() {
    if !has_tool("java") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let template = template()
        .replace("<s:Envelope ", "<s:Envelope xmlns='urn:d' xml:lang='ro' ")
        .replace("<Pay ", "<Pay a='\t&#9;&lt;' xml:lang='en' ")
        .replace("10.00", "10.00<!-- c -->");
    let file = write(folder.path(), "template.xml", template.as_bytes());
    let (key, signer) = (path("mpay.key.pem"), path("chain/mpay.pem"));
    let to = folder.path().to_str().expect("UTF-8");
    java(&["sign", &file, &key, &signer, to]);
    let policy = policy(&["service", "chain/mpay"]);
    for number in 0..25 {
        let message = std::fs::read(folder.path().join(format!("{number}.xml"))).expect("a file");
        let envelope = Envelope::parse(&message).expect("an envelope");
        let verified = envelope.verify(&policy, now()).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&message));
        });
        assert_eq!(verified.signer(), &certificate("chain/mpay"));
    }
}

#[test]
fn java_verifies_what_we_sign() {
    if !has_tool("java") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut body = Writer::new();
    body.start_in("Answer", "urn:example:pay");
    body.element("Text", "ăîșț <&>\"' \r\n\t");
    let body = body.finish();
    let files = [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512].map(|hash| {
        let lifetime = Duration::from_secs(300);
        let message = signer("service").sign(&body, Algorithms::new(hash), now(), lifetime);
        let message = message.expect("a message");
        write(folder.path(), &format!("{hash}.xml"), message.as_bytes())
    });
    let signer = path("service.pem");
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    java(&[&["verify", &signer], &files[..]].concat());
}
