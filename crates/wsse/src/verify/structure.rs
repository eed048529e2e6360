//! Reading elements whose content is fixed by a specification: nothing may be there that was not
//! asked for.

use std::borrow::Cow;
use std::iter::Peekable;

use base64ct::{Base64, Encoding};

use super::SecurityError;
use crate::xml::{Element, is_space};

/// The children of an element, to be taken in order. Comments and white space between them are
/// skipped.
pub(super) struct Children<'a, I: Iterator<Item = Element<'a>>> {
    parent: Element<'a>,
    rest: Peekable<I>,
}

impl<'a> Children<'a, std::iter::Empty<Element<'a>>> {
    /// Refuses text between the children.
    pub(super) fn of(
        parent: Element<'a>,
    ) -> Result<Children<'a, impl Iterator<Item = Element<'a>>>, SecurityError> {
        if parent.has_text() {
            return Err(SecurityError::UnexpectedContent {
                element: parent.local_name().to_owned(),
            });
        }
        let rest = parent.children().peekable();
        Ok(Children { parent, rest })
    }
}

impl<'a, I: Iterator<Item = Element<'a>>> Children<'a, I> {
    /// Takes the next child if it has this name.
    pub(super) fn accept(&mut self, namespace: &str, local: &str) -> Option<Element<'a>> {
        self.rest.next_if(|child| child.is(namespace, local))
    }

    /// Takes the next child, which must have this name.
    pub(super) fn expect(
        &mut self,
        namespace: &str,
        local: &'static str,
    ) -> Result<Element<'a>, SecurityError> {
        let child = self.any(local)?;
        if child.is(namespace, local) {
            return Ok(child);
        }
        Err(self.unexpected(child))
    }

    /// Takes the next child, which must be there; `local` is its expected name.
    pub(super) fn any(&mut self, local: &'static str) -> Result<Element<'a>, SecurityError> {
        self.rest
            .next()
            .ok_or_else(|| SecurityError::MissingElement {
                parent: self.parent.local_name().to_owned(),
                element: local,
            })
    }

    /// Takes the next child, if there is one.
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        self.rest.next()
    }

    /// Refuses further children.
    pub(super) fn finish(mut self) -> Result<(), SecurityError> {
        match self.rest.next() {
            Some(child) => Err(self.unexpected(child)),
            None => Ok(()),
        }
    }

    fn unexpected(&self, child: Element<'_>) -> SecurityError {
        SecurityError::UnexpectedElement {
            parent: self.parent.local_name().to_owned(),
            element: child.expanded_name(),
        }
    }
}

/// An unqualified attribute that must be there.
pub(super) fn attribute<'a>(
    element: Element<'a>,
    name: &'static str,
) -> Result<&'a str, SecurityError> {
    element
        .attribute("", name)
        .ok_or_else(|| SecurityError::MissingAttribute {
            element: element.local_name().to_owned(),
            attribute: name,
        })
}

/// The text of an element that has no element children.
pub(super) fn text(element: Element<'_>) -> Result<Cow<'_, str>, SecurityError> {
    element
        .text()
        .ok_or_else(|| SecurityError::UnexpectedContent {
            element: element.local_name().to_owned(),
        })
}

/// The bytes that an element holds in base64 (RFC 4648 section 4, padded), white space anywhere.
pub(super) fn base64(element: Element<'_>) -> Result<Vec<u8>, SecurityError> {
    let mut digits = text(element)?;
    if digits.contains(is_space) {
        digits.to_mut().retain(|c| !is_space(c));
    }
    Base64::decode_vec(&digits).map_err(|_| SecurityError::NotBase64 {
        element: element.local_name().to_owned(),
    })
}

/// The bytes that an element holds in pairs of hexadecimal digits, white space anywhere.
pub(super) fn hexadecimal(element: Element<'_>) -> Result<Vec<u8>, SecurityError> {
    let wrong = || SecurityError::NotHexadecimal {
        element: element.local_name().to_owned(),
    };
    let text = text(element)?;
    let digits: String = text.chars().filter(|&c| !is_space(c)).collect();
    base16ct::mixed::decode_vec(digits).map_err(|_| wrong())
}
