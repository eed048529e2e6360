//! The service's description, in one file, with the address it is served at.

/// The WSDL, with `{address}` where the address goes.
const WSDL: &str = include_str!("../../wsdl/IServiceProvider.wsdl");

/// The WSDL of a service at `address`.
pub fn document(address: &str) -> String {
    let mut escaped = String::with_capacity(address.len());
    for c in address.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    WSDL.replace("{address}", &escaped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wsse::Document;

    #[test]
    fn the_address_is_escaped() {
        let wsdl = document("https://x.md/?a=1&b=\"<");
        assert!(wsdl.contains(r#"location="https://x.md/?a=1&amp;b=&quot;&lt;""#));
        assert!(Document::parse(wsdl.as_bytes()).is_ok());
    }
}
