//! The language of a page.

use http::{HeaderMap, header};

/// A language that MPay speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Romanian.
    Romanian,
    /// Russian.
    Russian,
    /// English.
    English,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Romanian, Self::Russian, Self::English];

    /// Its code, as in `Language` of the contract.
    pub fn code(self) -> &'static str {
        match self {
            Self::Romanian => "ro",
            Self::Russian => "ru",
            Self::English => "en",
        }
    }

    /// Its own name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Romanian => "Română",
            Self::Russian => "Русский",
            Self::English => "English",
        }
    }

    /// The language of a code such as `ru` or `ru-MD`.
    pub fn of_code(code: &str) -> Option<Self> {
        let primary = code.split('-').next().unwrap_or_default().trim();
        Self::ALL
            .into_iter()
            .find(|language| language.code().eq_ignore_ascii_case(primary))
    }

    /// The language of a request that does not ask for one: that of the cookie `lang`, or the first
    /// one of `Accept-Language` (RFC 9110, section 12.5.4), or Romanian.
    pub fn of_headers(headers: &HeaderMap) -> Self {
        cookie(headers)
            .or_else(|| accepted(headers))
            .unwrap_or(Self::Romanian)
    }
}

fn cookie(headers: &HeaderMap) -> Option<Language> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix("lang="))
        .find_map(Language::of_code)
}

fn accepted(headers: &HeaderMap) -> Option<Language> {
    let mut best: Option<(f32, Language)> = None;
    for range in headers
        .get_all(header::ACCEPT_LANGUAGE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
    {
        let (code, parameters) = range.split_once(';').unwrap_or((range, ""));
        let Some(language) = Language::of_code(code) else {
            continue;
        };
        let weight = match parameters.trim().strip_prefix("q=") {
            Some(weight) => weight.parse().unwrap_or(0.0),
            None => 1.0,
        };
        if weight > 0.0 && best.is_none_or(|(greatest, _)| weight > greatest) {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &str)]) -> &'static str {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Language::of_headers(&map).code()
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
