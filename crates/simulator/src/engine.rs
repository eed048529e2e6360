//! The store: the effect of a call on each engine, and the faults of engines.
//!
//! A call takes effect at one moment and is answered at a later one. (On Redis a batch is read at several
//! moments, one for each run of keys.) Faults come in between: the call fails without an effect, or its
//! answer is lost, or it takes effect long after its caller was told that it failed.

use std::collections::{BTreeMap, HashMap};

use crate::{
    executor::Micros,
    random::{MINUTE, Random, SECOND},
};

/// The engine that is imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A batch is read at one moment and written in one transaction; writers find the file locked.
    Sqlite,
    /// Keys are read one by one, at different moments; a batch is written (MSET) at one moment.
    Redis,
    /// A batch is read at one moment, as on SQLite; connections break, as on Redis.
    Postgres,
}

impl Kind {
    /// All engines.
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

/// A call of the store.
#[derive(Debug, Clone)]
pub enum Call {
    /// Reads keys.
    Get(Vec<String>),
    /// Writes a batch.
    Set(Vec<(String, Vec<u8>)>),
    /// Adds to a counter.
    Count(String, u64),
}

/// The answer of the store to a call.
#[derive(Debug)]
pub enum Reply {
    /// The values of those keys that have one.
    Values(HashMap<String, Vec<u8>>),
    /// The batch is written.
    Done,
    /// The new value of the counter.
    Count(u64),
}

/// Faults that an engine must never have, for runs that show that they are found and blamed on the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A counter gives one number twice.
    EqualCounts,
    /// A confirmed write is lost.
    LostWrite,
    /// A batch is written in two parts, the second sometimes never.
    TornBatch,
    /// Only the first half of a record is written.
    DamagedRecord,
}

impl Broken {
    /// All of them.
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

/// The faults of the store in a run. Numbers without a unit are probabilities for each call.
#[derive(Debug, Clone)]
pub struct Weather {
    /// The call fails, and has no effect.
    pub fail_before: f64,
    /// The call has its effect, and its answer is lost.
    pub fail_after: f64,
    /// The caller is told that the call failed; its effect comes later.
    pub late: f64,
    /// The longest time by which that effect comes later.
    pub latest: Micros,
    /// The call takes a long time.
    pub stall: f64,
    /// The longest of such times.
    pub longest_stall: Micros,
    /// Periods in which writes fail because the disk is full, per hour.
    pub full_disks: f64,
    /// A fault that the engine must never have.
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

    /// The faults of a run, by chance. Each kind of fault is present in some runs, often or seldom, and
    /// absent in others, since together they would hide the effect of each one.
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

/// A value, and the call that wrote it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The value.
    pub value: Vec<u8>,
    /// The number of the call.
    pub written_by: u64,
}

/// The values of the store, which outlive every host.
pub struct Engine {
    /// The engine that is imitated.
    pub kind: Kind,
    values: BTreeMap<String, Stored>,
}

impl Engine {
    /// An empty store.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            values: BTreeMap::new(),
        }
    }

    /// Reads some keys at once.
    pub fn get(&self, keys: &[String], into: &mut HashMap<String, Vec<u8>>) {
        for key in keys {
            if let Some(stored) = self.values.get(key) {
                into.insert(key.clone(), stored.value.clone());
            }
        }
    }

    /// The number of the call that wrote a key's value.
    pub fn writer(&self, key: &str) -> Option<u64> {
        self.values.get(key).map(|stored| stored.written_by)
    }

    /// Writes some keys at once.
    pub fn set(&mut self, call: u64, entries: &[(String, Vec<u8>)]) {
        for (key, value) in entries {
            // A copy for another engine tells by this which values it must write in another form.
            assert!(!mpay_ledger::is_counter(key), "{key} is written");
            let stored = Stored {
                value: value.clone(),
                written_by: call,
            };
            self.values.insert(key.clone(), stored);
        }
    }

    /// Adds to a counter at once, and gives its new value.
    pub fn count(&mut self, call: u64, key: &str, by: u64) -> u64 {
        assert!(mpay_ledger::is_counter(key), "{key} is counted");
        let before = self.values.get(key);
        let before = before.map_or(0, |stored| self.read_counter(&stored.value));
        let count = before + by;
        let value = match self.kind {
            Kind::Sqlite => count.to_le_bytes().to_vec(),
            // Redis keeps counters as text, and so does the table of PostgreSQL.
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

    /// The keys that contain a text, or whose values do.
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
