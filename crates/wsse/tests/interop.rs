//! Signatures against `xmlsec1` (libxml2, OpenSSL) and `openssl`, in both directions.

mod common;

use std::path::Path;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use common::{has_tool, now, path, policy, run, signer, template, write};
use proptest::prelude::*;
use wsse::{Algorithms, Document, Envelope, Hash, Writer, exclusive_c14n};

const HASHES: [Hash; 4] = [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512];

/// The options that tell `xmlsec1` which attributes are ids: it has no schema of SOAP.
fn ids() -> [String; 4] {
    let body = format!("--id-attr:Id {}:Body", common::SOAP);
    let timestamp = format!("--id-attr:Id {}:Timestamp", common::WSU);
    let split = |option: String| {
        let (option, value) = option.split_once(' ').expect("an option");
        [option.to_owned(), value.to_owned()]
    };
    let ([a, b], [c, d]) = (split(body), split(timestamp));
    [a, b, c, d]
}

fn xmlsec1(command: &str, options: &[&str], file: &str) -> std::process::Output {
    let ids = ids();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    run(
        "xmlsec1",
        &[&[command], &ids[..], options, &[file]].concat(),
    )
}

fn our_message(hash: Hash) -> String {
    let mut body = Writer::new();
    body.start_in("Answer", "urn:example:pay");
    body.start_with(
        "Text",
        &[("xml:lang", "ro"), ("b", "\t\"\r\n"), ("a", "<&>")],
    );
    body.text("ăîșț <&>\"' \r\n\t");
    body.end();
    body.start_in("Other", "");
    body.end();
    body.end();
    signer("service")
        .sign(
            &body.finish(),
            Algorithms::new(hash),
            now(),
            Duration::from_secs(300),
        )
        .expect("a message")
}

#[test]
fn xmlsec1_verifies_what_we_sign() {
    if !has_tool("xmlsec1") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for hash in HASHES {
        let message = our_message(hash);
        let file = write(folder.path(), "message.xml", message.as_bytes());
        let options = ["--pubkey-cert-pem", &path("service.pem")];
        let output = xmlsec1("--verify", &options, &file);
        assert!(output.status.success(), "{hash}: {output:?}");
        let said =
            String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        assert!(
            said.contains("SignedInfo References (ok/all): 2/2"),
            "{said}"
        );

        let file = write(
            folder.path(),
            "tampered.xml",
            message.replace("ăîșț", "ăîsț").as_bytes(),
        );
        assert!(
            !xmlsec1("--verify", &options, &file).status.success(),
            "{hash}"
        );
    }
}

/// The template, changed by replacements and signed by `xmlsec1`.
fn their_message(folder: &Path, message: &str) -> String {
    let file = write(folder, "template.xml", message.as_bytes());
    let output = xmlsec1("--sign", &["--privkey-pem", &path("mpay.key.pem")], &file);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn assert_verified(message: &str, what: &str) {
    let envelope = Envelope::parse(message.as_bytes()).expect("an envelope");
    if let Err(error) = envelope.verify(&policy(&["mpay"]), now()) {
        panic!("{what}: {error}");
    }
}

#[test]
fn we_verify_what_xmlsec1_signs() {
    if !has_tool("xmlsec1") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["sha1", "sha256", "sha384", "sha512"] {
        let signature = match name {
            "sha1" => "2000/09/xmldsig#rsa-sha1".to_owned(),
            name => format!("2001/04/xmldsig-more#rsa-{name}"),
        };
        let digest = match name {
            "sha1" => "2000/09/xmldsig#sha1",
            "sha384" => "2001/04/xmldsig-more#sha384",
            "sha256" => "2001/04/xmlenc#sha256",
            _ => "2001/04/xmlenc#sha512",
        };
        let template = template()
            .replace("2000/09/xmldsig#rsa-sha1", &signature)
            .replace("2000/09/xmldsig#sha1", digest);
        let message = their_message(folder.path(), &template);
        assert_verified(&message, name);
        let tampered = message.replace("10.00", "10.01");
        let envelope = Envelope::parse(tampered.as_bytes()).expect("an envelope");
        assert!(envelope.verify(&policy(&["mpay"]), now()).is_err());
    }
}

/// Our canonical form with comments or without, with prefix lists, of subtrees, is that of
/// libxml2: else the digests that `xmlsec1` makes would not match.
#[test]
fn we_verify_what_xmlsec1_signs_with_every_parameter_of_c14n() {
    if !has_tool("xmlsec1") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["p", "q", "s", "u", "o", "xsi", "xml", "absent", "#default"];
    let pieces = [
        "<a/>",
        "<p:a/>",
        "<q:a xmlns:q='urn:z'/>",
        "<a xmlns=''/>",
        "<a xmlns='urn:e'>",
        "<p:b>",
        "<b xmlns:q='urn:y'>",
        "<b xmlns:p='urn:x'>",
        "</>",
        "</>",
        "text",
        "<!-- c -->",
        "&#13;",
        "<a p:x='1' q:x='2' x='3' xml:lang='ro'/>",
        "\r\n",
        "<![CDATA[<&]]>",
        "<b xmlns=''>",
    ];
    let methods = [
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
    ];
    let check = |list: Vec<&str>,
                 methods: [(&str, bool); 2],
                 around: [Vec<&str>; 2],
                 pieces: Vec<&str>| {
        let method = |(method, comments): (&str, bool)| {
            let mark = if method.ends_with('#') { "" } else { "#" };
            let algorithm = match comments {
                true => format!("{method}{mark}WithComments"),
                false => method.to_owned(),
            };
            let parameter = match method {
                common::EXC => format!(
                    "<c:InclusiveNamespaces xmlns:c='{method}' PrefixList='{}'/>",
                    list.join(" ")
                ),
                _ => String::new(),
            };
            format!("Algorithm=\"{algorithm}\">{parameter}</")
        };
        let [in_info, in_references] = methods.map(method);
        let [envelope, body] = around.map(|attributes| attributes.join(" "));
        let template = template()
            .replace(
                "<s:Envelope ",
                &format!("<s:Envelope xmlns='urn:d' xmlns:p='urn:p' xmlns:q='urn:q' {envelope} "),
            )
            .replace("<s:Body ", &format!("<s:Body {body} "))
            .replace("</Pay>", &format!("{}</Pay>", balanced(&pieces)))
            .replace("<SignedInfo>", "<SignedInfo><!-- c -->")
            .replace(
                &format!("<Transform Algorithm=\"{}\"></", common::EXC),
                &format!("<Transform {in_references}"),
            )
            .replace(
                &format!("<CanonicalizationMethod Algorithm=\"{}\"></", common::EXC),
                &format!("<CanonicalizationMethod {in_info}"),
            );
        assert_verified(&their_message(folder.path(), &template), &template);
    };
    let attributes = [
        "xml:lang='ro'",
        "xml:space='preserve'",
        "xml:base='http://h/a/b?q#f'",
        "xml:x='&lt;&#9;'",
    ];
    let attributes_of_body = ["xml:lang=''", "xml:space='default'", "xml:base='../c/./d/'"];
    let config = ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(
        list in prop::sample::subsequence(names.to_vec(), 0..=names.len()),
        in_info in (prop::sample::select(methods.to_vec()), any::<bool>()),
        in_references in (prop::sample::select(methods.to_vec()), any::<bool>()),
        envelope in prop::sample::subsequence(attributes.to_vec(), 0..=attributes.len()),
        body in prop::sample::subsequence(attributes_of_body.to_vec(), 0..=3),
        pieces in prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..16),
    )| check(list, [in_info, in_references], [envelope, body], pieces));
}

/// Joins pieces of XML; `</>` closes what is open, if anything is.
fn balanced(pieces: &[&str]) -> String {
    let mut xml = String::new();
    let mut open: Vec<&str> = Vec::new();
    for &piece in pieces {
        if piece == "</>" {
            if let Some(name) = open.pop() {
                xml += &format!("</{name}>");
            }
            continue;
        }
        xml += piece;
        if piece.starts_with('<') && !piece.starts_with("<!") && !piece.ends_with("/>") {
            let end = piece.find([' ', '>']).expect("a tag");
            open.push(&piece[1..end]);
        }
    }
    for name in open.into_iter().rev() {
        xml += &format!("</{name}>");
    }
    xml
}

#[test]
fn openssl_verifies_our_signature_value_over_our_signed_info() {
    if !has_tool("openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let public_key = run(
        "openssl",
        &["x509", "-in", &path("service.pem"), "-noout", "-pubkey"],
    );
    let key = write(folder.path(), "key.pem", &public_key.stdout);
    for hash in HASHES {
        let message = our_message(hash);
        let document = Document::parse(message.as_bytes()).expect("a document");
        let part = |name| common::find(document.root(), &|e| e.is(common::DS, name)).expect(name);
        let signed_info = exclusive_c14n(part("SignedInfo"), false, &[]);
        let value = part("SignatureValue").text().expect("base64");
        let value = Base64::decode_vec(&value).expect("base64");
        let signature = write(folder.path(), "signature", &value);
        let signed_info = write(folder.path(), "signed-info", &signed_info);
        let output = run(
            "openssl",
            &[
                "dgst",
                &format!("-{hash}"),
                "-verify",
                &key,
                "-signature",
                &signature,
                &signed_info,
            ],
        );
        assert!(output.status.success(), "{hash}: {output:?}");
    }
}

/// `xmlsec1` knows RSA-PSS only from version 1.3 on.
#[test]
fn we_verify_the_rsa_pss_of_openssl() {
    if !has_tool("openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for hash in ["sha256", "sha384", "sha512"] {
        let template = template().replace(
            "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
            &format!("http://www.w3.org/2007/05/xmldsig-more#{hash}-rsa-MGF1"),
        );
        let message = common::fill(&template, "mpay");
        let document = Document::parse(message.as_bytes()).expect("a document");
        let part = |name| common::find(document.root(), &|e| e.is(common::DS, name)).expect(name);
        let signed_info = exclusive_c14n(part("SignedInfo"), false, &[]);
        let signed_info = write(folder.path(), "signed-info", &signed_info);
        let sign = |salt: &str| {
            let key = path("mpay.key.pem");
            let salt = format!("rsa_pss_saltlen:{salt}");
            let hash = format!("-{hash}");
            let options = [
                "dgst",
                &hash,
                "-sign",
                &key,
                "-sigopt",
                "rsa_padding_mode:pss",
                "-sigopt",
                &salt,
            ];
            let output = run("openssl", &[&options[..], &[&signed_info]].concat());
            let ours = part("SignatureValue").text().expect("base64");
            message.replace(&*ours, &Base64::encode_string(&output.stdout))
        };
        assert_verified(&sign("digest"), hash);
        let envelope = Envelope::parse(sign("20").as_bytes()).expect("an envelope");
        assert!(
            envelope.verify(&policy(&["mpay"]), now()).is_err(),
            "{hash}"
        );
    }
}

#[test]
fn openssl_makes_the_same_digests() {
    if !has_tool("openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let message = our_message(Hash::Sha256);
    let document = Document::parse(message.as_bytes()).expect("a document");
    let body = common::find(document.root(), &|e| e.is(common::SOAP, "Body")).expect("Body");
    let canonical = exclusive_c14n(body, false, &[]);
    let as_written = &message[message.find("<soap:Body").expect("Body")..];
    assert!(
        as_written.as_bytes().starts_with(&canonical),
        "the Body is canonical as written"
    );
    let file = write(folder.path(), "body.xml", &canonical);
    let digest = run("openssl", &["dgst", "-sha256", "-binary", &file]).stdout;
    let digest = Base64::encode_string(&digest);
    assert!(message.contains(&format!("<ds:DigestValue>{digest}</ds:DigestValue>")));
}

#[test]
fn xmllint_reads_what_we_sign() {
    if !has_tool("xmllint") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(
        folder.path(),
        "message.xml",
        our_message(Hash::Sha1).as_bytes(),
    );
    let output = run("xmllint", &["--nonet", "--noout", &file]);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
}

#[test]
fn a_signature_is_deterministic() {
    assert_eq!(our_message(Hash::Sha256), our_message(Hash::Sha256));
}
