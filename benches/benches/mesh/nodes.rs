//! A mesh of nodes in one room, on the event loop of `tristero-examples`.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tristero_examples::{Place, Swarm, addresses};
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{ActionOptions, Event, RoomKey, SendOptions};
use tristero_relay::{Config, Relay};

use crate::{Mesh, TEXT_BYTES};

pub(crate) struct Nodes {
    swarm: Swarm,
    rooms: Vec<RoomKey>,
    action: ActionName,
}

impl Nodes {
    /// So many nodes that have all met.
    pub(crate) fn meet(count: usize) -> Result<Self> {
        let relay = relay()?;
        let (app, room) = ("bench".to_owned(), "mesh".to_owned());
        let place = Place { relay, app, room, loopback: true, no_stun: true };
        let mut swarm = Swarm::bind(count, &addresses(true)?)?;
        let action = ActionName::new("tell")?;
        let mut rooms = Vec::new();
        for number in 0..count {
            let config = place.room(&place.room)?;
            rooms.push(swarm.act(number, |peer, now| -> Result<RoomKey> {
                let room = peer.act(|node| node.join(config, now))?;
                let options = ActionOptions::default();
                peer.act(|node| node.register(room, &action, options, now))?;
                Ok(room)
            })?);
        }
        let mut nodes = Nodes { swarm, rooms, action };
        let (mut met, end) = (0, Instant::now() + MEETING_MAX);
        while met < count * (count - 1) {
            ensure!(Instant::now() < end, "{met} of {} have met", count * (count - 1));
            nodes.swarm.step(Some(LONGEST_WAIT))?;
            met += nodes.count(|event| matches!(event, Event::PeerJoined { .. }))?;
        }
        Ok(nodes)
    }

    /// How many of the events that happened are such.
    fn count(&mut self, is_such: fn(&Event) -> bool) -> Result<usize> {
        let mut count = 0;
        while let Some((_, event)) = self.swarm.poll_event() {
            ensure!(!matches!(event, Event::PeerLeft { .. }), "a peer was lost: {event:?}");
            count += usize::from(is_such(&event));
        }
        Ok(count)
    }
}

impl Mesh for Nodes {
    fn tell(&mut self, burst: usize) -> Result<()> {
        let (rooms, action) = (&self.rooms, &self.action);
        for (number, room) in rooms.iter().enumerate() {
            self.swarm.act(number, |peer, now| -> Result<()> {
                for _ in 0..burst {
                    let payload = Payload::Text("x".repeat(TEXT_BYTES));
                    let options = SendOptions::default();
                    peer.act(|node| node.send(*room, action, payload, &options, now))?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<usize> {
        self.swarm.step(Some(LONGEST_WAIT))?;
        self.count(|event| matches!(event, Event::Message { .. }))
    }
}

/// A relay in a thread of its own, where it has nothing to do once all have met.
fn relay() -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let relay = runtime.block_on(Relay::bind(Config::new("127.0.0.1:0".parse()?)));
    let relay = relay.context("the relay does not start")?;
    let url = relay.url();
    thread::spawn(move || runtime.block_on(relay.run()));
    Ok(url)
}

const MEETING_MAX: Duration = Duration::from_secs(60);

const LONGEST_WAIT: Duration = Duration::from_secs(1);
