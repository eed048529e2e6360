use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;

use super::{
    memory::{Fault, Memory},
    *,
};

const LIST: &str = "list";

fn log(memory: &Memory) -> Log<Memory> {
    Log::new(memory.clone())
}

async fn write(memory: &Memory, text: &str) -> (u64, bool) {
    let log = log(memory);
    let slot = log.take(LIST).await.unwrap();
    let json = format!("{text:?}");
    let filled = log.fill(&[(&slot, &json)], Vec::new()).await.unwrap();
    (slot.index(), filled.all())
}

async fn read(memory: &Memory) -> Listing<String> {
    log(memory).read_all(LIST).await.unwrap()
}

fn values(listing: &Listing<String>) -> Vec<(u64, &str)> {
    let entries = listing.entries.iter();
    entries
        .map(|entry| (entry.index, entry.value.as_str()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn memory_keeps_the_contract() {
    contract::check(&Memory::new(), "test").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_written_is_read_in_its_order_and_a_hole_is_unsettled() {
    let memory = Memory::new();
    write(&memory, "a").await;
    memory.increment(LIST, 2).await.unwrap();
    write(&memory, "b").await;
    let seen = read(&memory).await;
    assert_eq!(values(&seen), [(1, "a"), (4, "b")]);
    assert_eq!(seen.unsettled, BTreeSet::from([2, 3]));
    assert_eq!((seen.settled(), seen.length, seen.next), (1, 4, 5));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_nobody_contests_costs_no_call_for_it() {
    let memory = Memory::new();
    write(&memory, "a").await;
    assert_eq!(
        memory.take_calls(),
        ["increment list", "set list/1", "get contest/list/0"]
    );
    read(&memory).await;
    assert_eq!(memory.take_calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hole_that_is_decided_stays_dead_though_its_entry_comes() {
    let memory = Memory::new();
    let log = log(&memory);
    let slot = log.take(LIST).await.unwrap();
    let fates = log.decide(LIST, &BTreeSet::from([1])).await.unwrap();
    assert_eq!(fates[&1], Fate::Dead);
    let filled = log.fill(&[(&slot, r#""late""#)], Vec::new()).await.unwrap();
    assert!(!filled.all() && !filled.is_alive(&slot));
    let seen = read(&memory).await;
    assert_eq!(values(&seen), []);
    assert_eq!((seen.settled(), seen.late.len()), (1, 1));
    // Whoever asks once more is told the same.
    let fates = log.decide(LIST, &BTreeSet::from([1])).await.unwrap();
    assert_eq!(fates[&1], Fate::Dead);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_there_is_alive_whoever_asks() {
    let memory = Memory::new();
    write(&memory, "a").await;
    let log = log(&memory);
    let fates = log.decide(LIST, &BTreeSet::from([1])).await.unwrap();
    assert_eq!(fates[&1], Fate::Alive);
    assert_eq!(values(&read(&memory).await), [(1, "a")]);
    // Its neighbour was asked about by nobody.
    assert_eq!(write(&memory, "b").await, (2, true));
}

/// Someone who saw only a hole may ask about it after the entry has come, and was acknowledged; and
/// die. The entry counts for every reader all the same.
#[tokio::test(start_paused = true)]
async fn what_was_seen_once_does_not_vanish_when_it_is_asked_about_later() {
    // His ballot breaks off after the counter, the promise, the reading, or what he accepts.
    for calls in 1..=5 {
        let memory = Memory::new();
        assert_eq!(write(&memory, "a").await, (1, true));
        assert_eq!(values(&read(&memory).await), [(1, "a")]);
        let log = log(&memory);
        let places = BTreeSet::from([1]);
        memory.script((0..calls).map(|_| Fault::None).chain([Fault::Cut]));
        let asked = tokio::time::timeout(Duration::from_secs(9), log.decide(LIST, &places)).await;
        assert!(asked.is_err(), "{calls}: it was cut off");
        memory.script([]);
        let seen = read(&memory).await;
        assert_eq!(values(&seen), [(1, "a")], "{calls}");
        assert_eq!(seen.settled(), 1, "{calls}");
        let seen = log.read_part::<String>(LIST, 1, 1).await.unwrap();
        assert_eq!(values(&seen), [(1, "a")], "{calls}");
    }
}

/// Between a reader's look at the entries and that at what was decided of them, one may be written and
/// found alive: it is there, and not lost.
#[tokio::test(start_paused = true)]
async fn what_is_written_and_found_alive_while_somebody_reads_is_not_taken_for_lost() {
    let memory = Memory::new();
    let log = log(&memory);
    let slot = log.take(LIST).await.unwrap();
    let after = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
    // Somebody begins to ask, then a reader sees the hole, then the entry comes and is found.
    memory.script([
        Fault::None,
        Fault::Delay(Duration::from_secs(3)),
        Fault::None,
        Fault::Delay(Duration::from_secs(20)),
    ]);
    let places = BTreeSet::from([1]);
    let asks = log.decide(LIST, &places);
    let reads = async {
        after(1).await;
        log.read_part::<String>(LIST, 1, 1).await.unwrap()
    };
    let writes = async {
        after(2).await;
        let filled = log.fill(&[(&slot, r#""a""#)], Vec::new()).await.unwrap();
        assert!(filled.all());
    };
    let (fates, seen, ()) = futures::future::join3(asks, reads, writes).await;
    assert_eq!(fates.unwrap()[&1], Fate::Alive);
    assert_eq!(values(&seen), [(1, "a")]);
    assert!(seen.unreadable.is_empty());
    // What is lost is still told.
    memory.remove("list/1");
    let seen = log.read_part::<String>(LIST, 1, 1).await.unwrap();
    assert_eq!(seen.unreadable.len(), 1);
}

/// A generator of schedules: a few lines are enough.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }

    fn fault(&mut self) -> Fault {
        match self.below(12) {
            0 => Fault::Fail,
            1 => Fault::Drop,
            2 => Fault::Cut,
            3 => Fault::CutAfter,
            4 => Fault::Delay(Duration::from_secs(self.below(20))),
            5..8 => Fault::Delay(Duration::from_millis(self.below(300))),
            _ => Fault::None,
        }
    }
}

/// However calls are delayed, lost and cut off: all who learn the fate of a place learn the same, the
/// writer among them, and it stays so.
#[tokio::test(start_paused = true)]
async fn all_who_ask_agree_on_the_fate_of_a_place() {
    const PATIENCE: Duration = Duration::from_secs(200);
    let (mut alive, mut dead, mut late) = (0, 0, 0);
    for seed in 0..2_000 {
        let mut chance = Chance(seed);
        let memory = Memory::new();
        let slot = log(&memory).take(LIST).await.unwrap();
        memory.script((0..chance.below(60)).map(|_| chance.fault()));
        let starts: Vec<_> = (0..4).map(|_| chance.below(400)).collect();
        let writer = tokio::time::timeout(PATIENCE, async {
            tokio::time::sleep(Duration::from_millis(starts[3])).await;
            log(&memory).fill(&[(&slot, r#""a""#)], Vec::new()).await
        });
        let readers = join_all(starts[..3].iter().map(|start| async {
            tokio::time::sleep(Duration::from_millis(*start)).await;
            let (log, places) = (log(&memory), BTreeSet::from([1]));
            tokio::time::timeout(PATIENCE, log.decide(LIST, &places)).await
        }));
        let (written, decided) = tokio::join!(writer, readers);
        memory.script([]);
        tokio::time::sleep(PATIENCE).await;
        let known = decided.iter().flatten().flatten().map(|fates| fates[&1]);
        let mut fates: Vec<_> = known.collect();
        if let Ok(Ok(filled)) = &written {
            fates.push(if filled.all() {
                Fate::Alive
            } else {
                Fate::Dead
            });
        }
        // Then somebody comes when it is quiet.
        let places = BTreeSet::from([1]);
        let last = log(&memory).decide(LIST, &places).await.unwrap()[&1];
        assert!(fates.iter().all(|fate| *fate == last), "{seed}: {fates:?}");
        let seen = read(&memory).await;
        assert!(seen.unsettled.is_empty(), "{seed}");
        match last {
            Fate::Alive => {
                assert_eq!(values(&seen), [(1, "a")], "{seed}");
                alive += 1;
            }
            Fate::Dead => {
                assert_eq!(values(&seen), [], "{seed}");
                dead += 1;
            }
        }
        late += seen.late.len();
    }
    // The schedules are such that all of it happens.
    assert!(
        alive > 200 && dead > 200 && late > 50,
        "{alive} {dead} {late}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reader_passes_a_run_of_holes_within_seconds() {
    let memory = Memory::new();
    write(&memory, "a").await;
    memory.increment(LIST, 752).await.unwrap();
    write(&memory, "b").await;
    let begun = memory.monotonic();
    let log = log(&memory);
    let (mut next, mut found) = (1, Vec::new());
    while next <= 754 {
        let part = log.read_on::<String>(LIST, next, BLOCK).await.unwrap();
        found.extend(part.entries.iter().map(|entry| entry.value.clone()));
        assert!(part.settled() >= next, "{next}");
        next = part.settled() + 1;
    }
    assert_eq!(found, ["a", "b"]);
    let took = memory.monotonic() - begun;
    assert!(
        took < Duration::from_secs(3 * 3),
        "{took:?} for three blocks"
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_is_at_it_is_left_his_time_and_then_passed_by() {
    let memory = Memory::new();
    memory.increment(LIST, 1).await.unwrap();
    write(&memory, "b").await;
    let log = log(&memory);
    let seen = log.read_on::<String>(LIST, 1, BLOCK).await.unwrap();
    assert_eq!(seen.settled(), 0, "it may still come");
    tokio::time::sleep(PATIENCE).await;
    let seen = log.read_on::<String>(LIST, 1, BLOCK).await.unwrap();
    assert_eq!((seen.settled(), values(&seen)), (2, vec![(2, "b")]));
}

/// No clock decides: it only says whether to wait.
#[tokio::test(start_paused = true)]
async fn a_wrong_clock_makes_a_reader_wait_and_no_more() {
    for hours in [-48, 48] {
        let memory = Memory::new();
        memory.increment(LIST, 1).await.unwrap();
        write(&memory, "b").await;
        memory.step_clock(jiff::SignedDuration::from_hours(hours));
        let begun = memory.monotonic();
        let seen = log(&memory)
            .read_on::<String>(LIST, 1, BLOCK)
            .await
            .unwrap();
        assert_eq!((seen.settled(), values(&seen)), (2, vec![(2, "b")]));
        assert!(memory.monotonic() - begun <= PATIENCE, "{hours}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_is_waited_for_and_a_dead_one_passed_within_three_seconds() {
    let memory = Memory::new();
    // One who writes after half a second, and one who never does.
    let slow = async {
        let log = log(&memory);
        let slot = log.take(LIST).await.unwrap();
        memory.increment(LIST, 1).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        log.fill(&[(&slot, r#""slow""#)], Vec::new()).await.unwrap()
    };
    let settled = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let begun = memory.monotonic();
        log(&memory).settle(LIST, 1, 3).await.unwrap();
        memory.monotonic() - begun
    };
    let (filled, took) = tokio::join!(slow, settled);
    assert!(filled.all());
    assert!(took < Duration::from_secs(3), "{took:?}");
    let seen = read(&memory).await;
    assert_eq!((values(&seen), seen.settled()), (vec![(1, "slow")], 2));
}

/// Or two readers would take different entries for the first.
#[tokio::test(start_paused = true)]
async fn an_entry_behind_a_place_that_may_still_be_filled_is_not_taken_for_the_first() {
    let memory = Memory::new();
    // One who never writes. While he is waited for one takes a place and is slow, and another is quick.
    memory.increment(LIST, 1).await.unwrap();
    let slow = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let log = log(&memory);
        let slot = log.take(LIST).await.unwrap();
        write(&memory, "quick").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        log.fill(&[(&slot, r#""slow""#)], Vec::new()).await.unwrap()
    };
    let first = async {
        let seen = log(&memory).read_settled::<String>(LIST).await.unwrap();
        assert_eq!((values(&seen), seen.settled()), (vec![], 1));
    };
    let (filled, ()) = tokio::join!(slow, first);
    assert!(filled.all());
    let seen = log(&memory).read_settled::<String>(LIST).await.unwrap();
    assert_eq!(values(&seen), [(2, "slow"), (3, "quick")]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_given_as_it_is_and_stops_nobody() {
    let memory = Memory::new();
    for text in ["a", "b", "c", "d"] {
        write(&memory, text).await;
    }
    let later = r#"{"v":2,"at":"2026-06-01T09:00:00Z","entry":{"what":"ever"}}"#;
    memory.overwrite("list/2", later.into());
    memory.overwrite("list/3", b"\xFFgarbage".to_vec());
    let seen = read(&memory).await;
    assert_eq!(values(&seen), [(1, "a"), (4, "d")]);
    assert_eq!(seen.settled(), 4);
    let [unknown, damaged] = &seen.unreadable[..] else {
        panic!("{seen:?}");
    };
    assert_eq!((unknown.index, unknown.is_unknown), (2, true));
    assert_eq!(unknown.bytes, later.as_bytes());
    assert!(unknown.at.is_some());
    assert_eq!((damaged.index, damaged.is_unknown), (3, false));
    // A counter that is none is damage of its list alone.
    memory.overwrite("other", b"x".to_vec());
    assert!(log(&memory).read_all::<String>("other").await.is_err());
    assert!(log(&memory).read_all::<String>(LIST).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn several_places_are_taken_at_once_and_by_nobody_else() {
    let memory = Memory::new();
    let log = log(&memory);
    let calls = (1..=8).map(|places| log.take_many(LIST, places));
    let slots = join_all(calls).await.into_iter().flat_map(Result::unwrap);
    let places: BTreeSet<_> = slots.map(|slot| slot.index()).collect();
    assert_eq!(places, (1..=36).collect());
    assert!(log.take_many(LIST, 0).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn times_do_not_run_backwards_with_a_clock_that_steps_back_a_little() {
    let memory = Memory::new();
    let add = async |lists: &[&str]| {
        let log = log(&memory);
        let mut slots = Vec::new();
        for list in lists {
            log.read_all::<String>(list).await.unwrap();
            slots.push(log.take(list).await.unwrap());
        }
        let entries: Vec<_> = slots.iter().map(|slot| (slot, r#""x""#)).collect();
        assert!(log.fill(&entries, Vec::new()).await.unwrap().all());
    };
    let times = async |list: &str| {
        let all = log(&memory).read_all::<String>(list).await.unwrap();
        all.entries.iter().map(|entry| entry.at).collect::<Vec<_>>()
    };
    add(&[LIST]).await;
    memory.step_clock(jiff::SignedDuration::from_mins(-4));
    // What is written together has one time.
    add(&[LIST, "other"]).await;
    let first = times(LIST).await[0];
    assert_eq!(times(LIST).await, [first; 2]);
    assert_eq!(times("other").await, [first]);
    // A clock that is wrong by hours dates nothing of what others write.
    memory.step_clock(jiff::SignedDuration::from_hours(5));
    add(&[LIST]).await;
    memory.step_clock(jiff::SignedDuration::from_hours(-5));
    add(&[LIST]).await;
    let now = log(&memory).now();
    assert_eq!(times(LIST).await[3], now);
    assert!(times(LIST).await[2] > now);
}
