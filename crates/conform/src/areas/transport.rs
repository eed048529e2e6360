//! HTTP and the SOAP envelope.

use crate::{
    check::{Check, must, should},
    message::swap,
    names::{MPAY, SOAP},
    reply::{CONFIRM_ORDER_PAYMENT, GET_ORDER_DETAILS, Reply},
    session::{Sample, Session, TEXT_XML, action},
    verdict::{Verdict, hold},
};

pub const CHECKS: &[Check] = &[
    must(
        "transport.post",
        "A signed GetOrderDetails as MPay sends it gets HTTP 200 and a result",
        "Transport: SOAP 1.1 over HTTPS, document/literal wrapped; no SOAP fault means success",
        |s| {
            let message = s.good_message()?;
            let reply = s.ask("GetOrderDetails as MPay sends it", &message)?;
            hold(
                reply.answer.status == 200 && reply.orders().is_some(),
                || format!("GetOrderDetails got {}", reply.described()),
            )
        },
    ),
    must(
        "transport.content-type",
        "Results are sent as text/xml in UTF-8",
        "Transport: Content-Type: text/xml; charset=utf-8",
        |s| text_xml(&s.sample(Sample::Details)?),
    ),
    must(
        "transport.content-type-of-faults",
        "Faults are sent as text/xml in UTF-8",
        "Transport: Content-Type: text/xml; charset=utf-8",
        |s| text_xml(&s.sample(Sample::Fault)?),
    ),
    should(
        "transport.soapaction-unquoted",
        "A SOAPAction without quotation marks is accepted",
        "Settled readings: a missing, empty or unquoted SOAPAction is fine",
        |s| {
            let action = format!("{MPAY}/IServiceProvider/{GET_ORDER_DETAILS}");
            with_headers(
                s,
                "SOAPAction without quotation marks",
                &[TEXT_XML, ("SOAPAction", &action)],
            )
        },
    ),
    should(
        "transport.soapaction-empty",
        "An empty SOAPAction is accepted",
        "Settled readings: a missing, empty or unquoted SOAPAction is fine",
        |s| with_headers(s, "empty SOAPAction", &[TEXT_XML, ("SOAPAction", "\"\"")]),
    ),
    should(
        "transport.soapaction-missing",
        "A missing SOAPAction is accepted",
        "Settled readings: a missing, empty or unquoted SOAPAction is fine",
        |s| with_headers(s, "no SOAPAction", &[TEXT_XML]),
    ),
    must(
        "transport.soapaction-contradicts",
        "A SOAPAction that names another operation than the Body is refused",
        "Settled readings: a SOAPAction that contradicts the Body is refused",
        |s| {
            let message = s.good_message()?;
            let action = action(CONFIRM_ORDER_PAYMENT);
            let url = s.url.clone();
            let headers = [TEXT_XML, ("SOAPAction", action.as_str())];
            let reply = s.request(
                "GetOrderDetails with the SOAPAction of ConfirmOrderPayment",
                "POST",
                &url,
                &headers,
                &message,
            )?;
            refused(&reply)
        },
    ),
    should(
        "transport.charset-left-out",
        "text/xml without a charset is read as UTF-8",
        "Transport: text/xml; the XML itself says its encoding (RFC 7303, section 3.2)",
        |s| {
            let action = action(GET_ORDER_DETAILS);
            with_headers(
                s,
                "text/xml without charset",
                &[("Content-Type", "text/xml"), ("SOAPAction", &action)],
            )
        },
    ),
    must(
        "transport.charset-spelling",
        "The charset is understood in capitals and in quotation marks",
        "Transport: names and values of media type parameters (RFC 9110, section 8.3.1)",
        |s| {
            let action = action(GET_ORDER_DETAILS);
            with_headers(
                s,
                "Text/XML; Charset=\"UTF-8\"",
                &[
                    ("Content-Type", "Text/XML; Charset=\"UTF-8\""),
                    ("SOAPAction", &action),
                ],
            )
        },
    ),
    should(
        "transport.other-media-type",
        "A message that is not sent as text/xml is refused",
        "Transport: Content-Type: text/xml",
        |s| {
            let message = s.good_message()?;
            let url = s.url.clone();
            let headers = [("Content-Type", "application/json")];
            let reply = s.request(
                "a message as application/json",
                "POST",
                &url,
                &headers,
                &message,
            )?;
            refused(&reply)
        },
    ),
    must(
        "transport.get",
        "GET at the service's address does no harm",
        "Transport: operations come by POST; plain HTTP refusals are fine for what is no SOAP message",
        |s| {
            let url = s.url.clone();
            let reply = s.request("GET without ?wsdl", "GET", &url, &[], "")?;
            hold(
                reply.answer.status < 500 && reply.orders().is_none(),
                || format!("GET got {}", reply.described()),
            )
        },
    ),
    must(
        "transport.expect-continue",
        "A request with Expect: 100-continue is answered",
        "Transport: .NET clients such as MPay's announce their messages so (RFC 9110, section 10.1.1)",
        |s| {
            let action = action(GET_ORDER_DETAILS);
            with_headers(
                s,
                "Expect: 100-continue",
                &[
                    TEXT_XML,
                    ("SOAPAction", &action),
                    ("Expect", "100-continue"),
                ],
            )
        },
    ),
    should(
        "transport.chunked",
        "A request whose length is not known beforehand is answered",
        "Transport: HTTP/1.1 requires chunked bodies to be read (RFC 9112, section 7.1)",
        |s| {
            let action = action(GET_ORDER_DETAILS);
            with_headers(
                s,
                "Transfer-Encoding: chunked",
                &[
                    TEXT_XML,
                    ("SOAPAction", &action),
                    ("Transfer-Encoding", "chunked"),
                ],
            )
        },
    ),
    should(
        "transport.keep-alive",
        "Answers leave the connection open and say where they end",
        "Transport: HTTP/1.1 connections persist (RFC 9112, section 9.3); MPay calls often",
        |s| {
            let message = s.good_message()?;
            s.ask("the first of two", &message)?;
            let reply = s.ask("the second of two", &message)?;
            let closes = reply.header("connection").eq_ignore_ascii_case("close");
            let ends = !reply.header("content-length").is_empty()
                || !reply.header("transfer-encoding").is_empty();
            let version = &reply.answer.version;
            hold(
                version == "HTTP/2.0" || (version == "HTTP/1.1" && !closes && ends),
                || {
                    format!(
                        "the answer is {version} with Connection {:?}, Content-Length {:?}, Transfer-Encoding {:?}",
                        reply.header("connection"),
                        reply.header("content-length"),
                        reply.header("transfer-encoding")
                    )
                },
            )
        },
    ),
    must(
        "transport.large",
        "A legal message of more than 48 KB is answered",
        "Settled readings: legal messages of 48 KB and more work",
        |s| {
            let message = s.good_message()?;
            let padded = swap(
                &message,
                "<OrderKey>",
                &format!("{}<OrderKey>", " \n".repeat(32_000)),
            )?;
            let padded = s.mpay.sign_again(&padded)?;
            let reply = s.ask("GetOrderDetails with 64 KB of white space", &padded)?;
            answered("a message of 64 KB", &reply)
        },
    ),
    should(
        "transport.oversize",
        "A message beyond all measure is refused, and the provider lives on",
        "Settled readings: the limit is 1 MB",
        |s| {
            s.needs_answers()?;
            let message = s.good_message()?;
            let huge = swap(
                &message,
                "</soap:Header>",
                &format!(
                    "<x:x xmlns:x=\"urn:x\">{}</x:x></soap:Header>",
                    "A".repeat(20 << 20)
                ),
            )?;
            // A provider that refuses before the end of the message may well close the connection.
            if let Ok(reply) = s.ask("a message of 20 MB", &huge) {
                refused(&reply)?;
            }
            s.still_answers()
        },
    ),
    must(
        "transport.not-xml",
        "What is not XML is refused",
        "Settled readings: not XML or no envelope, soap:Client; plain HTTP refusals are fine",
        |s| {
            for (what, body) in [
                ("text instead of XML", "hello"),
                ("XML that breaks off", "<soap:Envelope"),
                ("an empty body", ""),
                ("XML that is no envelope", "<a/>"),
            ] {
                let reply = s.ask(what, body)?;
                hold(reply.is_refusal(), || {
                    format!("{what} got {}", reply.described())
                })?;
                soap_code(what, &reply, "Client")?;
            }
            Ok(())
        },
    ),
    should(
        "transport.soap-12",
        "An envelope of SOAP 1.2 is refused with VersionMismatch",
        "Settled readings: SOAP's own codes are qualified (soap:VersionMismatch); SOAP 1.1, section 4.4.1",
        |s| {
            let body = "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\"><e:Body/></e:Envelope>";
            let reply = s.ask("an envelope of SOAP 1.2", body)?;
            refused(&reply)?;
            soap_code("an envelope of SOAP 1.2", &reply, "VersionMismatch")
        },
    ),
    must(
        "transport.must-understand",
        "A header that must be understood and is not gets the fault MustUnderstand",
        "Settled readings: a header with mustUnderstand that is not understood, fault MustUnderstand",
        |s| {
            let reply = with_header_block(s, "<x:h xmlns:x=\"urn:x\" soap:mustUnderstand=\"1\"/>")?;
            let code = reply.fault().map(|fault| fault.local_code().to_owned());
            hold(code.as_deref() == Some("MustUnderstand"), || {
                format!("a header that must be understood got {}", reply.described())
            })
        },
    ),
    must(
        "transport.other-headers",
        "Headers that need not be understood, or are for others, are ignored",
        "SOAP 1.1, sections 4.2.2 and 4.2.3; MPay's messages may carry an ActivityId",
        |s| {
            for block in [
                "<x:h xmlns:x=\"urn:x\" soap:mustUnderstand=\"0\"/>",
                "<a:To xmlns:a=\"http://www.w3.org/2005/08/addressing\">urn:x</a:To>",
                "<x:h xmlns:x=\"urn:x\" soap:mustUnderstand=\"1\" soap:actor=\"urn:somebody-else\"/>",
            ] {
                let reply = with_header_block(s, block)?;
                answered(block, &reply)?;
            }
            Ok(())
        },
    ),
];

fn text_xml(reply: &Reply) -> Verdict {
    let value = reply.header("content-type").to_ascii_lowercase();
    let mut parts = value.split(';').map(str::trim);
    let is_xml = parts.next() == Some("text/xml");
    let charset = parts.find_map(|part| part.strip_prefix("charset="));
    let is_utf8 = charset.is_none_or(|charset| charset.trim_matches('"') == "utf-8");
    hold(is_xml && is_utf8, || {
        format!("the answer came as {:?}", reply.header("content-type"))
    })
}

fn with_headers(s: &mut Session, what: &str, headers: &[(&str, &str)]) -> Verdict {
    let message = s.good_message()?;
    let url = s.url.clone();
    let reply = s.request(what, "POST", &url, headers, &message)?;
    answered(what, &reply)
}

fn with_header_block(s: &mut Session, block: &str) -> Verdict<Reply> {
    let message = s.good_message()?;
    let message = swap(
        &message,
        "</soap:Header>",
        &format!("{block}</soap:Header>"),
    )?;
    s.ask(block, &message)
}

fn answered(what: &str, reply: &Reply) -> Verdict {
    hold(reply.orders().is_some(), || {
        format!("{what} got {}", reply.described())
    })
}

fn refused(reply: &Reply) -> Verdict {
    hold(reply.is_refusal(), || {
        format!("it was not refused but got {}", reply.described())
    })
}

/// If a refusal is a fault of SOAP, its code must be this one of SOAP's own.
fn soap_code(what: &str, reply: &Reply, code: &str) -> Verdict {
    match reply.fault() {
        Some(fault) => hold(
            fault.local_code() == code && fault.code.contains(':'),
            || {
                format!(
                    "{what} got the fault {} instead of {code} of {SOAP}",
                    fault.code
                )
            },
        ),
        None => Ok(()),
    }
}
