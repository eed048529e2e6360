use mpay_door::config::Reader;

/// The address that others call this provider by, for its WSDL.
pub fn read(reader: &mut Reader<'_>) -> Option<String> {
    let url = reader.variables.get("public_url")?;
    match url.parse::<http::Uri>() {
        Ok(uri)
            if matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty()) =>
        {
            Some(url.to_owned())
        }
        _ => {
            reader.error(
                "public_url",
                "must be an address such as https://pay.example.md/",
            );
            None
        }
    }
}
