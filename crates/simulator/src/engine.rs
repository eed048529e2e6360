//! The store: what each engine does when a call takes effect, and what its faults are.
//!
//! A call has an effect at one moment (a batch read on Redis at several, one for each run of keys)
//! and an answer at a later one. Faults come between: the call fails without an effect, or its
//! answer is lost, or it takes effect long after its caller was told that it failed.

use std::collections::{BTreeMap, HashMap};

use crate::{
    executor::Micros,
    random::{MINUTE, Random, SECOND},
};

/// Which engine is imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A batch read is of one moment; a batch written is a transaction; writers find the file busy.
    Sqlite,
    /// Keys are read one by one, at different moments; a batch written (MSET) is one moment.
    Redis,
    /// A batch read is of one moment, as on SQLite; connections break, as on Redis.
    Postgres,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Redis, Self::Postgres];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
        }
    }
}

/// What an engine must never do: for runs that show that it is found, and whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A counter gives one number twice.
    EqualCounts,
    /// A write that was confirmed is not there.
    LostWrite,
    /// A batch is written in two parts, and the second sometimes never.
    TornBatch,
    /// A record is not as it was written: only its first half is there.
    DamagedRecord,
}

impl Broken {
    /// Every one.
    pub const ALL: [Self; 4] = [
        Self::EqualCounts,
        Self::LostWrite,
        Self::TornBatch,
        Self::DamagedRecord,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::EqualCounts => "equal-counts",
            Self::LostWrite => "lost-write",
            Self::TornBatch => "torn-batch",
            Self::DamagedRecord => "damaged-record",
        }
    }
}

/// How often what goes wrong, in a run.
#[derive(Debug, Clone)]
pub struct Weather {
    /// The call fails, and has no effect.
    pub fail_before: f64,
    /// The call has its effect, and its answer is lost.
    pub fail_after: f64,
    /// The caller is told that the call failed; its effect comes later.
    pub late: f64,
    /// How much later at most.
    pub latest: Micros,
    /// The call takes long.
    pub stall: f64,
    /// How long at most.
    pub longest_stall: Micros,
    /// Writes that fail because the disk is full come for a while, so often in an hour.
    pub full_disks: f64,
    /// What the engine does wrong, and never should.
    pub broken: Option<Broken>,
}

impl Weather {
    /// Nothing goes wrong.
    pub const FAIR: Self = Self {
        fail_before: 0.0,
        fail_after: 0.0,
        late: 0.0,
        latest: 0,
        stall: 0.0,
        longest_stall: 0,
        full_disks: 0.0,
        broken: None,
    };

    /// That of a run: each kind of fault is there in some runs, often or seldom, and not in others,
    /// since together they would hide what each does alone.
    pub fn of_run(random: &Random, mild: bool) -> Self {
        let rate = |highest: f64| {
            if random.happens(0.5) {
                highest * (random.scaled(1, 100) as f64 / 100.0)
            } else {
                0.0
            }
        };
        let (stall, late) = if mild {
            (3 * SECOND, 5 * SECOND)
        } else {
            (3 * MINUTE, 4 * MINUTE)
        };
        Self {
            fail_before: rate(0.15),
            fail_after: rate(0.1),
            late: rate(0.05),
            latest: random.scaled(SECOND, late),
            stall: rate(0.05),
            longest_stall: random.scaled(SECOND, stall),
            full_disks: rate(2.0),
            broken: None,
        }
    }
}

/// A value, and which call wrote it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The value.
    pub value: Vec<u8>,
    /// The number of the call.
    pub written_by: u64,
}

/// The values of the store. What it holds survives every host.
pub struct Engine {
    /// What it imitates.
    pub kind: Kind,
    values: BTreeMap<String, Stored>,
}

impl Engine {
    /// An empty one.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            values: BTreeMap::new(),
        }
    }

    /// Reads some keys, now.
    pub fn get(&self, keys: &[String], into: &mut HashMap<String, Vec<u8>>) {
        for key in keys {
            if let Some(stored) = self.values.get(key) {
                into.insert(key.clone(), stored.value.clone());
            }
        }
    }

    /// Which call wrote a key's value.
    pub fn writer(&self, key: &str) -> Option<u64> {
        self.values.get(key).map(|stored| stored.written_by)
    }

    /// Writes some keys, now.
    pub fn set(&mut self, call: u64, entries: &[(String, Vec<u8>)]) {
        for (key, value) in entries {
            // By that a copy for another engine tells which values it must write in another form.
            assert!(!mpay_ledger::is_counter(key), "{key} is written");
            let stored = Stored {
                value: value.clone(),
                written_by: call,
            };
            self.values.insert(key.clone(), stored);
        }
    }

    /// Adds to a counter, now.
    pub fn count(&mut self, call: u64, key: &str, by: u64) -> u64 {
        assert!(mpay_ledger::is_counter(key), "{key} is counted");
        let before = self.values.get(key);
        let before = before.map_or(0, |stored| self.read_counter(&stored.value));
        let count = before + by;
        let value = match self.kind {
            Kind::Sqlite => count.to_le_bytes().to_vec(),
            // Redis keeps text; so does a table of texts.
            Kind::Redis | Kind::Postgres => count.to_string().into_bytes(),
        };
        let stored = Stored {
            value,
            written_by: call,
        };
        self.values.insert(key.to_owned(), stored);
        count
    }

    fn read_counter(&self, value: &[u8]) -> u64 {
        match self.kind {
            Kind::Sqlite => value.try_into().map_or(0, u64::from_le_bytes),
            Kind::Redis | Kind::Postgres => {
                let text = std::str::from_utf8(value).ok();
                text.and_then(|text| text.parse().ok()).unwrap_or(0)
            }
        }
    }

    /// The keys whose values hold a text.
    pub fn keys_with(&self, text: &str) -> Vec<String> {
        let holds = |value: &[u8]| {
            let mut windows = value.windows(text.len().max(1));
            windows.any(|window| window == text.as_bytes())
        };
        let values = self.values.iter();
        let holding = values.filter(|(key, stored)| key.contains(text) || holds(&stored.value));
        holding.map(|(key, _)| key.clone()).collect()
    }

    /// Every key that contains a text, with its value, for people.
    pub fn describe(&self, text: &str) -> Vec<String> {
        let values = self.values.iter();
        let of = values.filter(|(key, stored)| {
            key.contains(text) || String::from_utf8_lossy(&stored.value).contains(text)
        });
        of.map(|(key, stored)| {
            let value: String = String::from_utf8_lossy(&stored.value)
                .chars()
                .take(300)
                .collect();
            format!("{key} = {value}")
        })
        .collect()
    }
}
