//! The tasks of an application: a small executor that polls in a fixed order.
//!
//! Wakers note who is to run in a set that the whole world shares, since what one application does
//! may wake another where a test gave them something in common, and a test may wake one itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use tristero_proto::Time;

use crate::world::Who;

/// A task of an application, in the order in which they began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskId(u64);

/// The tasks that were woken and did not run since, of the whole world.
#[derive(Clone, Debug, Default)]
pub(crate) struct Woken(Arc<Mutex<BTreeMap<Who, BTreeSet<TaskId>>>>);

/// Begins tasks, from inside of others.
#[derive(Clone)]
pub(crate) struct Spawner(Arc<Mutex<Vec<Spawned>>>);

/// A task that did not begin.
type Spawned = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tasks of one application.
pub(crate) struct Tasks {
    who: Who,
    woken: Woken,
    spawner: Spawner,
    running: BTreeMap<TaskId, Task>,
    next: u64,
    /// How often tasks had their turn in this moment.
    turns: (Time, u32),
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Waker,
}

/// Wakes one task.
struct TaskWaker {
    who: Who,
    task: TaskId,
    woken: Woken,
}

impl Tasks {
    pub(crate) fn new(who: Who, woken: Woken) -> Self {
        Tasks {
            who,
            woken,
            spawner: Spawner(Arc::default()),
            running: BTreeMap::new(),
            next: 0,
            turns: (Time::ZERO, 0),
        }
    }

    /// Adds a task. It runs when all are run next.
    pub(crate) fn add(&mut self, future: Pin<Box<dyn Future<Output = ()>>>) {
        assert!(self.running.len() < TASKS_MAX, "{:?} spawns tasks without end", self.who);
        let task = TaskId(self.next);
        self.next += 1;
        let waker = TaskWaker { who: self.who, task, woken: self.woken.clone() };
        let waker = Waker::from(Arc::new(waker));
        waker.wake_by_ref();
        self.running.insert(task, Task { future, waker });
    }

    /// Runs all that were woken, the oldest first, until none is left.
    ///
    /// # Panics
    ///
    /// If they wake each other over and over and time can't move, or if one of them panics.
    pub(crate) fn run(&mut self, now: Time) {
        loop {
            let spawned = std::mem::take(&mut *self.spawner.lock());
            spawned.into_iter().for_each(|future| self.add(future));
            let woken = self.woken.take(self.who);
            if woken.is_empty() {
                return;
            }
            self.turns = if self.turns.0 == now { (now, self.turns.1 + 1) } else { (now, 1) };
            assert!(self.turns.1 < TURNS_MAX, "{:?} has so much to do that time stands", self.who);
            woken.into_iter().for_each(|task| self.poll(task));
        }
    }

    /// What begins tasks here.
    pub(crate) fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.running.len()
    }

    fn poll(&mut self, id: TaskId) {
        // It may have been woken after its end.
        let Some(mut task) = self.running.remove(&id) else { return };
        let mut cx = Context::from_waker(&task.waker);
        if task.future.as_mut().poll(&mut cx).is_pending() {
            self.running.insert(id, task);
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        // The driver of the node is the first: no goodbye is sent for what the others let go.
        while let Some((_, task)) = self.running.pop_first() {
            drop(task);
        }
        // What never began may hold a spawner, which would keep it for ever.
        let spawned = std::mem::take(&mut *self.spawner.lock());
        drop(spawned);
        self.woken.take(self.who);
    }
}

impl Woken {
    /// The applications with tasks that were woken.
    pub(crate) fn applications(&self) -> Vec<Who> {
        self.lock().keys().copied().collect()
    }

    fn add(&self, who: Who, task: TaskId) {
        self.lock().entry(who).or_default().insert(task);
    }

    fn take(&self, who: Who) -> BTreeSet<TaskId> {
        self.lock().remove(&who).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Who, BTreeSet<TaskId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spawner {
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.lock().push(Box::pin(future));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Spawned>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.add(self.who, self.task);
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("who", &self.who).field("running", &self.len()).finish()
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawner")
    }
}

/// No test needs so many, and one that spawns in a loop finds out soon.
const TASKS_MAX: usize = 65_536;

/// A task that sends much has many turns in one moment; one that waits for nothing never ends.
const TURNS_MAX: u32 = 100_000;
