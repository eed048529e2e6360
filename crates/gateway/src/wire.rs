//! Requests, read strictly: a mistake that a real gateway might forgive is refused here, with a complaint
//! in the journal. Also answers, as XML.

use std::collections::BTreeMap;

/// The interfaces that are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interface {
    /// Ap&Pay, under `apim`.
    ApPay,
    /// Wallet, under `vwapi`.
    Wallet,
}

impl Interface {
    /// The first segment of the paths.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::ApPay => "apim",
            Self::Wallet => "vwapi",
        }
    }

    /// The interface of a path.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        [Self::ApPay, Self::Wallet]
            .into_iter()
            .find(|interface| interface.path() == path)
    }
}

/// The parameters of a command. A name that ends in `?` may be missing.
pub struct Shape {
    /// The fields of the form.
    fields: &'static [&'static str],
    /// The parameters within the field `Data` or `DATA`.
    data: &'static [&'static str],
    /// True if parameters of the merchant's own are allowed.
    own: bool,
}

const SESSION: &[&str] = &[
    "SessionType",
    "OrderId",
    "Amount",
    "Url",
    "IP?",
    "TemplateTag?",
    "Language?",
    "Product?",
    "Total?",
    "Description?",
];
const WALLET_SESSION: &[&str] = &[
    "SessionType",
    "VWUserLgn",
    "VWUserPsw",
    "OrderId?",
    "Amount?",
    "CardId?",
    "Url",
    "IP?",
    "TemplateTag?",
    "Language?",
    "Product?",
    "Total?",
    "Description?",
];

/// The parameters of a command of an interface; `None` if the interface has no such command.
pub fn shape(interface: Interface, command: &str) -> Option<Shape> {
    let form = |fields| Shape {
        fields,
        data: &[],
        own: false,
    };
    let data = |data| Shape {
        fields: &["VWID", "DATA"],
        data,
        own: false,
    };
    Some(match (interface, command) {
        (Interface::ApPay, "Init") => Shape {
            fields: &["Key", "Data"],
            data: SESSION,
            own: true,
        },
        (Interface::Wallet, "Init") => Shape {
            fields: &["VWID", "DATA"],
            data: WALLET_SESSION,
            own: true,
        },
        (_, "GetState") | (Interface::ApPay, "PayStatus") => form(&["Key", "OrderId"]),
        (Interface::Wallet, "PayStatus") => data(&["OrderId"]),
        (Interface::ApPay, "Charge" | "Refund") => form(&["Key", "Password", "OrderId", "Amount?"]),
        (Interface::ApPay, "Unblock") => form(&["Key", "Password", "OrderId"]),
        (Interface::Wallet, "Charge") => form(&["VWID", "Password", "OrderId", "Amount?"]),
        (Interface::Wallet, "Unblock") => form(&["VWID", "Password", "OrderId"]),
        (Interface::Wallet, "Refund") => data(&["Password", "OrderId", "Amount?"]),
        (Interface::Wallet, "Register" | "Update") => {
            data(&["VWUserLgn", "VWUserPsw", "PhoneNumber?", "Email?"])
        }
        (Interface::Wallet, "Check" | "GetList") => data(&["VWUserLgn", "VWUserPsw"]),
        (Interface::Wallet, "Delete") => data(&["VWUserLgn", "Password"]),
        (Interface::Wallet, "Remove") => data(&["VWUserLgn", "VWUserPsw", "CardId"]),
        (Interface::Wallet, "Activate") => data(&["VWUserLgn", "VWUserPsw", "CardId", "Amount"]),
        (Interface::Wallet, "Pay") => {
            data(&["VWUserLgn", "VWUserPsw", "CardId", "OrderId", "Amount"])
        }
        _ => return None,
    })
}

/// The parameters of a request, by their names.
pub type Parameters = BTreeMap<String, String>;

/// Reads a form and the parameters within its field `Data`.
///
/// # Errors
/// The mistake in it, in a sentence for the programmer of the other side.
pub fn read(
    shape: &Shape,
    content_type: Option<&str>,
    query: &str,
    body: &[u8],
) -> Result<Parameters, String> {
    if !query.is_empty() {
        return Err("The address has a query: parameters, and passwords, would be logged.".into());
    }
    let kind = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    if !kind
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        return Err(format!(
            "Content-Type is \"{kind}\", and must be application/x-www-form-urlencoded."
        ));
    }
    let body = std::str::from_utf8(body).map_err(|_| "The form is not ASCII.".to_owned())?;
    let mut form = Parameters::new();
    for pair in body.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("\"{pair}\" is no NAME=VALUE."))?;
        let decode = |text: &str| {
            decoded(text).ok_or_else(|| format!("{name} is not encoded as a form in UTF-8."))
        };
        let (name, value) = (decode(name)?, decode(value)?);
        add(&mut form, name, value)?;
    }
    check(&form, shape.fields, false)?;
    let data = form.remove("Data").or_else(|| form.remove("DATA"));
    let Some(data) = data else {
        return Ok(form);
    };
    // A reader that decodes once and one that decodes twice must read the same.
    if decoded(&data).as_deref() != Some(data.as_str()) {
        return Err(
            "Data is encoded twice, or holds % or +: decoded once more, it says something else."
                .into(),
        );
    }
    let mut inner = Parameters::new();
    for pair in data.split(';') {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("\"{pair}\" in Data is no Name=Value."))?;
        if value.contains(['&', '\r', '\n']) {
            return Err(format!("{name} in Data holds & or a line end."));
        }
        add(&mut inner, name.to_owned(), value.to_owned())?;
    }
    check(&inner, shape.data, shape.own)?;
    form.append(&mut inner);
    Ok(form)
}

fn add(parameters: &mut Parameters, name: String, value: String) -> Result<(), String> {
    if parameters.contains_key(&name) {
        return Err(format!("{name} is there twice."));
    }
    parameters.insert(name, value);
    Ok(())
}

/// Compares the given names with those of the command.
fn check(given: &Parameters, wanted: &[&str], own: bool) -> Result<(), String> {
    for wanted in wanted.iter().filter(|wanted| !wanted.ends_with('?')) {
        match given.get(*wanted) {
            None => {
                let other = given
                    .keys()
                    .find(|name| name.eq_ignore_ascii_case(wanted))
                    .map(|name| format!(" {name} is another name: names have their case."));
                let other = other.unwrap_or_default();
                return Err(format!("{wanted} is missing.{other}"));
            }
            Some(value) if value.is_empty() => return Err(format!("{wanted} is empty.")),
            Some(_) => {}
        }
    }
    for name in given.keys() {
        let known = wanted.iter().map(|wanted| wanted.trim_end_matches('?'));
        let known = known
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(name));
        match known {
            Some(known) if known == name => {}
            Some(known) => return Err(format!("{name} must be written {known}.")),
            None if own => {}
            None => return Err(format!("{name} is no parameter of this command.")),
        }
    }
    Ok(())
}

/// A text of a form, decoded; `None` if it is not encoded correctly.
pub fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let number = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
                u8::try_from(number).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A form of these fields.
pub fn form(fields: &[(&str, String)]) -> String {
    let encoded = |text: &str| {
        let encode = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        };
        text.bytes().map(encode).collect::<String>()
    };
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// An element of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
    /// Its children.
    pub children: Vec<Element>,
}

impl Element {
    /// An element without attributes.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            attributes: Vec::new(),
            children: Vec::new(),
        }
    }

    /// Success of a command.
    pub fn success(command: &str) -> Self {
        Self::new(command).with("Success", "True")
    }

    /// The refusal of a command.
    pub fn failure(command: &str, order_id: Option<&str>, code: &str) -> Self {
        let mut element = Self::new(command).with("Success", "False");
        if let Some(order_id) = order_id {
            element = element.with("OrderId", order_id);
        }
        element.with("ErrCode", code)
    }

    /// The element with one more attribute.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.attributes.push((name.to_owned(), value.to_string()));
        self
    }

    /// The element with one more child.
    pub fn with_child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// The value of an attribute, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut String> {
        let found = self.attributes.iter_mut().find(|(given, _)| given == name);
        found.map(|(_, value)| value)
    }

    /// The element as an XML document.
    pub fn xml(&self) -> String {
        let escaped = |text: &str| {
            text.replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('"', "&quot;")
        };
        let attributes: String = self
            .attributes
            .iter()
            .map(|(name, value)| format!(" {name}=\"{}\"", escaped(value)))
            .collect();
        let children: String = self.children.iter().map(Self::xml).collect();
        match children.as_str() {
            "" => format!("<{}{attributes}/>", self.name),
            children => format!("<{0}{attributes}>{children}</{0}>", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=UTF-8");

    fn complaint(command: &str, body: &str) -> String {
        let shape = shape(Interface::ApPay, command).unwrap();
        read(&shape, FORM, "", body.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_right_request_is_read() {
        let init = shape(Interface::ApPay, "Init").unwrap();
        let body = b"Key=M&Data=SessionType%3DPay%3BOrderId%3Da1%3BAmount%3D1999%3BUrl%3Dhttps%3A%2F%2Fa.md%2F%3BProduct%3DPlat%C4%83%20x%3BContract%3D7";
        let read = read(&init, FORM, "", body).unwrap();
        assert_eq!(read.get("Amount").unwrap(), "1999");
        assert_eq!(read.get("Product").unwrap(), "Plată x");
        assert_eq!(read.get("Contract").unwrap(), "7");
    }

    #[test]
    fn a_complaint_says_what_is_wrong() {
        for (command, body, complains) in [
            (
                "Charge",
                "Key=M&Password=x&OrderId=a1&amount=5",
                "amount must be written Amount.",
            ),
            (
                "Charge",
                "key=M&Password=x&OrderId=a1",
                "Key is missing. key is another name: names have their case.",
            ),
            ("Charge", "Key=M&Password=x&OrderId=", "OrderId is empty."),
            (
                "Charge",
                "Key=M&Password=x&OrderId=a1&OrderId=a2",
                "OrderId is there twice.",
            ),
            (
                "Charge",
                "Key=M&Password=x&OrderId=a1&Currency=MDL",
                "Currency is no parameter of this command.",
            ),
            (
                "Charge",
                "Key=M&Password=%zz&OrderId=a1",
                "Password is not encoded as a form in UTF-8.",
            ),
            (
                "Init",
                "Key=M&DATA=x%3Dy",
                "Data is missing. DATA is another name: names have their case.",
            ),
            (
                "Init",
                "Key=M&Data=SessionType%3DPay%3BUrl",
                "\"Url\" in Data is no Name=Value.",
            ),
            (
                "Init",
                "Key=M&Data=SessionType%253DPay",
                "Data is encoded twice, or holds % or +: decoded once more, it says something else.",
            ),
            (
                "Init",
                "Key=M&Data=SessionType%3DPay%3BOrderId%3Da1%3BAmount%3D5%3BUrl%3Dx%3Bproduct%3Dy",
                "product must be written Product.",
            ),
        ] {
            assert_eq!(complaint(command, body), complains, "{body}");
        }
        let shape = shape(Interface::ApPay, "GetState").unwrap();
        assert!(read(&shape, Some("text/plain"), "", b"").is_err());
        assert!(read(&shape, FORM, "Key=M", b"").is_err());
    }

    #[test]
    fn an_answer_is_escaped() {
        let element = Element::failure("Pay", Some("a\"<&"), "X").with_child(Element::new("Item"));
        assert_eq!(
            element.xml(),
            "<Pay Success=\"False\" OrderId=\"a&quot;&lt;&amp;\" ErrCode=\"X\"><Item/></Pay>"
        );
    }
}
