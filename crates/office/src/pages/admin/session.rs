//! Who is signed in: a cookie that holds it, sealed, so that nothing is kept here.

use http::{HeaderMap, HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::super::{
    keys::{PageKeys, Purpose},
    settings::Pages,
};
use crate::{
    access::{Principal, Role},
    config::Config,
    store::{Ledger, Platform, StoreError},
};

/// After how long without a page a session ends.
pub const IDLE: SignedDuration = SignedDuration::from_mins(30);

/// After how long it ends in any case.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(8);

const COOKIE: &str = "mpay-office";

/// How exactly a cookie has its times.
const PRECISION: SignedDuration = SignedDuration::from_millis(1);

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the token: the session ends with the entry of the configuration.
    digest: [u8; 32],
    began: Timestamp,
    seen: Timestamp,
}

impl Session {
    /// Of who signs in with a token, at a time after they signed out last.
    pub fn begin(token: &str, now: Timestamp) -> Self {
        Self {
            digest: Sha256::digest(token).into(),
            began: now,
            seen: now,
        }
    }

    /// The session of a request, and whose it is; `None` if there is none, or no more.
    pub fn of_request<'a>(
        config: &'a Config,
        pages: &Pages,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<(Self, &'a Principal)> {
        let sealed = cookies(pages, headers, COOKIE);
        let mut sessions = sealed.filter_map(|sealed| Self::read(&pages.keys, sealed));
        let session = sessions.find(|session| session.lasts_at(now))?;
        let principal = config.principals.with_digest(session.digest)?;
        let is_person = principal.role != Role::Program;
        let session = Self {
            seen: now,
            ..session
        };
        is_person.then_some((session, principal))
    }

    /// When the sessions of a principal that began after they signed out last can begin.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn earliest<P: Platform>(
        store: &Ledger<P>,
        principal: &Principal,
    ) -> Result<Timestamp, StoreError> {
        let ended = store.notes().time(&ended(principal)).await?;
        let after = ended.map(|ended| ended.checked_add(PRECISION).unwrap_or(ended));
        Ok(after.map_or(store.now(), |after| store.now().max(after)))
    }

    /// Whether its principal has signed out since: then a copy of the cookie is good for nothing,
    /// whoever has one.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn is_over<P: Platform>(
        &self,
        store: &Ledger<P>,
        principal: &Principal,
    ) -> Result<bool, StoreError> {
        let ended = store.notes().time(&ended(principal)).await?;
        Ok(ended.is_some_and(|ended| self.began <= ended))
    }

    /// Ends it, and whatever other sessions of its principal there are.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails: then it may go on.
    pub async fn end<P: Platform>(
        &self,
        store: &Ledger<P>,
        principal: &Principal,
    ) -> Result<(), StoreError> {
        // The clock of the host where it began may be ahead.
        let now = store.now().max(self.began);
        store.notes().set(&ended(principal), &now).await
    }

    fn lasts_at(&self, now: Timestamp) -> bool {
        // A clock that was put back ends nothing.
        now.duration_since(self.seen) <= IDLE && now.duration_since(self.began) <= LONGEST
    }

    fn content(&self) -> Vec<u8> {
        let mut content = self.digest.to_vec();
        content.extend(self.began.as_millisecond().to_be_bytes());
        content
    }

    fn read(keys: &PageKeys, sealed: &str) -> Option<Self> {
        let content = keys.open(Purpose::Session, sealed)?;
        let (digest, rest) = content.split_first_chunk::<32>()?;
        let (began, rest) = rest.split_first_chunk::<8>()?;
        let (seen, rest) = rest.split_first_chunk::<8>()?;
        let time = |bytes: &[u8; 8]| Timestamp::from_millisecond(i64::from_be_bytes(*bytes)).ok();
        rest.is_empty().then_some(Self {
            digest: *digest,
            began: time(began)?,
            seen: time(seen)?,
        })
    }

    /// The header that keeps the session.
    pub fn cookie(&self, pages: &Pages) -> Option<HeaderValue> {
        let mut content = self.content();
        content.extend(self.seen.as_millisecond().to_be_bytes());
        let sealed = pages.keys.seal(Purpose::Session, &content);
        set_cookie(pages, COOKIE, &sealed, LONGEST.as_secs())
    }

    /// The header that ends it.
    pub fn no_cookie(pages: &Pages) -> Option<HeaderValue> {
        set_cookie(pages, COOKIE, "", 0)
    }

    /// What a form of this session holds, so that no other site can send one.
    pub fn form_token(&self, keys: &PageKeys) -> String {
        keys.seal(Purpose::Form, &self.content())
    }

    /// Whether a form was made for this session.
    pub fn made(&self, keys: &PageKeys, token: &str) -> bool {
        keys.open(Purpose::Form, token) == Some(self.content())
    }
}

/// The note of when a principal signed out last.
fn ended(principal: &Principal) -> String {
    format!("signed-out {}", principal.name)
}

/// Browsers send a cookie of this name to this host alone, and only over TLS (RFC 6265bis, section
/// 4.1.3.2). In development there is no TLS.
fn cookie_name(pages: &Pages, name: &str) -> String {
    match is_secure(pages) {
        true => format!("__Host-{name}"),
        false => name.to_owned(),
    }
}

/// The values of a cookie that a request brings.
pub fn cookies<'h>(
    pages: &Pages,
    headers: &'h HeaderMap,
    name: &str,
) -> impl Iterator<Item = &'h str> {
    let name = cookie_name(pages, name);
    let cookies = headers.get_all(header::COOKIE).into_iter();
    let pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.filter_map(move |(known, value)| (*known == name).then_some(value))
}

fn is_secure(pages: &Pages) -> bool {
    pages.public_url.starts_with("https://")
}

/// The header that makes a browser keep a cookie, which it sends to the office alone.
pub fn set_cookie(pages: &Pages, name: &str, value: &str, seconds: i64) -> Option<HeaderValue> {
    let (name, secure) = (
        cookie_name(pages, name),
        if is_secure(pages) { "; Secure" } else { "" },
    );
    let cookie =
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&cookie).ok()
}
