//! Signatures against those of Apache WSS4J, in both directions: every way in which it names the
//! signer, with the token signed or not.

mod common;

use std::path::Path;
use std::time::Duration;

use common::{
    certificate, has_tool, is_installed, now, path, policy, run, signer, template, write,
};
use jiff::Timestamp;
use wsse::{Algorithms, Envelope, Hash, Writer};

/// The files of Debian's `libwss4j-java` and of its dependencies.
const JARS: [&str; 6] = [
    "/usr/share/java/wss4j.jar",
    "/usr/share/java/xmlsec.jar",
    "/usr/share/java/commons-codec.jar",
    "/usr/share/java/commons-logging.jar",
    "/usr/share/java/slf4j-api.jar",
    "/usr/share/java/slf4j-nop.jar",
];

fn has_wss4j() -> bool {
    let found = JARS.iter().all(|jar| Path::new(jar).exists());
    has_tool("java") && is_installed("libwss4j-java", found)
}

fn wss4j(arguments: &[&str]) {
    let program = path("../java/Wss4j.java");
    let class_path = JARS.join(":");
    let java = ["-cp", &class_path, &program];
    let output = run("java", &[&java[..], arguments].concat());
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn we_verify_what_wss4j_signs() {
    if !has_wss4j() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    // It counts on its own prefix where it does not declare it.
    let template = template()
        .replace("<o:", "<wsse:")
        .replace("</o:", "</wsse:")
        .replace("xmlns:o=", "xmlns:wsse=");
    let file = write(folder.path(), "template", template.as_bytes());
    let (key, signer) = (path("mpay.key.pem"), path("chain/mpay.pem"));
    let to = folder.path().to_str().expect("UTF-8");
    wss4j(&["sign", &file, &key, &signer, to]);
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
    assert_eq!(signed, 33);
}

#[test]
fn wss4j_verifies_what_we_sign() {
    if !has_wss4j() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut request = Writer::new();
    request.start_in("Ask", "urn:example:pay");
    request.element("Text", "ăîșț <&>\"' \r\n\t");
    request.end();
    let mut fault = Writer::new();
    fault.start_in("Fault", common::SOAP);
    fault.end();
    let mut files = Vec::new();
    for (name, body) in [("request", request.finish()), ("fault", fault.finish())] {
        for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha512] {
            // WSS4J takes the time of its clock.
            let created = Timestamp::now();
            let lifetime = Duration::from_secs(300);
            let message = signer("service").sign(&body, Algorithms::new(hash), created, lifetime);
            let message = message.expect("a message");
            let name = format!("{name}-{hash}");
            files.push(write(folder.path(), &name, message.as_bytes()));
        }
    }
    let signer = path("service.pem");
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    wss4j(&[&["verify", &signer], &files[..]].concat());
}
