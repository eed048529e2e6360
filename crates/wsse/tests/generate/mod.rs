//! Writes `tests/corpus`: the messages of the table as files, those that need more than
//! replacements, and some that are accepted. The index says of each what it tries and why.
//!
//! ```sh
//! cargo test -p wsse --test reject -- --ignored write_the_corpus
//! ```
//!
//! It needs OpenSSL for signatures with wrong padding.

use std::fmt::Write;
use std::path::PathBuf;

use base64ct::{Base64, Encoding};
use sha1::{Digest, Sha1};
use wsse::{Document, exclusive_c14n};

use crate::common::{self, DS, certificate, data, fill, find, message, path, run, template};

/// A message with what the index says of it.
struct Entry {
    file: String,
    /// The certificates that are pinned, or `root+issuing…`: authorities with intermediates.
    trusts: &'static str,
    /// The variant of the error; empty for an accepted message.
    error: String,
    tries: String,
    bytes: Vec<u8>,
}

fn entry(tries: &str, error: &str, bytes: impl Into<Vec<u8>>) -> Entry {
    let words: Vec<&str> = tries
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    Entry {
        file: format!("reject/{}.xml", words.join("-").to_lowercase()),
        trusts: "mpay service",
        error: error.to_owned(),
        tries: tries.to_owned(),
        bytes: bytes.into(),
    }
}

/// The mistake in the messages that are refused with this error.
fn why(error: &str) -> &'static str {
    match error {
        "" => "it is right",
        "NotUtf8" => "other encodings than UTF-8 are not read",
        "Xml" => "it is no XML, or what SOAP 1.1 section 3 forbids, or over a limit",
        "VersionMismatch" => "it is not of SOAP 1.1",
        "SeveralBodies" => "which Body is meant would be a matter of opinion",
        "UnexpectedChild" => "an Envelope has a Header and a Body",
        "NoSecurityHeader" => "nothing in it is signed for us",
        "SeveralSecurityHeaders" => "one Security header is for us (WSS 1.1, section 5)",
        "NoTimestamp" | "NoSignature" => "both are demanded",
        "SeveralTimestamps" | "SeveralSignatures" => {
            "which one counts would be a matter of opinion"
        }
        "DuplicateId" => {
            "what an id names twice would be a matter of opinion: wrapping lives on that"
        }
        "MissingElement" | "MissingAttribute" => "the specification demands it",
        "UnexpectedElement" | "UnexpectedContent" => "what is not known may change the meaning",
        "NotBase64" | "NotHexadecimal" | "BadTime" | "BadName" | "BadSerialNumber" => {
            "the value is not of its type"
        }
        "ExpiresBeforeCreated" | "Expired" | "TooOld" | "CreatedInFuture" => {
            "the time window is closed"
        }
        "UnsupportedCanonicalization" | "UnsupportedTransform" => {
            "a transform may leave out what it likes"
        }
        "UnsupportedSignatureMethod" | "UnsupportedDigestMethod" => {
            "the algorithm is not on the list: weak, or of another kind of key"
        }
        "UnsupportedReference" => "only `#id` names what is surely in the message",
        "UnresolvedReference" => {
            "only the Body, headers and parts of the Security header are signed"
        }
        "RepeatedReference" => "one part is signed once",
        "BodyNotSigned" | "TimestampNotSigned" => "what is not signed proves nothing",
        "UnsupportedKeyInfo" | "UnsupportedToken" => "the key is given in a way that is not read",
        "UnresolvedToken" => "the token is not in the Security header",
        "UntrustedSigner" | "UnknownSigner" | "UntrustedChain" | "UnusableCertificate" => {
            "nobody who is trusted signed it"
        }
        "TooManyHints" => "nobody says more of a signer, and each costs work",
        "ContradictoryKeyInfo" => "it shows one signer and names another",
        "SignatureLength" => "a signature is as long as the modulus (RFC 8017 section 8.2.2)",
        "SignatureMismatch" => "the trusted key did not sign this SignedInfo",
        "DigestMismatch" => "the part is not the one that was signed",
        other => panic!("why is {other} wrong?"),
    }
}

pub(crate) fn write(table: Vec<(&'static str, &'static str, String)>) {
    let mut entries = accepted();
    let of_table = |(tries, error, message): (&str, &str, String)| entry(tries, error, message);
    entries.extend(table.into_iter().map(of_table));
    entries.extend(bytes());
    entries.extend(documents());
    entries.extend(signatures());
    entries.extend(signers());
    let folder = PathBuf::from(path("../corpus"));
    for old in ["accept", "reject"] {
        let _ = std::fs::remove_dir_all(folder.join(old));
        std::fs::create_dir_all(folder.join(old)).expect("a folder");
    }
    let mut index = data("../generate/index.md");
    for entry in &entries {
        let file = folder.join(&entry.file);
        assert!(!file.exists(), "{} twice", entry.file);
        std::fs::write(file, &entry.bytes).expect("a file");
        let (file, tries) = (&entry.file, entry.tries.replace('|', "\\|"));
        let (trusts, error, why) = (entry.trusts, &entry.error, why(&entry.error));
        writeln!(
            index,
            "| {file} | {trusts} | {} | {error} | {tries} | {why} |",
            common::NOW
        )
        .expect("a string");
    }
    std::fs::write(folder.join("README.md"), index).expect("the index");
}

fn accepted() -> Vec<Entry> {
    let accept = |file: &str, tries: &str, replacements: &[(&str, &str)]| {
        let changed = replacements.iter().fold(template(), |message, (from, to)| {
            assert!(message.contains(from), "{from}");
            message.replace(from, to)
        });
        let message = fill(&changed, "mpay");
        Entry {
            file: format!("accept/{file}.xml"),
            trusts: "mpay",
            ..entry(tries, "", message)
        }
    };
    let token = Base64::encode_string(certificate("mpay").der());
    let x509_data = format!("<X509Data><X509Certificate>{token}</X509Certificate></X509Data>");
    let signed_token = "<Reference URI='#Str'><Transforms><Transform Algorithm='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform'><o:TransformationParameters><CanonicalizationMethod Algorithm='http://www.w3.org/2001/10/xml-exc-c14n#'/></o:TransformationParameters></Transform></Transforms><DigestMethod Algorithm='http://www.w3.org/2000/09/xmldsig#sha1'/><DigestValue></DigestValue></Reference></SignedInfo>";
    let rsa_sha1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
    let sha1 = "http://www.w3.org/2000/09/xmldsig#sha1";
    vec![
        accept("wcf", "a message as WCF writes it", &[]),
        accept(
            "sha256",
            "SHA-256",
            &[
                (
                    rsa_sha1,
                    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
                ),
                (sha1, "http://www.w3.org/2001/04/xmlenc#sha256"),
            ],
        ),
        accept(
            "pss",
            "RSA-PSS",
            &[
                (
                    rsa_sha1,
                    "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
                ),
                (sha1, "http://www.w3.org/2001/04/xmlenc#sha512"),
            ],
        ),
        accept(
            "inclusive",
            "Canonical XML 1.0, with attributes to inherit",
            &[
                (
                    common::EXC,
                    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
                ),
                ("<s:Envelope ", "<s:Envelope xmlns='urn:d' xml:lang='ro' "),
            ],
        ),
        accept(
            "inclusive-11",
            "Canonical XML 1.1, with a base to resolve",
            &[
                (common::EXC, "http://www.w3.org/2006/12/xml-c14n11"),
                ("<s:Envelope ", "<s:Envelope xml:base='http://h/a/b' "),
                ("<s:Body ", "<s:Body xml:base='../c' "),
            ],
        ),
        accept("x509-data", "an embedded certificate", &[(KEY, &x509_data)]),
        accept(
            "no-key-info",
            "nothing that names the key",
            &[(&format!("<KeyInfo>{KEY}</KeyInfo>"), "")],
        ),
        accept(
            "signed-token",
            "a token signed through its reference",
            &[
                ("</SignedInfo>", signed_token),
                (
                    "<o:SecurityTokenReference>",
                    "<o:SecurityTokenReference u:Id='Str'>",
                ),
            ],
        ),
        accept(
            "split-text",
            "comments and CDATA that split a value, which reads as one",
            &[("A&amp;B", "A<!-- -->&amp;<![CDATA[B]]>&#x43;")],
        ),
        Entry {
            trusts: "root+issuing",
            ..accept(
                "chain",
                "a signer whom an authority certified",
                &[(
                    &token,
                    &Base64::encode_string(certificate("chain/mpay").der()),
                )],
            )
        },
    ]
}

const KEY: &str = r##"<o:SecurityTokenReference><o:Reference ValueType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3" URI="#Token"/></o:SecurityTokenReference>"##;

/// Messages with mistakes in their bytes, before any XML is read.
fn bytes() -> Vec<Entry> {
    let with = |bytes: &[u8]| {
        let message = message();
        let (before, after) = message.split_once("10.00").expect("an amount");
        [before.as_bytes(), bytes, after.as_bytes()].concat()
    };
    let utf16: Vec<u8> = format!("\u{FEFF}{}", message())
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    vec![
        entry("invalid UTF-8", "NotUtf8", with(b"\xff")),
        entry(
            "an overlong form of a character",
            "NotUtf8",
            with(b"\xc0\xbc"),
        ),
        entry("a surrogate in UTF-8", "NotUtf8", with(b"\xed\xa0\x80")),
        entry("a message in UTF-16", "NotUtf8", utf16),
        entry("a NUL", "Xml", with(b"\0")),
        entry("a control character by reference", "Xml", with(b"&#1;")),
        entry("a lone surrogate by reference", "Xml", with(b"&#xD800;")),
        entry("a character beyond Unicode", "Xml", with(b"&#x110000;")),
        entry("nothing at all", "Xml", ""),
    ]
}

/// Messages with a good signature and mistakes in the XML around it.
fn documents() -> Vec<Entry> {
    let changed = |from: &str, to: &str| {
        assert!(message().contains(from), "{from}");
        message().replacen(from, to, 1)
    };
    let latin1 = "<?xml version='1.0' encoding='ISO-8859-1'?><s:Envelope ";
    let external = "<!DOCTYPE s:Envelope SYSTEM 'http://example/evil.dtd'><s:Envelope ";
    let laughs = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><s:Envelope ";
    let file = "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><s:Envelope ";
    let deep = format!("{}{}<To>", "<a>".repeat(100), "</a>".repeat(100));
    let attributes: String = (0..257).map(|n| format!(" a{n}=''")).collect();
    let prefixes: String = (0..5)
        .map(|element| {
            let range = element * 250..(element + 1) * 250;
            let declarations: String = range.map(|n| format!(" xmlns:n{n}='u'")).collect();
            format!("<a{declarations}/>")
        })
        .collect();
    let include = "<Pay xmlns='urn:example:pay'><xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='file:///etc/passwd'/>";
    vec![
        entry(
            "another encoding by its name",
            "Xml",
            changed("<s:Envelope ", latin1),
        ),
        entry("an external DTD", "Xml", changed("<s:Envelope ", external)),
        entry(
            "entities of entities",
            "Xml",
            changed("<s:Envelope ", laughs),
        ),
        entry("an entity of a file", "Xml", changed("<s:Envelope ", file)),
        entry(
            "an XInclude added to the Body",
            "DigestMismatch",
            changed("<Pay xmlns=\"urn:example:pay\">", include),
        ),
        entry("deep nesting", "Xml", changed("<To>", &deep)),
        entry(
            "too many attributes",
            "Xml",
            changed("<To>", &format!("<To{attributes}>")),
        ),
        entry(
            "too many namespaces",
            "Xml",
            changed("<To>", &format!("{prefixes}<To>")),
        ),
        entry(
            "a namespace name without end",
            "Xml",
            changed("<To>", &format!("<To xmlns:p='{}'>", "u".repeat(1025))),
        ),
        entry(
            "an attribute twice by two prefixes",
            "Xml",
            changed("<To>", "<To xmlns:p='u' xmlns:q='u' p:a='1' q:a='2'>"),
        ),
        entry("a second root", "Xml", format!("{0}{0}", message())),
        entry(
            "a comment that splits a signed value in another place",
            "DigestMismatch",
            changed("10.00", "1<!-- -->.00"),
        ),
        entry(
            "half a message",
            "Xml",
            &message().as_bytes()[..message().len() / 2],
        ),
    ]
}

/// Messages with wrong digests and signature values.
fn signatures() -> Vec<Entry> {
    let flipped = |element: &str, which: usize| {
        let message = message();
        let start = format!("<{element}>");
        let (at, _) = message
            .match_indices(&start)
            .nth(which)
            .expect("the element");
        let end = message[at..].find("</").expect("its end") + at;
        let value = &message[at + start.len()..end];
        let mut bytes = Base64::decode_vec(value).expect("base64");
        bytes[7] ^= 0x10;
        message.replacen(value, &Base64::encode_string(&bytes), 1)
    };
    let mut entries = vec![
        entry(
            "a bit of the Body's digest",
            "SignatureMismatch",
            flipped("DigestValue", 0),
        ),
        entry(
            "a bit of the Timestamp's digest",
            "SignatureMismatch",
            flipped("DigestValue", 1),
        ),
        entry(
            "a bit of the signature value",
            "SignatureMismatch",
            flipped("SignatureValue", 0),
        ),
        entry(
            "a signature by another key",
            "SignatureMismatch",
            fill(&template(), "stranger"),
        ),
    ];
    let value = |bytes: &[u8]| with_signature(&message(), bytes);
    let good = signature_value(&message());
    let doubled = [&good[..], &good].concat();
    let padded = [&[0], &good[..]].concat();
    entries.push(entry(
        "a signature value cut short",
        "SignatureLength",
        value(&good[..255]),
    ));
    entries.push(entry(
        "a signature value with a zero in front",
        "SignatureLength",
        value(&padded),
    ));
    entries.push(entry(
        "a signature value twice over",
        "SignatureLength",
        value(&doubled),
    ));
    entries.push(entry(
        "a signature of zero",
        "SignatureMismatch",
        value(&[0; 256]),
    ));
    entries.push(entry(
        "a signature of one",
        "SignatureMismatch",
        value(&[&[0; 255][..], &[1]].concat()),
    ));
    entries.push(entry(
        "a signature above the modulus",
        "SignatureMismatch",
        value(&[0xFF; 256]),
    ));
    let hmac = template().replace("xmldsig#rsa-sha1", "xmldsig#hmac-sha1");
    let public_key = run(
        "openssl",
        &["x509", "-in", &path("mpay.pem"), "-noout", "-pubkey"],
    )
    .stdout;
    let mac = hmac_sha1(&public_key, &signed_info(&hmac));
    entries.push(entry(
        "HMAC with the public key as its secret",
        "UnsupportedSignatureMethod",
        hmac.replace(
            "<SignatureValue></SignatureValue>",
            &format!(
                "<SignatureValue>{}</SignatureValue>",
                Base64::encode_string(&mac)
            ),
        ),
    ));
    for (tries, block) in paddings(&Sha1::digest(signed_info(&message()))) {
        entries.push(entry(tries, "SignatureMismatch", value(&raw_rsa(&block))));
    }
    entries
}

/// Blocks that a lax check of RSASSA-PKCS1-v1_5 takes for good, as Bleichenbacher's of 2006 did,
/// made with the private key, so that the padding alone is wrong.
fn paddings(digest: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let info = [
        &[
            0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04,
            0x14,
        ][..],
        digest,
    ]
    .concat();
    let no_null = [
        &[
            0x30, 0x1f, 0x30, 0x07, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x04, 0x14,
        ][..],
        digest,
    ]
    .concat();
    let garbage_in_parameters = [
        &[
            0x30, 0x29, 0x30, 0x11, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x04, 0x08,
        ][..],
        b"anything",
        &[0x04, 0x14],
        digest,
    ]
    .concat();
    let long_form = [&[0x30, 0x81, 0x21][..], &info[2..]].concat();
    let block = |start: &[u8], fill: u8, end: &[u8]| {
        let filler = vec![fill; 256 - start.len() - 1 - end.len()];
        [start, &filler, &[0], end].concat()
    };
    let garbage_after = [&[0, 1][..], &[0xFF; 8], &[0], &info, &[0x55; 256 - 11 - 35]].concat();
    vec![
        (
            "padding of eight bytes and anything after the digest",
            garbage_after,
        ),
        (
            "padding without the NULL of the algorithm",
            block(&[0, 1], 0xFF, &no_null),
        ),
        (
            "padding with anything in the parameters",
            block(&[0, 1], 0xFF, &garbage_in_parameters),
        ),
        (
            "padding with a length in long form",
            block(&[0, 1], 0xFF, &long_form),
        ),
        ("padding of block type 2", block(&[0, 2], 0xFF, &info)),
        ("padding of other bytes", block(&[0, 1], 0xFE, &info)),
        ("padding without an algorithm", block(&[0, 1], 0xFF, digest)),
        (
            "padding of a digest of another algorithm",
            block(&[0, 1], 0xFF, &[&info[..14], &[0x14], &[0; 20]].concat()),
        ),
    ]
}

fn raw_rsa(block: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = common::write(folder.path(), "block", block);
    let key = path("mpay.key.pem");
    let options = [
        "pkeyutl",
        "-decrypt",
        "-inkey",
        &key,
        "-pkeyopt",
        "rsa_padding_mode:none",
        "-in",
        &file,
    ];
    let output = run("openssl", &options);
    assert_eq!(output.stdout.len(), 256, "{output:?}");
    output.stdout
}

fn signed_info(message: &str) -> Vec<u8> {
    let document = Document::parse(message.as_bytes()).expect("a document");
    let signed_info = find(document.root(), &|e| e.is(DS, "SignedInfo")).expect("SignedInfo");
    exclusive_c14n(signed_info, false, &[])
}

fn signature_value(message: &str) -> Vec<u8> {
    let document = Document::parse(message.as_bytes()).expect("a document");
    let value = find(document.root(), &|e| e.is(DS, "SignatureValue")).expect("SignatureValue");
    Base64::decode_vec(&value.text().expect("text")).expect("base64")
}

fn with_signature(message: &str, value: &[u8]) -> String {
    let old = Base64::encode_string(&signature_value(message));
    message.replace(&old, &Base64::encode_string(value))
}

fn hmac_sha1(secret: &[u8], text: &[u8]) -> Vec<u8> {
    let mut key = Sha1::digest(secret).to_vec();
    key.resize(64, 0);
    let padded = |byte: u8| key.iter().map(|k| k ^ byte).collect::<Vec<u8>>();
    let inner = Sha1::digest([&padded(0x36)[..], text].concat());
    Sha1::digest([&padded(0x5c)[..], &inner].concat()).to_vec()
}

/// Signers without a sound chain to the authorities.
fn signers() -> Vec<Entry> {
    let token = Base64::encode_string(certificate("mpay").der());
    let of = |tries: &str, name: &str, key: &str, trusts: &'static str| {
        let sent = Base64::encode_string(certificate(name).der());
        Entry {
            trusts,
            ..entry(
                tries,
                "UntrustedChain",
                fill(&template().replace(&token, &sent), key),
            )
        }
    };
    let all = "root+issuing";
    vec![
        of("a signer who certifies himself", "mpay", "mpay", all),
        of(
            "a certificate of the same authority for somebody else",
            "chain/neighbour",
            "stranger",
            all,
        ),
        of(
            "an authority of the same name with another key",
            "chain/by-rogue",
            "mpay",
            all,
        ),
        of(
            "a chain to an unknown authority",
            "chain/mpay",
            "mpay",
            "root",
        ),
        of(
            "a chain through an expired authority",
            "chain/mpay",
            "mpay",
            "root+issuing-expired",
        ),
        of(
            "a signer whose certificate has expired",
            "chain/expired",
            "mpay",
            all,
        ),
        of(
            "a signer whose certificate is not valid yet",
            "chain/future",
            "mpay",
            all,
        ),
        of(
            "an authority below one that may have none",
            "chain/deep",
            "mpay",
            "root+issuing+below",
        ),
        of(
            "a key that may only encipher",
            "chain/encipher",
            "mpay",
            all,
        ),
        of(
            "a critical extension that nobody knows",
            "chain/unknown",
            "mpay",
            all,
        ),
        of(
            "a certificate for web servers alone",
            "chain/web-server",
            "mpay",
            all,
        ),
        of("a certificate signed with SHA-1", "chain/sha1", "mpay", all),
        of(
            "a certificate signed with RSA-PSS",
            "chain/pss",
            "mpay",
            all,
        ),
        of(
            "a certificate signed with ECDSA",
            "chain/by-ec",
            "mpay",
            all,
        ),
    ]
}
