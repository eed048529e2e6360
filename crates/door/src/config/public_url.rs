use super::Reader;

impl Reader<'_> {
    /// The variable `public_url`: the address that others reach this provider by.
    pub fn public_url(&mut self) -> Option<String> {
        self.web_address("public_url", "https://pay.example.md/")
    }

    /// The address of a web server.
    pub fn web_address(&mut self, variable: &'static str, example: &str) -> Option<String> {
        let url = self.variables.get(variable)?;
        match url.parse::<http::Uri>() {
            Ok(uri)
                if matches!(uri.scheme_str(), Some("http" | "https"))
                    && uri.host().is_some_and(|host| !host.is_empty()) =>
            {
                Some(url.to_owned())
            }
            _ => {
                self.error(variable, format!("must be an address such as {example}"));
                None
            }
        }
    }
}
