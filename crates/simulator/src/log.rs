//! The provider's log: its lines go into the trace, and a line that says that the store is damaged is a
//! finding.

use std::{cell::RefCell, rc::Rc};

use mpay_door::log;

use crate::world::World;

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

/// Directs the log of this thread here.
pub fn listen() {
    log::catch(catch);
}

/// Directs the lines into the trace of this world.
pub fn tell(world: &Rc<World>) {
    WORLD.set(Some(Rc::clone(world)));
}

/// Directs the lines nowhere, at the end of a run.
pub fn forget() {
    WORLD.set(None);
}

fn catch(line: &log::Line) {
    // Requests are in the trace already.
    let Some(line) = line.message() else {
        return;
    };
    WORLD.with_borrow(|world| {
        let Some(world) = world else {
            return;
        };
        world.trace.say(|| format!("        log: {line}"));
        if line.contains("cannot be read") || line.contains("is not in its order") {
            let mut history = world.history.borrow_mut();
            history.find("the provider finds its store damaged", "", line.to_owned());
        }
    });
}
