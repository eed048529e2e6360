//! Messages of a given length: ordinary ones, and those that were made to cost the most. All are
//! signed as well as they can be, so that they get as far as messages get.

use base64ct::{Base64, Encoding};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256};

use crate::common::{certificate, data, fill, template};

const CONTENT: &str =
    r#"<Pay xmlns="urn:example:pay"><Amount>10.00</Amount><To>A&amp;B</To></Pay>"#;
const C14N: &str = r#"<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">"#;
const DIGEST: &str =
    r#"<DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"></DigestMethod>"#;
const METHOD: &str =
    r#"<CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">"#;

/// The changes to the ordinary message.
#[derive(Default)]
struct Shape {
    /// In place of the Body's content.
    content: String,
    /// Further attributes of the envelope.
    envelope: String,
    /// In the header, before the Security header.
    headers: String,
    /// In `SignedInfo`, after the ordinary references; without digest values.
    references: String,
    /// Other replacements.
    replaced: Vec<(&'static str, String)>,
}

impl Shape {
    fn sign(&self) -> String {
        let mut message = template().replacen(CONTENT, &self.content, 1);
        message = message.replacen(
            "<s:Envelope ",
            &format!("<s:Envelope {} ", self.envelope),
            1,
        );
        message = message.replacen("<s:Header>", &format!("<s:Header>{}", self.headers), 1);
        let end = "</SignedInfo>";
        message = message.replacen(end, &format!("{}{end}", self.references), 1);
        for (from, to) in &self.replaced {
            assert!(message.contains(from), "{from}");
            message = message.replace(from, to);
        }
        // What is over a limit of the parser cannot be signed, and need not be.
        match wsse::Document::parse(message.as_bytes()) {
            Ok(_) => fill(&message, "mpay"),
            Err(_) => message,
        }
    }
}

/// The length of the message that is made of no content at all.
fn frame() -> usize {
    Shape::default().sign().len()
}

/// The content that fills a message up to a length: pieces, then text.
fn filled(
    bytes: usize,
    start: &str,
    end: &str,
    most: usize,
    piece: impl Fn(usize) -> String,
) -> String {
    let room = bytes.saturating_sub(frame() + start.len() + end.len());
    let mut content = String::with_capacity(bytes);
    for number in 0..most {
        let piece = piece(number);
        if content.len() + piece.len() > room {
            break;
        }
        content.push_str(&piece);
    }
    let rest = room - content.len();
    format!("{start}{content}{end}").replacen("</", &format!("{}</", "x".repeat(rest)), 1)
}

/// A confirmation of a payment of many lines, which is what long messages are.
pub fn ordinary(bytes: usize) -> String {
    let room = bytes.saturating_sub(frame());
    let mut content =
        "<ConfirmOrderPayment xmlns=\"https://mpay.gov.md\"><confirmation><Lines>".to_owned();
    let end = "</Lines><OrderKey>1</OrderKey><PaymentID></PaymentID></confirmation></ConfirmOrderPayment>";
    for number in 0.. {
        let line = format!(
            "<PaymentConfirmationLine><Amount>12.50</Amount><LineID>line-{number}</LineID></PaymentConfirmationLine>"
        );
        if content.len() + line.len() + end.len() > room {
            break;
        }
        content.push_str(&line);
    }
    let rest = room.saturating_sub(content.len() + end.len());
    content.push_str(&end.replace("</PaymentID>", &format!("{}</PaymentID>", "1".repeat(rest))));
    let message = Shape {
        content,
        ..Shape::default()
    }
    .sign();
    assert!(
        message.len() == bytes || rest == 0,
        "{} for {bytes}",
        message.len()
    );
    message
}

/// An ordinary message that does not say who signed it.
pub fn without_key_info() -> String {
    let mut template = template();
    let (start, end) = ("<KeyInfo>", "</KeyInfo>");
    let (from, to) = (template.find(start), template.find(end));
    template.replace_range(from.unwrap()..to.unwrap() + end.len(), "");
    fill(&template, "mpay")
}

/// An ordinary message of a signer whom an authority certifies.
pub fn of_certified_signer() -> String {
    let token = |name: &str| Base64::encode_string(certificate(name).der());
    fill(
        &template().replace(&token("mpay"), &token("chain/mpay")),
        "mpay",
    )
}

/// Name and message of everything that was thought of.
pub fn worst(bytes: usize) -> Vec<(&'static str, String)> {
    let room = bytes.saturating_sub(frame());
    let content = |content: String| Shape {
        content,
        ..Shape::default()
    };
    let body = |start: &str, end: &str, most: usize, piece: &dyn Fn(usize) -> String| {
        content(filled(bytes, start, end, most, piece))
    };
    let plain = |most: usize, piece: &'static str| body("<a>", "</a>", most, &|_| piece.to_owned());
    let elements = 130_000;
    let lists = |count: usize, prefix: &dyn Fn(usize) -> String| {
        let names: Vec<String> = (0..count).map(prefix).collect();
        format!(
            r#"<InclusiveNamespaces xmlns="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="{}"/>"#,
            names.join(" ")
        )
    };
    let reference = |id: usize, transform: &str| {
        format!(
            r##"<Reference URI="#h{id}"><Transforms>{transform}</Transforms>{DIGEST}<DigestValue></DigestValue></Reference>"##
        )
    };
    let inclusive = |shape: Shape, to: &str| {
        let to = format!(r#"Transform Algorithm="{to}">"#);
        Shape {
            replaced: vec![(C14N.trim_start_matches('<'), to)],
            ..shape
        }
    };
    let sha = |shape: Shape, to: &str| {
        let mut shape = shape;
        shape
            .replaced
            .push(("http://www.w3.org/2000/09/xmldsig#sha1", to.to_owned()));
        shape
    };
    let namespace = |number: usize| format!("{}{number:04}", "n".repeat(1020));
    let mut inputs: Vec<(&'static str, Shape)> = vec![
        ("text", plain(0, "")),
        ("empty elements", plain(elements, "<b/>")),
        ("elements with text", plain(elements / 2, "<b>c</b>")),
        (
            "elements of long names",
            body("<a>", "</a>", elements, &|_| {
                format!("<{}/>", "b".repeat(500))
            }),
        ),
        (
            "deep elements",
            body("<a>", "</a>", elements / 90, &|_| {
                "<b>".repeat(90) + &"</b>".repeat(90)
            }),
        ),
        ("comments", plain(elements, "<!---->")),
        ("comments that split text", plain(elements / 2, "b<!---->")),
        (
            "CDATA that splits text",
            plain(usize::MAX, "b<![CDATA[c]]>"),
        ),
        ("empty CDATA", plain(usize::MAX, "<![CDATA[]]>")),
        ("references in text", plain(usize::MAX, "&lt;")),
        ("character references in text", plain(usize::MAX, "&#38;")),
        ("line ends in text", plain(usize::MAX, "\r")),
        (
            "line ends and references in text",
            plain(usize::MAX, "\r\n&gt;"),
        ),
        ("carriage returns in text", plain(usize::MAX, "&#13;")),
        ("Romanian", plain(usize::MAX, "ș")),
    ];
    for (name, piece) in [
        ("references in a value", "&quot;"),
        ("character references in a value", "&#9;"),
        ("white space in a value", "\t"),
        ("white space and references in a value", "\n&lt;"),
        ("line ends in a value", "\r\n"),
    ] {
        inputs.push((
            name,
            body("<a b='", "'></a>", usize::MAX, &|_| piece.to_owned()),
        ));
    }
    let attributes = |names: &dyn Fn(usize) -> String| {
        let mut tag = "<b".to_owned();
        for number in (0..256).rev() {
            tag += &format!(" {}=''", names(number));
        }
        tag + "/>"
    };
    inputs.extend([
        (
            "attributes",
            body("<a>", "</a>", 255, &|_| attributes(&|n| format!("a{n}"))),
        ),
        (
            "attributes of long names",
            body("<a>", "</a>", 255, &|_| {
                attributes(&|n| format!("{}{n}", "a".repeat(900)))
            }),
        ),
        (
            "attributes in namespaces of long names",
            Shape {
                content: filled(
                    bytes,
                    &format!("<a xmlns:p='{}' xmlns:q='{}'>", namespace(1), namespace(2)),
                    "</a>",
                    250,
                    |_| {
                        attributes(&|n| {
                            format!("{}:{n:x}", if n % 2 == 0 { "p" } else { "q" })
                                .replace(":", ":a")
                        })
                    },
                ),
                ..Shape::default()
            },
        ),
        ("attributes in many namespaces of long names", {
            let declared: String = (0..128)
                .map(|n| format!(" xmlns:p{n}='{}'", namespace(n * 37 % 128)))
                .collect();
            body(&format!("<a{declared}>"), "</a>", 250, &|_| {
                attributes(&|n| format!("p{}:a{}", n % 128, n / 128))
            })
        }),
        (
            "ids",
            body("<a>", "</a>", 65_000, &|n| {
                format!("<b Id='{}'/>", n.reverse_bits() >> 40)
            }),
        ),
        (
            "ids of long names",
            body("<a>", "</a>", 65_000, &|n| {
                format!("<b Id='{}{n}'/>", "i".repeat(400))
            }),
        ),
        (
            "declarations of one prefix",
            body("<a>", "</a>", 65_000, &|n| format!("<p:b xmlns:p='u{n}'/>")),
        ),
        (
            "declarations of the default namespace",
            body("<a>", "</a>", 65_000, &|n| format!("<b xmlns='u{n}'/>")),
        ),
        (
            "declarations of long names",
            body("<a>", "</a>", 65_000, &|n| {
                format!("<b xmlns='{}'/>", namespace(n))
            }),
        ),
        (
            "prefixes of long names",
            body("<a>", "</a>", 1_000, &|n| {
                let prefix = format!("{}{n:04}", "p".repeat((bytes / 2048).max(8)));
                format!("<{prefix}:b xmlns:{prefix}='u'/>")
            }),
        ),
    ]);
    // A canonical form that is many times the message.
    let long = namespace(0);
    let repeated = |times: usize| {
        body(&format!("<a xmlns:p='{long}'>"), "</a>", times, &|_| {
            "<p:b/>".to_owned()
        })
    };
    // The first is over what is allowed, the others are nearly that much.
    for times in [60 * bytes / 1024, 7 * bytes / 1024, 6 * bytes / 1024] {
        inputs.push((
            "a namespace that is written again and again",
            repeated(times),
        ));
        inputs.push((
            "the same with SHA-256",
            sha(repeated(times), "http://www.w3.org/2001/04/xmlenc#sha256"),
        ));
        inputs.push((
            "the same with SHA-512",
            sha(repeated(times), "http://www.w3.org/2001/04/xmlenc#sha512"),
        ));
    }
    let quoted = "&quot;".repeat(170);
    inputs.push((
        "a namespace of quotes that is written again and again",
        body(
            &format!("<a xmlns:p='{quoted}'>"),
            "</a>",
            7 * bytes / 1020,
            &|_| "<p:b/>".to_owned(),
        ),
    ));
    let declared: String = (0..200).map(|n| format!(" xmlns:p{n}='u{n}'")).collect();
    inputs.push((
        "prefixes that are used again and again",
        body(&format!("<a{declared}>"), "</a>", elements, &|n| {
            format!("<p{}:b/>", n % 200)
        }),
    ));
    let used: String = (0..200).rev().map(|n| format!(" p{n}:c=''")).collect();
    inputs.push((
        "attributes of many prefixes",
        body(&format!("<a{declared}>"), "</a>", bytes / 3000, &|_| {
            format!("<b{used}/>")
        }),
    ));
    let redeclared: String = (0..200)
        .rev()
        .map(|n| format!(" xmlns:p{n}='v{n}'"))
        .collect();
    for (name, algorithm) in [
        (
            "declarations under Canonical XML 1.0",
            "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        ),
        (
            "declarations under Canonical XML 1.1",
            "http://www.w3.org/2006/12/xml-c14n11",
        ),
    ] {
        inputs.push((
            name,
            inclusive(
                body(&format!("<a{declared}>"), "</a>", 300, &|_| {
                    format!("<b{redeclared}/>")
                }),
                algorithm,
            ),
        ));
    }
    // Long lists of prefixes, in every reference.
    let length = (bytes / 3000).min(500);
    let prefix = |n: usize| format!("{}{n:04}", "p".repeat(length));
    let headers = 12;
    let listed = format!("{C14N}{}</Transform>", lists(64, &|n| prefix(900 + n)));
    let own: String = (0..4)
        .map(|k| {
            let declared: String = (0..250)
                .map(|n| format!(" xmlns:{}='u'", prefix(k * 250 + n)))
                .collect();
            format!("<b{declared}/>")
        })
        .collect();
    inputs.push((
        "lists of long prefixes",
        Shape {
            content: format!("<a>{own}</a>"),
            headers: (0..headers).map(|n| format!("<h Id='h{n}'/>")).collect(),
            references: (0..headers).map(|n| reference(n, &listed)).collect(),
            ..Shape::default()
        },
    ));
    let scope: String = (0..200)
        .map(|n| format!(" xmlns:{}='u'", prefix(n)))
        .collect();
    let scope_bytes = scope.len() + 600 * headers;
    inputs.push((
        "long prefixes in the scope of every reference",
        inclusive(
            Shape {
                envelope: scope,
                headers: (0..headers).map(|n| format!("<h Id='h{n}'/>")).collect(),
                references: (0..headers)
                    .map(|n| reference(n, &format!("{C14N}</Transform>")))
                    .collect(),
                content: filled(bytes.saturating_sub(scope_bytes), "<a>", "</a>", 0, |_| {
                    String::new()
                }),
                ..Shape::default()
            },
            "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        ),
    ));
    let short = lists(64, &|n| format!("p{n}"));
    inputs.push((
        "a prefix list and declarations",
        Shape {
            replaced: vec![(C14N, format!("{C14N}{short}"))],
            ..body(&format!("<a{declared}>"), "</a>", 300, &|_| {
                format!("<b{redeclared}/>")
            })
        },
    ));
    inputs.push((
        "a list of prefixes without end",
        Shape {
            replaced: vec![(
                METHOD,
                format!("{METHOD}{}", lists(room / 2, &|_| "p".to_owned())),
            )],
            ..Shape::default()
        },
    ));
    inputs.push((
        "many references",
        Shape {
            headers: (0..30).map(|n| format!("<h Id='h{n}'/>")).collect(),
            references: (0..30)
                .map(|n| reference(n, &format!("{C14N}</Transform>")))
                .collect(),
            ..body("<a>", "</a>", elements - 100, &|_| "<b/>".to_owned())
        },
    ));
    inputs.push((
        "too many references",
        Shape {
            references: (0..room / 500)
                .map(|n| reference(n, &format!("{C14N}</Transform>")))
                .collect(),
            ..Shape::default()
        },
    ));
    // Base64, names and what else `KeyInfo` has.
    let spaced = "A \n".repeat(room / 4);
    inputs.push((
        "a signature value without end",
        Shape {
            replaced: vec![(
                "<SignatureValue></SignatureValue>",
                format!("<SignatureValue>{spaced}</SignatureValue>"),
            )],
            ..Shape::default()
        },
    ));
    let key_info = |content: &str| Shape {
        replaced: vec![(
            "<o:SecurityTokenReference><o:Reference ",
            format!("{content}<o:SecurityTokenReference><o:Reference "),
        )],
        ..Shape::default()
    };
    let certificates = |bytes: usize| {
        let certificate = format!("<X509Certificate>{}</X509Certificate>", "MIIB".repeat(5000));
        format!("<X509Data>{}</X509Data>", certificate.repeat(6)).repeat(bytes / 121_000)
    };
    inputs.push(("certificates that are none", key_info(&certificates(room))));
    let serial = "<X509SerialNumber>1</X509SerialNumber></X509IssuerSerial></X509Data>";
    for (name, part) in [
        ("a name of many parts", "CN=a,"),
        ("a name of one set of many parts", "CN=a+"),
        ("a name of escapes", "CN=\\,\\,\\,\\,\\,\\,"),
        ("a name of numbered parts", "1.2.3=#040161,"),
    ] {
        let dn = format!("{}CN=b", part.repeat(room.saturating_sub(500) / part.len()));
        inputs.push((
            name,
            key_info(&format!(
                "<X509Data><X509IssuerSerial><X509IssuerName>{dn}</X509IssuerName>{serial}"
            )),
        ));
        let dn = format!(
            "{}CN=b",
            part.repeat((room / 15).saturating_sub(500) / part.len())
        );
        inputs.push((
            name,
            key_info(
                &format!(
                    "<X509Data><X509IssuerSerial><X509IssuerName>{dn}</X509IssuerName>{serial}"
                )
                .repeat(14),
            ),
        ));
    }
    inputs.push((
        "many ways to name the signer",
        key_info(&format!(
            "<X509Data>{}</X509Data>",
            "<X509SKI>AAAA</X509SKI>".repeat(room / 30)
        )),
    ));
    let token_references = format!(
        r#"<Transform Algorithm="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"><o:TransformationParameters>{METHOD}</CanonicalizationMethod></o:TransformationParameters></Transform>"#
    );
    let token = |n: usize| {
        format!(
            "<o:SecurityTokenReference Id='h{n}'><o:Reference URI='#t{n}'/></o:SecurityTokenReference>"
        )
    };
    let mut tokens = key_info(&format!(
        "{}{}",
        "<b/>".repeat(room.saturating_sub(20_000).min(400_000) / 4),
        (0..28).map(token).collect::<String>(),
    ));
    let sent: String = (0..28)
        .map(|n| format!("<o:BinarySecurityToken Id='t{n}'/>"))
        .collect();
    tokens.replaced.push((
        "<o:BinarySecurityToken u:Id",
        format!("{sent}<o:BinarySecurityToken u:Id"),
    ));
    tokens.references = (0..28).map(|n| reference(n, &token_references)).collect();
    inputs.push(("references that are looked for in a long KeyInfo", tokens));
    inputs
        .into_iter()
        .map(|(name, shape)| (name, shape.sign()))
        .collect()
}

/// Messages that send certificates, which are parsed where authorities are trusted.
pub fn certificates(bytes: usize) -> Vec<(&'static str, String)> {
    let embedded = |certificates: &[String]| -> String {
        let data = certificates.chunks(6).map(|six| {
            let six: String = six
                .iter()
                .map(|one| format!("<X509Certificate>{one}</X509Certificate>"))
                .collect();
            format!("<X509Data>{six}</X509Data>")
        });
        data.collect()
    };
    let message = |content: &str| {
        let shape = Shape {
            replaced: vec![(
                "<o:SecurityTokenReference><o:Reference ",
                format!("{content}<o:SecurityTokenReference><o:Reference "),
            )],
            ..Shape::default()
        };
        shape.sign()
    };
    let parts = certificate_of_many_parts(700);
    let times = bytes.saturating_sub(frame()) / (parts.len() + 60);
    let good = Base64::encode_string(certificate("chain/mpay").der());
    let good_times = (bytes.saturating_sub(frame()) / (good.len() + 60)).min(90);
    vec![
        (
            "certificates of many parts",
            message(&embedded(&vec![parts.clone(); times.min(90)])),
        ),
        (
            "one certificate many times",
            message(&embedded(&vec![good; good_times])),
        ),
        (
            "one certificate of many parts",
            message(&embedded(&[parts])),
        ),
    ]
}

/// A certificate of nearly the longest size that is read, in base64, whose names are all it has.
fn certificate_of_many_parts(parts: u64) -> String {
    let key = KeyPair::from_pkcs8_pem_and_sign_algo(&data("mpay.key.pem"), &PKCS_RSA_SHA256);
    let mut parameters = CertificateParams::new(vec![]).unwrap();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    let name = &mut parameters.distinguished_name;
    name.push(DnType::CustomDnType(vec![2, 5, 4, 5]), "1003600000001");
    for part in 0..parts {
        name.push(DnType::CustomDnType(vec![1, 2, part]), "");
    }
    let certificate = parameters.self_signed(&key.unwrap()).unwrap();
    let der = certificate.der();
    assert!(der.len() <= 16 << 10, "{}", der.len());
    Base64::encode_string(der)
}
