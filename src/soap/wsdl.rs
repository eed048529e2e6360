//! The service's description (WSDL) in one file, with the address at which it is served.

/// The WSDL, with `{address}` where the address goes.
const WSDL: &str = include_str!("../../wsdl/IServiceProvider.wsdl");

/// The WSDL of a service at `address`.
pub fn document(address: &str) -> String {
    WSDL.replace("{address}", &wsse::escaped_attribute(address))
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
