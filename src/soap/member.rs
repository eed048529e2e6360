//! Reading the members of a structure: any order, unknown elements skipped, `xsi:nil` and empty
//! optional elements absent.

use std::borrow::Cow;

use wsse::Element;

use super::{Fault, NAMESPACE};

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// A structure of the contract, with its path in the message.
#[derive(Clone)]
pub struct Structure<'a> {
    element: Element<'a>,
    path: String,
}

impl<'a> Structure<'a> {
    /// The structure that is the child `name` of an operation.
    pub fn parameter(operation: Element<'a>, name: &str) -> Result<Self, Fault> {
        let root = Self {
            element: operation,
            path: String::new(),
        };
        root.structure(name)?
            .ok_or_else(|| Fault::invalid_parameter(format!("{name} is missing.")))
    }

    /// The structure that is the member `name`.
    pub fn structure(&self, name: &str) -> Result<Option<Structure<'a>>, Fault> {
        Ok(self.member(name)?.map(|element| Structure {
            element,
            path: self.path_of(name),
        }))
    }

    /// The items `item` of the array that is the member `name`.
    pub fn items(&self, name: &str, item: &str) -> Result<Vec<Structure<'a>>, Fault> {
        let Some(array) = self.member(name)? else {
            return Ok(Vec::new());
        };
        let path = self.path_of(name);
        Ok(array
            .children()
            .filter(|child| child.is(NAMESPACE, item) && !is_nil(*child))
            .enumerate()
            .map(|(i, element)| Structure {
                element,
                path: format!("{path}[{i}]"),
            })
            .collect())
    }

    /// The text of the member `name`; `None` if it is absent or empty.
    pub fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Fault> {
        let Some(member) = self.member(name)? else {
            return Ok(None);
        };
        let text = member
            .text()
            .ok_or_else(|| self.wrong(name, "must be a text without elements in it"))?;
        Ok(Some(text).filter(|text| !text.trim().is_empty()))
    }

    /// The member `name`, which must be there.
    pub fn required<T, E: ToString>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, Fault> {
        let text = self
            .text(name)?
            .ok_or_else(|| self.wrong(name, "is missing"))?;
        parse(&text).map_err(|error| self.wrong(name, error))
    }

    /// A fault that names the member `name`.
    pub fn wrong(&self, name: &str, detail: impl ToString) -> Fault {
        Fault::invalid_parameter(format!("{} {}.", self.path_of(name), detail.to_string()))
    }

    fn member(&self, name: &str) -> Result<Option<Element<'a>>, Fault> {
        let mut members = self
            .element
            .children()
            .filter(|child| child.is(NAMESPACE, name));
        let first = members.next();
        if members.next().is_some() {
            return Err(self.wrong(name, "is there more than once"));
        }
        Ok(first.filter(|member| !is_nil(*member)))
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

fn is_nil(element: Element<'_>) -> bool {
    element
        .attribute(XSI, "nil")
        .is_some_and(|nil| matches!(nil.trim(), "true" | "1"))
}
