//! The audit of the store: the guarantees that every engine owes to the provider, judged by calls and
//! answers alone. If the store breaks one, the findings of the oracle are the store's fault.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Call, Engine, Reply};

/// The known facts about the calls of the store.
#[derive(Debug, Default)]
pub struct Audit {
    /// The number of the latest call.
    sent: u64,
    /// Counters of calls that have no answer yet, by the number of the call.
    counting: BTreeMap<u64, String>,
    /// Numbers given out, by counter.
    counts: BTreeMap<String, BTreeSet<u64>>,
    /// Keys of batches that have no answer yet, by the number of the call.
    writing: BTreeMap<u64, Vec<String>>,
    /// The latest batch that was confirmed for each key.
    written: BTreeMap<String, u64>,
    /// For each confirmed batch, the number of the latest call sent before its confirmation.
    ended: BTreeMap<u64, u64>,
    /// The faults of the store.
    pub faults: Vec<String>,
}

impl Audit {
    /// Notes that a call is sent.
    pub fn called(&mut self, number: u64, call: &Call) {
        self.sent = number;
        match call {
            Call::Count(key, _) => {
                self.counting.insert(number, key.clone());
            }
            Call::Set(entries) => {
                let keys = entries.iter().map(|(key, _)| key.clone());
                self.writing.insert(number, keys.collect());
            }
            Call::Get(_) => {}
        }
    }

    /// Notes that a call is answered.
    pub fn answered(&mut self, number: u64, reply: &Reply) {
        match reply {
            Reply::Count(count) => {
                if let Some(key) = self.counting.remove(&number)
                    && !self.counts.entry(key.clone()).or_default().insert(*count)
                {
                    let fault = format!("the counter {key} gave {count} twice");
                    self.faults.push(fault);
                }
            }
            Reply::Done => {
                self.ended.insert(number, self.sent);
                for key in self.writing.remove(&number).unwrap_or_default() {
                    self.written.insert(key, number);
                }
            }
            Reply::Values(_) => {}
        }
    }

    /// Notes that a record is written damaged. Calls and answers do not show this, so the store tells it.
    pub fn damaged(&mut self, key: &str) {
        self.faults.push(format!("{key} is damaged"));
    }

    /// Checks the store at the end of a run: each confirmed batch must be there whole, except where a
    /// later one may have replaced it.
    pub fn at_the_end(&mut self, engine: &Engine) {
        for (key, number) in &self.written {
            let fault = match engine.writer(key) {
                None => format!("{key} is not there, though call {number} wrote it"),
                // Only a call that had ended before this one was sent is certainly older.
                Some(writer) if self.ended.get(&writer).is_some_and(|sent| sent < number) => {
                    format!("{key} is as call {writer} wrote it, and not call {number}")
                }
                Some(_) => continue,
            };
            self.faults.push(fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Kind;

    fn set(key: &str) -> Call {
        Call::Set(vec![(key.to_owned(), Vec::new())])
    }

    #[test]
    fn a_number_that_is_given_twice_is_the_stores_fault() {
        let mut audit = Audit::default();
        for number in 1..=2 {
            audit.called(number, &Call::Count("list".into(), 1));
            audit.answered(number, &Reply::Count(7));
        }
        assert_eq!(audit.faults, ["the counter list gave 7 twice"]);
    }

    #[test]
    fn a_write_that_was_confirmed_and_is_not_there_is_the_stores_fault() {
        let (mut audit, mut engine) = (Audit::default(), Engine::new(Kind::Redis));
        for (number, key) in [(1, "kept"), (2, "lost"), (3, "old"), (4, "old")] {
            audit.called(number, &set(key));
            if !matches!(number, 2 | 4) {
                engine.set(number, &[(key.to_owned(), Vec::new())]);
            }
            audit.answered(number, &Reply::Done);
        }
        audit.at_the_end(&engine);
        assert_eq!(
            audit.faults,
            [
                "lost is not there, though call 2 wrote it",
                "old is as call 3 wrote it, and not call 4"
            ]
        );
    }

    #[test]
    fn of_two_writes_at_once_either_may_be_the_last() {
        let (mut audit, mut engine) = (Audit::default(), Engine::new(Kind::Redis));
        audit.called(1, &set("key"));
        audit.called(2, &set("key"));
        engine.set(1, &[("key".to_owned(), Vec::new())]);
        audit.answered(1, &Reply::Done);
        audit.answered(2, &Reply::Done);
        audit.at_the_end(&engine);
        assert_eq!(audit.faults, [""; 0]);
    }
}
