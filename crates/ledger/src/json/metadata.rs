use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Reader;
use crate::domain::{Alias, Metadatum, Text};

/// The institution's own notes: values by their names.
pub type MetadataJson = BTreeMap<String, MetadatumJson>;

/// A value of metadata, or an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "a text, or an object with \"value\" and \"personal\""
)]
pub enum MetadatumJson {
    Value(String),
    Marked(MarkedJson),
}

/// A value of metadata, or an alias, that may be personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MarkedJson {
    pub value: String,
    /// True if it is personal data: erasure removes it, and no event has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub personal: bool,
}

impl MetadatumJson {
    fn new(value: &str, is_personal: bool) -> Self {
        let value = value.to_owned();
        match is_personal {
            false => Self::Value(value),
            true => Self::Marked(MarkedJson {
                value,
                personal: true,
            }),
        }
    }

    pub fn value(&self) -> &str {
        match self {
            Self::Value(value) => value,
            Self::Marked(marked) => &marked.value,
        }
    }

    pub fn is_personal(&self) -> bool {
        match self {
            Self::Value(_) => false,
            Self::Marked(marked) => marked.personal,
        }
    }
}

impl From<&Alias> for MetadatumJson {
    fn from(alias: &Alias) -> Self {
        Self::new(alias.name.as_str(), alias.is_personal)
    }
}

pub(super) fn read(reader: &mut Reader, json: &MetadataJson) -> Vec<Metadatum> {
    let pairs = json.iter().filter_map(|(name, json)| {
        let is_sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let read = Text::parse(name).map_err(|error| error.to_string());
        let read = read.and_then(|text: Text<40>| {
            let plain = text.as_str() == name && name.chars().all(is_sign);
            let detail = "has a name of other signs than letters, digits, '_', '-' and '.'";
            plain.then_some(text).ok_or_else(|| detail.to_owned())
        });
        let path = format_args!("metadata.{name}");
        let name = reader.check(path, read);
        let value = reader.check(path, Text::parse(json.value()));
        Some(Metadatum {
            name: name?,
            value: value?,
            is_personal: json.is_personal(),
        })
    });
    pairs.collect()
}

pub(super) fn write(metadata: &[Metadatum]) -> MetadataJson {
    let pairs = metadata.iter().map(|pair| {
        let json = MetadatumJson::new(pair.value.as_str(), pair.is_personal);
        (pair.name.as_str().to_owned(), json)
    });
    pairs.collect()
}

/// The values that are not personal data.
pub(super) fn write_impersonal(metadata: &[Metadatum]) -> MetadataJson {
    let mut json = write(metadata);
    json.retain(|_, value| !value.is_personal());
    json
}
