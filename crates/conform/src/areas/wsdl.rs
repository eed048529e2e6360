//! The description of the service.

use crate::{
    check::{Check, must, should},
    names::{MPAY, WSDL, WSDL_SOAP, XS},
    node::Node,
    reply::{CONFIRM_ORDER_PAYMENT, GET_ORDER_DETAILS},
    session::{Session, action},
    verdict::{Verdict, failed, hold, none_of},
};

pub const CHECKS: &[Check] = &[
    must(
        "wsdl.reachable",
        "GET with ?wsdl gives a WSDL document",
        "Transport: WSDL at ?wsdl",
        |s| documents(s).map(drop),
    ),
    should(
        "wsdl.content-type",
        "The WSDL is sent as XML",
        "WSDL 1.1: text/xml (WS-I Basic Profile 1.1)",
        |s| {
            let url = address_of(&s.url, "wsdl");
            let reply = s.request("the WSDL", "GET", &url, &[], "")?;
            let media_type = reply
                .header("content-type")
                .split(';')
                .next()
                .unwrap_or_default()
                .trim();
            hold(
                matches!(
                    media_type,
                    "text/xml" | "application/xml" | "application/wsdl+xml"
                ),
                || format!("the WSDL came as {:?}", reply.header("content-type")),
            )
        },
    ),
    must(
        "wsdl.operations",
        "The port type has both operations with input and output",
        "Operations: GetOrderDetails and ConfirmOrderPayment of IServiceProvider",
        |s| {
            let documents = documents(s)?;
            let types = nodes(&documents, WSDL, "portType");
            for name in [GET_ORDER_DETAILS, CONFIRM_ORDER_PAYMENT] {
                let operation = types.iter().flat_map(|port| &port.children).find(|child| {
                    child.is(WSDL, "operation") && child.attribute("name") == Some(name)
                });
                hold(
                    operation
                        .is_some_and(|o| o.child("input").is_some() && o.child("output").is_some()),
                    || format!("no port type has the operation {name} with input and output"),
                )?;
            }
            Ok(())
        },
    ),
    must(
        "wsdl.binding",
        "The binding is document/literal over SOAP 1.1 and HTTP",
        "Transport: SOAP 1.1, document/literal wrapped, WS-I Basic Profile 1.1",
        |s| {
            let documents = documents(s)?;
            let bindings = nodes(&documents, WSDL_SOAP, "binding");
            hold(
                bindings.iter().any(|b| {
                    b.attribute("transport") == Some("http://schemas.xmlsoap.org/soap/http")
                }),
                || "no soap:binding of SOAP 1.1 over HTTP".into(),
            )?;
            let styles = bindings
                .iter()
                .chain(&nodes(&documents, WSDL_SOAP, "operation"))
                .any(|n| n.attribute("style") == Some("rpc"));
            let uses = nodes(&documents, WSDL_SOAP, "body")
                .iter()
                .any(|b| b.attribute("use") == Some("encoded"));
            hold(!styles && !uses, || {
                "the binding is of style rpc or encoded".into()
            })
        },
    ),
    must(
        "wsdl.soap-actions",
        "The operations have MPay's SOAPActions",
        "Transport: https://mpay.gov.md/IServiceProvider/GetOrderDetails and …/ConfirmOrderPayment",
        |s| {
            let documents = documents(s)?;
            let operations = nodes(&documents, WSDL_SOAP, "operation");
            none_of(
                [GET_ORDER_DETAILS, CONFIRM_ORDER_PAYMENT]
                    .into_iter()
                    .filter(|name| {
                        let action = action(name);
                        !operations
                            .iter()
                            .any(|o| o.attribute("soapAction") == Some(action.trim_matches('"')))
                    })
                    .map(|name| format!("no operation has the soapAction {}", action(name)))
                    .collect(),
            )
        },
    ),
    must(
        "wsdl.namespace",
        "Operations and types are in MPay's namespace, and their members too",
        "Namespaces: https://mpay.gov.md, elementFormDefault qualified",
        |s| {
            let documents = documents(s)?;
            let ports = documents
                .iter()
                .filter(|d| d.children.iter().any(|c| c.is(WSDL, "portType")));
            none_of(
                ports
                    .filter(|d| d.attribute("targetNamespace") != Some(MPAY))
                    .map(|d| {
                        format!(
                            "the port type is in {:?}",
                            d.attribute("targetNamespace").unwrap_or_default()
                        )
                    })
                    .collect(),
            )?;
            let schemas = nodes(&documents, XS, "schema");
            let ours = schemas
                .iter()
                .find(|schema| schema.attribute("targetNamespace") == Some(MPAY));
            match ours {
                None => failed(format!("no schema of {MPAY}")),
                Some(schema) => hold(
                    schema.attribute("elementFormDefault") == Some("qualified"),
                    || "elementFormDefault is not qualified".into(),
                ),
            }
        },
    ),
    must(
        "wsdl.wrappers",
        "The messages are wrapped as MPay wraps them",
        "Operations: GetOrderDetails/query, GetOrderDetailsResponse/GetOrderDetailsResult, ConfirmOrderPayment/confirmation, ConfirmOrderPaymentResponse",
        |s| {
            let documents = documents(s)?;
            let elements: Vec<_> = nodes(&documents, XS, "schema")
                .into_iter()
                .flat_map(|schema| &schema.children)
                .filter(|child| child.is(XS, "element"))
                .collect();
            for (name, member) in [
                ("GetOrderDetails", Some("query")),
                ("GetOrderDetailsResponse", Some("GetOrderDetailsResult")),
                ("ConfirmOrderPayment", Some("confirmation")),
                ("ConfirmOrderPaymentResponse", None),
            ] {
                let Some(element) = elements.iter().find(|e| e.attribute("name") == Some(name))
                else {
                    return failed(format!("no element {name}"));
                };
                let found = member_elements(element)
                    .into_iter()
                    .filter_map(|m| m.attribute("name"))
                    .collect::<Vec<_>>();
                hold(found == member.into_iter().collect::<Vec<_>>(), || {
                    format!("{name} holds {found:?} instead of {member:?}")
                })?;
            }
            Ok(())
        },
    ),
    must(
        "wsdl.address",
        "soap:address is an absolute address",
        "Settled readings: soap:address is the provider's public address",
        |s| {
            let location = location(s)?;
            hold(
                location.starts_with("http://") || location.starts_with("https://"),
                || format!("soap:address is {location:?}"),
            )
        },
    ),
    should(
        "wsdl.address-is-this",
        "soap:address is the address that is tested",
        "Settled readings: soap:address is the provider's public address; behind a proxy it often is not",
        |s| {
            let location = location(s)?;
            let plain = |url: &str| url.trim_end_matches('/').to_ascii_lowercase();
            hold(plain(&location) == plain(&s.url), || {
                format!("soap:address is {location:?}, tested is {:?}", s.url)
            })
        },
    ),
    must(
        "wsdl.members",
        "The types declare every member of the contract with its type",
        "Structures: the members of each, their types, and which are optional",
        |s| {
            let documents = documents(s)?;
            none_of(
                super::structure::STRUCTURES
                    .iter()
                    .flat_map(|structure| {
                        let Some(declared) = complex_type(&documents, structure.name) else {
                            return vec![format!("no type {}", structure.name)];
                        };
                        let members = member_elements(declared);
                        structure
                            .members
                            .iter()
                            .filter_map(|member| {
                                let found = members
                                    .iter()
                                    .find(|m| m.attribute("name") == Some(member.name));
                                match found {
                                    None => {
                                        Some(format!("{} has no {}", structure.name, member.name))
                                    }
                                    Some(found) => {
                                        let optional = found.attribute("minOccurs") == Some("0");
                                        (member.optional && !optional)
                                            .then(|| {
                                                format!(
                                                    "{}.{} is not optional",
                                                    structure.name, member.name
                                                )
                                            })
                                            .or_else(|| {
                                                wrong_type(
                                                    &documents,
                                                    structure.name,
                                                    member,
                                                    found,
                                                )
                                            })
                                    }
                                }
                            })
                            .collect()
                    })
                    .collect(),
            )
        },
    ),
    must(
        "wsdl.alphabetical",
        "The members of each type stand in alphabetical order",
        "Structures: children are in alphabetical order on the wire (DataContract)",
        |s| {
            let documents = documents(s)?;
            none_of(
                super::structure::STRUCTURES
                    .iter()
                    .filter_map(|structure| {
                        let members = member_elements(complex_type(&documents, structure.name)?);
                        let names: Vec<_> =
                            members.iter().filter_map(|m| m.attribute("name")).collect();
                        let wrong = names.windows(2).find(|pair| pair.first() > pair.last())?;
                        Some(format!(
                            "{}: {} before {}",
                            structure.name,
                            wrong.first()?,
                            wrong.last()?
                        ))
                    })
                    .collect(),
            )
        },
    ),
    should(
        "wsdl.statuses",
        "OrderStatus and CustomerType list the contract's values",
        "Structures: OrderStatus and CustomerType",
        |s| {
            let documents = documents(s)?;
            none_of(
                [
                    ("OrderStatus", super::structure::STATUSES),
                    ("CustomerType", super::structure::CUSTOMER_TYPES),
                ]
                .into_iter()
                .filter_map(|(name, values)| {
                    let declared = nodes(&documents, XS, "simpleType")
                        .into_iter()
                        .find(|t| t.attribute("name") == Some(name));
                    let Some(declared) = declared else {
                        return Some(format!("no type {name}"));
                    };
                    let listed: Vec<_> = declared
                        .descendants()
                        .into_iter()
                        .filter_map(|n| n.attribute("value"))
                        .collect();
                    let missing: Vec<_> = values
                        .iter()
                        .filter(|value| !listed.contains(value))
                        .collect();
                    (!missing.is_empty()).then(|| format!("{name} lacks {missing:?}"))
                })
                .collect(),
            )
        },
    ),
];

/// The WSDL and the documents that it imports from the same place: WCF writes one document for each
/// namespace.
fn documents(s: &mut Session) -> Verdict<Vec<Node>> {
    const MOST: usize = 20;
    let mut wanted = vec![address_of(&s.url, "wsdl")];
    let mut seen: Vec<String> = Vec::new();
    let mut documents: Vec<Node> = Vec::new();
    let origin = origin(&s.url).to_owned();
    while let Some(url) = wanted.pop() {
        if seen.contains(&url) || seen.len() == MOST {
            continue;
        }
        seen.push(url.clone());
        let reply = s.request("the WSDL", "GET", &url, &[], "")?;
        if reply.answer.status != 200 {
            return failed(format!("GET {url} got HTTP {}", reply.answer.status));
        }
        let root = match Node::parse(&reply.answer.body) {
            Ok(root) => root,
            Err(error) => return failed(format!("GET {url} gave no XML: {error}")),
        };
        if documents.is_empty() && !root.is(WSDL, "definitions") {
            return failed(format!(
                "GET {url} gave {} instead of definitions of WSDL 1.1",
                root.name
            ));
        }
        for node in root.descendants() {
            let import = matches!(node.name.as_str(), "import" | "include");
            let place = node
                .attribute("schemaLocation")
                .or(node.attribute("location"));
            if let Some(place) = place.filter(|_| import)
                && let Some(url) = resolve(&url, place)
                // Nothing is fetched from elsewhere because a document says so.
                && self::origin(&url) == origin
            {
                wanted.push(url);
            }
        }
        documents.push(root);
    }
    Ok(documents)
}

fn address_of(url: &str, query: &str) -> String {
    let base = url.split('?').next().unwrap_or(url);
    format!("{base}?{query}")
}

/// Scheme and authority.
pub fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url
        .get(start..)
        .and_then(|rest| rest.find(['/', '?', '#']))
        .map_or(url.len(), |at| start + at);
    url.get(..end).unwrap_or(url)
}

fn resolve(base: &str, place: &str) -> Option<String> {
    if place.contains("://") {
        return Some(place.to_owned());
    }
    let path = base.split('?').next()?;
    if place.starts_with('?') {
        return Some(format!("{path}{place}"));
    }
    if place.starts_with('/') {
        return Some(format!("{}{place}", origin(base)));
    }
    let folder = path.rsplit_once('/')?.0;
    Some(format!("{folder}/{place}"))
}

fn nodes<'a>(documents: &'a [Node], namespace: &str, name: &str) -> Vec<&'a Node> {
    documents
        .iter()
        .flat_map(Node::descendants)
        .filter(|node| node.is(namespace, name))
        .collect()
}

fn complex_type<'a>(documents: &'a [Node], name: &str) -> Option<&'a Node> {
    nodes(documents, XS, "complexType")
        .into_iter()
        .find(|node| node.attribute("name") == Some(name))
}

fn member_elements(declared: &Node) -> Vec<&Node> {
    declared
        .descendants()
        .into_iter()
        .skip(1)
        .filter(|node| node.is(XS, "element"))
        .collect()
}

/// The mistake in the simple type of a member, if there is one; a named type is followed to the type that
/// it restricts.
fn wrong_type(
    documents: &[Node],
    structure: &str,
    member: &super::structure::Member,
    found: &Node,
) -> Option<String> {
    let expected = member.kind.schema_type()?;
    let local = |name: &str| name.rsplit(':').next().unwrap_or(name).to_owned();
    let mut name = local(found.attribute("type").unwrap_or_default());
    for _ in 0..4 {
        let own = nodes(documents, XS, "simpleType")
            .into_iter()
            .find(|node| node.attribute("name") == Some(name.as_str()));
        match own.and_then(|own| own.child("restriction")?.attribute("base")) {
            Some(base) => name = local(base),
            None => break,
        }
    }
    // A type that stands within the element is not looked into.
    (!name.is_empty() && name != expected).then(|| {
        format!(
            "{structure}.{} is {name} instead of {expected}",
            member.name
        )
    })
}

fn location(s: &mut Session) -> Verdict<String> {
    let documents = documents(s)?;
    match nodes(&documents, WSDL_SOAP, "address").first() {
        Some(address) => Ok(address.attribute("location").unwrap_or_default().to_owned()),
        None => failed("the WSDL has no soap:address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_resolved_against_the_document_that_says_them() {
        let base = "https://a.md:8/x/s.svc?wsdl";
        assert_eq!(origin(base), "https://a.md:8");
        for (place, url) in [
            ("?xsd=xsd0", "https://a.md:8/x/s.svc?xsd=xsd0"),
            ("/y", "https://a.md:8/y"),
            ("z.xsd", "https://a.md:8/x/z.xsd"),
            ("http://b.md/", "http://b.md/"),
        ] {
            assert_eq!(resolve(base, place).as_deref(), Some(url));
        }
    }
}
