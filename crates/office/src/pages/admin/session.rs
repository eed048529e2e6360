//! Sessions of people: a sealed cookie holds the session, so that the provider stores none.

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

/// Time without a request after which a session ends.
pub const IDLE: SignedDuration = SignedDuration::from_mins(30);

/// Time after which a session ends in any case.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(8);

const COOKIE: &str = "mpay-office";

/// Resolution of the times in a cookie.
const PRECISION: SignedDuration = SignedDuration::from_millis(1);

/// A session of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the token. A session ends if the token is removed from the configuration.
    digest: [u8; 32],
    began: Timestamp,
    seen: Timestamp,
}

impl Session {
    /// The session of the person with this token. `now` must be after the person's latest sign-out
    /// ([`earliest`](Self::earliest)).
    pub fn begin(token: &str, now: Timestamp) -> Self {
        Self {
            digest: Sha256::digest(token).into(),
            began: now,
            seen: now,
        }
    }

    /// The session in a request's cookie, and its principal; `None` if there is no session, or if it has ended.
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

    /// The earliest time at which a new session can begin, so that it is later than the principal's latest
    /// sign-out.
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

    /// True if the principal signed out after the session began. A copied cookie is then useless, whoever holds
    /// it.
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

    /// Ends this session and all other sessions of its principal.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails: the sessions may then continue.
    pub async fn end<P: Platform>(
        &self,
        store: &Ledger<P>,
        principal: &Principal,
    ) -> Result<(), StoreError> {
        // The clock of the host where the session began may be ahead of this one.
        let now = store.now().max(self.began);
        store.notes().set(&ended(principal), &now).await
    }

    fn lasts_at(&self, now: Timestamp) -> bool {
        // After a clock step backwards a session continues.
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

    /// The header that sets the session's cookie.
    pub fn cookie(&self, pages: &Pages) -> Option<HeaderValue> {
        let mut content = self.content();
        content.extend(self.seen.as_millisecond().to_be_bytes());
        let sealed = pages.keys.seal(Purpose::Session, &content);
        set_cookie(pages, COOKIE, &sealed, LONGEST.as_secs())
    }

    /// The header that removes the session's cookie.
    pub fn no_cookie(pages: &Pages) -> Option<HeaderValue> {
        set_cookie(pages, COOKIE, "", 0)
    }

    /// The token for forms of this session, so that no other site can send one.
    pub fn form_token(&self, keys: &PageKeys) -> String {
        keys.seal(Purpose::Form, &self.content())
    }

    /// True if a form's token was made for this session.
    pub fn made(&self, keys: &PageKeys, token: &str) -> bool {
        keys.open(Purpose::Form, token) == Some(self.content())
    }
}

/// The name of the note with the time of a principal's latest sign-out.
fn ended(principal: &Principal) -> String {
    format!("signed-out {}", principal.name)
}

/// The full name of a cookie. With the prefix `__Host-` browsers send it to this host only, and over TLS only
/// (RFC 6265bis, section 4.1.3.2). In development there is no TLS, so the prefix is absent.
fn cookie_name(pages: &Pages, name: &str) -> String {
    match is_secure(pages) {
        true => format!("__Host-{name}"),
        false => name.to_owned(),
    }
}

/// The values of a cookie in a request.
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

/// The header that sets a cookie for this host alone, hidden from scripts and from requests of other sites.
pub fn set_cookie(pages: &Pages, name: &str, value: &str, seconds: i64) -> Option<HeaderValue> {
    let (name, secure) = (
        cookie_name(pages, name),
        if is_secure(pages) { "; Secure" } else { "" },
    );
    let cookie =
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&cookie).ok()
}
