//! The provider's log: into the trace; and lines that say that something is broken are found.

use std::{cell::RefCell, rc::Rc};

use mpay_door::log;

use crate::world::World;

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

/// From now on this thread's lines come here.
pub fn listen() {
    log::catch(catch);
}

/// The lines are about this world.
pub fn tell(world: &Rc<World>) {
    WORLD.set(Some(Rc::clone(world)));
}

/// The world ends.
pub fn forget() {
    WORLD.set(None);
}

fn catch(line: &log::Line) {
    // What was asked is in the trace already.
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
