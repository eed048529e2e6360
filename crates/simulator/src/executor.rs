//! The executor: futures in virtual time, on one thread.
//!
//! A future waits for a moment ([`Executor::sleep`]) or for a value ([`Slot`]); between two waits
//! it runs without interruption. Time passes only from one event to the next, so an hour of
//! waiting costs nothing, and the order of events is that of their times and, at one time, that in
//! which they were scheduled: a run has no other source of order.
//!
//! Tasks belong to a [`Group`]. That of a host can be killed, which drops its futures where they
//! wait, and frozen, which keeps them waiting until it is thawed.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// Virtual time, in microseconds since the run began.
pub type Micros = u64;

/// The owner of a task: a host in one of its lives, or [`OUTSIDE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(pub u32);

/// The group of everybody who is no host.
pub const OUTSIDE: Group = Group(0);

type TaskId = usize;
type Work = Pin<Box<dyn Future<Output = ()>>>;

enum Event {
    Poll(TaskId),
    Run(Box<dyn FnOnce()>),
}

struct Task {
    /// Taken out while it is polled.
    future: Option<Work>,
    group: Group,
}

#[derive(Default)]
struct State {
    queue: BTreeMap<(Micros, u64), Event>,
    scheduled: u64,
    tasks: Vec<Option<Task>>,
    killed: BTreeSet<Group>,
    /// Tasks that would have run while their group is frozen.
    frozen: BTreeMap<Group, Vec<TaskId>>,
}

/// The executor of a run, shared by everything in it.
#[derive(Default)]
pub struct Executor {
    now: Cell<Micros>,
    current: Cell<Option<TaskId>>,
    events: Cell<u64>,
    state: RefCell<State>,
}

impl Executor {
    /// The time.
    pub fn now(&self) -> Micros {
        self.now.get()
    }

    /// Number of events so far.
    pub fn events(&self) -> u64 {
        self.events.get()
    }

    /// Begins a task, now.
    pub fn spawn(&self, group: Group, future: impl Future<Output = ()> + 'static) {
        let id = {
            let mut state = self.state.borrow_mut();
            if state.killed.contains(&group) {
                return;
            }
            state.tasks.push(Some(Task {
                future: Some(Box::pin(future)),
                group,
            }));
            state.tasks.len() - 1
        };
        self.schedule(self.now(), Event::Poll(id));
    }

    /// Does something after a delay, even if the task that asked for it is dropped.
    pub fn after(&self, delay: Micros, work: impl FnOnce() + 'static) {
        self.schedule(self.now().saturating_add(delay), Event::Run(Box::new(work)));
    }

    fn schedule(&self, at: Micros, event: Event) {
        let mut state = self.state.borrow_mut();
        state.scheduled += 1;
        // Time does not go back, however late somebody begins to wait.
        let place = (at.max(self.now()), state.scheduled);
        state.queue.insert(place, event);
    }

    /// Drops every future of a group, where it waits. Nothing of the group begins again.
    pub fn kill(&self, group: Group) {
        let mut dropped = Vec::new();
        {
            let mut state = self.state.borrow_mut();
            state.killed.insert(group);
            state.frozen.remove(&group);
            for slot in &mut state.tasks {
                if slot.as_ref().is_some_and(|task| task.group == group) {
                    dropped.push(slot.take());
                }
            }
        }
        // Dropped futures may schedule events.
        drop(dropped);
    }

    /// Stops a group where it is, as by SIGSTOP.
    pub fn freeze(&self, group: Group) {
        let mut state = self.state.borrow_mut();
        state.frozen.entry(group).or_default();
    }

    /// Lets a group that was stopped go on.
    pub fn thaw(&self, group: Group) {
        let waiting = self.state.borrow_mut().frozen.remove(&group);
        for task in waiting.unwrap_or_default() {
            self.schedule(self.now(), Event::Poll(task));
        }
    }

    /// Runs until `done` says so after an event, or nothing is left to do.
    pub fn run(&self, mut done: impl FnMut() -> bool) {
        while !done() {
            let next = self.state.borrow_mut().queue.pop_first();
            let Some(((at, _), event)) = next else {
                return;
            };
            self.now.set(at);
            self.events.set(self.events.get() + 1);
            match event {
                Event::Run(work) => work(),
                Event::Poll(id) => self.poll(id),
            }
        }
    }

    /// Forgets all tasks and events.
    pub fn clear(&self) {
        let state = self.state.take();
        drop(state);
        // Dropped tasks may have scheduled more events.
        self.state.take();
    }

    fn poll(&self, id: TaskId) {
        let future = {
            let mut state = self.state.borrow_mut();
            let State { tasks, frozen, .. } = &mut *state;
            let Some(Some(task)) = tasks.get_mut(id) else {
                return;
            };
            if let Some(waiting) = frozen.get_mut(&task.group) {
                waiting.push(id);
                return;
            }
            task.future.take()
        };
        let Some(mut future) = future else {
            return;
        };
        self.current.set(Some(id));
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        self.current.set(None);
        let mut state = self.state.borrow_mut();
        if let Some(slot) = state.tasks.get_mut(id) {
            match polled {
                Poll::Ready(()) => *slot = None,
                Poll::Pending => {
                    if let Some(task) = slot {
                        task.future = Some(future);
                        return;
                    }
                }
            }
        }
        drop(state);
        drop(future);
    }

    /// Waits.
    pub fn sleep(self: &Rc<Self>, duration: Duration) -> Sleep {
        let delay = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sleep_micros(delay)
    }

    /// Waits.
    pub fn sleep_micros(self: &Rc<Self>, delay: Micros) -> Sleep {
        Sleep {
            executor: Rc::clone(self),
            until: self.now().saturating_add(delay),
            scheduled: false,
        }
    }
}

/// Waits until a time.
pub struct Sleep {
    executor: Rc<Executor>,
    until: Micros,
    scheduled: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        // A task that waits for no time at all must give way too, so time alone does not decide.
        if self.scheduled && self.executor.now() >= self.until {
            return Poll::Ready(());
        }
        if !self.scheduled {
            self.scheduled = true;
            if let Some(task) = self.executor.current.get() {
                self.executor.schedule(self.until, Event::Poll(task));
            }
        }
        Poll::Pending
    }
}

struct Shared<T> {
    value: RefCell<Option<T>>,
    waiter: Cell<Option<TaskId>>,
    executor: Rc<Executor>,
}

/// A value that somebody waits for. Clones are one slot.
pub struct Slot<T>(Rc<Shared<T>>);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Slot<T> {
    /// An empty one.
    pub fn new(executor: &Rc<Executor>) -> Self {
        Self(Rc::new(Shared {
            value: RefCell::default(),
            waiter: Cell::default(),
            executor: Rc::clone(executor),
        }))
    }

    /// Sets the value, unless there is one.
    pub fn fill(&self, value: T) {
        let mut held = self.0.value.borrow_mut();
        if held.is_some() {
            return;
        }
        *held = Some(value);
        let executor = &self.0.executor;
        if let Some(task) = self.0.waiter.get() {
            executor.schedule(executor.now(), Event::Poll(task));
        }
    }

    /// Waits for the value.
    pub fn wait(&self) -> Wait<T> {
        Wait {
            slot: self.clone(),
            sleep: None,
        }
    }

    /// Waits for the value, but not longer than this.
    pub fn wait_for(&self, longest: Duration) -> Wait<T> {
        Wait {
            slot: self.clone(),
            sleep: Some(self.0.executor.sleep(longest)),
        }
    }
}

/// The wait for a slot's value, which gives `None` if it takes too long.
pub struct Wait<T> {
    slot: Slot<T>,
    sleep: Option<Sleep>,
}

impl<T> Future for Wait<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        if let Some(value) = self.slot.0.value.borrow_mut().take() {
            return Poll::Ready(Some(value));
        }
        self.slot.0.waiter.set(self.slot.0.executor.current.get());
        match &mut self.sleep {
            Some(sleep) => Pin::new(sleep).poll(context).map(|()| None),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn executor() -> (Rc<Executor>, Rc<RefCell<Vec<String>>>) {
        (Rc::default(), Rc::default())
    }

    fn note(log: &Rc<RefCell<Vec<String>>>, line: impl Into<String>) {
        log.borrow_mut().push(line.into());
    }

    #[test]
    fn tasks_run_in_the_order_of_their_times() {
        let (executor, log) = executor();
        for delay in [30, 10, 20] {
            let (executor2, log) = (Rc::clone(&executor), Rc::clone(&log));
            executor.spawn(OUTSIDE, async move {
                executor2.sleep_micros(delay).await;
                note(&log, format!("{delay} at {}", executor2.now()));
            });
        }
        executor.run(|| false);
        assert_eq!(*log.borrow(), ["10 at 10", "20 at 20", "30 at 30"]);
    }

    #[test]
    fn a_killed_group_goes_nowhere_and_drops_what_it_holds() {
        struct Guard(Rc<RefCell<Vec<String>>>);
        impl Drop for Guard {
            fn drop(&mut self) {
                note(&self.0, "dropped");
            }
        }
        let (executor, log) = executor();
        let host = Group(1);
        let (executor2, log2) = (Rc::clone(&executor), Rc::clone(&log));
        executor.spawn(host, async move {
            let _guard = Guard(Rc::clone(&log2));
            executor2.sleep_micros(10).await;
            note(&log2, "never");
        });
        let executor2 = Rc::clone(&executor);
        executor.after(5, move || executor2.kill(host));
        executor.run(|| false);
        assert_eq!(*log.borrow(), ["dropped"]);
        executor.spawn(host, async { unreachable!("it is dead") });
        executor.run(|| false);
    }

    #[test]
    fn a_frozen_group_goes_on_when_it_is_thawed() {
        let (executor, log) = executor();
        let host = Group(1);
        let (executor2, log2) = (Rc::clone(&executor), Rc::clone(&log));
        executor.spawn(host, async move {
            executor2.sleep_micros(10).await;
            note(&log2, format!("at {}", executor2.now()));
        });
        let executor2 = Rc::clone(&executor);
        executor.after(5, move || executor2.freeze(host));
        let executor2 = Rc::clone(&executor);
        executor.after(500, move || executor2.thaw(host));
        executor.run(|| false);
        assert_eq!(*log.borrow(), ["at 500"]);
    }

    #[test]
    fn whoever_waits_for_a_value_gets_it_or_gives_up() {
        let (executor, log) = executor();
        let slot = Slot::new(&executor);
        let (waiting, log2) = (slot.clone(), Rc::clone(&log));
        executor.spawn(OUTSIDE, async move {
            let first = waiting.wait_for(Duration::from_micros(10)).await;
            note(&log2, format!("{first:?}"));
            note(&log2, format!("{:?}", waiting.wait().await));
        });
        executor.after(20, move || slot.fill(7));
        executor.run(|| false);
        assert_eq!(*log.borrow(), ["None", "Some(7)"]);
    }
}
