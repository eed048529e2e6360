//! Small values that nothing depends on: they save work, or say which call was the first.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Platform, StoreError, keys,
    record::{Key, Values, Write, over_the_log, read, to_json},
};
use crate::json::time;

over_the_log! {
    /// Small values under names; the last one written counts.
    pub struct Notes
}

/// The note that says when an entry of a payment was written again that was lost or damaged, in the journal or
/// in its order's list: a text of its own each time. What was found or added up before may lack it.
pub const JOURNAL_MENDED: &str = "journal-mended";

/// A note that is a time.
#[derive(Deserialize)]
#[serde(transparent)]
struct Noted {
    // `Timestamp`'s own reader would be a second one in the component.
    #[serde(deserialize_with = "time::deserialize")]
    at: Timestamp,
}

fn note(name: &str) -> String {
    format!("{}/{}", keys::NOTE, keys::encode(name))
}

fn once(name: &str) -> String {
    format!("{}/{}", keys::ONCE, keys::encode(name))
}

impl<P: Platform> Notes<'_, P> {
    /// The note of a name.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn get<T: DeserializeOwned>(self, name: &str) -> Result<Option<T>, StoreError> {
        let key = Key::new(note(name));
        let values = read(self.log, std::slice::from_ref(&key)).await?;
        unwrap(&values, &key)
    }

    /// The notes of several names. One that is damaged is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn get_many<T: DeserializeOwned>(
        self,
        names: &[String],
    ) -> Result<Vec<Option<T>>, StoreError> {
        let keys: Vec<_> = names.iter().map(|name| Key::new(note(name))).collect();
        let values = read(self.log, &keys).await?;
        let notes = keys.iter().map(|key| unwrap(&values, key).ok().flatten());
        Ok(notes.collect())
    }

    /// Such a note that is a time.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn time(self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        let noted: Option<Noted> = self.get(name).await?;
        Ok(noted.map(|noted| noted.at))
    }

    /// Several such notes. One that is damaged is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn times(self, names: &[String]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        let noted = self.get_many::<Noted>(names).await?;
        let noted = noted.into_iter();
        Ok(noted.map(|noted| noted.map(|noted| noted.at)).collect())
    }

    /// Writes such a note.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn set<T: Serialize>(self, name: &str, value: &T) -> Result<(), StoreError> {
        self.log.set_many(&[wrapped(note(name), value)?]).await
    }

    /// Writes several notes.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn set_many<T: Serialize>(self, notes: &[(String, T)]) -> Result<(), StoreError> {
        if notes.is_empty() {
            return Ok(());
        }
        let writes = notes.iter();
        let writes = writes.map(|(name, value)| wrapped(note(name), value));
        self.log
            .set_many(&writes.collect::<Result<Vec<_>, _>>()?)
            .await
    }

    /// The write of a note, for the batch of the change that it is about.
    pub(crate) fn written<T: Serialize>(name: &str, value: &T) -> Result<Write, StoreError> {
        wrapped(note(name), value)
    }

    /// True if this call is the first ever with this name. Later calls only read.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the name then may have been taken for nobody.
    pub async fn is_first(self, name: &str) -> Result<bool, StoreError> {
        let key = once(name);
        let taken = self.log.get(&key).await?;
        Ok(taken.is_none() && self.log.increment(&key, 1).await? == 1)
    }
}

/// The write of a value that stands by itself, not in a list.
pub(super) fn wrapped<T: Serialize>(key: String, value: &T) -> Result<Write, StoreError> {
    let json = format!(r#"{{"v":1,"value":{}}}"#, to_json(value)?);
    Ok((key, json.into_bytes()))
}

/// Reads such a value.
pub(super) fn unwrap<T: DeserializeOwned>(
    values: &Values,
    key: &Key,
) -> Result<Option<T>, StoreError> {
    #[derive(Deserialize)]
    struct Wrapped<T> {
        value: T,
    }
    let Some(bytes) = values.get(key) else {
        return Ok(None);
    };
    let wrapped: Wrapped<T> = serde_json::from_slice(bytes).map_err(|error| key.corrupt(error))?;
    Ok(Some(wrapped.value))
}
