//! Messages that must be understood although MPay does not write them like this today: a provider is
//! strict in sending and tolerant in receiving.

use wsse::{Content, Writer};

use crate::{
    check::{Check, must, should},
    message::{piece, swap},
    names::{MPAY, XSI},
    node::Node,
    orders::Role,
    reply::{GET_ORDER_DETAILS, accepted, amount, order_in},
    session::Session,
    verdict::{Verdict, hold},
};
use mpay_client::{Confirmation, encode_query};

const TOLERANT: &str = "Structures: be tolerant in what is received (any order, unknown elements skipped, xsi:nil is absent)";
const XML: &str =
    "Transport: SOAP 1.1 is XML 1.0; other spellings of the same document mean the same";
const AMOUNTS: &str = "Settled readings: amounts in are any XML Schema decimal of the same value";

pub const CHECKS: &[Check] = &[
    must(
        "reading.member-order",
        "Members of a query are read in any order",
        TOLERANT,
        |s| {
            query(s, "ServiceID, OrderKey, Language", |key, service| {
                format!(
                    "<ServiceID>{service}</ServiceID><OrderKey>{key}</OrderKey><Language>ru</Language>"
                )
            })
        },
    ),
    must(
        "reading.unknown-members",
        "Members that are not known are skipped",
        TOLERANT,
        |s| {
            query(s, "unknown members", |key, service| {
                format!(
                    "<Channel>web</Channel><Language>ru</Language><x:y xmlns:x=\"urn:x\"><x:OrderKey>other</x:OrderKey></x:y><OrderKey>{key}</OrderKey><ServiceID>{service}</ServiceID><Zone><OrderKey>other</OrderKey></Zone>"
                )
            })
        },
    ),
    must(
        "reading.nil",
        "A nil optional member is absent",
        TOLERANT,
        |s| {
            let key = s.orders.shared(Role::Full)?;
            let nil = format!("<Language xmlns:i=\"{XSI}\" i:nil=\"true\"/>");
            romanian(s, &key, &nil, "Language is nil")
        },
    ),
    must(
        "reading.empty-optional",
        "An empty optional member is absent",
        "Settled readings: an empty optional element is absent",
        |s| {
            let key = s.orders.shared(Role::Full)?;
            romanian(s, &key, "<Language></Language>", "Language is empty")
        },
    ),
    must(
        "reading.prefixes",
        "Names are read by their namespaces, whatever the prefixes",
        XML,
        |s| {
            reshaped(s, "prefixes on everything", |message| {
                let body = piece(message, "<GetOrderDetails ", "</GetOrderDetails>")?;
                let mut prefixed = body.replace("xmlns=", "xmlns:m1=");
                for name in [
                    "GetOrderDetails",
                    "query",
                    "Language",
                    "OrderKey",
                    "ServiceID",
                ] {
                    prefixed = prefixed
                        .replace(&format!("<{name}>"), &format!("<m1:{name}>"))
                        .replace(&format!("<{name} "), &format!("<m1:{name} "))
                        .replace(&format!("</{name}>"), &format!("</m1:{name}>"));
                }
                let message = swap(message, body, &prefixed)?;
                Ok(message
                    .replace("soap:", "SOAP-ENV:")
                    .replace("xmlns:soap=", "xmlns:SOAP-ENV="))
            })
        },
    ),
    must("reading.cdata", "CDATA sections are text", XML, |s| {
        respelled(s, "CDATA", |key| format!("<![CDATA[{key}]]>"))
    }),
    must(
        "reading.comments",
        "A comment in the middle of a text does not cut it short",
        "Message security: the signature does not cover comments, so that anybody may put one in",
        |s| {
            let (message, key) = good(s)?;
            // After signing: the digest stays right, and a careless reader sees half the key.
            let (start, end) = key.split_at(key.len() / 2);
            let message = swap(
                &message,
                &format!(">{key}<"),
                &format!(">{start}<!-- -->{end}<"),
            )?;
            let reply = s.ask("a comment within OrderKey", &message)?;
            // A provider that refuses all comments is safe too.
            if reply.fault().is_some_and(|fault| {
                fault.local_code() != "UnknownOrder" && fault.local_code() != "InvalidParameter"
            }) {
                return Ok(());
            }
            order_in(&reply, &key).map(drop)
        },
    ),
    must(
        "reading.references",
        "Character references are text",
        XML,
        |s| {
            respelled(s, "character references", |key| {
                key.chars()
                    .map(|c| format!("&#x{:X};", u32::from(c)))
                    .collect()
            })
        },
    ),
    must(
        "reading.declaration",
        "An XML declaration is accepted",
        XML,
        |s| {
            before(
                s,
                "an XML declaration",
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n",
            )
        },
    ),
    must(
        "reading.byte-order-mark",
        "A byte order mark of UTF-8 is accepted",
        "WS-I Basic Profile 1.1, R4001: a receiver must accept messages with a byte order mark",
        |s| before(s, "a byte order mark", "\u{FEFF}"),
    ),
    must(
        "reading.white-space",
        "White space and line ends between elements mean nothing",
        XML,
        |s| {
            reshaped(s, "indented, lines ended by CR LF", |message| {
                let body = piece(message, "<GetOrderDetails ", "</GetOrderDetails>")?;
                let indented = body.replace("><", ">\r\n    <");
                let message = swap(message, body, &indented)?;
                Ok(message
                    .replace("<soap:Header>", "\r\n<soap:Header>\r\n  ")
                    .replace("<ds:KeyInfo>", "\r\n<ds:KeyInfo>\t"))
            })
        },
    ),
    must(
        "reading.quotes",
        "Attributes in single quotation marks are read",
        XML,
        |s| {
            reshaped(s, "single quotation marks", |message| {
                Ok(message.replace('"', "'"))
            })
        },
    ),
    should(
        "reading.trimmed-key",
        "White space around OrderKey is trimmed",
        "Settled readings: order keys are compared exactly after trimming",
        |s| respelled(s, "spaces around OrderKey", |key| format!(" {key} ")),
    ),
    must(
        "reading.confirmation-member-order",
        "Members of a confirmation are read in any order, unknown ones skipped",
        TOLERANT,
        |s| {
            pays(s, "members in another order", |xml| {
                let total = piece(xml, "<TotalAmount>", "</TotalAmount>")?.to_owned();
                let lines = piece(xml, "<Lines>", "</Lines>")?.to_owned();
                let xml = swap(xml, &total, "")?;
                let xml = swap(&xml, &lines, "")?;
                swap(
                    &xml,
                    "<Currency>",
                    &format!("{total}<Channel>web</Channel>{lines}<Currency>"),
                )
            })
        },
    ),
    must(
        "reading.confirmation-empty-optional",
        "Empty and nil optional members of a confirmation are absent",
        "Settled readings: an empty optional element (<DestinationAccount/>, <InvoiceID/>) is absent",
        |s| {
            pays(
                s,
                "empty DestinationAccount and InvoiceID, nil Properties",
                |xml| {
                    let xml = swap(
                        xml,
                        "</Amount>",
                        "</Amount><DestinationAccount></DestinationAccount>",
                    )?;
                    swap(
                        &xml,
                        "<Lines>",
                        &format!(
                            "<InvoiceID></InvoiceID><Properties xmlns:i=\"{XSI}\" i:nil=\"true\"></Properties><Lines>"
                        ),
                    )
                },
            )
        },
    ),
    must(
        "reading.confirmation-full",
        "A confirmation with everything that MPay may send is accepted",
        "Structures: PaymentConfirmation; property names seen with spaces and prefixes such as HO:Telephone",
        |s| {
            pays(s, "all members", |xml| {
                let properties = "<Properties><PaymentProperty><Name>HO:Telephone</Name><Value>+373 22 000 000</Value></PaymentProperty><PaymentProperty><Name>Numele plătitorului</Name></PaymentProperty></Properties>";
                let account = "<DestinationAccount><BankAccount>MD24AG000225100013104168</BankAccount><BankCode>AGRNMD2X</BankCode><BankFiscalCode>1000000000007</BankFiscalCode><BeneficiaryName>Beneficiar</BeneficiaryName></DestinationAccount>";
                let xml = swap(xml, "</Amount>", &format!("</Amount>{account}"))?;
                let xml = swap(&xml, "</LineID>", &format!("</LineID>{properties}"))?;
                let xml = swap(&xml, "<Lines>", "<InvoiceID>1234567890</InvoiceID><Lines>")?;
                swap(&xml, "</PaymentID>", &format!("</PaymentID>{properties}"))
            })
        },
    ),
    must(
        "reading.paid-at",
        "PaidAt is read without zone, with Z, with an offset, and with seven fraction digits",
        "Settled readings: times come in with Z, offset or none, up to seven fraction digits",
        |s| {
            for time in [
                "2026-06-01T10:00:00",
                "2026-06-01T07:00:00Z",
                "2026-06-01T10:00:00+03:00",
                "2026-06-01T10:00:00.1234567",
                "2026-06-01T10:00:00.1234567+03:00",
            ] {
                pays(s, &format!("PaidAt {time}"), |xml| {
                    let paid_at = piece(xml, "<PaidAt>", "</PaidAt>")?;
                    swap(xml, paid_at, &format!("<PaidAt>{time}</PaidAt>"))
                })?;
            }
            Ok(())
        },
    ),
    must(
        "reading.decimals",
        "Amounts are read in every spelling of the same value",
        AMOUNTS,
        |s| {
            for spelled in ["1", "1.0", "1.0000", "01.00", "+1.00", " 1.00 ", "1."] {
                pays(s, &format!("1.00 spelled {spelled:?}"), |xml| {
                    Ok(xml.replace(">1.00<", &format!(">{spelled}<")))
                })?;
            }
            Ok(())
        },
    ),
];

fn good(s: &mut Session) -> Verdict<(String, String)> {
    let key = s.known_order()?;
    let message = s.sign(&encode_query(&s.service, &key, "ro"))?;
    Ok((message, key))
}

/// A message whose shape was changed, and which was signed again, still gets its order.
fn reshaped(
    s: &mut Session,
    what: &str,
    change: impl FnOnce(&str) -> anyhow::Result<String>,
) -> Verdict {
    let (message, key) = good(s)?;
    let message = s.mpay.sign_again(&change(&message)?)?;
    let reply = s.ask(what, &message)?;
    order_in(&reply, &key).map(drop)
}

/// The same with OrderKey written in another way.
fn respelled(s: &mut Session, what: &str, spell: impl FnOnce(&str) -> String) -> Verdict {
    let (_, key) = good(s)?;
    let spelled = spell(&key);
    reshaped(s, what, |message| {
        swap(message, &format!(">{key}<"), &format!(">{spelled}<"))
    })
}

/// A message with something in front of it.
fn before(s: &mut Session, what: &str, start: &str) -> Verdict {
    let (message, key) = good(s)?;
    let reply = s.ask(what, &format!("{start}{message}"))?;
    order_in(&reply, &key).map(drop)
}

/// A query with these members in Russian gets the order, in Russian where there is such a text.
fn query(s: &mut Session, what: &str, members: impl FnOnce(&str, &str) -> String) -> Verdict {
    let key = s.orders.shared(Role::Full)?;
    let expected = s.details(&key, "ru")?;
    let members = members(&key, &s.service);
    let got = send(s, what, &members, &key)?;
    same_reason(what, &got, &expected)
}

fn romanian(s: &mut Session, key: &str, language: &str, what: &str) -> Verdict {
    let expected = s.details(key, "ro")?;
    let members = format!(
        "{language}<OrderKey>{key}</OrderKey><ServiceID>{}</ServiceID>",
        s.service
    );
    let got = send(s, what, &members, key)?;
    same_reason(what, &got, &expected)
}

fn same_reason(what: &str, got: &Node, expected: &Node) -> Verdict {
    hold(got.get("Reason") == expected.get("Reason"), || {
        format!(
            "{what}: Reason is {:?} instead of {:?}",
            got.get("Reason").unwrap_or_default(),
            expected.get("Reason").unwrap_or_default()
        )
    })
}

fn send(s: &mut Session, what: &str, members: &str, key: &str) -> Verdict<Node> {
    let mut xml = Writer::new();
    xml.start_in(GET_ORDER_DETAILS, MPAY);
    xml.element("query", "MEMBERS");
    let message = s.sign(&xml.finish())?;
    let message = s.mpay.sign_again(&swap(&message, "MEMBERS", members)?)?;
    let reply = s.ask(what, &message)?;
    order_in(&reply, key)
}

/// A confirmation of 1.00 whose text was changed before it was signed is accepted, and 1.00 less
/// is due then.
fn pays(
    s: &mut Session,
    what: &str,
    change: impl FnOnce(&str) -> anyhow::Result<String>,
) -> Verdict {
    let order = s.purse()?;
    let before = amount(&order, "TotalAmountDue")?;
    let confirmation: Confirmation = s.part_of(&order, 0, "1.00")?;
    let content: Content = confirmation.encode();
    let message = s.sign(&content)?;
    let operation = piece(&message, "<ConfirmOrderPayment ", "</ConfirmOrderPayment>")?;
    let changed = change(operation)?;
    let message = s.mpay.sign_again(&swap(&message, operation, &changed)?)?;
    let reply = s.pay(what, &message)?;
    accepted(what, &reply)?;
    let after = s.due(&confirmation.order_key)?;
    hold(after + amount_of_one() == before, || {
        format!("{what}: due was {before}, and is {after} after a payment of 1.00")
    })
}

fn amount_of_one() -> mpay_domain::Money {
    mpay_domain::Money::parse("1").unwrap_or_default()
}
