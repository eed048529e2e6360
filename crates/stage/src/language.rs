//! The language of a page.

use http::{HeaderMap, HeaderName, header};

use crate::Language;

/// The language of a request that does not ask for one: that of the cookie `lang`, or the first one
/// that the browser accepts, or Romanian.
pub fn of_headers(headers: &HeaderMap) -> Language {
    values(headers, header::COOKIE)
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix("lang="))
        .find_map(Language::of_code)
        .or_else(|| Language::accepted(values(headers, header::ACCEPT_LANGUAGE)))
        .unwrap_or_default()
}

fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    values.filter_map(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &str)]) -> &'static str {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        of_headers(&map).code()
    }

    #[test]
    fn the_cookie_counts_before_the_browser_and_romanian_is_the_rest() {
        assert_eq!(of(&[]), "ro");
        assert_eq!(of(&[("accept-language", "de, fr;q=0.8")]), "ro");
        assert_eq!(
            of(&[("accept-language", "de, EN-gb;q=0.8, ru;q=0.9")]),
            "ru"
        );
        assert_eq!(of(&[("accept-language", "ru;q=0, en;q=0.1")]), "en");
        let browser = ("accept-language", "ru");
        assert_eq!(of(&[browser, ("cookie", "a=b; lang=en")]), "en");
        assert_eq!(of(&[browser, ("cookie", "lang=de; slang=en")]), "ru");
    }
}
