//! Faults: which failure gives which code, and their form.

use wsse::{Content, Writer};

use crate::{
    check::{Check, must, should},
    forge,
    message::{piece, swap},
    names::MPAY,
    reply::{GET_ORDER_DETAILS, Reply},
    session::{Sample, Session},
    verdict::{Verdict, hold},
};
use mpay_client::{Confirmation, encode_query};

const FORM: &str = "Settled readings: faultcode is a QName; MPay's codes stand without prefix and no default namespace is in scope there";
const SHAPE: &str = "Settled readings: shape and lengths give InvalidParameter";
const CONFIRMATION: &str = "Settled readings: a confirmation that does not fit gets InvalidParameter, without effect on the order";
const IN_ORDER: &str =
    "Settled readings: shape and lengths, then ServiceID, then OrderKey, then amounts";
const EXACT: &str = "Structures: OrderDetailsQuery.OrderKey; settled readings: order keys are answered as registered";
const NO_ORDER: &str = "NO-SUCH-ORDER-OF-MPAY-CONFORM";
const NO_SERVICE: &str = "NO-SUCH-SERVICE-OF-MPAY-CONFORM";

pub const CHECKS: &[Check] = &[
    must(
        "fault.unknown-order",
        "GetOrderDetails of an order that does not exist gets UnknownOrder, InvalidParameter or no order",
        "Operations: an unknown order: the peers answer UnknownOrder (or InvalidParameter); an empty result is the contract's own way",
        |s| {
            let query = encode_query(&s.service, NO_ORDER, "ro");
            let reply = send(s, "an order that does not exist", &query)?;
            match reply.orders() {
                Some(orders) => hold(orders.is_empty(), || {
                    format!("an order that does not exist got {} orders", orders.len())
                }),
                None => code(
                    "an order that does not exist",
                    &reply,
                    &["UnknownOrder", "InvalidParameter"],
                ),
            }
        },
    ),
    must(
        "fault.order-key-pattern",
        "GetOrderDetails with a pattern that an order's key fits gets no order",
        EXACT,
        |s| {
            let key = s.known_order()?;
            no_orders(s, &patterns(&key))
        },
    ),
    must(
        "fault.order-key-quoted",
        "GetOrderDetails with an OrderKey that closes a quotation gets no order",
        EXACT,
        |s| no_orders(s, &QUOTED.map(str::to_owned)),
    ),
    must(
        "fault.order-key-longer",
        "GetOrderDetails with more than an order's key gets no order",
        EXACT,
        |s| {
            let key = s.known_order()?;
            no_orders(s, &longer(&key))
        },
    ),
    must(
        "fault.order-of-another-service",
        "GetOrderDetails of an order that exists, for a service that is not served, gets UnknownService",
        "Operations: GetOrderDetails, faults InvalidParameter, UnknownService",
        |s| {
            let key = s.known_order()?;
            for service in [NO_SERVICE, "%"] {
                let what = format!("an order that exists, for the service {service}");
                let reply = send(s, &what, &encode_query(service, &key, "ro"))?;
                code(&what, &reply, &["UnknownService"])?;
            }
            Ok(())
        },
    ),
    must(
        "fault.unknown-service",
        "GetOrderDetails of a service that is not served gets UnknownService",
        "Operations: GetOrderDetails, faults InvalidParameter, UnknownService",
        |s| {
            let query = encode_query(NO_SERVICE, NO_ORDER, "ro");
            let reply = send(s, "a service that is not served", &query)?;
            code("a service that is not served", &reply, &["UnknownService"])
        },
    ),
    must(
        "fault.order-key-missing",
        "GetOrderDetails without OrderKey gets InvalidParameter",
        SHAPE,
        |s| {
            let service = s.service.clone();
            query(
                s,
                "no OrderKey",
                &[("ServiceID", &service)],
                &["InvalidParameter"],
            )
        },
    ),
    must(
        "fault.order-key-empty",
        "GetOrderDetails with an empty OrderKey gets InvalidParameter",
        SHAPE,
        |s| {
            let service = s.service.clone();
            query(
                s,
                "an empty OrderKey",
                &[("OrderKey", ""), ("ServiceID", &service)],
                &["InvalidParameter"],
            )
        },
    ),
    must(
        "fault.service-id-missing",
        "GetOrderDetails without ServiceID gets InvalidParameter",
        SHAPE,
        |s| {
            query(
                s,
                "no ServiceID",
                &[("OrderKey", NO_ORDER)],
                &["InvalidParameter", "UnknownService"],
            )
        },
    ),
    should(
        "fault.order-key-too-long",
        "GetOrderDetails with an OrderKey of 37 characters gets InvalidParameter",
        SHAPE,
        |s| {
            let service = s.service.clone();
            query(
                s,
                "an OrderKey of 37 characters",
                &[("OrderKey", &"9".repeat(37)), ("ServiceID", &service)],
                &["InvalidParameter"],
            )
        },
    ),
    must(
        "fault.query-missing",
        "GetOrderDetails without query gets InvalidParameter",
        SHAPE,
        |s| {
            let mut xml = Writer::new();
            xml.start_in(GET_ORDER_DETAILS, MPAY);
            let reply = send(s, "no query", &xml.finish())?;
            code("no query", &reply, &["InvalidParameter"])
        },
    ),
    must(
        "fault.unknown-operation",
        "A signed operation that the service does not have gets a fault",
        "Operations: GetOrderDetails and ConfirmOrderPayment; SOAP 1.1, section 4.4.1 (Client)",
        |s| {
            let mut xml = Writer::new();
            xml.start_in("CancelOrder", MPAY);
            let message = s.sign(&xml.finish())?;
            let url = s.url.clone();
            let reply = s.request(
                "the operation CancelOrder",
                "POST",
                &url,
                &[crate::session::TEXT_XML],
                &message,
            )?;
            hold(reply.fault().is_some(), || {
                format!("an unknown operation got {}", reply.described())
            })
        },
    ),
    must(
        "fault.confirm-unknown-order",
        "A confirmation for an order that does not exist gets UnknownOrder",
        "Operations: ConfirmOrderPayment, faults InvalidParameter, UnknownService, UnknownOrder",
        |s| {
            let confirmation = strange(s, NO_ORDER);
            let reply = s.confirm(
                "a confirmation for an order that does not exist",
                &confirmation,
            )?;
            code(
                "a confirmation for an order that does not exist",
                &reply,
                &["UnknownOrder"],
            )
        },
    ),
    must(
        "fault.confirm-unknown-service",
        "A confirmation for a service that is not served gets UnknownService",
        "Operations: ConfirmOrderPayment, faults InvalidParameter, UnknownService, UnknownOrder",
        |s| {
            let mut confirmation = strange(s, NO_ORDER);
            confirmation.service_id = NO_SERVICE.into();
            let reply = s.confirm(
                "a confirmation for a service that is not served",
                &confirmation,
            )?;
            code(
                "a confirmation for a service that is not served",
                &reply,
                &["UnknownService"],
            )
        },
    ),
    must(
        "fault.confirm-order-of-another-service",
        "A confirmation for an order that exists, for a service that is not served, gets UnknownService",
        "Operations: ConfirmOrderPayment, faults InvalidParameter, UnknownService, UnknownOrder",
        |s| {
            wrong(
                s,
                "a service that is not served",
                &["UnknownService"],
                |xml| {
                    let member = piece(xml, "<ServiceID>", "</ServiceID>")?;
                    swap(xml, member, &format!("<ServiceID>{NO_SERVICE}</ServiceID>"))
                },
            )
        },
    ),
    must(
        "fault.confirm-order-key-pattern",
        "A confirmation with a pattern that an order's key fits is refused",
        EXACT,
        |s| {
            let order = s.purse()?;
            nobodys(s, &patterns(order.get("OrderKey").unwrap_or_default()))
        },
    ),
    must(
        "fault.confirm-order-key-quoted",
        "A confirmation with an OrderKey that closes a quotation is refused",
        EXACT,
        |s| nobodys(s, &QUOTED.map(str::to_owned)),
    ),
    must(
        "fault.confirm-order-key-longer",
        "A confirmation with more than an order's key is refused",
        EXACT,
        |s| {
            let order = s.purse()?;
            nobodys(s, &longer(order.get("OrderKey").unwrap_or_default()))
        },
    ),
    must(
        "fault.confirm-missing-member",
        "A confirmation that lacks a required member gets InvalidParameter",
        CONFIRMATION,
        |s| {
            for name in [
                "Currency",
                "Lines",
                "OrderKey",
                "PaidAt",
                "PaymentID",
                "ServiceID",
                "TotalAmount",
            ] {
                let codes: &[&str] = if name == "ServiceID" {
                    &["InvalidParameter", "UnknownService"]
                } else {
                    &["InvalidParameter"]
                };
                wrong(s, &format!("no {name}"), codes, |xml| {
                    let member = piece(xml, &format!("<{name}>"), &format!("</{name}>"))?;
                    swap(xml, member, "")
                })?;
            }
            Ok(())
        },
    ),
    must(
        "fault.confirm-no-lines",
        "A confirmation without lines gets InvalidParameter",
        CONFIRMATION,
        |s| {
            wrong(s, "empty Lines", &["InvalidParameter"], |xml| {
                let line = piece(
                    xml,
                    "<PaymentConfirmationLine>",
                    "</PaymentConfirmationLine>",
                )?;
                swap(xml, line, "")
            })
        },
    ),
    must(
        "fault.confirm-sum",
        "A confirmation whose lines do not add up to TotalAmount gets InvalidParameter",
        CONFIRMATION,
        |s| member(s, "TotalAmount", "1.01"),
    ),
    must(
        "fault.confirm-currency",
        "A confirmation in another currency than the order's gets InvalidParameter",
        CONFIRMATION,
        |s| member(s, "Currency", "EUR"),
    ),
    must(
        "fault.confirm-unknown-line",
        "A confirmation of a line that the order does not have gets InvalidParameter",
        CONFIRMATION,
        |s| member(s, "LineID", "NO-SUCH-LINE-OF-CONFORM"),
    ),
    must(
        "fault.confirm-unknown-second-line",
        "A confirmation of a line that the order does not have, after one that it has, gets InvalidParameter",
        CONFIRMATION,
        |s| {
            wrong(s, "an unknown second line", &["InvalidParameter"], |xml| {
                with_second_line(xml, "2.00", "1.00", "NO-SUCH-LINE-OF-CONFORM")
            })
        },
    ),
    must(
        "fault.confirm-zero",
        "A confirmation of nothing gets InvalidParameter",
        CONFIRMATION,
        |s| amounts(s, "0.00"),
    ),
    must(
        "fault.confirm-negative",
        "A confirmation of a negative amount gets InvalidParameter",
        CONFIRMATION,
        |s| amounts(s, "-1.00"),
    ),
    must(
        "fault.confirm-negative-line",
        "A confirmation with a negative line that adds up gets InvalidParameter",
        CONFIRMATION,
        |s| {
            wrong(s, "2.00 and -1.00", &["InvalidParameter"], |xml| {
                let id = piece(xml, "<LineID>", "</LineID>")?;
                let id = id.trim_start_matches("<LineID>");
                let id = id.trim_end_matches("</LineID>").to_owned();
                let xml = xml.replace("<Amount>1.00<", "<Amount>2.00<");
                with_second_line(&xml, "1.00", "-1.00", &id)
            })
        },
    ),
    must(
        "fault.confirm-overflow",
        "A confirmation of more than numbers of 64 bits hold is refused",
        CONFIRMATION,
        |s| {
            // 1.00 beyond 2^64 hundredths.
            amounts(s, "184467440737095517.16")
        },
    ),
    must(
        "fault.confirm-fractions",
        "A confirmation of fractions of a hundredth gets InvalidParameter",
        CONFIRMATION,
        |s| amounts(s, "1.001"),
    ),
    must(
        "fault.confirm-not-a-number",
        "A confirmation whose amount is no decimal gets InvalidParameter",
        CONFIRMATION,
        |s| {
            for amount in ["one", "1e2", "1,00", "NaN", "0x1"] {
                amounts(s, amount)?;
            }
            Ok(())
        },
    ),
    must(
        "fault.confirm-not-a-time",
        "A confirmation whose PaidAt is no time gets InvalidParameter",
        CONFIRMATION,
        |s| member(s, "PaidAt", "yesterday"),
    ),
    must(
        "fault.confirm-date-alone",
        "A confirmation whose PaidAt is a date without a time gets InvalidParameter",
        "Settled readings: PaidAt is a dateTime: a date alone is InvalidParameter",
        |s| member(s, "PaidAt", "2026-06-01"),
    ),
    should(
        "fault.confirm-service-first",
        "A confirmation for an unknown service that does not add up gets UnknownService",
        IN_ORDER,
        |s| {
            wrong(
                s,
                "an unknown service, and a wrong total",
                &["UnknownService"],
                |xml| {
                    let xml = of(xml, "ServiceID", NO_SERVICE)?;
                    of(&xml, "TotalAmount", "1.01")
                },
            )
        },
    ),
    should(
        "fault.confirm-order-first",
        "A confirmation for an unknown order that does not add up gets UnknownOrder",
        IN_ORDER,
        |s| {
            wrong(
                s,
                "an unknown order, and a wrong total",
                &["UnknownOrder"],
                |xml| {
                    let xml = of(xml, "OrderKey", NO_ORDER)?;
                    of(&xml, "TotalAmount", "1.01")
                },
            )
        },
    ),
    must(
        "fault.confirm-payment-id-empty",
        "A confirmation with an empty PaymentID gets InvalidParameter",
        CONFIRMATION,
        |s| {
            member(s, "PaymentID", "")?;
            member(s, "PaymentID", " ")
        },
    ),
    should(
        "fault.confirm-payment-id-too-long",
        "A confirmation with a PaymentID of 37 characters gets InvalidParameter",
        CONFIRMATION,
        |s| member(s, "PaymentID", &"9".repeat(37)),
    ),
    must(
        "fault.status-500",
        "Faults come with HTTP status 500",
        "Transport: a fault has HTTP status 500",
        |s| {
            faults(s, |reply| {
                hold(reply.answer.status == 500, || {
                    format!("a fault came with HTTP {}", reply.answer.status)
                })
            })
        },
    ),
    must(
        "fault.unqualified-code",
        "MPay's codes stand in faultcode without a prefix",
        FORM,
        |s| {
            let reply = s.sample(Sample::Fault)?;
            let fault = reply.fault();
            let code = fault.as_ref().map_or("", |fault| fault.code);
            hold(!code.is_empty() && !code.contains(':'), || {
                format!("faultcode is {code:?}")
            })
        },
    ),
    must(
        "fault.unqualified-children",
        "faultcode and faultstring are in no namespace",
        "Settled readings: the children of Fault are unqualified (SOAP 1.1, section 4.4; WS-I Basic Profile 1.1, R1001)",
        |s| {
            faults(s, |reply| {
                let Some(fault) = reply.fault() else {
                    return Ok(());
                };
                let qualified = fault
                    .node
                    .children
                    .iter()
                    .find(|child| !child.namespace.is_empty());
                hold(qualified.is_none(), || {
                    format!(
                        "{} is in the namespace {:?}",
                        qualified.map_or("", |c| &c.name),
                        qualified.map_or("", |c| &c.namespace)
                    )
                })
            })
        },
    ),
    must(
        "fault.members",
        "A fault has one faultcode and one faultstring that says something",
        "Fault codes: faultstring is plain English; SOAP 1.1, section 4.4",
        |s| {
            faults(s, |reply| {
                let Some(fault) = reply.fault() else {
                    return Ok(());
                };
                let count = |name| {
                    fault
                        .node
                        .children
                        .iter()
                        .filter(|child| child.name == name)
                        .count()
                };
                hold(
                    count("faultcode") == 1
                        && count("faultstring") == 1
                        && !fault.reason.is_empty(),
                    || {
                        format!(
                            "the fault is {} with faultstring {:?}",
                            fault.code, fault.reason
                        )
                    },
                )
            })
        },
    ),
    should(
        "fault.authentication-failed",
        "A message that cannot be authenticated gets AuthenticationFailed",
        "Settled readings: any failure of message security, AuthenticationFailed with one constant text",
        |s| {
            let mut reasons = Vec::new();
            for (what, message) in unauthentic(s)? {
                let reply = s.ask(what, &message)?;
                code(what, &reply, &["AuthenticationFailed"])?;
                reasons.push(reply.fault().map(|fault| fault.reason.to_owned()));
            }
            hold(
                reasons.windows(2).all(|pair| pair.first() == pair.last()),
                || format!("the text tells strangers what was wrong: {reasons:?}"),
            )
        },
    ),
    must(
        "fault.no-internals",
        "Faults tell nothing of the inside: no stack traces, files, classes or SQL",
        "Settled readings: the reason only in the log; CWE-209",
        |s| {
            const MARKS: [&str; 12] = [
                "   at ",
                "Exception",
                "Traceback",
                ".cs:",
                ".java:",
                ".py\"",
                ".php",
                "SELECT ",
                "ORA-",
                "java.",
                "System.",
                "panicked",
            ];
            let mut replies = Vec::new();
            for kind in [Sample::Fault, Sample::AnonymousFault] {
                if let Ok(reply) = s.sample(kind) {
                    replies.push(reply);
                }
            }
            replies.push(s.ask("what is not XML", "<soap:Envelope")?);
            let confirmation = strange(s, "O'Order; --");
            replies.push(s.confirm("an OrderKey with a quotation mark", &confirmation)?);
            for reply in replies {
                let text = String::from_utf8_lossy(&reply.answer.body);
                let mark = MARKS.iter().find(|mark| text.contains(**mark));
                hold(mark.is_none(), || {
                    format!(
                        "an answer has {:?} in it",
                        mark.copied().unwrap_or_default()
                    )
                })?;
            }
            Ok(())
        },
    ),
];

/// Patterns of SQL, of a shell and of regular expressions that a key fits.
fn patterns(key: &str) -> Vec<String> {
    let mut all: String = key.to_owned();
    all.pop();
    let under = "_".repeat(key.chars().count());
    vec![
        format!("{all}_"),
        format!("{all}%"),
        format!("{all}*"),
        format!("{all}?"),
        format!("{all}."),
        under,
        "%".to_owned(),
        ".*".to_owned(),
    ]
}

/// Keys that end a string of SQL, and go on with a condition that is always true.
const QUOTED: [&str; 4] = [
    "' OR '1'='1",
    "x' OR 1=1 -- ",
    "x\" OR \"\"=\"",
    "') OR ('1'='1",
];

/// Keys with something before or behind: equal to a reader that takes keys for numbers, or by their
/// beginning.
fn longer(key: &str) -> Vec<String> {
    [format!("{key}Z"), format!("0{key}"), format!("{key}.0")]
        .into_iter()
        .map(|longer| longer.chars().take(36).collect())
        .filter(|longer: &String| longer != key)
        .collect()
}

/// A confirmation with any of these keys is refused, and pays nothing.
fn nobodys(s: &mut Session, keys: &[String]) -> Verdict {
    for key in keys {
        let codes = ["UnknownOrder", "InvalidParameter"];
        wrong(s, &format!("OrderKey {key:?}"), &codes, |xml| {
            of(xml, "OrderKey", key)
        })?;
    }
    Ok(())
}

/// No key gets an order.
fn no_orders(s: &mut Session, keys: &[String]) -> Verdict {
    for key in keys {
        let what = format!("OrderKey {key:?}");
        let query = encode_query(&s.service, key, "ro");
        let reply = send(s, &what, &query)?;
        match reply.orders() {
            Some(orders) => hold(orders.is_empty(), || format!("{what} got an order"))?,
            None => code(&what, &reply, &["UnknownOrder", "InvalidParameter"])?,
        }
    }
    Ok(())
}

/// The confirmation with another total, and another line at its end.
fn with_second_line(xml: &str, total: &str, amount: &str, line: &str) -> anyhow::Result<String> {
    let stated = piece(xml, "<TotalAmount>", "</TotalAmount>")?;
    let xml = swap(xml, stated, &format!("<TotalAmount>{total}</TotalAmount>"))?;
    swap(
        &xml,
        "</Lines>",
        &format!(
            "<PaymentConfirmationLine><Amount>{amount}</Amount><LineID>{line}</LineID></PaymentConfirmationLine></Lines>"
        ),
    )
}

fn send(s: &mut Session, what: &str, content: &Content) -> Verdict<Reply> {
    let message = s.sign(content)?;
    s.ask(what, &message)
}

/// The answer is a fault with one of these codes.
fn code(what: &str, reply: &Reply, codes: &[&str]) -> Verdict {
    let found = reply.fault().map(|fault| fault.local_code().to_owned());
    hold(
        found.is_some_and(|found| codes.contains(&found.as_str())),
        || {
            format!(
                "{what} got {} instead of the fault {}",
                reply.described(),
                codes.join(" or ")
            )
        },
    )
}

fn query(s: &mut Session, what: &str, members: &[(&str, &str)], codes: &[&str]) -> Verdict {
    let mut xml = Writer::new();
    xml.start_in(GET_ORDER_DETAILS, MPAY);
    xml.start("query");
    for (name, text) in members {
        xml.element(name, text);
    }
    let reply = send(s, what, &xml.finish())?;
    code(what, &reply, codes)
}

/// A confirmation of nobody's order.
fn strange(s: &Session, order_key: &str) -> Confirmation {
    Confirmation {
        service_id: s.service.clone(),
        order_key: order_key.to_owned(),
        payment_id: Confirmation::new_payment_id(),
        currency: "MDL".into(),
        total: "1.00".into(),
        paid_at: Confirmation::paid_now(),
        lines: vec![("1".into(), "1.00".into())],
        ..Confirmation::default()
    }
}

/// A confirmation of 1.00 with something changed before it was signed gets one of these codes,
/// and changes nothing.
fn wrong(
    s: &mut Session,
    what: &str,
    codes: &[&str],
    change: impl FnOnce(&str) -> anyhow::Result<String>,
) -> Verdict {
    let order = s.purse()?;
    let confirmation = s.part_of(&order, 0, "1.00")?;
    let message = s.sign(&confirmation.encode())?;
    let operation = piece(&message, "<ConfirmOrderPayment ", "</ConfirmOrderPayment>")?;
    let changed = change(operation)?;
    let message = s.mpay.sign_again(&swap(&message, operation, &changed)?)?;
    let reply = s.pay(what, &message)?;
    code(what, &reply, codes)?;
    s.unchanged(&order, what)
}

fn member(s: &mut Session, name: &str, text: &str) -> Verdict {
    wrong(
        s,
        &format!("{name} {text:?}"),
        &["InvalidParameter"],
        |xml| of(xml, name, text),
    )
}

/// A message with this text in a member.
fn of(xml: &str, name: &str, text: &str) -> anyhow::Result<String> {
    let member = piece(xml, &format!("<{name}>"), &format!("</{name}>"))?;
    swap(xml, member, &format!("<{name}>{text}</{name}>"))
}

fn amounts(s: &mut Session, text: &str) -> Verdict {
    wrong(
        s,
        &format!("amounts {text:?}"),
        &["InvalidParameter"],
        |xml| Ok(xml.replace(">1.00<", &format!(">{text}<"))),
    )
}

/// Looks at a fault to MPay and at one to a stranger.
fn faults(s: &mut Session, look: impl Fn(&Reply) -> Verdict) -> Verdict {
    look(&s.sample(Sample::Fault)?)?;
    match s.sample(Sample::AnonymousFault) {
        Ok(reply) => look(&reply),
        // Refused by HTTP alone.
        Err(_) => Ok(()),
    }
}

fn unauthentic(s: &mut Session) -> Verdict<Vec<(&'static str, String)>> {
    let good = s.good_message()?;
    let query = s.good_query()?;
    Ok(vec![
        ("an unsigned message", forge::unsigned(&good)?),
        ("an altered message", forge::tampered_body(&good)?),
        ("a stranger's message", forge::by(s.stranger()?, &query)?),
        (
            "an expired message",
            forge::signed_ago(&s.mpay, &query, 900, mpay_client::LIFETIME)?,
        ),
    ])
}
