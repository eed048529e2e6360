//! Answers: their signatures, their members, their faults, and the WSDL.

use super::*;

#[test]
fn a_provider_whose_answers_have_no_timestamp_fails() {
    fails(
        answers(|text| {
            let reference =
                piece(text, "<ds:Reference URI=\"#Timestamp\">", "</ds:Reference>").ok()?;
            let timestamp = piece(text, "<wsu:Timestamp", "</wsu:Timestamp>").ok()?;
            Some(text.replace(reference, "").replace(timestamp, ""))
        }),
        &["signature.timestamp"],
    );
}

#[test]
fn a_provider_whose_timestamps_are_not_signed_fails() {
    fails(
        answers(|text| {
            let reference =
                piece(text, "<ds:Reference URI=\"#Timestamp\">", "</ds:Reference>").ok()?;
            Some(text.replace(reference, ""))
        }),
        &["signature.timestamp"],
    );
}

#[test]
fn a_provider_whose_faults_are_not_signed_fails() {
    fails(
        |call, forward| {
            let mut reply = forward(call);
            if reply.body.contains("<soap:Fault>") {
                let header = piece(&reply.body, "<soap:Header>", "</soap:Header>").unwrap();
                reply.body = reply.body.replace(header, "");
            }
            reply
        },
        &[
            "signature.faults-signed",
            "signature.anonymous-faults-signed",
        ],
    );
}

#[test]
fn a_provider_that_signs_with_another_certificate_fails() {
    let stranger = Identity::from_pem(STRANGER_KEY, STRANGER).unwrap();
    let pem = |pem: &str| -> String {
        pem.lines()
            .filter(|line| !line.starts_with("---"))
            .collect()
    };
    let (own, strange) = (pem(SERVICE_CERTIFICATE), pem(STRANGER));
    fails(
        move |call, forward| {
            let mut reply = forward(call);
            if reply.body.contains("<ds:Signature ") {
                reply.body = stranger
                    .sign_again(&reply.body.replace(&own, &strange))
                    .unwrap();
            }
            reply
        },
        &[
            "signature.results-signed",
            "signature.confirmations-signed",
            "signature.faults-signed",
            "signature.anonymous-faults-signed",
            "signature.certificate",
        ],
    );
}

#[test]
fn a_provider_that_alters_its_answers_after_signing_fails() {
    fails(
        |call, forward| {
            let mut reply = forward(call);
            reply.body = reply.body.replace("<soap:Body ", "<soap:Body a=\"1\" ");
            reply
        },
        &[
            "signature.results-signed",
            "signature.confirmations-signed",
            "signature.faults-signed",
            "signature.anonymous-faults-signed",
        ],
    );
}

#[test]
fn a_provider_that_does_not_know_sha256_fails() {
    fails(
        |mut call, forward| {
            if call.body.contains("sha256") {
                let header = piece(&call.body, "<soap:Header>", "</soap:Header>").unwrap();
                call.body = call.body.replace(header, "");
            }
            forward(call)
        },
        &["signature.rsa-sha256", "signature.mixed-hashes"],
    );
}

#[test]
fn a_provider_whose_members_are_out_of_order_fails() {
    fails(
        answers(|text| {
            let currency = piece(text, "<Currency>", "</Currency>").ok()?;
            Some(
                text.replace(currency, "")
                    .replace("</OrderDetails>", &format!("{currency}</OrderDetails>")),
            )
        }),
        &["structure.member-order"],
    );
}

#[test]
fn a_provider_that_writes_one_fraction_digit_fails() {
    fails(
        answers(|text| {
            text.contains("AmountDue>").then(|| {
                text.replace("0</AmountDue>", "</AmountDue>")
                    .replace("0</TotalAmountDue>", "</TotalAmountDue>")
            })
        }),
        &["structure.two-fraction-digits"],
    );
}

#[test]
fn a_provider_whose_total_is_not_that_of_its_lines_fails() {
    fails(
        answers(|text| {
            is_key(text, "-FULL").then(|| {
                text.replace("</TotalAmountDue>", "1</TotalAmountDue>")
                    .replace(".501<", ".51<")
            })
        }),
        &["structure.sum"],
    );
}

#[test]
fn a_provider_that_sends_nil_instead_of_nothing_fails() {
    fails(
        answers(|text| {
            let nil = "</Currency><CustomerID xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:nil=\"true\"></CustomerID>";
            (text.contains("<OrderDetails>") && !text.contains("<CustomerID>"))
                .then(|| text.replace("</Currency>", nil))
        }),
        &["structure.optional-absent"],
    );
}

#[test]
fn a_provider_whose_texts_are_too_long_fails() {
    fails(
        answers(|text| {
            let reason = piece(text, "<Reason>", "</Reason>").ok()?;
            is_key(text, "-FULL")
                .then(|| text.replacen(reason, &format!("<Reason>{}</Reason>", "ă".repeat(51)), 1))
        }),
        &["structure.lengths", "language.lengths"],
    );
}

#[test]
fn a_provider_that_only_knows_romanian_fails() {
    fails(
        requests(|operation| {
            let language = piece(operation, "<Language>", "</Language>").ok()?;
            Some(operation.replace(language, "<Language>ro</Language>"))
        }),
        &["language.russian", "language.english"],
    );
}

#[test]
fn a_provider_that_knows_languages_in_lower_case_only_fails() {
    fails(
        requests(|operation| {
            let language = piece(operation, "<Language>", "</Language>").ok()?;
            (language.contains('R') || language.contains('E') || language.contains('N'))
                .then(|| operation.replace(language, "<Language>ro</Language>"))
        }),
        &["language.upper-case", "language.mixed-case"],
    );
}

#[test]
fn a_provider_whose_fault_codes_are_qualified_fails() {
    fails(
        answers(|text| {
            let code = piece(text, "<faultcode>", "</faultcode>").ok()?;
            let inner = code.strip_prefix("<faultcode>")?;
            (!inner.contains(':')).then(|| {
                text.replace(
                    code,
                    &format!("<faultcode xmlns:m=\"https://mpay.gov.md\">m:{inner}"),
                )
            })
        }),
        &["fault.unqualified-code"],
    );
}

#[test]
fn a_provider_whose_faults_have_children_in_a_namespace_fails() {
    fails(
        answers(|text| {
            text.contains("<faultcode>").then(|| {
                text.replace(
                    "<faultstring ",
                    "<faultstring xmlns=\"https://mpay.gov.md\" ",
                )
            })
        }),
        &["fault.unqualified-children"],
    );
}

#[test]
fn a_provider_that_sends_faults_with_status_200_fails() {
    fails(
        |call, forward| {
            let mut reply = forward(call);
            if reply.status == 500 {
                reply.status = 200;
            }
            reply
        },
        &["fault.status-500"],
    );
}

#[test]
fn a_provider_that_says_why_it_does_not_believe_fails() {
    fails(
        |call, forward| {
            let reason = if call.body.contains("<wsse:Security ") {
                "The digest does not match."
            } else {
                "There is no Security header."
            };
            let mut reply = forward(call);
            if reply.body.contains("AuthenticationFailed") {
                let provider = Identity::from_pem(SERVICE_KEY, SERVICE_CERTIFICATE).unwrap();
                let text = reply
                    .body
                    .replace("The message could not be authenticated.", reason);
                reply.body = provider.sign_again(&text).unwrap();
            }
            reply
        },
        &["fault.authentication-failed"],
    );
}

#[test]
fn a_provider_that_looks_at_the_soap_action_only_fails() {
    fails(
        |mut call, forward| {
            call.headers.remove("soapaction");
            forward(call)
        },
        &["transport.soapaction-contradicts"],
    );
}

#[test]
fn a_provider_that_reads_a_text_up_to_its_first_comment_fails() {
    fails(
        |mut call, forward| {
            if call.body.contains("<!-- -->") && is_right(&call.body) {
                let rest = piece(&call.body, "<!-- -->", "<").unwrap();
                let rest = rest.strip_suffix('<').unwrap();
                call.body = mpay().sign_again(&call.body.replace(rest, "")).unwrap();
            }
            forward(call)
        },
        &[
            "idempotence.comment",
            "idempotence.comment-in-amount",
            "reading.comments",
        ],
    );
}

#[test]
fn a_provider_whose_wsdl_is_out_of_order_fails() {
    fails(
        |call, forward| {
            let mut reply = forward(call);
            if reply.body.contains("<wsdl:definitions") {
                let element = |name: &str, kind: &str| {
                    format!(
                        "<xs:element name=\"{name}\" type=\"tns:{kind}\" minOccurs=\"0\" nillable=\"true\"/>"
                    )
                };
                let (account, code) = (
                    element("BankAccount", "String24"),
                    element("BankCode", "String20"),
                );
                assert!(reply.body.contains(&account) && reply.body.contains(&code));
                let after = format!("{code}{account}");
                reply.body = reply.body.replace(&account, "").replace(&code, &after);
            }
            reply
        },
        &["wsdl.alphabetical"],
    );
}

/// WCF writes a document for each namespace, and imports them.
#[test]
fn a_wsdl_in_several_documents_is_read_whole() {
    let url = serve(
        &PROVIDER,
        Arc::new(|mut call: Call, forward: &dyn Fn(Call) -> Reply| {
            let wants_schema = call.path.contains("?xsd=");
            if wants_schema {
                call.path = "/?wsdl".to_owned();
            }
            let mut reply = forward(call);
            if reply.body.contains("<wsdl:definitions") {
                let schema = piece(&reply.body, "<xs:schema ", "</xs:schema>").unwrap();
                let import = "<xs:schema><xs:import namespace=\"https://mpay.gov.md\" schemaLocation=\"?xsd=xsd0\"/></xs:schema>";
                reply.body = if wants_schema {
                    schema.replacen(
                        "<xs:schema ",
                        "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:tns=\"https://mpay.gov.md\" ",
                        1,
                    )
                } else {
                    reply.body.replace(schema, import)
                };
            }
            reply
        }),
    );
    let mut options = PROVIDER.options(&url);
    options.only = vec!["wsdl".into()];
    let report = conform::run(options, &mut |_, _| {}).unwrap();
    assert_eq!(failures(&report), BTreeMap::new());
    assert_eq!(report.count(Outcome::Passed), report.tested.len());
}

/// A refusal proves nothing where nothing good is answered.
#[test]
fn refusals_are_not_tested_on_a_provider_that_refuses_everything() {
    let url = serve(
        &PROVIDER,
        Arc::new(|_: Call, _: &dyn Fn(Call) -> Reply| Reply {
            status: 403,
            headers: HeaderMap::new(),
            body: "no".to_owned(),
        }),
    );
    let mut options = PROVIDER.options(&url);
    options.only = vec!["transport.post".into(), "refusal".into()];
    options.orders = OrdersGiven::File("[orders]\nplain = ['1']".to_owned());
    let report = conform::run(options, &mut |_, _| {}).unwrap();
    let failed: Vec<_> = failures(&report).into_keys().collect();
    assert_eq!(failed, ["transport.post"]);
    assert_eq!(report.count(Outcome::Passed), 0);
    assert!(!report.passed());
}

#[test]
fn a_provider_that_owes_after_an_overpayment_fails() {
    fails(
        answers(|text| {
            (is_key(text, "-ADVANCE") && text.contains("<Status>Paid<"))
                .then(|| text.replace(">0.00<", ">-5.00<"))
        }),
        &["payment.advance"],
    );
}
