//! The answers of GetOrderDetails: members, their order, their values.

use mpay_domain::{Iban, Money, PROPERTY_TYPES, check_state_identifier};

use crate::{
    check::{Check, must, should},
    names::MPAY,
    node::Node,
    orders::Role,
    reply::{CONFIRM_ORDER_PAYMENT, is_payable},
    session::{Sample, Session},
    verdict::{Verdict, hold, none_of},
};

pub(super) const STATUSES: &[&str] = &[
    "Active",
    "PartiallyPaid",
    "Paid",
    "Completed",
    "Expired",
    "Cancelled",
    "Refunding",
    "Refunded",
];
pub(super) const CUSTOMER_TYPES: &[&str] = &["Unspecified", "Person", "Organization"];

/// A structure of the contract.
pub(super) struct Structure {
    pub name: &'static str,
    /// In alphabetical order.
    pub members: &'static [Member],
}

/// A member of a structure.
pub(super) struct Member {
    pub name: &'static str,
    pub kind: Kind,
    pub optional: bool,
}

/// The kind of a member's content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text of at most so many characters.
    Text(usize),
    /// A text of any length.
    Free,
    OneOf(&'static [&'static str]),
    Currency,
    Boolean,
    Decimal,
    Time,
    /// Another structure, or an array of one.
    Complex,
}

impl Kind {
    /// The type of XML Schema; `None` for complex ones.
    pub fn schema_type(self) -> Option<&'static str> {
        match self {
            Self::Text(_) | Self::Free | Self::OneOf(_) | Self::Currency => Some("string"),
            Self::Boolean => Some("boolean"),
            Self::Decimal => Some("decimal"),
            Self::Time => Some("dateTime"),
            Self::Complex => None,
        }
    }
}

const fn required(name: &'static str, kind: Kind) -> Member {
    Member {
        name,
        kind,
        optional: false,
    }
}

const fn optional(name: &'static str, kind: Kind) -> Member {
    Member {
        name,
        kind,
        optional: true,
    }
}

use Kind::{Boolean, Complex, Currency, Decimal, Free, OneOf, Text, Time};

/// All structures, as the contract lists them.
pub(super) const STRUCTURES: &[Structure] = &[
    Structure {
        name: "OrderDetailsQuery",
        members: &[
            optional("Language", Text(2)),
            required("OrderKey", Text(36)),
            required("ServiceID", Text(36)),
        ],
    },
    ORDER_DETAILS,
    ORDER_LINE,
    ORDER_PROPERTY,
    PAYMENT_ACCOUNT,
    Structure {
        name: "PaymentConfirmation",
        members: &[
            required("Currency", Currency),
            optional("InvoiceID", Text(36)),
            required("Lines", Complex),
            required("OrderKey", Text(36)),
            required("PaidAt", Time),
            required("PaymentID", Text(36)),
            optional("Properties", Complex),
            required("ServiceID", Text(36)),
            required("TotalAmount", Decimal),
        ],
    },
    Structure {
        name: "PaymentConfirmationLine",
        members: &[
            required("Amount", Decimal),
            optional("DestinationAccount", Complex),
            required("LineID", Text(36)),
            optional("Properties", Complex),
        ],
    },
    Structure {
        name: "PaymentProperty",
        members: &[required("Name", Text(36)), optional("Value", Text(255))],
    },
];

const ORDER_DETAILS: Structure = Structure {
    name: "OrderDetails",
    members: &[
        optional("AllowAdvancePayments", Boolean),
        optional("AllowPartialPayments", Boolean),
        required("Currency", Currency),
        optional("CustomerID", Text(13)),
        optional("CustomerName", Text(60)),
        optional("CustomerType", OneOf(CUSTOMER_TYPES)),
        optional("DueDate", Time),
        optional("IssuedAt", Time),
        required("Lines", Complex),
        required("OrderKey", Text(36)),
        optional("Properties", Complex),
        required("Reason", Text(50)),
        required("ServiceID", Text(36)),
        required("Status", OneOf(STATUSES)),
        optional("TotalAmountDue", Decimal),
    ],
};

const ORDER_LINE: Structure = Structure {
    name: "OrderLine",
    members: &[
        optional("AllowAdvancePayments", Boolean),
        optional("AllowPartialPayments", Boolean),
        optional("AmountDue", Decimal),
        required("DestinationAccount", Complex),
        required("LineID", Text(36)),
        optional("Properties", Complex),
        required("Reason", Text(50)),
    ],
};

const ORDER_PROPERTY: Structure = Structure {
    name: "OrderProperty",
    members: &[
        required("DisplayName", Text(36)),
        optional("Id", Free),
        optional("IsVisible", Boolean),
        optional("Modifiable", Boolean),
        required("Name", Text(36)),
        optional("Required", Boolean),
        optional("Type", Text(36)),
        required("Value", Text(255)),
    ],
};

const PAYMENT_ACCOUNT: Structure = Structure {
    name: "PaymentAccount",
    members: &[
        required("BankAccount", Text(24)),
        required("BankCode", Text(20)),
        required("BankFiscalCode", Text(20)),
        required("BeneficiaryName", Text(60)),
        optional("ConfigurationCode", Text(36)),
    ],
};

/// Members that MPay does not use any more, and still reads.
const OBSOLETE: [&str; 3] = ["BankName", "TreasuryAccount", "TreasuryAccountName"];

pub const CHECKS: &[Check] = &[
    must(
        "structure.one-order",
        "The answer is GetOrderDetailsResponse/GetOrderDetailsResult with the one order asked for",
        "Operations: GetOrderDetailsResponse/GetOrderDetailsResult/OrderDetails*",
        |s| {
            let key = s.known_order()?;
            let reply = s.sample(Sample::Details)?;
            let Some(orders) = reply.orders() else {
                return hold(false, || reply.described());
            };
            hold(
                orders.len() == 1 && orders.iter().all(|order| order.name == "OrderDetails"),
                || {
                    format!(
                        "GetOrderDetails of {key} got {} elements in GetOrderDetailsResult",
                        orders.len()
                    )
                },
            )
        },
    ),
    must(
        "structure.namespace",
        "Every element of the result is in MPay's namespace",
        "Namespaces: all operations, messages and types in https://mpay.gov.md, qualified",
        |s| {
            let reply = s.sample(Sample::Details)?;
            none_of(
                reply
                    .content()
                    .into_iter()
                    .flat_map(Node::descendants)
                    .filter(|node| node.namespace != MPAY)
                    .map(|node| format!("{} is in the namespace {:?}", node.name, node.namespace))
                    .collect(),
            )
        },
    ),
    must(
        "structure.member-order",
        "Members stand in alphabetical order",
        "Structures: children are in alphabetical order on the wire; old readers are strict about it",
        |s| {
            each(s, |structure, node| {
                let names: Vec<&str> = node
                    .children
                    .iter()
                    .map(|c| c.name.as_str())
                    .filter(|name| structure.members.iter().any(|m| m.name == *name))
                    .collect();
                let wrong = names.windows(2).find(|pair| pair.first() > pair.last());
                wrong
                    .map(|pair| format!("{} of {}", pair.join(" before "), structure.name))
                    .into_iter()
                    .collect()
            })
        },
    ),
    must(
        "structure.required",
        "Members that are not optional are there, and have a value",
        "Structures: members without `?`",
        |s| {
            each(s, |structure, node| {
                structure
                    .members
                    .iter()
                    // An empty Value is a property that has none yet.
                    .filter(|member| {
                        !member.optional
                            && (structure.name, member.name) != ("OrderProperty", "Value")
                    })
                    .filter(|member| match node.child(member.name) {
                        Some(child) => {
                            child.nil
                                || (child.children.is_empty()
                                    && child.text.as_deref().is_none_or(|t| t.trim().is_empty()))
                        }
                        None => true,
                    })
                    .map(|member| format!("{} has no {}", structure.name, member.name))
                    .collect()
            })
        },
    ),
    should(
        "structure.optional-absent",
        "Optional members without a value are absent, not nil or empty",
        "Settled readings: optional members are sent absent, never nil or empty",
        |s| {
            each(s, |structure, node| {
                structure
                    .members
                    .iter()
                    .filter(|member| member.optional)
                    .filter_map(|member| node.child(member.name))
                    .filter(|child| {
                        child.nil
                            || (child.children.is_empty()
                                && child.text.as_deref().is_none_or(|t| t.trim().is_empty()))
                    })
                    .map(|child| {
                        format!(
                            "{}.{} is {}",
                            structure.name,
                            child.name,
                            if child.nil { "nil" } else { "empty" }
                        )
                    })
                    .collect()
            })
        },
    ),
    must(
        "structure.no-repetition",
        "No member is there twice",
        "Structures: only arrays repeat",
        |s| {
            each(s, |structure, node| {
                structure
                    .members
                    .iter()
                    .filter(|member| {
                        node.children
                            .iter()
                            .filter(|c| c.name == member.name)
                            .count()
                            > 1
                    })
                    .map(|member| {
                        format!("{}.{} is there more than once", structure.name, member.name)
                    })
                    .collect()
            })
        },
    ),
    should(
        "structure.no-others",
        "There are no members that the contract does not have",
        "Structures: the members of each; obsolete account members are let pass",
        |s| {
            each(s, |structure, node| {
                node.children
                    .iter()
                    .filter(|child| !OBSOLETE.contains(&child.name.as_str()))
                    .filter(|child| !structure.members.iter().any(|m| m.name == child.name))
                    .map(|child| format!("{} has {}", structure.name, child.name))
                    .collect()
            })
        },
    ),
    must(
        "structure.identity",
        "OrderKey and ServiceID are those asked for",
        "Structures: OrderDetails.OrderKey and ServiceID",
        |s| {
            let service = s.service.clone();
            for (role, order) in s.look_at_all()? {
                let key = s.orders.shared(role)?;
                s.show(role);
                hold(
                    order.get("OrderKey") == Some(key.as_str())
                        && order.get("ServiceID") == Some(service.as_str()),
                    || {
                        format!(
                            "asked for {key} of {service}, got {} of {}",
                            order.get("OrderKey").unwrap_or("—"),
                            order.get("ServiceID").unwrap_or("—")
                        )
                    },
                )?;
            }
            Ok(())
        },
    ),
    must(
        "structure.lengths",
        "No text is longer than the contract allows, counted in characters",
        "Structures: the number in parentheses is the longest string in characters",
        |s| {
            each(s, |structure, node| {
                structure
                    .members
                    .iter()
                    .filter_map(|member| {
                        let Text(longest) = member.kind else {
                            return None;
                        };
                        let length = node.get(member.name)?.chars().count();
                        (length > longest).then(|| {
                            format!(
                                "{}.{} has {length} characters, {longest} are allowed",
                                structure.name, member.name
                            )
                        })
                    })
                    .collect()
            })
        },
    ),
    must(
        "structure.decimals",
        "Amounts are decimals of XML Schema with a point, not negative, exact to a hundredth",
        "Structures: decimals are XML Schema decimals with a point",
        |s| {
            each(s, |structure, node| {
                values(structure, node, Decimal, |text| Money::parse(text).is_ok())
            })
        },
    ),
    should(
        "structure.two-fraction-digits",
        "Amounts have exactly two fraction digits",
        "Settled readings: amounts out have two fraction digits",
        |s| {
            each(s, |structure, node| {
                values(structure, node, Decimal, |text| {
                    text.rsplit_once('.')
                        .is_some_and(|(_, fraction)| fraction.len() == 2)
                })
            })
        },
    ),
    must(
        "structure.booleans",
        "Flags are true or false",
        "Structures: bool is xs:boolean (true, false, 1, 0)",
        |s| {
            each(s, |structure, node| {
                values(structure, node, Boolean, |text| {
                    matches!(text, "true" | "false" | "1" | "0")
                })
            })
        },
    ),
    must(
        "structure.times",
        "Times are dateTimes of XML Schema",
        "Structures: DueDate and IssuedAt are dateTime",
        |s| {
            each(s, |structure, node| {
                values(structure, node, Time, |text| is_date_time(text).is_some())
            })
        },
    ),
    should(
        "structure.offsets",
        "Times carry their offset from UTC",
        "Settled readings: times go out as Chişinău time with offset",
        |s| {
            each(s, |structure, node| {
                values(structure, node, Time, |text| {
                    is_date_time(text) != Some(false)
                })
            })
        },
    ),
    must(
        "structure.enumerations",
        "Status and CustomerType have values of the contract",
        "Structures: OrderStatus; CustomerType is Unspecified, Person or Organization",
        |s| {
            each(s, |structure, node| {
                structure
                    .members
                    .iter()
                    .filter_map(|member| {
                        let OneOf(known) = member.kind else {
                            return None;
                        };
                        let text = node.get(member.name)?;
                        (!known.contains(&text))
                            .then(|| format!("{}.{} is {text:?}", structure.name, member.name))
                    })
                    .collect()
            })
        },
    ),
    must(
        "structure.currency",
        "Currency is a code of ISO 4217",
        "Structures: Currency (ISO 4217; MDL)",
        |s| {
            each(s, |structure, node| {
                values(structure, node, Currency, |text| {
                    text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase())
                })
            })
        },
    ),
    must(
        "structure.lines",
        "An order has at least one line, and their LineIDs differ",
        "Structures: OrderDetails.Lines, at least one; a confirmation names lines by LineID",
        |s| {
            each_order(s, |order| {
                let lines = order.items("Lines");
                let mut ids: Vec<_> = lines.iter().filter_map(|line| line.get("LineID")).collect();
                ids.sort_unstable();
                let twice = ids.windows(2).find(|pair| pair.first() == pair.last());
                if lines.is_empty() || lines.iter().any(|line| line.name != "OrderLine") {
                    vec!["Lines holds no OrderLine, or something else".into()]
                } else {
                    twice
                        .map(|pair| format!("LineID {:?} is there twice", pair.join("/")))
                        .into_iter()
                        .collect()
                }
            })
        },
    ),
    must(
        "structure.sum",
        "The lines' AmountDue add up to TotalAmountDue",
        "Structures: the sum of the lines' AmountDue equals TotalAmountDue",
        |s| {
            each_order(s, |order| {
                let total = order
                    .get("TotalAmountDue")
                    .and_then(|t| Money::parse(t).ok());
                let lines: Vec<Option<Money>> = order
                    .items("Lines")
                    .iter()
                    .map(|l| Money::parse(l.get("AmountDue")?).ok())
                    .collect();
                match (total, lines.iter().copied().sum::<Option<Money>>()) {
                    (Some(total), Some(sum)) if total != sum => {
                        vec![format!("TotalAmountDue is {total}, its lines make {sum}")]
                    }
                    (Some(total), None) => vec![format!(
                        "TotalAmountDue is {total}, and a line has no AmountDue"
                    )],
                    _ => Vec::new(),
                }
            })
        },
    ),
    must(
        "structure.amount-or-flag",
        "An order that can be paid has TotalAmountDue, or one of the Allow flags",
        "Structures: TotalAmountDue absent is not yet known, and needs one of the two Allow flags",
        |s| {
            each_order(s, |order| {
                let flag = |name| matches!(order.get(name), Some("true" | "1"));
                let open = order.get("TotalAmountDue").is_none()
                    && !flag("AllowAdvancePayments")
                    && !flag("AllowPartialPayments");
                (open && is_payable(order))
                    .then(|| "neither TotalAmountDue nor a flag".to_owned())
                    .into_iter()
                    .collect()
            })
        },
    ),
    should(
        "structure.iban",
        "BankAccount is an IBAN whose check digits fit",
        "Structures: PaymentAccount.BankAccount (24, IBAN); ISO 13616",
        |s| {
            each(s, |structure, node| {
                if structure.name != "PaymentAccount" {
                    return Vec::new();
                }
                node.get("BankAccount")
                    .filter(|iban| Iban::parse(iban).is_err())
                    .map(|iban| format!("BankAccount {iban:?} is no IBAN"))
                    .into_iter()
                    .collect()
            })
        },
    ),
    should(
        "structure.state-identifiers",
        "CustomerID and BankFiscalCode are IDNP or IDNO whose check digit fits",
        "Structures: CustomerID (13; IDNP/IDNO), BankFiscalCode (20, IDNO)",
        |s| {
            each(s, |structure, node| {
                ["CustomerID", "BankFiscalCode"]
                    .into_iter()
                    .filter(|name| structure.members.iter().any(|m| m.name == *name))
                    .filter_map(|name| node.get(name))
                    .filter(|id| check_state_identifier(id).is_err())
                    .map(|id| format!("{id:?} in {} is none", structure.name))
                    .collect()
            })
        },
    ),
    should(
        "structure.property-names",
        "Names of properties are letters, digits and spaces, and their types are known",
        "Structures: OrderProperty.Name (letters, digits, spaces), Type (string, idn, tc, number, …)",
        |s| {
            each(s, |structure, node| {
                if structure.name != "OrderProperty" {
                    return Vec::new();
                }
                let name = node
                    .get("Name")
                    .filter(|name| !name.chars().all(|c| c.is_alphanumeric() || c == ' '));
                let kind = node
                    .get("Type")
                    .filter(|kind| !PROPERTY_TYPES.contains(kind));
                name.map(|name| format!("the name {name:?}"))
                    .into_iter()
                    .chain(kind.map(|kind| format!("the type {kind:?}")))
                    .collect()
            })
        },
    ),
    must(
        "structure.full",
        "An order with everything optional shows all of it",
        "Structures: the optional members of OrderDetails, OrderLine and OrderProperty",
        |s| {
            let order = s.look(Role::Full)?;
            s.show(Role::Full);
            let mut missing: Vec<String> = [
                "CustomerID",
                "CustomerName",
                "CustomerType",
                "DueDate",
                "IssuedAt",
                "TotalAmountDue",
            ]
            .into_iter()
            .filter(|name| order.get(name).is_none())
            .map(|name| format!("no {name}"))
            .collect();
            let has_properties = |node: &Node| !node.items("Properties").is_empty();
            if !has_properties(&order) || !order.items("Lines").iter().any(has_properties) {
                missing.push("no Properties on the order or on its line".into());
            }
            none_of(missing)
        },
    ),
    must(
        "structure.confirmation-answer",
        "A successful confirmation is answered by an empty ConfirmOrderPaymentResponse",
        "Operations: ConfirmOrderPayment/confirmation → empty ConfirmOrderPaymentResponse",
        |s| {
            let reply = s.sample(Sample::Confirmation)?;
            let result = reply.result(CONFIRM_ORDER_PAYMENT);
            hold(
                result.is_some_and(|r| r.namespace == MPAY && r.children.is_empty()),
                || format!("ConfirmOrderPayment got {}", reply.described()),
            )
        },
    ),
];

/// Looks at every structure in every order.
fn each(s: &mut Session, look: impl Fn(&Structure, &Node) -> Vec<String>) -> Verdict {
    each_order(s, |order| {
        let mut problems = look(&ORDER_DETAILS, order);
        let mut properties: Vec<&Node> = order.items("Properties").iter().collect();
        for line in order.items("Lines") {
            problems.extend(look(&ORDER_LINE, line));
            properties.extend(line.items("Properties"));
            if let Some(account) = line.child("DestinationAccount") {
                problems.extend(look(&PAYMENT_ACCOUNT, account));
            }
        }
        for property in properties {
            problems.extend(look(&ORDER_PROPERTY, property));
        }
        problems
    })
}

fn each_order(s: &mut Session, look: impl Fn(&Node) -> Vec<String>) -> Verdict {
    let mut all = Vec::new();
    for (role, order) in s.look_at_all()? {
        let problems = look(&order);
        if !problems.is_empty() {
            s.show(role);
        }
        let key = order.get("OrderKey").unwrap_or("?").to_owned();
        all.extend(
            problems
                .into_iter()
                .map(|problem| format!("order {key}: {problem}")),
        );
    }
    none_of(all)
}

/// The members of a kind whose value is wrong.
fn values(
    structure: &Structure,
    node: &Node,
    kind: Kind,
    right: impl Fn(&str) -> bool,
) -> Vec<String> {
    structure
        .members
        .iter()
        .filter(|member| member.kind == kind)
        .filter_map(|member| Some((member, node.get(member.name)?)))
        .filter(|(_, text)| !right(text))
        .map(|(member, text)| format!("{}.{} is {text:?}", structure.name, member.name))
        .collect()
}

/// If a text is a dateTime (XML Schema Part 2, section 3.2.7): true if it has an offset. `None` if it is
/// none.
fn is_date_time(text: &str) -> Option<bool> {
    let (date, time) = text.split_once('T')?;
    let _: jiff::civil::Date = date.parse().ok()?;
    let (clock, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let _: jiff::civil::Time = clock.parse().ok().filter(|_| clock.len() >= 8)?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match zone {
        "" => Some(false),
        "Z" => Some(true),
        zone => {
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            (hours.len() == 2 && minutes.len() == 2 && digits(hours) && digits(minutes))
                .then_some(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_times_are_those_of_xml_schema() {
        for (text, answer) in [
            ("2026-12-31T23:59:59+02:00", Some(true)),
            ("2026-12-31T23:59:59Z", Some(true)),
            ("2026-12-31T23:59:59.1234567-05:30", Some(true)),
            ("2026-12-31T23:59:59", Some(false)),
            ("2026-12-31", None),
            ("2026-12-31 23:59:59", None),
            ("31.12.2026T10:00:00", None),
            ("2026-12-31T10:00", None),
            ("2026-12-31T10:00:00+2", None),
        ] {
            assert_eq!(is_date_time(text), answer, "{text}");
        }
    }

    #[test]
    fn members_are_listed_in_alphabetical_order() {
        for structure in STRUCTURES {
            let names: Vec<_> = structure.members.iter().map(|m| m.name).collect();
            assert!(names.is_sorted(), "{}", structure.name);
        }
    }
}
