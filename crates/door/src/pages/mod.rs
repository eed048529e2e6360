//! Addresses of orders' pages, which nobody can guess. The people's door serves the pages; both doors tell
//! receivers of webhooks where an order's page is.

pub mod keys;
pub mod link;

use mpay_ledger::domain::{OrderKey, ServiceId};

use self::{
    keys::{PAGE_KEY, PageKeys},
    link::PayLink,
};
use crate::config::{Environment, Reader};

/// The parts of which the addresses of orders' pages are made.
#[derive(Debug, Clone)]
pub struct PayLinks {
    /// The keys that seal them.
    pub keys: PageKeys,
    /// The address of this provider, without a slash at its end.
    pub public_url: String,
}

impl PayLinks {
    /// Reads the variables [`PAGE_KEY`] and `public_url`. Mistakes in the second are told by the reader
    /// that reads it for its own sake. `None` without pages.
    pub fn read(reader: &mut Reader<'_>, environment: Environment) -> Option<Self> {
        let keys = PageKeys::read(reader, environment)?;
        let public_url = reader.variables.get("public_url")?;
        let is_right = !reader.is_wrong(&[PAGE_KEY, "public_url"]);
        is_right.then(|| Self {
            keys,
            public_url: public_url.trim_end_matches('/').to_owned(),
        })
    }

    /// The address of an order's page.
    pub fn pay_url(&self, service: &ServiceId, key: &OrderKey) -> String {
        self.url_of(&PayLink::of(service, key))
    }

    /// The address of a link.
    pub fn url_of(&self, link: &PayLink) -> String {
        format!("{}/o/{}", self.public_url, link.token(&self.keys))
    }
}
