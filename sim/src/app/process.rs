//! An application with its node, driven as a bare node is.

use std::future::Future;

use tristero::{NodeHandle, Parts, drive};
use tristero_proto::{Deadline, Input, Output, PeerId, Seed, Time};

use super::clock::WorldClock;
use super::port::Port;
use super::runtime::SimRuntime;
use super::tasks::{Tasks, Woken};
use super::timers::Timers;
use crate::hostile::SimEngine;
use crate::world::Who;

/// What an application finds in its world.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) who: Who,
    pub(crate) clock: WorldClock,
    pub(crate) woken: Woken,
    /// For what is random in the application itself.
    pub(crate) seed: Seed,
}

/// An application under way.
#[derive(Debug)]
pub(crate) struct Process {
    self_id: PeerId,
    tasks: Tasks,
    timers: Timers,
    port: Port,
}

impl Process {
    /// Begins one. It runs for the first time when it is asked for outputs.
    pub(crate) fn new<R>(
        parts: Parts<SimEngine>,
        surroundings: Surroundings,
        main: impl FnOnce(NodeHandle, SimRuntime) -> R,
    ) -> Self
    where
        R: Future<Output = ()> + 'static,
    {
        let Surroundings { who, clock, woken, seed } = surroundings;
        let (port, io) = Port::new(clock.clone());
        let (node, driver) = drive(parts, io);
        let self_id = node.self_id().clone();
        let timers = Timers::new(clock);
        let mut tasks = Tasks::new(who, woken);
        let runtime = SimRuntime::new(timers.clone(), tasks.spawner(), seed);
        tasks.add(Box::pin(driver));
        tasks.add(Box::pin(main(node, runtime)));
        Process { self_id, tasks, timers, port }
    }

    pub(crate) fn handle_input(&mut self, input: Input<'_>) {
        self.port.bring(input);
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.port.handle_timeout(now);
        self.timers.handle_timeout(now);
    }

    /// Lets the tasks do what there is to do, and gives what the driver wants done.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.tasks.run(self.timers.now());
        self.port.poll_output()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let timer = self.timers.poll_timeout();
        let timer = timer.map(|at| Deadline::new(at, "a timer of an application"));
        Deadline::earlier(self.port.poll_timeout(), timer)
    }

    pub(crate) fn self_id(&self) -> &PeerId {
        &self.self_id
    }
}
