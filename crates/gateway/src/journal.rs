//! The journal: requests with their answers, notifications, and the actions of people in the cabinet.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

/// Entries that are kept.
const KEPT: usize = 500;

/// The subject of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A request of the merchant, and its answer.
    Command,
    /// A notification to the merchant.
    Notification,
    /// An action of a payer.
    Page,
    /// An action in the cabinet.
    Cabinet,
}

/// An entry of the journal.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Counts from 1.
    pub number: u64,
    /// The time.
    pub at: Timestamp,
    /// Its subject.
    pub kind: Kind,
    /// The path of a request, the name of a notification, or the name of an action.
    pub what: String,
    /// The payment.
    pub order_id: Option<String>,
    /// The content that was sent, without passwords.
    pub sent: String,
    /// The answer.
    pub answer: String,
    /// The mistake in a request, for its programmer.
    pub complaint: Option<String>,
}

impl Entry {
    /// An entry that the journal will number.
    pub fn new(at: Timestamp, kind: Kind, what: impl Into<String>) -> Self {
        Self {
            number: 0,
            at,
            kind,
            what: what.into(),
            order_id: None,
            sent: String::new(),
            answer: String::new(),
            complaint: None,
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "number": self.number,
            "at": self.at.to_string(),
            "kind": match self.kind {
                Kind::Command => "command",
                Kind::Notification => "notification",
                Kind::Page => "page",
                Kind::Cabinet => "cabinet",
            },
            "what": self.what,
            "order_id": self.order_id,
            "sent": self.sent,
            "answer": self.answer,
            "complaint": self.complaint,
        })
    }
}

/// The latest entries.
#[derive(Debug, Default)]
pub struct Journal {
    entries: VecDeque<Entry>,
    count: u64,
}

impl Journal {
    /// Adds an entry.
    pub fn add(&mut self, mut entry: Entry) {
        self.count += 1;
        entry.number = self.count;
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// All entries that are kept, the oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.iter().cloned().collect()
    }

    /// All entries that are kept, as JSON.
    pub fn to_json(&self) -> Value {
        self.entries.iter().map(Entry::to_json).collect()
    }
}
