//! Readers: those with a cursor, the cron job of the outbox, and the accountant who closes days.

use std::rc::Rc;

use serde_json::Value;

use crate::{
    client::Ask,
    clock,
    cursor::Cursor,
    profile::Profile,
    random::{MINUTE, SECOND},
    world::World,
};

/// The list that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// `/api/payments`.
    Payments,
    /// `/api/events`.
    Events,
}

impl List {
    fn name(self) -> &'static str {
        match self {
            Self::Payments => "payments",
            Self::Events => "events",
        }
    }
}

/// Reads one page after a reader's cursor. Gives true if the cursor has moved on; `None` if there was no
/// answer.
pub async fn read_on(world: &Rc<World>, list: List, reader: usize) -> Option<bool> {
    let after = {
        let history = world.history.borrow();
        let readers = match list {
            List::Payments => &history.payment_readers,
            List::Events => &history.event_readers,
        };
        readers.get(reader)?.cursor.clone()
    };
    let limit = [1, 3, 20, 200].get(world.random.below(4)).copied();
    let name = list.name();
    let limit = limit.unwrap_or(200);
    let path = format!("{name}?cursor={after}&limit={limit}");
    let answer = Ask::new("GET", path).send(world).await;
    if answer.status() != 200 {
        return None;
    }
    let page = answer.json();
    let next = Cursor::reached(&page)?;
    let entries = page.get(name).and_then(Value::as_array)?;
    let entries: Vec<_> = entries
        .iter()
        .filter_map(|entry| identity(list, entry))
        .collect();
    let mut history = world.history.borrow_mut();
    let readers = match list {
        List::Payments => &mut history.payment_readers,
        List::Events => &mut history.event_readers,
    };
    let known = readers.get_mut(reader)?;
    let mut last = after.place;
    let mut wrong = None;
    for (index, what) in &entries {
        if *index <= last || *index > next.place {
            wrong = Some(format!(
                "/api/{name}?cursor={after} shows {what} at {index}, after {last} and before next={next}"
            ));
        }
        last = *index;
    }
    if next.place < after.place {
        wrong = Some(format!("/api/{name}?cursor={after} goes back to {next}"));
    }
    let moved = next.place > known.cursor.place;
    known.cursor = next;
    known.seen.extend(entries);
    if let Some(wrong) = wrong {
        history.find("a cursor goes wrong", name, wrong);
    }
    Some(moved)
}

/// The identity of an entry: its place, and those members that can never change.
pub fn identity(list: List, entry: &Value) -> Option<(u64, String)> {
    let index = entry.get("index")?.as_u64()?;
    let text = |name| entry.get(name).and_then(Value::as_str).unwrap_or("-");
    let what = match list {
        List::Payments => text("payment_id").to_owned(),
        List::Events => {
            let members = ["type", "payment_id", "service_id", "order_key"].map(text);
            let version = entry.get("version").map(Value::to_string);
            format!("{} {}", members.join(" "), version.unwrap_or_default())
        }
    };
    Some((index, what))
}

/// A program that follows a list, until the world is at peace.
pub async fn follow(world: Rc<World>, list: List, reader: usize) {
    while !world.peace.get() {
        let (least, most) = world.profile.get().readers_pause();
        world.sleep(world.random.scaled(least, most)).await;
        read_on(&world, list, reader).await;
    }
}

/// Delivers the outbox each minute, until the world is at peace.
pub async fn cron(world: Rc<World>) {
    while !world.peace.get() {
        let pause = world.random.between(40 * SECOND, 80 * SECOND);
        world.sleep(pause).await;
        Ask::new("POST", "outbox/deliver").send(&world).await;
        // Somebody sees that deliveries to a receiver have ended, and resumes them.
        if world.random.happens(0.05) {
            Ask::new("POST", "webhooks/erp/resume").send(&world).await;
        }
    }
}

/// Acts as an accountant who waits for days to be closed, until the world is at peace.
pub async fn account(world: Rc<World>) {
    while !world.peace.get() {
        let (least, most) = world.profile.get().accountants_pause();
        world.sleep(world.random.scaled(least, most)).await;
        reconcile(&world).await;
    }
}

/// Reads a day by chance: yesterday, today or tomorrow, since the hosts' clocks differ.
pub async fn reconcile(world: &Rc<World>) {
    let (first, last) = match world.profile.get() {
        Profile::Midnight => (1, 3),
        _ => (0, 3),
    };
    let day = world.random.between(first, last);
    read_day(world, &day_after_the_first(day)).await;
}

/// The date of a day of a run; day 0 is the day before the run begins.
pub fn day_after_the_first(day: u64) -> String {
    let begin = clock::true_time(0);
    let days = i64::try_from(day).unwrap_or(0) - 1;
    let time = begin.checked_add(jiff::SignedDuration::from_hours(24 * days + 3));
    let time = time.unwrap_or(begin).to_string();
    time.get(..10).unwrap_or_default().to_owned()
}

/// Reads a day, and checks that a day which was closed before is unchanged. Gives its lines; `None` if
/// there was no answer.
pub async fn read_day(world: &Rc<World>, date: &str) -> Option<Vec<String>> {
    // A question sent before the day was known to be closed may be answered as the day was then.
    let was_closed = world.history.borrow().closed_days.contains_key(date);
    let (mut after, mut lines) = (Cursor::default(), Vec::new());
    let (mut closed, mut is_whole) = (false, true);
    for part in 0..20 {
        let path = format!("reconciliation?date={date}&cursor={after}");
        let answer = Ask::new("GET", path).send(world).await;
        if answer.status() != 200 {
            return None;
        }
        let page = answer.json();
        if part == 0 {
            closed = page.get("closed").and_then(Value::as_bool)?;
        }
        for line in page.get("lines").and_then(Value::as_array)? {
            let text = |name| line.get(name).and_then(Value::as_str).unwrap_or("-");
            let index = line.get("index").and_then(Value::as_u64)?;
            let members = [
                "payment_id",
                "order_key",
                "line_id",
                "amount",
                "recorded_at",
            ];
            let is_refund = line.get("refund").and_then(Value::as_bool) == Some(true);
            let what = if is_refund { "refund " } else { "" };
            lines.push(format!("{what}{} {index}", members.map(text).join(" ")));
        }
        match Cursor::next(&page) {
            Some(next) if next.place > after.place => after = next,
            next => {
                is_whole = next.is_none();
                break;
            }
        }
    }
    let mut history = world.history.borrow_mut();
    if closed && !is_whole {
        let detail = format!("{date} is closed, and something of it is still coming after {after}");
        history.find("a closed day is not whole", date, detail);
    }
    if let Some(before) = history.closed_days.get(date)
        && (was_closed || closed)
    {
        let changed = if *before != lines {
            let gone = before.iter().filter(|line| !lines.contains(line));
            let new = lines.iter().filter(|line| !before.contains(line));
            let gone: Vec<_> = gone.cloned().collect();
            let new: Vec<_> = new.cloned().collect();
            Some((gone, new))
        } else {
            None
        };
        if let Some((gone, new)) = changed {
            let subject = gone.iter().chain(&new).next().cloned().unwrap_or_default();
            let subject = subject.split(' ').next().unwrap_or_default().to_owned();
            let detail = format!("{date} was closed, and since: gone {gone:?}, new {new:?}");
            history.find("a closed day changes", &subject, detail);
        } else if !closed {
            let detail = format!("{date} was closed, and is open again");
            history.find("a closed day is open again", date, detail);
        }
    } else if closed {
        history.closed_days.insert(date.to_owned(), lines.clone());
    }
    Some(lines)
}

/// The time for which a reader waits, at the end, for entries that hold it up.
pub const PATIENCE: u64 = 5 * MINUTE;
