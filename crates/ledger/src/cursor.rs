//! Cursors: the place at which a reader goes on, and the store that it is of.
//!
//! A place in a list means nothing in another store. So each store has a generation, a random name, which
//! its cursors carry, so that a cursor of another store is recognised. The generation follows from the
//! store's secret, so it costs no record and no commit.
//!
//! A restored backup has the generation that it had. A cursor issued after the backup is recognised
//! because it is beyond the end of its list, until the list has grown as long again.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

use super::{Platform, StoreError, secret::Secrets};

/// Hexadecimal digits of a generation.
const GENERATION: usize = 8;
/// Digits of a place. No counter reaches that.
const DIGITS: usize = 15;

/// The place where a reader goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The store's generation; `None` if somebody wrote down a bare place.
    generation: Option<String>,
    /// The place in the list.
    pub place: u64,
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(generation) = &self.generation {
            write!(f, "{generation}-")?;
        }
        write!(f, "{}", self.place)
    }
}

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `next` of an answer before, or the number of a place")]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (generation, rest) = match text.split_once('-') {
            Some((generation, rest)) => (Some(generation), rest),
            None => (None, text),
        };
        let digits = |c: &u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        if generation.is_some_and(|g| g.len() != GENERATION || !g.as_bytes().iter().all(digits)) {
            return Err(NoCursor);
        }
        Ok(Self {
            generation: generation.map(str::to_owned),
            place: number(rest)?,
        })
    }
}

fn number(text: &str) -> Result<u64, NoCursor> {
    let is_number = text.len() <= DIGITS
        && text.bytes().all(|c| c.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    match text.parse() {
        Ok(number) if is_number => Ok(number),
        _ => Err(NoCursor),
    }
}

/// The cursors of a store.
#[derive(Debug)]
pub struct Cursors<'a, P> {
    secrets: Secrets<'a, P>,
}

impl<P> Clone for Cursors<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Cursors<'_, P> {}

impl<'a, P: Platform> Cursors<'a, P> {
    pub(crate) fn on(secrets: Secrets<'a, P>) -> Self {
        Self { secrets }
    }

    /// The cursor of a place in a list of this store.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn at(self, place: u64) -> Result<Cursor, StoreError> {
        Ok(Cursor {
            generation: self.generation().await?,
            place,
        })
    }

    /// True if this store has issued a cursor. The reader of the list sees if its place exists.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn has_issued(self, cursor: &Cursor) -> Result<bool, StoreError> {
        if cursor.generation.is_none() {
            return Ok(true);
        }
        let own = self.generation().await?;
        Ok(own.is_none() || own == cursor.generation)
    }

    /// The store's generation; `None` while its secret is damaged, which does not stop readers.
    async fn generation(self) -> Result<Option<String>, StoreError> {
        match self.secrets.get().await {
            Ok(secret) => {
                let mut digest = secret.digest("generation", &[]);
                digest.truncate(GENERATION);
                Ok(Some(digest))
            }
            Err(StoreError::Corrupt { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Ledger, memory::Memory},
        *,
    };

    #[test]
    fn a_cursor_is_written_and_read() {
        for text in ["0", "17", "00c0ffee-17"] {
            let cursor: Cursor = text.parse().unwrap();
            assert_eq!(cursor.to_string(), text);
        }
        for text in [
            "",
            "-1",
            "+1",
            "x",
            "01",
            "1.",
            "1.5",
            "c0ffee-1",
            "00C0FFEE-1",
            "00c0ffee-",
            "00c0ffee-1-1",
            "1234567890123456",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(NoCursor), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_ask_at_the_same_time_are_given_one_generation() {
        let memory = Memory::empty();
        let ask = || async {
            let store = Ledger::new(memory.clone());
            store.cursors().at(3).await.unwrap()
        };
        let all = futures::future::join_all((0..16).map(|_| ask())).await;
        assert!(all.iter().all(|cursor| *cursor == all[0]), "{all:?}");
        assert!(all[0].to_string().ends_with("-3"));
        let store = Ledger::new(memory);
        assert!(store.cursors().has_issued(&all[0]).await.unwrap());
        assert!(
            store
                .cursors()
                .has_issued(&"3".parse().unwrap())
                .await
                .unwrap()
        );
        // Another store has another, and knows it.
        let other = Memory::empty();
        other.script_random([9, 9, 9, 9]);
        let other = Ledger::new(other);
        assert_ne!(other.cursors().at(3).await.unwrap(), all[0]);
        assert!(!other.cursors().has_issued(&all[0]).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_damaged_secret_keeps_nobody_from_reading() {
        let memory = Memory::new();
        memory.overwrite("secret/1", b"{".to_vec());
        let store = Ledger::new(memory);
        assert_eq!(store.cursors().at(3).await.unwrap().to_string(), "3");
        let cursor = "00c0ffee-3".parse().unwrap();
        assert!(store.cursors().has_issued(&cursor).await.unwrap());
    }
}
