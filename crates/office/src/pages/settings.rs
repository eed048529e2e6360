//! The variables of the pages.

use base64ct::{Base64, Encoding};
use http::Uri;
use mpay_door::{
    config::{Environment, Reader},
    pages::PayLinks,
};

use super::{
    keys::{PAGE_KEY, PageKeys},
    link::PayLink,
};
use crate::domain::{Localized, OrderKey, ServiceId, Text};

/// Every variable that the pages read. All of them are optional.
pub const VARIABLES: [&str; 7] = [
    "institution_logo",
    "institution_name",
    "mpay_url",
    "page_color",
    "page_note",
    PAGE_KEY,
    "public_url",
];

/// The largest logo, in bytes. Each visitor loads it.
const LARGEST_LOGO: usize = 60_000;

/// Settings of the pages. Without [`PAGE_KEY`] there are no pages.
#[derive(Debug)]
pub struct Pages {
    /// The keys that seal links, sessions and forms.
    pub keys: PageKeys,
    /// The address of this provider, without a slash at its end.
    pub public_url: String,
    /// The address of MPay, without a slash at its end.
    pub mpay_url: String,
    /// Scheme, host and port of the card gateway, if payers may be sent there.
    pub card_gateway: Option<String>,
    /// The environment of this deployment.
    pub environment: Environment,
    /// Name, note, logo and colour of the institution.
    pub institution: Institution,
}

/// Name, note, logo and colour of the institution, as its pages show them.
#[derive(Debug, Default)]
pub struct Institution {
    /// Its name, of at most 120 characters in each language.
    pub name: Option<Localized<120>>,
    /// A note for payers on every page, such as a telephone number: at most 400 characters in each language.
    pub note: Option<Localized<400>>,
    /// Its logo.
    pub logo: Option<Logo>,
    /// The colour of buttons and links.
    pub color: Option<Color>,
}

/// The institution's logo.
#[derive(Clone)]
pub struct Logo {
    /// `image/png` or `image/jpeg`.
    pub media_type: &'static str,
    /// The bytes of the file, at most 60,000.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for Logo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Logo({} bytes)", self.content.len())
    }
}

impl Logo {
    /// Reads a PNG or JPEG in base64.
    fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str =
            "must be a picture (PNG or JPEG) in base64, such as `base64 -w0 logo.png` prints";
        let text: String = text.split_whitespace().collect();
        let content = Base64::decode_vec(&text).map_err(|_| FORM)?;
        let media_type = match content.as_slice() {
            [0x89, b'P', b'N', b'G', ..] => "image/png",
            [0xFF, 0xD8, 0xFF, ..] => "image/jpeg",
            _ => return Err(FORM.to_owned()),
        };
        if content.len() > LARGEST_LOGO {
            return Err(format!("may have {LARGEST_LOGO} bytes at most"));
        }
        Ok(Self {
            media_type,
            content,
        })
    }
}

/// A colour, in sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color([u8; 3]);

impl Color {
    /// Reads a colour such as `#0b57a4`.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        let bytes = base16ct::mixed::decode_vec(digits).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The colour as CSS writes it, such as `#0b57a4`.
    pub fn css(self) -> String {
        let [r, g, b] = self.0;
        format!("#{r:02x}{g:02x}{b:02x}")
    }

    /// The colour mixed with white; `white` is the share of white in percent, at most 100.
    pub fn lighter(self, white: u16) -> Self {
        let mix = |part: u8| {
            let sum = u16::from(part) * (100 - white.min(100)) + 255 * white.min(100);
            u8::try_from(sum / 100).unwrap_or(u8::MAX)
        };
        Self(self.0.map(mix))
    }

    /// The contrast to white, from 1 to 21 (WCAG 2.2, relative luminance).
    pub fn contrast_to_white(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            match part <= 0.040_45 {
                true => part / 12.92,
                false => ((part + 0.055) / 1.055).powf(2.4),
            }
        };
        let [r, g, b] = self.0.map(linear);
        1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05)
    }
}

impl Pages {
    /// Reads the variables. `None` if the key is absent, or if a mistake in a variable makes pages impossible;
    /// the mistake is then reported to `reader`.
    pub fn read(reader: &mut Reader<'_>, environment: Environment) -> Option<Self> {
        let keys = PageKeys::read(reader, environment);
        let public_url = reader.public_url();
        let mpay_url = reader.web_address("mpay_url", "https://mpay.gov.md");
        let institution = Institution::read(reader);
        if keys.is_some() && public_url.is_none() && !reader.is_wrong(&["public_url"]) {
            let detail = "is not set; pages need the address by which payers reach this provider, such as https://pay.example.md/";
            reader.error("public_url", detail);
        }
        if reader.is_wrong(&[PAGE_KEY, "public_url", "mpay_url"]) {
            return None;
        }
        let default = match environment {
            Environment::Production => "https://mpay.gov.md",
            Environment::Test | Environment::Development => "https://mpay.staging.egov.md",
        };
        let without_slash = |url: String| url.trim_end_matches('/').to_owned();
        Some(Self {
            keys: keys?,
            public_url: without_slash(public_url?),
            mpay_url: without_slash(mpay_url.unwrap_or_else(|| default.to_owned())),
            card_gateway: None,
            environment,
            institution,
        })
    }

    /// The settings from which the addresses of orders' pages are made.
    pub fn links(&self) -> PayLinks {
        PayLinks {
            keys: self.keys.clone(),
            public_url: self.public_url.clone(),
        }
    }

    /// The address of an order's page.
    pub fn pay_url(&self, service: &ServiceId, key: &OrderKey) -> String {
        self.url_of(&PayLink::of(service, key))
    }

    /// The address of a link.
    pub fn url_of(&self, link: &PayLink) -> String {
        self.links().url_of(link)
    }

    /// Scheme, host and port of MPay, to which forms may be sent; `None` if the address cannot be parsed.
    pub fn mpay_origin(&self) -> Option<String> {
        let uri: Uri = self.mpay_url.parse().ok()?;
        Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))
    }
}

impl Institution {
    fn read(reader: &mut Reader<'_>) -> Self {
        let name = localized(reader, "institution_name");
        // As a rule the institution itself is the beneficiary of the account that order lines use.
        let beneficiary = reader.variables.get("beneficiary_name");
        let beneficiary = beneficiary.and_then(|name| Text::parse(name).ok());
        let name = name.or_else(|| {
            beneficiary.map(|ro| Localized {
                ro,
                ru: None,
                en: None,
            })
        });
        let logo = reader.variables.get("institution_logo").map(Logo::parse);
        let logo = logo.and_then(|logo| {
            logo.map_err(|detail| reader.error("institution_logo", detail))
                .ok()
        });
        let color = reader.variables.get("page_color").map(Color::parse);
        if color == Some(None) {
            reader.error("page_color", "must be a colour such as #0b57a4");
        }
        Self {
            name,
            note: localized(reader, "page_note"),
            logo,
            color: color.flatten(),
        }
    }
}

/// Reads a variable that is one text, or a JSON object with a text for each language.
fn localized<const MAX: usize>(
    reader: &mut Reader<'_>,
    variable: &'static str,
) -> Option<Localized<MAX>> {
    use crate::json::LocalizedJson;
    let text = reader.variables.get(variable)?;
    let json = match text.starts_with('{') {
        true => serde_json::from_str(text),
        false => Ok(LocalizedJson::One(text.to_owned())),
    };
    let Ok(json) = json else {
        let detail = r#"must be a text, or texts such as {"ro": "…", "ru": "…", "en": "…"}"#;
        reader.error(variable, detail);
        return None;
    };
    let read = json.to_localized("the text");
    read.map_err(|errors| reader.members(variable, errors)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colour_of_buttons_has_contrast() {
        let contrast = |text: &str| Color::parse(text).unwrap().contrast_to_white();
        assert!((contrast("#ffffff") - 1.0).abs() < 0.01);
        assert!((contrast("#000000") - 21.0).abs() < 0.01);
        assert!((contrast("#767676") - 4.54).abs() < 0.01);
        assert_eq!(Color::parse("#0b57a4").unwrap().css(), "#0b57a4");
        assert_eq!(
            Color::parse("#000000").unwrap().lighter(50).css(),
            "#7f7f7f"
        );
        for wrong in ["", "#fff", "0b57a4", "#0b57ag", "#0b57a4;"] {
            assert_eq!(Color::parse(wrong), None, "{wrong}");
        }
    }
}
