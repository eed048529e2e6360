//! The table of keys: every prefix, its owner, and the values under it. Names in keys are
//! percent-encoded, `/` stands between the parts. A list is a counter under the key itself, and an entry
//! under `<list>/<place>` for each place.
//!
//! The owner is the module that makes the keys, and it alone writes there. It hands out a
//! [`Key`](crate::record::Key), by which others read, and a [`Write`](crate::record::Write), which an
//! operation over several kinds of record puts into its batch. The tests in `structure` enforce this.
//! Besides these, the log has `contest/…`: the fates of places that nobody filled.

use mpay_log::CONTESTS;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// A name, as a part of a key.
pub(super) fn encode(part: &str) -> String {
    utf8_percent_encode(part, ENCODED).to_string()
}

/// Declares the prefixes, the module that owns each, and for counters the number of names in their keys
/// after the prefix.
macro_rules! prefixes {
    ($($(#[doc = $what:literal])* $name:ident = $prefix:literal by $owner:literal $(counts $names:literal)?,)*) => {
        $($(#[doc = $what])* pub(super) const $name: &str = $prefix;)*

        /// Prefix of counters, and how many names stand behind it in their keys.
        const COUNTERS: &[(&str, usize)] = &[$($(($prefix, $names),)?)*];

        /// Name of the constant, prefix, owner.
        #[cfg(test)]
        pub(super) const TABLE: &[(&str, &str, &str)] = &[$((stringify!($name), $prefix, $owner),)*];
    };
}

prefixes! {
    /// List: all events, in the order of their recording.
    JOURNAL = "journal" by "journal_list" counts 0,
    /// `behind/<place>`, list: claims of a place for the event of a change whose first place in the
    /// journal was passed by.
    BEHIND = "behind" by "journal_list" counts 1,
    /// `claimed/<place>`: this place in the journal was claimed for an event whose first place is dead.
    CLAIMED = "claimed" by "journal_list",
    /// List: the days that are closed.
    DAYS = "days" by "days" counts 0,
    /// `order/<service>/<key>`, list: an order's versions and payments, and the changes of its payments.
    ORDER = "order" by "order_list" counts 2,
    /// `alias/<service>/<digest>`, list: the orders that may have a name, by a digest of it under the
    /// store's secret.
    ALIAS = "alias" by "aliases" counts 2,
    /// `fold/<list>/<segment>`: the sum of an order's list at the end of a segment.
    FOLD = "fold" by "folds",
    /// `closed/<payment>/<review>`: the place in its order's list where a review was closed.
    CLOSED = "closed" by "afterwards",
    /// `confirmed/<payment>`: the place in its order's list where MPay's confirmation of a payment
    /// that was entered by hand is noted.
    CONFIRMED = "confirmed" by "afterwards",
    /// `voided/<payment>`: the place in its order's list where a payment that was entered by hand was
    /// voided.
    VOIDED = "voided" by "afterwards",
    /// `changed/<payment>`: a place in its order's list where a refund or another review came to a
    /// payment.
    CHANGED = "changed" by "afterwards",
    /// `card/<payment>`, list: the course of a payment by card.
    CARD = "card" by "cards" counts 1,
    /// List: payments by card of which a command was about to be sent.
    COMMANDED = "commanded" by "cards" counts 0,
    /// `payment/<payment>`, list: the attempts to record a payment. With `/after-void` behind it those
    /// at MPay's own payment, after the void of one that was entered by hand.
    PAYMENT = "payment" by "attempts" counts 1,
    /// `done/<payment>`: the marker that the payment is recorded, with the places. With `/after-void` as
    /// above.
    DONE = "done" by "attempts",
    /// `evidence/<name>`: a signed message.
    EVIDENCE = "evidence" by "messages",
    /// `erased/<name>`: the tombstone of a message that was erased. Only erasure and the moving into an
    /// archive write here, so no write of the message that comes late can undo them.
    ERASED = "erased" by "messages",
    /// `archived/<name>`: the archive into which a signed message was moved, beside its tombstone.
    ARCHIVED = "archived" by "messages",
    /// `certificate/<fingerprint>`: the certificate that signed a message that is kept.
    CERTIFICATE = "certificate" by "messages",
    /// `answer/<payment>/<place>`: the signed answer to a payment, by its place in the journal. A call
    /// that finishes an abandoned recording has another place and another answer, and the marker says
    /// which one counts.
    ANSWER = "answer" by "messages",
    /// `fault/<place>`: the signed fault that answered a refused confirmation, by the refusal's place
    /// in the journal.
    FAULT = "fault" by "messages",
    /// `refused/<evidence>`: the place in the journal of the refused confirmation that a message proves.
    REFUSED = "refused" by "refusals",
    /// `refusal/<evidence>`, list: the outcomes of a refused confirmation.
    REFUSAL = "refusal" by "refusals" counts 1,
    /// `proposal/<place>`, list: the decisions on a proposal, by its place in the journal.
    PROPOSAL = "proposal" by "proposals" counts 1,
    /// `request/<name>`, list: the claims of a request that may be repeated.
    REQUEST = "request" by "requests" counts 1,
    /// List: the statements that were imported, one after the other.
    SETTLEMENTS = "settlements" by "settlements" counts 0,
    /// `shown/<row>`: the payment that a row of a statement shows.
    SHOWN = "shown" by "settlements",
    /// `settled/<payment>`: the statement that shows a payment, by its place in the journal.
    SETTLED = "settled" by "settlements",
    /// `delivered/<receiver>/<place>`: the receiver has been told of the event at this place in the
    /// journal, or never will.
    DELIVERED = "delivered" by "outbox",
    /// `delivery/<receiver>/<place>`: the attempts to tell it that failed.
    DELIVERY = "delivery" by "outbox",
    /// `outbox/<receiver>`: the state of the delivery to a receiver.
    OUTBOX = "outbox" by "outbox",
    /// `lately/<receiver>`: the latest outcomes with the receiver.
    LATELY = "lately" by "outbox",
    /// `ended/<receiver>`: the receiver wants nothing any more.
    ENDED = "ended" by "outbox",
    /// `again/<receiver>`, list: requests to send again.
    AGAIN = "again" by "outbox" counts 1,
    /// `note/<name>`: a small value of which the last one written counts.
    NOTE = "note" by "notes",
    /// `once/<name>`: a counter of the calls that would be the first.
    ONCE = "once" by "notes" counts 1,
    /// List: the keys under which names are digested; the lowest counts.
    SECRET = "secret" by "secret" counts 0,
}

/// The suffix of the key of a list of attempts, for those after the void of a payment that was
/// entered by hand.
pub(super) const AFTER_VOID: &str = "/after-void";

/// The counter without which nothing is recorded.
pub const GATE: &str = JOURNAL;

/// Prefix of the markers: one for each payment that is recorded.
pub const MARKERS: &str = DONE;

/// The PaymentID of a marker, by its key, with true if it is MPay's own payment after the void of one
/// that was entered by hand. `None` if no marker has such a key.
pub fn marked(key: &str) -> Option<(String, bool)> {
    let name = key.strip_prefix(DONE)?.strip_prefix('/')?;
    let before = name.strip_suffix(AFTER_VOID);
    let id = percent_decode_str(before.unwrap_or(name));
    Some((id.decode_utf8().ok()?.into_owned(), before.is_some()))
}

/// The place in the journal of an entry, by its key.
pub fn place_in_journal(key: &str) -> Option<u64> {
    key.strip_prefix(JOURNAL)?.strip_prefix('/')?.parse().ok()
}

/// True if the value of a key is a counter, which each engine keeps in its own form. The value alone does
/// not tell: a place that is kept by itself is written in digits, like a counter on Redis and PostgreSQL.
pub fn is_counter(key: &str) -> bool {
    if let Some(contested) = key.strip_prefix(CONTESTS) {
        let block = contested.rsplit('/').next();
        return block.is_some_and(|block| block.bytes().all(|byte| byte.is_ascii_digit()));
    }
    let list = key.strip_suffix(AFTER_VOID);
    let list = list.and_then(|list| list.strip_prefix(PAYMENT));
    if list.is_some_and(|id| id.starts_with('/') && id.matches('/').count() == 1) {
        return true;
    }
    let mut parts = key.split('/');
    let prefix = parts.next().unwrap_or_default();
    COUNTERS.contains(&(prefix, parts.count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_names_its_payment() {
        for (key, id, after_void) in [
            ("done/P-1", "P-1", false),
            ("done/P-1/after-void", "P-1", true),
            ("done/after-void", "after-void", false),
            ("done/P%2F1%20%C8%99", "P/1 ș", false),
        ] {
            assert_eq!(marked(key), Some((id.to_owned(), after_void)), "{key}");
        }
        assert_eq!(marked("donee/P-1"), None);
        assert_eq!(place_in_journal("journal/7"), Some(7));
        assert_eq!(place_in_journal("journal"), None);
    }

    #[test]
    fn counters_are_told_from_entries_and_from_places() {
        for key in [
            "journal",
            "days",
            "secret",
            "order/TAX/2026-1",
            "payment/P-1",
            "payment/P-1/after-void",
            "payment/after-void",
            "alias/TAX/0a",
            "again/hook",
            "once/x",
            "proposal/7",
            "behind/9",
            "contest/journal/0",
            "contest/order/TAX/7/0",
            "contest/payment/P/after-void/1",
        ] {
            assert!(is_counter(key), "{key}");
        }
        for key in [
            "journal/1",
            "order/TAX/2026-1/1",
            "order/TAX",
            "payment/P-1/1",
            "payment/P-1/after-void/1",
            "payment/P-1/1/after-void",
            "done/P-1",
            "done/P-1/after-void",
            "refused/7",
            "confirmed/7",
            "claimed/7",
            "settled/P/1",
            "contest/journal/0/1/promise",
            "contest/order/TAX/7/0/2/decided",
            "probe",
            "note/x",
            "",
        ] {
            assert!(!is_counter(key), "{key}");
        }
    }
}
