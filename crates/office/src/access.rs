//! Access: principals, their roles and their tokens.
//!
//! The variable `access` lists the principals. It holds only the SHA-256 of each token, so that a reader of the
//! configuration cannot act in anybody's name.

use std::fmt;

use http::StatusCode;
use mpay_door::{Problem, config::Reader};
use mpay_ledger::{digest::hex, domain::steers_display};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The variable that lists the principals.
pub const ACCESS: &str = "access";

pub use mpay_door::config::DEVELOPMENT_TOKEN;

/// The fewest characters of a token. A shorter one could be guessed from its SHA-256.
pub const MIN_TOKEN: usize = 32;

/// The most characters of a principal's name.
pub const MAX_NAME: usize = 64;

/// The role of a principal, which decides what the principal may do. Every role may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Only reads.
    Read,
    /// Registers, changes and cancels orders.
    Clerk,
    /// Closes reviews, compares statements, proposes payments by hand.
    Accountant,
    /// May do everything: approves what others proposed, refunds, erases.
    Manager,
    /// The institution's own system: orders, refunds, erasures, and the calls of timers. Decisions that belong
    /// to people (reviews, statements, payments by hand) are closed to programs.
    Program,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [
        Self::Read,
        Self::Clerk,
        Self::Accountant,
        Self::Manager,
        Self::Program,
    ];

    /// The name of the role in the variable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Clerk => "clerk",
            Self::Accountant => "accountant",
            Self::Manager => "manager",
            Self::Program => "program",
        }
    }

    /// The role with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// The roles that may read: all of them.
pub const EVERYBODY: [Role; 5] = Role::ALL;

/// The roles that may register and change orders.
pub const CLERKS: [Role; 3] = [Role::Clerk, Role::Manager, Role::Program];

/// The roles that may close reviews, compare statements and propose payments by hand.
pub const BOOKKEEPERS: [Role; 2] = [Role::Accountant, Role::Manager];

/// The role that may approve another person's proposals.
pub const MANAGERS: [Role; 1] = [Role::Manager];

/// The roles that may make the calls of timers, and erase.
pub const OPERATORS: [Role; 2] = [Role::Manager, Role::Program];

/// The roles that may declare refunds.
pub const REFUNDERS: [Role; 2] = [Role::Manager, Role::Program];

/// A caller: a person or a program, with a name and a role.
#[derive(Clone, PartialEq, Eq)]
pub struct Principal {
    /// The name under which all actions are recorded.
    pub name: String,
    /// The role, which decides what the principal may do.
    pub role: Role,
}

impl Principal {
    /// A principal of this name and role.
    ///
    /// # Errors
    /// The mistake in the name.
    pub fn new(name: &str, role: Role) -> Result<Self, &'static str> {
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        if name.is_empty() || name.chars().count() > MAX_NAME {
            return Err("must have a name of 1 to 64 characters");
        }
        // A semicolon ends an entry.
        if name.contains(';') || name.contains(steers_display) {
            return Err("must have a name without semicolons and control characters");
        }
        Ok(Self { name, role })
    }

    /// The entry of the variable [`ACCESS`] that admits this principal with a token.
    pub fn entry(&self, token: &str) -> String {
        let digest: [u8; 32] = Sha256::digest(token).into();
        format!("{} {} {}", self.name, self.role.name(), hex(&digest))
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal(…, {:?})", self.role)
    }
}

/// A principal, and the SHA-256 of a token.
#[derive(Clone)]
struct Entry {
    principal: Principal,
    digest: [u8; 32],
}

/// The principals of the configuration.
#[derive(Clone, Default)]
pub struct Principals(Vec<Entry>);

impl fmt::Debug for Principals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principals({})", self.0.len())
    }
}

impl Principals {
    /// Reads the variable [`ACCESS`]: entries of name, role and SHA-256, separated by semicolons or line
    /// breaks. One principal may have several tokens. An entry with a mistake admits nobody.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let text = reader.variables.get(ACCESS).unwrap_or_default();
        let texts = text.split([';', '\n']).map(str::trim);
        let mut entries: Vec<Entry> = Vec::new();
        for (index, text) in texts.filter(|text| !text.is_empty()).enumerate() {
            let entry = Entry::read(text).and_then(|entry| entry.beside(&entries));
            match entry {
                Ok(entry) => entries.push(entry),
                Err(detail) => reader.error(ACCESS, format!("entry {} {detail}", index + 1)),
            }
        }
        Self(entries)
    }

    /// True if there are no principals.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The principal with this token. Every entry is compared, so that the time taken does not tell which one
    /// fits.
    pub fn with_token(&self, token: &str) -> Option<&Principal> {
        self.with_digest(Sha256::digest(token).into())
    }

    /// The principal whose token has this SHA-256.
    pub fn with_digest(&self, digest: [u8; 32]) -> Option<&Principal> {
        let mut found = None;
        for entry in &self.0 {
            if entry.digest.ct_eq(&digest).into() {
                found = Some(&entry.principal);
            }
        }
        found
    }
}

impl Entry {
    /// Reads an entry. An error repeats no part of the entry, since people paste tokens in wrong places.
    fn read(text: &str) -> Result<Self, String> {
        const FORM: &str = "must be a name, a role and the SHA-256 of a token in hexadecimal, as `mpay access add` prints it";
        let (rest, digest) = text.rsplit_once(char::is_whitespace).ok_or(FORM)?;
        let (name, role) = rest
            .trim_end()
            .rsplit_once(char::is_whitespace)
            .ok_or(FORM)?;
        let digest = sha256_of_hex(digest).ok_or(FORM)?;
        let role = Role::of_name(role).ok_or_else(|| {
            let roles = Role::ALL.map(Role::name).join(", ");
            format!("must have one of the roles {roles} between name and SHA-256")
        })?;
        let principal = Principal::new(name, role)?;
        Ok(Self { principal, digest })
    }

    /// Refuses an entry that contradicts an earlier one.
    fn beside(self, others: &[Self]) -> Result<Self, String> {
        let Principal { name, role } = &self.principal;
        for other in others {
            if other.digest == self.digest {
                return Err("has a token that an entry before it has".to_owned());
            }
            if other.principal.name == *name && other.principal.role != *role {
                return Err("gives a name another role than an entry before it".to_owned());
            }
        }
        Ok(self)
    }
}

fn sha256_of_hex(text: &str) -> Option<[u8; 32]> {
    let digest = base16ct::mixed::decode_vec(text).ok()?;
    digest.try_into().ok()
}

/// Refuses a principal whose role is none of these.
///
/// # Errors
/// A 403 [`Problem`].
pub fn permit(principal: &Principal, roles: &[Role]) -> Result<(), Problem> {
    if roles.contains(&principal.role) {
        return Ok(());
    }
    let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
    let detail = format!(
        "The role {} may not do this; it needs {}.",
        principal.role.name(),
        names.join(" or ")
    );
    Err(Problem::new(StatusCode::FORBIDDEN, detail))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};
    use mpay_door::{Configuration as _, config::testing::variables};

    use super::*;
    use crate::{admission::authenticate, api::endpoints, config::Config, store::memory::Memory};

    const TOKEN: &str = "0123456789012345678901234567890123456789";
    const OTHER: &str = "9876543210987654321098765432109876543210";

    fn with(access: &str) -> Config {
        let mut variables = variables();
        variables.set(ACCESS, access.to_owned());
        Config::read(&variables).unwrap()
    }

    fn status(config: &Config, authorization: &str) -> u16 {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(authorization).unwrap();
        headers.insert(header::AUTHORIZATION, value);
        match authenticate(config, &headers) {
            Ok(_) => 200,
            Err(problem) => problem.into_response().status().as_u16(),
        }
    }

    fn entry(name: &str, role: Role, token: &str) -> String {
        Principal::new(name, role).unwrap().entry(token)
    }

    #[test]
    fn entries_are_read_with_semicolons_lines_and_any_space_between() {
        let text = format!(
            "  {}\r\n\n;;{};",
            entry("Ana  Țurcanu Rusu", Role::Accountant, TOKEN).replace(' ', "\t "),
            entry("magazin", Role::Program, OTHER)
        );
        let config = with(&text);
        assert!(config.switched_off(&[ACCESS]).is_none());
        let ana = config.principals.with_token(TOKEN).unwrap();
        assert_eq!(
            (ana.name.as_str(), ana.role),
            ("Ana Țurcanu Rusu", Role::Accountant)
        );
        let shop = config.principals.with_token(OTHER).unwrap();
        assert_eq!((shop.name.as_str(), shop.role), ("magazin", Role::Program));
        assert!(config.principals.with_token(&TOKEN[1..]).is_none());
    }

    #[test]
    fn a_wrong_entry_admits_nobody_and_is_told_by_its_number() {
        let good = entry("Ana", Role::Manager, TOKEN);
        for (wrong, said) in [
            (TOKEN.to_owned(), "must be a name, a role and the SHA-256"),
            (
                format!("Ion clerk {TOKEN}"),
                "must be a name, a role and the SHA-256",
            ),
            (
                entry("Ion", Role::Clerk, OTHER).replace("clerk", "boss"),
                "must have one of the roles read, clerk,",
            ),
            (
                entry("Ion", Role::Clerk, OTHER).replace("Ion", "\u{202e}Ion"),
                "without semicolons and control",
            ),
            (
                entry("Ion", Role::Clerk, TOKEN),
                "has a token that an entry before",
            ),
            (
                entry("Ana", Role::Clerk, OTHER),
                "gives a name another role",
            ),
        ] {
            let config = with(&format!("{good};{wrong}"));
            let off = config.off();
            assert_eq!(off.len(), 1, "{wrong}: {off:?}");
            assert!(
                off[0].detail.starts_with("entry 2 ") && off[0].detail.contains(said),
                "{off:?}"
            );
            assert_eq!(status(&config, &format!("Bearer {TOKEN}")), 200);
            assert_eq!(status(&config, &format!("Bearer {OTHER}")), 503, "{wrong}");
        }
    }

    #[test]
    fn a_token_is_of_a_principal_long_and_meant_for_this_environment() {
        let development = format!("{DEVELOPMENT_TOKEN}{TOKEN}");
        let short = &TOKEN[..31];
        let access = [TOKEN, development.as_str(), short].map(|token| {
            let name: String = token.chars().rev().take(3).collect();
            entry(&name, Role::Read, token)
        });
        let config = with(&access.join("\n"));
        for (authorization, expected) in [
            (format!("Bearer {TOKEN}"), 200),
            (format!("bearer  {TOKEN} "), 200),
            (format!("Bearer {OTHER}"), 401),
            (format!("Bearer {short}"), 401),
            (format!("Bearer {development}"), 401),
            (format!("Basic {TOKEN}"), 401),
            (TOKEN.to_owned(), 401),
        ] {
            assert_eq!(status(&config, &authorization), expected, "{authorization}");
        }
    }

    /// Every call that changes something, and the roles that may make it.
    const CHANGES: [(&str, &str, &str); 29] = [
        ("POST", "orders", "clerk manager program"),
        ("POST", "orders/import", "clerk manager program"),
        ("PUT", "orders/{service}/{key}", "clerk manager program"),
        ("PATCH", "orders/{service}/{key}", "clerk manager program"),
        ("DELETE", "orders/{service}/{key}", "clerk manager program"),
        ("POST", "payments/manual", "accountant manager"),
        ("DELETE", "payments/manual/{index}", "accountant manager"),
        ("POST", "payments/manual/{index}/approve", "manager"),
        ("POST", "payments/{id}/void", "accountant manager"),
        (
            "POST",
            "payments/{id}/reviews/{reason}",
            "accountant manager",
        ),
        (
            "POST",
            "refusals/{index}/reviews/{reason}",
            "accountant manager",
        ),
        (
            "POST",
            "orders/{service}/{key}/card-payments",
            "clerk manager program",
        ),
        ("POST", "card-payments/{id}/charge", "clerk manager program"),
        ("POST", "card-payments/{id}/cancel", "clerk manager program"),
        ("POST", "card-payments/{id}/refunds", "manager program"),
        ("PUT", "card-customers/{customer}", "clerk manager program"),
        (
            "DELETE",
            "card-customers/{customer}",
            "clerk manager program",
        ),
        (
            "POST",
            "card-customers/{customer}/cards",
            "clerk manager program",
        ),
        (
            "DELETE",
            "card-customers/{customer}/cards/{card}",
            "clerk manager program",
        ),
        (
            "POST",
            "card-customers/{customer}/cards/{card}/activate",
            "clerk manager program",
        ),
        ("POST", "card-payments/check", "manager program"),
        ("POST", "card-payments/recheck", "manager program"),
        ("POST", "settlement", "accountant manager"),
        ("POST", "erasures", "manager program"),
        ("POST", "archive", "manager"),
        ("POST", "repair", "manager program"),
        ("POST", "outbox/deliver", "manager program"),
        ("POST", "outbox/resend", "manager program"),
        ("POST", "webhooks/{receiver}/resume", "manager program"),
    ];

    #[test]
    fn each_role_may_make_its_calls_and_no_other() {
        let mut changes = 0;
        for endpoint in endpoints::<Memory>() {
            let change = CHANGES
                .iter()
                .find(|(method, path, _)| *method == endpoint.method && *path == endpoint.path);
            changes += usize::from(change.is_some());
            let name = format!("{} {}", endpoint.method, endpoint.path);
            assert_eq!(change.is_none(), endpoint.method == "GET", "{name}");
            for role in Role::ALL {
                let may = change
                    .is_none_or(|(_, _, roles)| roles.split(' ').any(|known| known == role.name()));
                let allowed = permit(&Principal::new("x", role).unwrap(), endpoint.roles);
                assert_eq!(allowed.is_ok(), may, "{name} {role:?}");
                if let Err(problem) = allowed {
                    assert_eq!(problem.into_response().status(), 403);
                }
            }
        }
        assert_eq!(changes, CHANGES.len());
    }
}
