//! Messages that must be verified, and what is then known of them.

mod common;

use std::time::Duration;

use common::{certificate, decimal, fill, key, message, now, policy, signer, template, time};
use rsa::pkcs1::EncodeRsaPublicKey;
use rsa::traits::PublicKeyParts;
use sha1::{Digest, Sha1};
use wsse::{Algorithms, Content, Envelope, Hash, Policy, Verified, Writer};

const RSA_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
const REFERENCE: &str = r##"<o:SecurityTokenReference><o:Reference ValueType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3" URI="#Token"/></o:SecurityTokenReference>"##;
const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";

fn verify_at(message: &str, policy: &Policy, now: &str) -> Verified {
    let envelope = Envelope::parse(message.as_bytes()).expect("an envelope");
    envelope.verify(policy, time(now)).expect("a good message")
}

fn verify(message: &str) -> Verified {
    verify_at(message, &policy(&["mpay"]), common::NOW)
}

fn amount(verified: &Verified) -> String {
    let pay = verified.body().children().next().expect("Pay");
    let amount = pay.children().find(|e| e.is("urn:example:pay", "Amount"));
    amount.and_then(|e| e.text()).expect("Amount").into_owned()
}

/// A message made of the template by replacements, then signed.
fn signed(replacements: &[(&str, &str)]) -> String {
    let mut message = template();
    for (from, to) in replacements {
        assert!(message.contains(from), "{from} is not in the template");
        message = message.replace(from, to);
    }
    fill(&message, "mpay")
}

#[test]
fn a_verified_message_tells_its_body_signer_algorithms_and_times() {
    let verified = verify(&message());
    assert!(verified.body().is(common::SOAP, "Body"));
    assert_eq!(amount(&verified), "10.00");
    assert_eq!(verified.signer().der(), certificate("mpay").der());
    assert_eq!(verified.algorithms(), Algorithms::SHA1);
    assert_eq!(verified.created(), time("2026-06-01T10:00:00Z"));
    assert_eq!(verified.expires(), Some(time("2026-06-01T10:05:00Z")));
    assert!(verified.not_understood().is_empty());
}

#[test]
fn the_ways_of_other_stacks_are_accepted() {
    let inclusive = |list: &str| {
        format!(
            r#"<Transform Algorithm="{0}"><c:InclusiveNamespaces xmlns:c="{0}" PrefixList="{list}"/></Transform>"#,
            common::EXC
        )
    };
    let transform =
        r##"<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform>"##;
    let canonicalization = r##"<CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></CanonicalizationMethod>"##;
    let token = token();
    let x509_data = format!(
        "<X509Data><X509Certificate>\n{}\n</X509Certificate></X509Data>",
        wrapped(&token)
    );
    let str_data = format!("<o:SecurityTokenReference>{x509_data}</o:SecurityTokenReference>");
    let trace = r##"<Reference URI="#Trace"><Transforms><Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform></Transforms><DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha512"></DigestMethod><DigestValue></DigestValue></Reference></SignedInfo>"##;
    let signs_token = trace.replace("#Trace", "#Token");
    let signs_reference = trace.replace("#Trace", "#Str").replace(
        transform,
        &format!("<Transform Algorithm='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform'><o:TransformationParameters>{canonicalization}</o:TransformationParameters></Transform>"),
    );
    let signs_reference_inclusively = signs_reference.replace(
        common::EXC,
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    );
    let own = certificate("mpay");
    let by_thumbprint = format!(
        "<o:SecurityTokenReference u:Id='Str'><o:KeyIdentifier ValueType='http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1'>{}</o:KeyIdentifier></o:SecurityTokenReference>",
        base64(&Sha1::digest(own.der()))
    );
    let without_prefix = by_thumbprint.replace("o:", "").replacen(
        "SecurityTokenReference ",
        "SecurityTokenReference xmlns='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd' ",
        1,
    );
    let by_thumbprint_in_header = format!("{by_thumbprint}<Signature ");
    let by_serial = format!(
        "<o:SecurityTokenReference u:Id='Str'><X509Data><X509IssuerSerial><X509IssuerName>{}</X509IssuerName><X509SerialNumber>{}</X509SerialNumber></X509IssuerSerial></X509Data></o:SecurityTokenReference>",
        own.issuer(),
        decimal(&own.serial_number())
    );
    let hexadecimal: String = own
        .der()
        .iter()
        .map(|byte| format!("{byte:02X}\n"))
        .collect();
    let in_header = format!(
        "{}<Signature ",
        REFERENCE.replacen("Reference>", "Reference u:Id='Str'>", 1)
    );
    let transforms = r##"<Transforms><Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform></Transforms>"##;
    let around = (
        (
            "<s:Envelope ",
            "<s:Envelope xmlns='urn:d' xmlns:p='urn:p' xml:lang='ro' xml:space='preserve' xml:id='env' xml:base='http://h/x/y' ",
        ),
        ("<s:Body ", "<s:Body xml:base='../z' "),
    );
    let lists = inclusive("#default s xsi absent");
    let comments = transform.replace("c14n#", "c14n#WithComments");
    let comments_in_info = canonicalization.replace("c14n#", "c14n#WithComments");
    let list_in_info = canonicalization.replace(
        "></C",
        &format!(
            "><InclusiveNamespaces xmlns='{}' PrefixList='s o'/></C",
            common::EXC
        ),
    );

    let (lines, no_list) = (wrapped(&token), inclusive(""));
    let cases: &[(&str, &[(&str, &str)])] = &[
        (
            "unqualified Id",
            &[
                (r#"u:Id="Body""#, r#"Id="Body""#),
                (r#"u:Id="Time""#, r#"Id="Time""#),
            ],
        ),
        (
            "ID and xml:id",
            &[
                (r#"u:Id="Body""#, r#"ID="Body""#),
                (r#"u:Id="Time""#, r#"xml:id="Time""#),
            ],
        ),
        (
            "two ids on one element",
            &[(r#"u:Id="Body""#, r#"u:Id="Body" Id="Other""#)],
        ),
        (
            "an embedded certificate",
            &[(REFERENCE, x509_data.as_str())],
        ),
        (
            "an embedded certificate in a SecurityTokenReference",
            &[(REFERENCE, str_data.as_str())],
        ),
        ("line breaks in base64", &[(token.as_str(), lines.as_str())]),
        (
            "a token without EncodingType",
            &[(
                r##"" EncodingType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary">"##,
                r#"">"#,
            )],
        ),
        (
            "a token without ValueType",
            &[(
                r##"ValueType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3" EncodingType"##,
                "EncodingType",
            )],
        ),
        (
            "a reference to the token without ValueType",
            &[(
                r##"<o:Reference ValueType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3" "##,
                "<o:Reference ",
            )],
        ),
        (
            "InclusiveNamespaces in the references",
            &[(transform, lists.as_str())],
        ),
        (
            "InclusiveNamespaces in SignedInfo",
            &[(canonicalization, list_in_info.as_str())],
        ),
        ("an empty PrefixList", &[(transform, no_list.as_str())]),
        (
            "canonicalization with comments, which references do not have",
            &[
                (transform, comments.as_str()),
                (canonicalization, comments_in_info.as_str()),
                ("<Amount>", "<!-- c --><Amount>"),
            ],
        ),
        (
            "no Transforms, which is Canonical XML 1.0",
            &[(transforms, ""), around.0],
        ),
        (
            "Canonical XML 1.0",
            &[
                (
                    common::EXC,
                    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
                ),
                around.0,
            ],
        ),
        (
            "Canonical XML 1.0 with comments",
            &[
                (
                    common::EXC,
                    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
                ),
                ("<SignedInfo>", "<SignedInfo><!-- c -->"),
                around.0,
            ],
        ),
        (
            "Canonical XML 1.1",
            &[
                (common::EXC, "http://www.w3.org/2006/12/xml-c14n11"),
                around.0,
                around.1,
            ],
        ),
        (
            "Canonical XML 1.1 with comments",
            &[
                (
                    common::EXC,
                    "http://www.w3.org/2006/12/xml-c14n11#WithComments",
                ),
                ("<SignedInfo>", "<SignedInfo><!-- c -->"),
                around.0,
            ],
        ),
        (
            "a token signed through its reference",
            &[
                ("</SignedInfo>", signs_reference.as_str()),
                (
                    "<o:SecurityTokenReference>",
                    "<o:SecurityTokenReference u:Id='Str'>",
                ),
            ],
        ),
        (
            "a token signed through its reference, with a default namespace in scope",
            &[
                ("</SignedInfo>", signs_reference.as_str()),
                (
                    "<o:SecurityTokenReference>",
                    "<o:SecurityTokenReference u:Id='Str'>",
                ),
                ("<o:Security ", "<o:Security xmlns='urn:d' "),
            ],
        ),
        (
            "a token signed through its reference by Canonical XML 1.0",
            &[
                ("</SignedInfo>", signs_reference_inclusively.as_str()),
                (
                    "<o:SecurityTokenReference>",
                    "<o:SecurityTokenReference u:Id='Str'>",
                ),
            ],
        ),
        (
            "a certificate signed through its thumbprint",
            &[
                ("</SignedInfo>", signs_reference.as_str()),
                (REFERENCE, by_thumbprint.as_str()),
            ],
        ),
        (
            "a certificate signed through issuer and serial number, by Canonical XML 1.0",
            &[
                ("</SignedInfo>", signs_reference_inclusively.as_str()),
                (REFERENCE, by_serial.as_str()),
            ],
        ),
        (
            "a certificate signed through a reference without a prefix",
            &[
                ("</SignedInfo>", signs_reference.as_str()),
                (REFERENCE, without_prefix.as_str()),
            ],
        ),
        (
            "a certificate signed through another reference than that to the key",
            &[
                ("</SignedInfo>", signs_reference.as_str()),
                ("<Signature ", by_thumbprint_in_header.as_str()),
            ],
        ),
        (
            "a token in hexadecimal",
            &[
                ("#Base64Binary", "#HexBinary"),
                (token.as_str(), hexadecimal.as_str()),
            ],
        ),
        (
            "a token signed through another reference to it",
            &[
                ("</SignedInfo>", signs_reference.as_str()),
                ("<Signature ", in_header.as_str()),
            ],
        ),
        (
            "comments that are not signed",
            &[("<Amount>10", "<Amount>1<!-- c -->0")],
        ),
        ("a signed header more", &[("</SignedInfo>", trace)]),
        (
            "a signed token more",
            &[("</SignedInfo>", signs_token.as_str())],
        ),
        (
            "SHA-256",
            &[
                (
                    RSA_SHA1,
                    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
                ),
                (SHA1, "http://www.w3.org/2001/04/xmlenc#sha256"),
            ],
        ),
        (
            "SHA-384",
            &[
                (
                    RSA_SHA1,
                    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
                ),
                (SHA1, "http://www.w3.org/2001/04/xmldsig-more#sha384"),
            ],
        ),
        (
            "SHA-512",
            &[
                (
                    RSA_SHA1,
                    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
                ),
                (SHA1, "http://www.w3.org/2001/04/xmlenc#sha512"),
            ],
        ),
        (
            "SHA-256 over SHA-1 digests",
            &[(
                RSA_SHA1,
                "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            )],
        ),
        (
            "a Type on a reference",
            &[
                ("<Reference URI", "<Reference Type='urn:x' Id='R' URI"),
                ("Id='R' URI=\"#Time", "URI=\"#Time"),
            ],
        ),
        (
            "white space and comments between the parts",
            &[
                ("<SignedInfo>", "\n <!-- c --> <SignedInfo>\r\n\t"),
                ("<Transforms>", " <Transforms> "),
                ("<KeyInfo>", "<KeyInfo> "),
                ("<u:Created>", " <u:Created> "),
            ],
        ),
        (
            "no Expires",
            &[("<u:Expires>2026-06-01T10:05:00.000Z</u:Expires>", "")],
        ),
        (
            "times with an offset and without fraction",
            &[("2026-06-01T10:00:00.000Z", "2026-06-01T13:00:00+03:00")],
        ),
        (
            "a time without a zone, which is UTC",
            &[("2026-06-01T10:00:00.000Z", "2026-06-01T10:00:00")],
        ),
        (
            "a Security header for somebody else beside ours",
            &[(
                "<o:Security ",
                "<o:Security xmlns:o='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd' s:actor='urn:other'/><o:Security ",
            )],
        ),
        (
            "our Security header with an actor",
            &[(
                "<o:Security ",
                "<o:Security s:actor=' http://schemas.xmlsoap.org/soap/actor/next ' ",
            )],
        ),
        (
            "other tokens in the Security header",
            &[(
                "<u:Timestamp ",
                "<o:UsernameToken><o:Username>x</o:Username></o:UsernameToken><u:Timestamp ",
            )],
        ),
        (
            "a byte order mark and an XML declaration",
            &[(
                "<s:Envelope",
                "\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<s:Envelope",
            )],
        ),
        (
            "a Body in CDATA, references, line ends and tabs",
            &[
                ("A&amp;B", "A<![CDATA[&<]]>&#x42;\r\n\r\t&#13;"),
                ("<Pay ", "<Pay a='\r\n\t&#9;&#xA;' "),
            ],
        ),
    ];
    for (name, replacements) in cases {
        let envelope = Envelope::parse(signed(replacements).as_bytes());
        let verified = envelope.expect(name).verify(&policy(&["mpay"]), now());
        let verified = verified.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(amount(&verified), "10.00", "{name}");
    }
}

/// Every way to name the signer that stacks write, for a certificate with extensions.
#[test]
fn the_signer_is_found_however_it_is_named() {
    let signer = certificate("chain/mpay");
    let certificate_of = |name: &str| base64(certificate(name).der());
    let (own, issuing) = (
        certificate_of("chain/mpay"),
        certificate_of("chain/issuing"),
    );
    let key_identifier = |value_type: &str, more: &str, value: &str| {
        format!(
            "<o:SecurityTokenReference><o:KeyIdentifier ValueType='http://docs.oasis-open.org/wss/{value_type}'{more}>{value}</o:KeyIdentifier></o:SecurityTokenReference>"
        )
    };
    let profile = "2004/01/oasis-200401-wss-x509-token-profile-1.0";
    let encoding = " EncodingType='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary'";
    let ski = base64(&SKI);
    let thumbprint = base64(&Sha1::digest(signer.der()));
    let serial = decimal(&signer.serial_number());
    let data = |content: &str| format!("<X509Data>{content}</X509Data>");
    let issuer_serial = |issuer: &str| {
        data(&format!(
            "<X509IssuerSerial><X509IssuerName>{issuer}</X509IssuerName><X509SerialNumber> {serial} </X509SerialNumber></X509IssuerSerial>"
        ))
    };
    let in_reference =
        |content: String| format!("<o:SecurityTokenReference>{content}</o:SecurityTokenReference>");
    let one = |certificate: &str| format!("<X509Certificate>{certificate}</X509Certificate>");
    let key = key("mpay");
    let key_value = format!(
        "<KeyValue><RSAKeyValue><Modulus>AAAA{}</Modulus><Exponent>{}</Exponent></RSAKeyValue></KeyValue>",
        base64(&key.n_bytes()),
        base64(&key.e_bytes())
    );
    let cases = [
        (
            "SKI",
            key_identifier(
                &format!("{profile}#X509SubjectKeyIdentifier"),
                encoding,
                &ski,
            ),
        ),
        (
            "SKI of the field",
            key_identifier(&format!("{profile}#X509v3SubjectKeyIdentifier"), "", &ski),
        ),
        (
            "thumbprint",
            key_identifier(
                "oasis-wss-soap-message-security-1.1#ThumbprintSHA1",
                encoding,
                &thumbprint,
            ),
        ),
        (
            "thumbprint in hexadecimal, as .NET reads it",
            key_identifier(
                "oasis-wss-soap-message-security-1.1#ThumbprintSHA1",
                &encoding.replace("Base64", "Hex"),
                &Sha1::digest(signer.der())
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect::<String>(),
            ),
        ),
        (
            "whole, as WSS4J",
            key_identifier(&format!("{profile}#X509v3"), encoding, &own),
        ),
        (
            "RFC 2253",
            in_reference(issuer_serial("CN=Example Issuing,O=Example Authority,C=MD")),
        ),
        (
            ".NET",
            in_reference(issuer_serial(
                "CN=Example Issuing, O=Example Authority, C=MD",
            )),
        ),
        (
            "directly",
            issuer_serial("CN=Example Issuing, O=&quot;Example Authority&quot;, C=MD"),
        ),
        (
            "OpenSSL",
            issuer_serial("C = MD, O = Example Authority, CN = Example Issuing"),
        ),
        ("X509SKI", data(&format!("<X509SKI>{ski}</X509SKI>"))),
        (
            "subject",
            data(
                r#"<X509SubjectName>CN=mpay.example,2.5.4.5=#130d31303033363030303030303031,O=MPay\, \"the\" Payment\\Service,C=MD</X509SubjectName>"#,
            ),
        ),
        (
            "chain",
            data(&format!(
                "{}{}{}",
                one(&own),
                one(&issuing),
                one(&certificate_of("chain/root"))
            )),
        ),
        (
            "chain in another order",
            data(&format!("{}{}", one(&issuing), one(&own))),
        ),
        (
            "all at once",
            format!(
                "{key_value}{}",
                data(&format!("<X509SKI>{ski}</X509SKI>{}", one(&own)))
            ),
        ),
        ("key value", key_value.clone()),
        ("nothing", String::new()),
    ];
    for (name, key_info) in cases {
        let key_info = match name {
            "nothing" => String::new(),
            _ => format!("<KeyInfo>{key_info}</KeyInfo>"),
        };
        let message = signed(&[(&format!("<KeyInfo>{REFERENCE}</KeyInfo>"), &key_info)]);
        let envelope = Envelope::parse(message.as_bytes()).expect(name);
        let verified = envelope.verify(&policy(&["service", "chain/mpay"]), now());
        let verified = verified.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(verified.signer(), &signer, "{name}");
    }
}

const SKI: [u8; 20] = [
    0xCE, 0x95, 0x2B, 0xB4, 0xD6, 0xFA, 0x21, 0x4E, 0x91, 0xEE, 0x1F, 0x38, 0x7E, 0xB0, 0xC0, 0x16,
    0x4C, 0x0B, 0x00, 0xEB,
];

/// A certificate without the extension is named by the hash of its key.
#[test]
fn a_key_identifier_may_be_made_of_the_key() {
    let key = key("mpay").to_public_key().to_pkcs1_der().expect("a key");
    let ski = base64(&Sha1::digest(key.as_bytes()));
    let key_info = format!("<X509Data><X509SKI>{ski}</X509SKI></X509Data>");
    let message = signed(&[(REFERENCE, &key_info)]);
    assert_eq!(verify(&message).signer(), &certificate("mpay"));
}

#[test]
fn of_several_certificates_with_one_key_a_valid_one_is_the_signer() {
    let key_info = "<X509Data><X509SubjectName>CN=mpay.example,serialNumber=1003600000001,O=Example Authority,C=MD</X509SubjectName></X509Data>";
    let message = signed(&[(REFERENCE, key_info)]);
    let policy = policy(&["expired", "future", "stranger", "renewed", "mpay"]);
    let verified = verify_at(&message, &policy, common::NOW);
    assert_eq!(verified.signer(), &certificate("renewed"));
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::Encoding;
    base64ct::Base64::encode_string(bytes)
}

fn token() -> String {
    base64(certificate("mpay").der())
}

fn wrapped(base64: &str) -> String {
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .map(|c| std::str::from_utf8(c).expect("ASCII"))
        .collect();
    lines.join("\r\n")
}

#[test]
fn the_time_window_is_exact() {
    let policy = policy(&["mpay"]);
    for ok in ["2026-06-01T09:58:00Z", "2026-06-01T10:07:00Z"] {
        verify_at(&message(), &policy, ok);
    }
    let without_expires = signed(&[("<u:Expires>2026-06-01T10:05:00.000Z</u:Expires>", "")]);
    verify_at(&without_expires, &policy, "2026-06-01T10:30:00Z");
    let lives_long = signed(&[("2026-06-01T10:05:00.000Z", "2026-06-02T10:00:00Z")]);
    verify_at(&lives_long, &policy, "2026-06-01T10:30:00Z");
}

#[test]
fn any_of_several_pinned_certificates_will_do() {
    let policy = policy(&["service", "renewed", "mpay"]);
    let verified = verify_at(&message(), &policy, common::NOW);
    assert_eq!(verified.signer().der(), certificate("mpay").der());
}

#[test]
fn the_algorithms_told_are_those_of_signature_and_body() {
    let sha256_signature = signed(&[(
        RSA_SHA1,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    )]);
    let algorithms = verify(&sha256_signature).algorithms();
    assert_eq!(
        (algorithms.signature, algorithms.digest),
        (Hash::Sha256, Hash::Sha1)
    );
}

#[test]
fn rsa_pss_is_accepted_and_told() {
    for hash in ["sha256", "sha384", "sha512"] {
        let method = format!("http://www.w3.org/2007/05/xmldsig-more#{hash}-rsa-MGF1");
        let verified = verify(&signed(&[(RSA_SHA1, &method)]));
        assert_eq!(verified.signature_method(), method);
        assert_eq!(verified.algorithms().signature.to_string(), hash);
    }
    assert_eq!(verify(&message()).signature_method(), RSA_SHA1);
}

#[test]
fn header_blocks_that_we_must_understand_are_named() {
    let blocks = "<a:A xmlns:a='urn:a' s:mustUnderstand='1'/><B s:mustUnderstand='true' s:actor=''/>\
        <C s:mustUnderstand='0'/><D s:mustUnderstand='1' s:actor='urn:other'/><E mustUnderstand='1'/>\
        <F s:mustUnderstand='1' s:actor='http://schemas.xmlsoap.org/soap/actor/next'/><s:Header>";
    let blocks = blocks.strip_suffix("<s:Header>").unwrap();
    let message = signed(&[("</s:Header>", &format!("{blocks}</s:Header>"))]);
    assert_eq!(verify(&message).not_understood(), ["{urn:a}A", "B", "F"]);
}

#[test]
fn what_we_sign_we_verify_with_every_algorithm() {
    let signer = signer("service");
    let created = time("2026-06-01T10:00:00.123456Z");
    for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        let message = signer
            .sign(
                &content(),
                Algorithms::new(hash),
                created,
                Duration::from_secs(60),
            )
            .expect("a message");
        let verified = verify_at(&message, &policy(&["service"]), "2026-06-01T10:00:30Z");
        assert_eq!(verified.algorithms(), Algorithms::new(hash));
        assert_eq!(verified.created(), time("2026-06-01T10:00:00.123Z"));
        assert_eq!(verified.expires(), Some(time("2026-06-01T10:01:00.123Z")));
        let answer = verified.body().children().next().expect("Answer");
        assert_eq!(
            answer.children().next().and_then(|e| e.text()).as_deref(),
            Some("<&>\r\n")
        );
        assert!(verified.not_understood().is_empty());
    }
}

#[test]
fn the_body_is_in_the_message_as_it_was_written() {
    let message = signer("service")
        .sign(
            &content(),
            Algorithms::SHA256,
            now(),
            Duration::from_secs(60),
        )
        .expect("a message");
    assert!(message.contains(content().as_str()));
    assert!(
        message.contains(r#"<wsse:Security "#) && message.contains(r#"soap:mustUnderstand="1""#)
    );
    assert!(message.contains("<wsu:Created>2026-06-01T10:00:30.000Z</wsu:Created>"));
    assert!(message.contains("<wsu:Expires>2026-06-01T10:01:30.000Z</wsu:Expires>"));
}

fn content() -> Content {
    let mut body = Writer::new();
    body.start_in("Answer", "urn:example:pay");
    body.element("Text", "<&>\r\n");
    body.end();
    body.finish()
}
