//! Ids, and the parts of a message that a signature may cover.

use std::collections::BTreeMap;

use super::SecurityError;
use crate::envelope::Envelope;
use crate::names::{DS, WSSE, WSU, XML};
use crate::xml::{Element, collapse};

/// The parts that a reference may name, by their ids: the Body, and the children of the Header
/// and of the Security header. They do not overlap: the Security header itself, and the
/// signature in it, cannot be named.
pub(super) struct Parts<'a> {
    by_id: BTreeMap<&'a str, Element<'a>>,
}

impl<'a> Parts<'a> {
    /// Refuses a message that has an id twice, in any place and spelling: the meaning of such an id
    /// depends on the reader, and wrapping attacks rely on that.
    pub(super) fn of(
        envelope: &'a Envelope,
        security: Element<'a>,
    ) -> Result<Parts<'a>, SecurityError> {
        let mut all: Vec<&str> = envelope
            .root()
            .descendants()
            .flat_map(ids)
            .map(collapse)
            .filter(|id| !id.is_empty())
            .collect();
        all.sort_unstable();
        let twice = all.windows(2).find_map(|pair| match pair {
            [a, b] if a == b => Some((*a).to_owned()),
            _ => None,
        });
        if let Some(id) = twice {
            return Err(SecurityError::DuplicateId { id });
        }
        let headers = envelope.header().into_iter().flat_map(|h| h.children());
        let by_id = std::iter::once(envelope.body())
            .chain(headers.filter(|header| header.node() != security.node()))
            .chain(security.children().filter(|part| !part.is(DS, "Signature")))
            .flat_map(|part| ids(part).map(move |id| (id, part)))
            .collect();
        Ok(Parts { by_id })
    }

    /// The part that a URI of the form `#id` names.
    pub(super) fn find(&self, uri: &str) -> Option<Element<'a>> {
        self.by_id.get(uri.strip_prefix('#')?).copied()
    }

    /// The `SecurityTokenReference` that a URI of the form `#id` names: one of these parts, or a
    /// child of `KeyInfo`.
    pub(super) fn find_token_reference(
        &self,
        uri: &str,
        key_info: Option<Element<'a>>,
    ) -> Option<Element<'a>> {
        let id = uri.strip_prefix('#')?;
        let in_key_info = || {
            let mut children = key_info?.children();
            children.find(|&child| ids(child).any(|found| found == id))
        };
        self.find(uri)
            .or_else(in_key_info)
            .filter(|part| part.is(WSSE, "SecurityTokenReference"))
    }
}

/// The values of an element's id attributes (WSS: SOAP Message Security 1.1, section 4.2; XML
/// Signature; `Id` and `ID` as tools without a schema write them).
fn ids(element: Element<'_>) -> impl Iterator<Item = &str> {
    element
        .attributes()
        .filter(|&(namespace, local, _)| {
            matches!(
                (namespace, local),
                (WSU | "", "Id") | ("", "ID") | (XML, "id")
            )
        })
        .map(|(_, _, value)| value)
}
