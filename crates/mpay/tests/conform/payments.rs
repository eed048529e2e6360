//! Confirmations, and what is recorded of them.

use super::*;

#[test]
fn a_provider_that_refuses_a_line_of_zero_fails() {
    let has_one = |operation: &str| {
        operation.contains("<Amount>0.00</Amount>") && operation.contains("<TotalAmount>1.00<")
    };
    fails(
        confirmations(has_one, "Currency", "EUR"),
        &["payment.zero-line"],
    );
}

#[test]
fn a_provider_that_refuses_times_that_cannot_be_fails() {
    let is_far = |operation: &str| {
        text(operation, "PaidAt").is_some_and(|at| at.starts_with("1999") || at.starts_with("2099"))
    };
    fails(
        confirmations(is_far, "Currency", "EUR"),
        &["payment.implausible-time"],
    );
}

#[test]
fn a_provider_that_takes_a_date_for_a_time_fails() {
    fails(
        confirmations(
            |operation| text(operation, "PaidAt") == Some("2026-06-01"),
            "PaidAt",
            "2026-06-01T00:00:00",
        ),
        &["fault.confirm-date-alone"],
    );
}

#[test]
fn a_provider_that_looks_at_amounts_first_fails() {
    let is_wrong = |operation: &str| {
        operation.contains("<TotalAmount>1.01<") && operation.contains("<Amount>1.00<")
    };
    fails(
        confirmations(is_wrong, "Currency", "much too long"),
        &["fault.confirm-order-first", "fault.confirm-service-first"],
    );
}

#[test]
fn a_provider_that_acknowledges_a_known_payment_unseen_fails() {
    let known = Mutex::new(HashSet::new());
    fails(
        move |call, forward| {
            let id = text(&call.body, "PaymentID").map(str::to_owned);
            let unsigned = !call.body.contains("<wsse:Security ");
            let mut known = known.lock().unwrap();
            if unsigned && id.as_ref().is_some_and(|id| known.contains(id)) {
                return yes();
            }
            known.extend(id);
            drop(known);
            forward(call)
        },
        &["refusal.repeat-unsigned"],
    );
}

/// True if a key fits a pattern of SQL's `LIKE`.
fn like(pattern: &[u8], key: &[u8]) -> bool {
    match (pattern.split_first(), key.split_first()) {
        (None, None) => true,
        (Some((b'%', rest)), _) => {
            like(rest, key) || key.split_first().is_some_and(|(_, key)| like(pattern, key))
        }
        (Some((p, pattern)), Some((k, key))) => (*p == b'_' || p == k) && like(pattern, key),
        _ => false,
    }
}

/// Requests with the OrderKey of an order that was asked for before, if this finds it.
fn finds(
    operation: &'static str,
    found: impl Fn(&str, &str) -> bool + Send + Sync + 'static,
) -> impl Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync + 'static {
    let known = Mutex::new(Vec::<String>::new());
    requests(move |xml| {
        let asked = text(xml, "OrderKey")?.to_owned();
        let mut known = known.lock().unwrap();
        if asked.starts_with("CONFORM-") && asked.ends_with(char::is_uppercase) {
            known.push(asked.clone());
        }
        if !xml.contains(operation) {
            return None;
        }
        let key = known
            .iter()
            .find(|key| **key != asked && found(&asked, key))?;
        swap(xml, &format!(">{asked}<"), &format!(">{key}<")).ok()
    })
}

#[test]
fn a_provider_that_looks_up_orders_by_like_fails() {
    // It knows the orders that were asked for before.
    fails_after(
        &["structure"],
        finds("<GetOrderDetails ", |asked, key| {
            like(asked.as_bytes(), key.as_bytes())
        }),
        &["fault.order-key-pattern"],
    );
}

#[test]
fn a_provider_that_pays_orders_by_like_fails() {
    fails(
        finds("<ConfirmOrderPayment ", |asked, key| {
            like(asked.as_bytes(), key.as_bytes())
        }),
        &["fault.confirm-order-key-pattern"],
    );
}

#[test]
fn a_provider_whose_sql_is_open_fails() {
    // It knows the orders that were asked for before.
    fails_after(
        &["structure"],
        finds("<GetOrderDetails ", |asked, _| asked.starts_with("' OR '")),
        &["fault.order-key-quoted"],
    );
}

#[test]
fn a_provider_that_reads_a_key_by_its_beginning_fails() {
    // It knows the orders that were asked for before.
    fails_after(
        &["structure"],
        finds("<GetOrderDetails ", |asked, key| {
            asked.strip_suffix(".0") == Some(key)
        }),
        &["fault.order-key-longer"],
    );
}

#[test]
fn a_provider_that_does_not_look_at_the_service_of_an_order_fails() {
    for (operation, checks) in [
        (
            "<GetOrderDetails ",
            ["fault.order-of-another-service"].as_slice(),
        ),
        (
            "<ConfirmOrderPayment ",
            &[
                "fault.confirm-order-of-another-service",
                "fault.confirm-service-first",
            ],
        ),
    ] {
        fails(
            requests(move |xml| {
                let service = text(xml, "ServiceID")?.to_owned();
                let exists = text(xml, "OrderKey")?.starts_with("CONFORM-");
                (xml.contains(operation) && exists && service != SERVICE)
                    .then(|| xml.replace(&format!(">{service}<"), &format!(">{SERVICE}<")))
            }),
            checks,
        );
    }
}

#[test]
fn a_provider_that_looks_at_the_first_line_only_fails() {
    fails(
        requests(|xml| {
            (xml.matches("<LineID>").count() > 1 && xml.contains(">NO-SUCH-LINE-OF-CONFORM<")).then(
                || {
                    let first = text(xml, "LineID").unwrap();
                    xml.replace("NO-SUCH-LINE-OF-CONFORM", first)
                },
            )
        }),
        &["fault.confirm-unknown-second-line"],
    );
}

#[test]
fn a_provider_that_adds_up_negative_lines_fails() {
    fails(
        requests(|xml| {
            let line = "<PaymentConfirmationLine><Amount>-1.00</Amount>";
            let at = xml.find(line).filter(|_| xml.contains("<Amount>2.00<"))?;
            let line = piece(&xml[at..], "<Payment", "</PaymentConfirmationLine>").ok()?;
            Some(xml.replace(line, "").replace(">2.00<", ">1.00<"))
        }),
        &["fault.confirm-negative-line"],
    );
}

#[test]
fn a_provider_whose_amounts_overflow_fails() {
    fails(
        requests(|xml| {
            xml.contains(">184467440737095517.16<")
                .then(|| xml.replace(">184467440737095517.16<", ">1.00<"))
        }),
        &["fault.confirm-overflow"],
    );
}

#[test]
fn a_provider_that_takes_payments_without_an_id_fails() {
    fails(
        requests(|xml| {
            let blank = text(xml, "PaymentID")?.trim().is_empty();
            let id = piece(xml, "<PaymentID>", "</PaymentID>").ok()?;
            let other = format!("<PaymentID>{}</PaymentID>", Confirmation::new_payment_id());
            blank.then(|| xml.replace(id, &other))
        }),
        &["fault.confirm-payment-id-empty"],
    );
}

#[test]
fn a_provider_that_only_compares_the_total_of_a_payment_fails() {
    let known = Mutex::new(BTreeMap::new());
    fails(
        move |call, forward| {
            let Some(id) = text(&call.body, "PaymentID").filter(|_| is_right(&call.body)) else {
                return forward(call);
            };
            let total = (
                text(&call.body, "TotalAmount")
                    .unwrap_or_default()
                    .to_owned(),
                text(&call.body, "OrderKey").unwrap_or_default().to_owned(),
            );
            let id = id.to_owned();
            if call.body.matches("<LineID>").count() == 2
                && known.lock().unwrap().get(&id) == Some(&total)
            {
                return yes();
            }
            let reply = forward(call);
            if reply.status == 200 {
                known.lock().unwrap().insert(id, total);
            }
            reply
        },
        &["idempotence.other-lines"],
    );
}

/// PaymentIDs that were refused, with what was said under them.
fn remembers_refusals(
    acknowledged: impl Fn(&str, &str) -> bool + Send + Sync + 'static,
) -> impl Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync + 'static {
    let refused = Mutex::new(BTreeMap::<String, String>::new());
    move |call, forward| {
        let confirmation = piece(
            &call.body,
            "<ConfirmOrderPayment ",
            "</ConfirmOrderPayment>",
        );
        let (Ok(said), true) = (confirmation, is_right(&call.body)) else {
            return forward(call);
        };
        let said = said.to_owned();
        let id = text(&said, "PaymentID").unwrap_or_default().to_owned();
        let before = refused.lock().unwrap().get(&id).cloned();
        if before.is_some_and(|before| acknowledged(&before, &said)) {
            return yes();
        }
        let reply = forward(call);
        if reply.status == 500 {
            refused.lock().unwrap().insert(id, said);
        }
        reply
    }
}

#[test]
fn a_provider_that_acknowledges_what_it_refused_before_fails() {
    fails(
        remembers_refusals(|before, said| before == said),
        &["idempotence.refusal", "idempotence.two-orders-at-once"],
    );
}

#[test]
fn a_provider_that_takes_a_refused_payment_for_recorded_fails() {
    fails(
        remembers_refusals(|before, said| before.contains(">1.01<") && !said.contains(">1.01<")),
        &["idempotence.after-refusal"],
    );
}

/// PaymentIDs as such a provider stores them.
fn stores_ids(
    change: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> impl Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync + 'static {
    requests(move |xml| {
        let id = text(xml, "PaymentID")?;
        let stored = change(id)?;
        Some(xml.replace(id, &stored))
    })
}

#[test]
fn a_provider_that_takes_payment_ids_for_numbers_fails() {
    fails(
        stores_ids(|id| {
            let number: f64 = id.parse().ok()?;
            (id.len() == 36).then(|| format!("N{number:e}"))
        }),
        &["idempotence.similar-ids"],
    );
}

#[test]
fn a_provider_that_cuts_payment_ids_short_fails() {
    fails(
        stores_ids(|id| (id.len() == 36).then(|| id[..35].to_owned())),
        &["idempotence.comment", "idempotence.similar-ids"],
    );
}

#[test]
fn a_provider_that_folds_the_case_of_payment_ids_fails() {
    fails(
        stores_ids(|id| Some(id.to_lowercase())),
        &["idempotence.case-of-ids"],
    );
}

#[test]
fn a_provider_that_reads_a_payment_id_up_to_its_first_comment_fails() {
    fails(
        stores_ids(|id| Some(id.split_once("<!-- -->")?.0.to_owned())),
        &["idempotence.comment"],
    );
}

#[test]
fn a_provider_that_counts_in_binary_fractions_fails() {
    fails(
        requests(|xml| {
            let amount = text(xml, "TotalAmount")?;
            let float: f64 = amount.parse().ok()?;
            let cut = (float * 100.0).trunc() / 100.0;
            (amount == "0.29" || amount == "1.15" || amount == "4.35")
                .then(|| xml.replace(&format!(">{amount}<"), &format!(">{cut:.2}<")))
        }),
        &["payment.hundredths"],
    );
}

#[test]
fn a_provider_that_adds_lines_as_binary_fractions_fails() {
    fails(
        requests(|xml| {
            let mut rest = xml;
            let mut sum = 0.0;
            while let Some(amount) = text(rest, "Amount") {
                sum += amount.parse::<f64>().ok()?;
                rest = rest.split_once("</Amount>")?.1;
            }
            let total: f64 = text(xml, "TotalAmount")?.parse().ok()?;
            let id = text(xml, "PaymentID")?;
            (sum != total && (sum - total).abs() < 0.001).then(|| xml.replace(id, &"9".repeat(37)))
        }),
        &["payment.sum-of-lines", "idempotence.other-lines"],
    );
}

#[test]
fn a_provider_that_counts_a_repeated_payment_twice_fails() {
    let seen = Mutex::new(HashSet::new());
    fails(
        requests(move |operation| {
            let id = piece(operation, "<PaymentID>", "</PaymentID>")
                .ok()?
                .to_owned();
            let mut seen = seen.lock().unwrap();
            if seen.insert(id.clone()) {
                return None;
            }
            let other = format!("<PaymentID>again-{}</PaymentID>", seen.len());
            seen.insert(other.clone());
            swap(operation, &id, &other).ok()
        }),
        &[
            "idempotence.repeat",
            "idempotence.same-bytes",
            "idempotence.later",
            "idempotence.spelling",
            "idempotence.other-details",
            "idempotence.line-order",
            "idempotence.twice-at-once",
            "idempotence.eight-at-once",
            "idempotence.two-orders-at-once",
            "idempotence.other-amount",
            "idempotence.other-lines",
            "idempotence.other-order",
        ],
    );
}

#[test]
fn a_provider_that_refuses_a_repeated_payment_fails() {
    let seen = Mutex::new(HashSet::new());
    fails(
        requests(move |operation| {
            let id = piece(operation, "<PaymentID>", "</PaymentID>")
                .ok()?
                .to_owned();
            let first = seen.lock().unwrap().insert(id.clone());
            let another = || swap(operation, "<Currency>MDL", "<Currency>EUR").unwrap();
            (!first).then(another)
        }),
        &[
            "idempotence.repeat",
            "idempotence.same-bytes",
            "idempotence.later",
            "idempotence.after-refusal",
            "idempotence.after-paid",
            "idempotence.spelling",
            "idempotence.other-details",
            "idempotence.line-order",
            "idempotence.twice-at-once",
            "idempotence.eight-at-once",
            "idempotence.two-orders-at-once",
            "idempotence.other-amount",
        ],
    );
}

#[test]
fn a_provider_that_says_yes_and_forgets_the_payment_fails() {
    fails(
        |call, forward| {
            let forgotten = call.body.contains("<ConfirmOrderPayment ")
                && is_key(&call.body, "-PARTIAL-LINES")
                && is_right(&call.body);
            if !forgotten {
                return forward(call);
            }
            yes()
        },
        &[
            "payment.rest-of-lines",
            "payment.line-by-line",
            "payment.sum-of-lines",
            "payment.zero-line",
            "payment.by-line-id",
            "idempotence.other-lines",
            "idempotence.line-order",
        ],
    );
}

#[test]
fn a_provider_that_pays_keys_by_their_beginning_fails() {
    fails(
        finds("<ConfirmOrderPayment ", |asked, key| {
            asked.strip_suffix(".0") == Some(key)
        }),
        &["fault.confirm-order-key-longer"],
    );
}

#[test]
fn a_provider_whose_sql_is_open_to_confirmations_fails() {
    // It knows the orders that were asked for before.
    fails_after(
        &["structure"],
        finds("<ConfirmOrderPayment ", |asked, _| {
            asked.starts_with("' OR '")
        }),
        &["fault.confirm-order-key-quoted"],
    );
}

#[test]
fn a_provider_that_looks_up_payments_by_like_or_open_sql_fails() {
    for found in [
        |asked: &str, known: &str| asked.ends_with('%') && like(asked.as_bytes(), known.as_bytes()),
        |asked: &str, _: &str| asked.contains("' OR '1'='1"),
    ] {
        let known = Mutex::new(HashSet::<String>::new());
        fails(
            move |call, forward| {
                let Some(id) = text(&call.body, "PaymentID").filter(|_| is_right(&call.body))
                else {
                    return forward(call);
                };
                let id = id.to_owned();
                let is_found = |known: &HashSet<String>| known.iter().any(|one| found(&id, one));
                if is_found(&known.lock().unwrap()) {
                    return yes();
                }
                known.lock().unwrap().insert(id);
                forward(call)
            },
            &["idempotence.quoted-ids"],
        );
    }
}

/// PaymentIDs that came in messages that MPay did not sign.
#[test]
fn a_provider_that_notes_a_payment_before_it_looks_at_the_signature_fails() {
    let noted = Mutex::new(HashSet::new());
    fails(
        move |call, forward| {
            let id = text(&call.body, "PaymentID").map(str::to_owned);
            let mut noted = noted.lock().unwrap();
            if !is_right(&call.body) {
                noted.extend(id);
            } else if id.is_some_and(|id| noted.contains(&id)) {
                return yes();
            }
            drop(noted);
            forward(call)
        },
        &[
            "refusal.confirmation-unsigned",
            "refusal.confirmation-tampered",
            "refusal.confirmation-of-a-stranger",
            "refusal.confirmation-wrapped",
        ],
    );
}

#[test]
fn a_provider_that_reads_an_amount_up_to_cdata_or_a_reference_fails() {
    for cut in ["<![CDATA[.25]]>", "&#46;25"] {
        fails(
            requests(move |xml| {
                let spelled = format!(">1{cut}<");
                xml.contains(&spelled).then(|| xml.replace(&spelled, ">1<"))
            }),
            &["idempotence.cdata-in-amount"],
        );
    }
}

/// Confirmations whose repetition, under the same PaymentID, is told from the first by this.
fn tells_apart(
    by: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> impl Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync + 'static {
    let known = Mutex::new(BTreeMap::new());
    requests(move |xml| {
        let id = text(xml, "PaymentID")?.to_owned();
        let told = by(xml);
        let mut known = known.lock().unwrap();
        let first = known.entry(id).or_insert_with(|| told.clone());
        (*first != told).then(|| xml.replace("<Currency>MDL", "<Currency>EUR"))
    })
}

#[test]
fn a_provider_that_knows_payments_by_their_invoice_too_fails() {
    fails(
        tells_apart(|xml| text(xml, "InvoiceID").map(str::to_owned)),
        &["idempotence.other-details"],
    );
}

#[test]
fn a_provider_that_compares_lines_in_their_order_fails() {
    let ids = |xml: &str| {
        let lines = piece(xml, "<Lines>", "</Lines>").ok()?;
        let ids = lines.match_indices("<LineID>").filter_map(|(at, _)| {
            let id = text(lines.get(at..)?, "LineID")?;
            Some(id.to_owned())
        });
        Some(ids.collect::<Vec<_>>().join(" "))
    };
    fails(tells_apart(ids), &["idempotence.line-order"]);
}

#[test]
fn a_provider_that_takes_one_payment_of_an_invoice_fails() {
    let known = Mutex::new(BTreeMap::new());
    fails(
        move |call, forward| {
            let member = |name| text(&call.body, name).map(str::to_owned);
            let (Some(invoice), Some(id), true) = (
                member("InvoiceID").filter(|invoice| !invoice.is_empty()),
                member("PaymentID"),
                is_right(&call.body),
            ) else {
                return forward(call);
            };
            let first = known
                .lock()
                .unwrap()
                .entry(invoice)
                .or_insert(id.clone())
                .clone();
            if first == id { forward(call) } else { yes() }
        },
        &["idempotence.same-invoice"],
    );
}

/// It asks whether the PaymentID is known, and writes later: who asks meanwhile is told no.
#[test]
fn a_provider_that_looks_for_a_payment_of_another_order_before_it_writes_fails() {
    #[derive(Default)]
    struct Payments {
        /// Orders by PaymentID: those that were written.
        written: BTreeMap<String, HashSet<String>>,
        /// The first order that asked.
        asked: BTreeMap<String, String>,
        /// Ids under which a second order was written.
        others: BTreeMap<(String, String), String>,
    }
    let payments = Mutex::new(Payments::default());
    fails(
        move |mut call, forward| {
            let member = |name| text(&call.body, name).map(str::to_owned);
            let (Some(id), Some(order), true) = (
                member("PaymentID"),
                member("OrderKey"),
                is_right(&call.body),
            ) else {
                return forward(call);
            };
            let id_as_written = {
                let mut payments = payments.lock().unwrap();
                let first = payments.asked.entry(id.clone()).or_insert(order.clone());
                let is_first = *first == order;
                let pair = (id.clone(), order.clone());
                let is_written = payments.written.contains_key(&id);
                match payments.others.get(&pair) {
                    Some(other) => other.clone(),
                    None if is_first || is_written => id.clone(),
                    None => {
                        let other = Confirmation::new_payment_id();
                        payments.others.insert(pair, other.clone());
                        other
                    }
                }
            };
            if id_as_written != id {
                let message = call.body.replace(&id, &id_as_written);
                call.body = mpay().sign_again(&message).unwrap();
            }
            let reply = forward(call);
            if reply.status == 200 {
                let mut payments = payments.lock().unwrap();
                payments.written.entry(id).or_default().insert(order);
            }
            reply
        },
        &["idempotence.two-orders-at-once"],
    );
}

#[test]
fn a_provider_that_pays_lines_by_their_place_fails() {
    fails(
        requests(|xml| {
            let lines = piece(xml, "<Lines>", "</Lines>").ok()?;
            let reversed = lines.find("<LineID>2<")? < lines.find("<LineID>1<")?;
            let exchanged = lines
                .replace("<LineID>1<", "<LineID>one<")
                .replace("<LineID>2<", "<LineID>1<")
                .replace("<LineID>one<", "<LineID>2<");
            reversed.then(|| xml.replace(lines, &exchanged))
        }),
        &["payment.by-line-id", "idempotence.line-order"],
    );
}

#[test]
fn a_provider_that_keeps_one_amount_of_a_line_fails() {
    fails(
        requests(|xml| {
            let line = piece(
                xml,
                "<PaymentConfirmationLine>",
                "</PaymentConfirmationLine>",
            )
            .ok()?;
            let twice = line.repeat(2);
            xml.contains(&twice).then(|| {
                xml.replace(&twice, line)
                    .replace("<TotalAmount>2.00<", "<TotalAmount>1.00<")
            })
        }),
        &["payment.line-twice"],
    );
}

#[test]
fn a_provider_whose_amounts_have_32_bits_fails() {
    let changes: [fn(&str) -> Option<String>; 2] = [
        // Whole hundredths that begin anew.
        |amount| {
            let hundredths: i64 = amount.replace('.', "").parse().ok()?;
            let wrapped = hundredths & 0x7fff_ffff;
            (hundredths > wrapped).then(|| format!("{}.{:02}", wrapped / 100, wrapped % 100))
        },
        // Binary fractions of 24 bits.
        |amount| {
            let float: f32 = amount.parse().ok()?;
            (float > 1e6).then(|| format!("{float:.2}"))
        },
    ];
    for change in changes {
        fails(
            requests(move |xml| {
                // Greater ones are another check's.
                let amount = text(xml, "TotalAmount").filter(|amount| amount.len() < 14)?;
                let changed = change(amount)?;
                Some(xml.replace(&format!(">{amount}<"), &format!(">{changed}<")))
            }),
            &["payment.large-amounts"],
        );
    }
}
