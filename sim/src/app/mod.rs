//! Peers that are applications: what is written against the crate [`tristero`], run by the world.
//!
//! An application is a future. It and the driver of its node run as tasks on one thread, polled
//! when something woke them and in a fixed order, and time moves only when none has anything to do.
//! So an application is as much a function of the seed as a bare node is, as long as it asks nobody
//! but its [`SimRuntime`] for time and chance.

mod clock;
mod port;
mod process;
mod runtime;
mod tasks;
mod timers;

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::rc::Rc;

pub(crate) use clock::WorldClock;
pub(crate) use process::{Process, Surroundings};
pub use runtime::{Elapsed, SimRuntime};
pub(crate) use tasks::Woken;
pub use timers::Sleep;

use crate::world::Who;

/// An application of the world, made by [`World::add_app`](crate::World::add_app).
pub struct App<T> {
    who: Who,
    result: Rc<RefCell<Progress<T>>>,
}

/// How far the future of an application is.
enum Progress<T> {
    UnderWay,
    Over(T),
    Taken,
}

impl<T> App<T> {
    /// Its place in the world.
    pub fn who(&self) -> Who {
        self.who
    }

    /// Whether its future has come to its end. That of a peer that crashed never does.
    pub fn is_over(&self) -> bool {
        match &*self.result.borrow() {
            Progress::UnderWay => false,
            Progress::Over(_) | Progress::Taken => true,
        }
    }

    /// Takes what its future came to; `None` if that is not over yet, or was taken.
    pub fn take(&self) -> Option<T> {
        if !self.is_over() {
            return None;
        }
        match self.result.replace(Progress::Taken) {
            Progress::Over(result) => Some(result),
            Progress::UnderWay | Progress::Taken => None,
        }
    }
}

impl<T: 'static> App<T> {
    /// The application, and its future as one that notes its result here.
    pub(crate) fn new(
        who: Who,
        main: impl Future<Output = T> + 'static,
    ) -> (Self, impl Future<Output = ()> + 'static) {
        let result = Rc::new(RefCell::new(Progress::UnderWay));
        let app = App { who, result: result.clone() };
        let main = async move {
            let over = Progress::Over(main.await);
            result.replace(over);
        };
        (app, main)
    }
}

impl<T> fmt::Debug for App<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("who", &self.who).field("is_over", &self.is_over()).finish()
    }
}
