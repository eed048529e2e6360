//! A backup: whether it is whole, and what the evidence of each of its payments proves.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::ensure;
use indicatif::ProgressBar;
use jiff::Timestamp;
use mpay_domain::{PaymentId, time};
use mpay_host::backup::{Backup, BackupError, Reader};
use mpay_ledger::{
    GATE, Ledger, MARKERS, Platform, PlatformError, Proof, Span, StoreError, StoredPayment,
    Tombstone,
    digest::sha256,
    json::{Channel, Event},
    marked, place_in_journal,
};
use serde::Serialize;
use serde_json::json;
use wsse::{Certificate, Trust};

use super::{
    Arguments,
    evidence::{Evidence, Meta},
    report::{Report, TimeSource},
    tell,
};
use crate::{
    backup::BOOKS,
    terminal::{Mark, Page, count},
};

/// The number of times that the same part is read again: its places are decided step by step.
const PATIENT: u32 = 10;
/// Payments that one part of the journal is asked for.
const AT_ONCE: usize = 256;

/// Payments by their PaymentIDs, and whether it is MPay's own after the void of one that was entered by
/// hand.
type Names = BTreeSet<(String, bool)>;

/// The result of verifying a backup.
#[derive(Default, Serialize)]
struct Judgement {
    file: String,
    holds: bool,
    made_at: String,
    keys: i64,
    bytes: i64,
    sha256: String,
    /// All of them.
    payments: usize,
    /// Those that MPay has signed, and all of it holds.
    signed: usize,
    /// Entered by hand, and not confirmed by MPay: nothing of them is signed.
    by_hand: usize,
    /// Of which the card gateway's answer is kept, which is not signed.
    by_card: usize,
    /// Payments whose message was erased with the personal data in it: only an older copy proves them.
    erased: usize,
    /// Payments whose message was moved into an archive: that file proves them.
    archived: usize,
    /// Moved into an archive, of orders whose personal data was erased since: that file may have it no more.
    archived_then_erased: usize,
    /// By hand, by card, erased or archived: nothing in the file proves them.
    unproved: usize,
    wrong: Vec<Wrong>,
    /// Remarks that are neither right nor wrong.
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Wrong {
    /// Absent of what is not of a payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<String>,
    what: String,
}

/// Judges it.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    ensure!(
        arguments.signers.are_given(),
        "evidence cannot vouch for itself: give MPay's certificates with --certificate FILE, or the authority's with --authority FILE and MPay's name with --signer-name NAME; `mpay backup --check` looks only whether the file is whole"
    );
    let (trust, providers) = arguments.believed()?;
    let judge = Judge {
        trust,
        providers,
        at: arguments.at,
    };
    let mut judgement = Judgement {
        file: arguments.file.display().to_string(),
        ..Judgement::default()
    };
    match Reader::open(&arguments.file) {
        Ok((reader, held)) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()?;
            judgement.note(&held);
            runtime.block_on(judgement.read(reader, &judge))?;
        }
        Err(error @ BackupError::Damaged { .. }) => judgement.wrong(None, error.to_string()),
        Err(error) => return Err(error.into()),
    }
    judgement.conclude();
    tell(judgement.holds, arguments.json, &judgement, || {
        judgement.page()
    })
}

impl Judgement {
    fn note(&mut self, held: &Backup) {
        self.made_at.clone_from(&held.made_at);
        self.sha256.clone_from(&held.sha256);
        (self.keys, self.bytes) = (held.keys, held.bytes);
    }

    fn wrong(&mut self, payment_id: Option<&str>, what: impl Into<String>) {
        self.wrong.push(Wrong {
            payment_id: payment_id.map(str::to_owned),
            what: what.into(),
        });
    }

    /// Draws the verdict from all findings.
    fn conclude(&mut self) {
        self.holds = self.wrong.is_empty();
        self.unproved =
            self.by_hand + self.by_card + self.erased + self.archived + self.archived_then_erased;
    }

    async fn read(&mut self, reader: Reader, judge: &Judge) -> anyhow::Result<()> {
        let last = self.measure(&reader)?;
        let ledger = Ledger::new(Archive::new(reader));
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(200));
        let seen = self.walk(&ledger, judge, last, &bar).await?;
        bar.finish_and_clear();
        match seen {
            Some(seen) => self.look_for_others(&ledger.platform().reader, &seen),
            None => Ok(()),
        }
    }

    /// Looks whether the journal is as long as its counter says, and gives the last place that is
    /// filled. No reader goes beyond the counter.
    fn measure(&mut self, reader: &Reader) -> anyhow::Result<u64> {
        let length = match reader.get(BOOKS.store, GATE)?.map(number) {
            None => 0,
            Some(Some(length)) => length,
            // The walk says that it is damaged.
            Some(None) => u64::MAX,
        };
        let (mut last, mut beyond) = (0, 0);
        reader.each_under(BOOKS.store, GATE, |key| {
            let place = place_in_journal(&key).unwrap_or_default();
            last = last.max(place);
            beyond += usize::from(place > length);
        })?;
        if beyond > 0 {
            let what = format!(
                "the journal says that it has {length} places, and {} more are filled, up to journal/{last}",
                count(beyond)
            );
            self.wrong(None, what);
        }
        Ok(last)
    }

    /// Walks over the journal, up to its `last` entry, and gives the payments in it; `None` if it broke
    /// off.
    async fn walk(
        &mut self,
        ledger: &Ledger<Archive>,
        judge: &Judge,
        last: u64,
        bar: &ProgressBar,
    ) -> anyhow::Result<Option<Names>> {
        let (mut seen, mut after, mut idle) = (Names::new(), 0, 0);
        loop {
            let is_payment = |event: &Event| matches!(event, Event::PaymentRecorded(_));
            let journal = ledger.journal();
            let page = journal.read(after, AT_ONCE, Span::ALWAYS, is_payment);
            let page = match page.await {
                Ok(page) => page,
                Err(error @ StoreError::Corrupt { .. }) => {
                    let what = format!("what follows journal/{after} is not to be read: {error}");
                    self.wrong(None, what);
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            };
            for raw in &page.unreadable {
                let what = format!("journal/{} cannot be read", raw.index);
                self.wrong(None, what);
            }
            for entry in &page.entries {
                let Event::PaymentRecorded(payment) = &entry.event else {
                    continue;
                };
                let id = &payment.payment_id;
                if seen.insert((id.clone(), payment.after_void)) {
                    self.judge(ledger, id, payment.after_void, judge).await?;
                    bar.set_message(format!("{} payments", count(self.payments)));
                }
            }
            idle = if page.next > after { 0 } else { idle + 1 };
            after = page.next;
            if page.complete {
                return Ok(Some(seen));
            }
            if idle <= PATIENT {
                continue;
            }
            // In a copy nobody is at work any more: what was being recorded stays so. If it was
            // recorded all the same, its marker tells.
            if after >= last {
                let note = format!("what follows journal/{after} was begun, and not yet recorded");
                self.notes.push(note);
                return Ok(Some(seen));
            }
            after += 1;
            idle = 0;
            let note = format!("journal/{after} was begun, and not yet recorded");
            self.notes.push(note);
        }
    }

    /// Looks for payments that are recorded, and that the walk has not seen.
    fn look_for_others(&mut self, reader: &Reader, seen: &Names) -> anyhow::Result<()> {
        let mut missing = Names::new();
        let mut unknown = Vec::new();
        reader.each_under(BOOKS.store, MARKERS, |key| match marked(&key) {
            Some(name) if seen.contains(&name) => {}
            Some(name) => {
                missing.insert(name);
            }
            None => unknown.push(key),
        })?;
        for (id, _) in missing {
            self.payments += 1;
            self.wrong(
                Some(&id),
                "it is recorded, and missing in the journal: nobody sees it",
            );
        }
        for key in unknown {
            self.wrong(None, format!("{key} is the marker of no payment"));
        }
        Ok(())
    }

    /// Judges one payment. There are two of one id where MPay has confirmed what was entered by hand and
    /// voided: each has evidence of its own.
    async fn judge(
        &mut self,
        ledger: &Ledger<Archive>,
        id: &str,
        after_void: bool,
        judge: &Judge,
    ) -> anyhow::Result<()> {
        self.payments += 1;
        let proof = match PaymentId::parse(id) {
            Ok(name) => proof(ledger, &name, after_void).await,
            Err(error) => {
                self.wrong(Some(id), error.to_string());
                return Ok(());
            }
        };
        let mut proof = match proof {
            Ok(Some(proof)) => proof,
            Ok(None) => {
                self.wrong(Some(id), "it is in the journal, and not recorded");
                return Ok(());
            }
            Err(error @ StoreError::Corrupt { .. }) => {
                self.wrong(Some(id), error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let is_erased = |message: Option<&Vec<u8>>| {
            message.is_some_and(|message| Tombstone::of(message).is_some())
        };
        if is_erased(proof.request.as_ref())
            && let Some(name) = proof.stored.payment.signed_message()
            && let Some(message) = ledger.messages().beside_tombstone(name).await?
        {
            proof.request = Some(message);
        }
        if is_erased(proof.request.as_ref().or(proof.unsigned.as_ref())) {
            let name = proof.stored.payment.signed_message();
            let archived = match name {
                Some(name) => ledger.messages().archived(name).await,
                None => Ok(None),
            };
            match archived {
                Ok(Some(_)) if proof.stored.is_erased => self.archived_then_erased += 1,
                Ok(Some(_)) => self.archived += 1,
                Ok(None) => self.erased += 1,
                Err(error @ StoreError::Corrupt { .. }) => self.wrong(Some(id), error.to_string()),
                Err(error) => return Err(error.into()),
            }
            return Ok(());
        }
        let channel = proof.stored.payment.channel();
        match channel {
            _ if proof.request.is_some() => match judge.wrong(proof)?.as_slice() {
                [] => self.signed += 1,
                wrong => self.wrong(Some(id), wrong.join("; ")),
            },
            Channel::MPay => self.wrong(Some(id), "it has no evidence"),
            Channel::Manual => self.by_hand += 1,
            Channel::Card => self.by_card += 1,
        }
        Ok(())
    }

    fn page(&self) -> Page {
        let mut page = Page::new();
        page.heading(&self.file);
        if !self.sha256.is_empty() {
            page.field("Made at", &self.made_at);
            page.field("Keys", self.keys.to_string());
            page.field("SHA-256", &self.sha256);
            page.field("Payments", count(self.payments));
            for (number, what) in [
                (self.signed, "signed by MPay, and it holds"),
                (self.by_hand, "entered by hand, and not signed by MPay"),
                (self.by_card, "by card: nothing of them is signed"),
                (
                    self.erased,
                    "erased with the personal data in their messages",
                ),
                (self.archived, "moved into archives: judge these files too"),
                (
                    self.archived_then_erased,
                    "moved into archives and erased since: the files may have them no more",
                ),
            ] {
                if number > 0 {
                    page.field("", format!("{} {what}", count(number)));
                }
            }
        }
        page.gap();
        for wrong in &self.wrong {
            let what = match &wrong.payment_id {
                Some(id) => format!("payment {id}: {}", wrong.what),
                None => wrong.what.clone(),
            };
            page.finding(Mark::Wrong, &what, None);
        }
        for note in &self.notes {
            page.finding(Mark::Note, note, None);
        }
        page.line(self.verdict());
        page
    }

    fn verdict(&self) -> String {
        if !self.holds {
            return "This backup does not hold.".to_owned();
        }
        let mut verdict = "The file is whole, and every signature in it holds.".to_owned();
        let parts = [
            (self.erased, "erased"),
            (self.archived, "moved into archives"),
            (
                self.archived_then_erased,
                "moved into archives and erased since",
            ),
            (self.by_hand, "entered by hand"),
            (self.by_card, "by card"),
        ];
        let parts = parts.into_iter().filter(|(number, _)| *number > 0);
        let parts = parts.map(|(number, what)| format!("{} {what}", count(number)));
        let parts: Vec<_> = parts.collect();
        if !parts.is_empty() {
            verdict += &format!(
                " Nothing in it proves {} of the payments: {}.",
                count(self.unproved),
                parts.join(", ")
            );
        }
        verdict
    }
}

/// The messages of a payment, `after_void` of one entered by hand or not; `None` if it is not recorded.
async fn proof(
    ledger: &Ledger<Archive>,
    id: &PaymentId,
    after_void: bool,
) -> Result<Option<Proof<StoredPayment>>, StoreError> {
    let payments = ledger.payments();
    let recorded = payments.get_many(std::slice::from_ref(id)).await?;
    let is_meant = |stored: &StoredPayment| stored.payment.after_void == after_void;
    match recorded.into_iter().find(is_meant) {
        Some(stored) => payments.proof_of(id, stored).await.map(Some),
        None => Ok(None),
    }
}

/// The trust in both sides, and the time for which it is judged.
struct Judge {
    trust: Trust,
    providers: Vec<Certificate>,
    at: Option<Timestamp>,
}

impl Judge {
    /// The points in which a payment's evidence does not hold.
    fn wrong(&self, proof: Proof<StoredPayment>) -> anyhow::Result<Vec<String>> {
        let payment = &proof.stored.payment;
        let certificate = proof.certificate.as_deref().map(Certificate::from_der);
        let mut meta = serde_json::to_value(payment)?;
        let beside = json!({
            "verdict": match payment.channel() {
                Channel::MPay => "accepted",
                other => other.as_str(),
            },
            "signer_certificate": certificate.and_then(Result::ok).map(|known| known.to_pem()),
            "request_sha256": proof.request.as_deref().map(sha256),
            "answer_sha256": proof.answer.as_deref().map(sha256),
        });
        if let (Some(meta), serde_json::Value::Object(beside)) = (meta.as_object_mut(), beside) {
            meta.extend(beside);
        }
        let meta: Meta = serde_json::from_value(meta)?;
        let received = meta
            .receipt()
            .map(|receipt| time::parse(&receipt.received_at));
        let judged_at = match (self.at, received) {
            (Some(at), _) => at,
            (None, Some(Ok(received))) => received,
            (None, _) => return Ok(vec!["it does not say when it came in".to_owned()]),
        };
        // Where others finished the recording, or no answer could be signed, there is none.
        let providers = match proof.answer {
            Some(_) => self.providers.as_slice(),
            None => &[],
        };
        let evidence = Evidence {
            request: proof.request.unwrap_or_default(),
            answer: proof.answer,
            meta: Some(meta),
            ignored: Vec::new(),
        };
        let source = match self.at {
            Some(_) => TimeSource::Given,
            None => TimeSource::Receipt,
        };
        let mut report = Report::new(String::new(), judged_at, source);
        report.judge(&evidence, self.trust.clone(), providers);
        let wrong = report.checks.into_iter().filter(|check| !check.holds);
        Ok(wrong.map(|check| check.what).collect())
    }
}

/// A backup as a store of the books. What reading brings to its end, such as a payment whose recording
/// broke off, is kept beside it and never in it.
struct Archive {
    reader: Reader,
    written: RefCell<HashMap<String, Vec<u8>>>,
    begun: Instant,
}

impl Archive {
    fn new(reader: Reader) -> Self {
        Self {
            reader,
            written: RefCell::default(),
            begun: Instant::now(),
        }
    }

    fn value(&self, key: &str) -> Result<Option<Vec<u8>>, PlatformError> {
        if let Some(value) = self.written.borrow().get(key) {
            return Ok(Some(value.clone()));
        }
        let read = self.reader.get(BOOKS.store, key);
        read.map_err(|error| PlatformError::Denied(error.to_string()))
    }
}

/// The number of a counter, as a file keeps it.
fn number(bytes: Vec<u8>) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

impl Platform for Archive {
    async fn get_many(&self, keys: &[String]) -> Result<HashMap<String, Vec<u8>>, PlatformError> {
        let mut values = HashMap::new();
        for key in keys {
            if let Some(value) = self.value(key)? {
                values.insert(key.clone(), value);
            }
        }
        Ok(values)
    }

    async fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), PlatformError> {
        self.written.borrow_mut().extend(entries.iter().cloned());
        Ok(())
    }

    async fn increment(&self, key: &str, by: u64) -> Result<u64, PlatformError> {
        let before = self.value(key)?;
        let before = before.map_or(Some(0), number);
        let count = before.and_then(|count| count.checked_add(by));
        let count = count.ok_or_else(|| PlatformError::Denied(format!("{key} is no counter")))?;
        let bytes = count.to_le_bytes().to_vec();
        self.written.borrow_mut().insert(key.to_owned(), bytes);
        Ok(count)
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.begun.elapsed()
    }

    fn random(&self) -> u64 {
        rand::random()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_proves_is_counted_by_its_reasons() {
        let mut judgement = Judgement {
            payments: 31,
            by_hand: 1,
            by_card: 2,
            erased: 4,
            archived: 8,
            archived_then_erased: 16,
            ..Judgement::default()
        };
        judgement.conclude();
        assert_eq!(
            judgement.verdict(),
            "The file is whole, and every signature in it holds. Nothing in it proves 31 of the payments: 4 erased, \
             8 moved into archives, 16 moved into archives and erased since, 1 entered by hand, 2 by card."
        );
        judgement.wrong(None, "x");
        judgement.conclude();
        assert_eq!(judgement.verdict(), "This backup does not hold.");
    }
}
