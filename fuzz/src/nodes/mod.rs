//! Two whole nodes that meet, are told to do anything, and are sent anything: what their events
//! promise holds all the same.

mod attack;
mod calls;
mod media;
mod step;

use std::sync::Arc;
use std::time::Duration;

use tristero_proto::Command;
use tristero_proto::signaling::{RelayUrl, Strategy};
use tristero_proto::strategies::{Torrent, WsRelay};
use tristero_proto::{RelayConfig, RoomConfig};

use crate::common::{RELAY, TRACKER};
use crate::script;
use crate::world::{Thing, Who, World, content};
pub use step::{Deed, Step};

/// Steps of one run.
const STEPS_MAX: usize = 64;
/// The time that one run may take.
const TIME_MAX: Duration = Duration::from_secs(400);
/// How long nothing happens in the end. A transmission that is not taken is given up after 10 s, a
/// silent connection earlier.
const QUIET: Duration = Duration::from_secs(20);

/// Does what the bytes say. Two nodes are in one room when it begins, unless the first byte says
/// that nobody is.
pub fn run(bytes: &[u8]) {
    let mut play = Play::new();
    play.perform_all(bytes);
    play.end();
}

/// Two nodes, and what is done to them.
pub(crate) struct Play {
    pub(crate) world: World,
}

impl Play {
    pub(crate) fn new() -> Self {
        Play { world: World::new() }
    }

    fn perform_all(&mut self, bytes: &[u8]) {
        let Some((opening, bytes)) = bytes.split_first() else { return };
        if opening % 4 > 0 {
            self.open(*opening);
        }
        for step in script::steps(bytes, STEPS_MAX) {
            self.perform(&step);
        }
    }

    /// Both join a room and register an action for each purpose. The opening says which room, and
    /// how it is joined.
    pub(crate) fn open(&mut self, opening: u8) {
        for who in [Who(0), Who(1)] {
            self.join(who, opening / 4, opening / 16 * 2);
            for action in 0..3 {
                let step =
                    Step { picks: [0, action, action + 4], ..Step::new(Deed::Register, who) };
                self.perform(&step);
            }
        }
        self.world.pass(Duration::from_secs(2));
    }

    pub(crate) fn perform(&mut self, step: &Step) {
        let (who, [first, second, third]) = (step.who, step.picks);
        match step.deed {
            Deed::Wait => self.pass(u64::from(first) * 4),
            Deed::Linger => self.pass(u64::from(first) * 500),
            Deed::Jump => self.jump(u64::from(first) * 500),
            Deed::Join => self.join(who, first, second),
            Deed::Leave => self.leave(who, first),
            Deed::Register => self.register(who, first, second, third),
            Deed::Send => self.send(step),
            Deed::SendStream => self.send_stream(step),
            Deed::Feed => self.feed(who, first, second, &step.bytes),
            Deed::Finish => self.finish(who, first),
            Deed::Abort => self.abort(who, first),
            Deed::Request => self.request(step),
            Deed::AbortRequest => self.abort_request(who, first),
            Deed::Respond => self.respond(who, first, Ok(content(0, second, &step.bytes, 20))),
            Deed::Reject => self.respond(who, first, Err("no".to_owned())),
            Deed::Ping => self.ping(who, first, second),
            Deed::Greet => self.greet(who, first, second, &step.bytes),
            Deed::Accept => self.answer_handshake(who, first, true),
            Deed::Refuse => self.answer_handshake(who, first, false),
            Deed::Pause => self.command(who, Command::PauseRelays),
            Deed::Resume => self.command(who, Command::ResumeRelays),
            Deed::ShutDown => self.shut_down(who),
            Deed::Cut => self.world.cut(first % 2 == 0),
            Deed::StopRelay => self.world.relay.is_down = first % 2 == 0,
            Deed::Address => self.change_address(who, first),
            Deed::LinkOpened => self.open_link(who, first),
            Deed::LinkClosed => self.close_link(who, first),
            Deed::LinkText => self.link_text(who, first, &step.bytes),
            Deed::LinkBytes => self.link_bytes(who, first, &step.bytes),
            Deed::Publish => self.publish(first, second, &step.bytes),
            Deed::Signal => self.signal(step),
            Deed::Datagram => self.datagram(who, first, &step.bytes),
            Deed::Forge => self.forge(who, first, second, &step.bytes),
            Deed::Chunk => self.chunk(step),
            Deed::AddStream => self.add_stream(who, first, second, third),
            Deed::Share => self.share(who, step.picks),
            Deed::Unshare => self.unshare(who, step.picks),
            Deed::Write => self.write(who, first, second),
            Deed::Watch => self.watch(who, step.picks),
        }
    }

    fn pass(&mut self, millis: u64) {
        if self.world.now.since_epoch() < TIME_MAX {
            self.world.pass(Duration::from_millis(millis));
        }
    }

    fn jump(&mut self, millis: u64) {
        if self.world.now.since_epoch() < TIME_MAX {
            self.world.jump(Duration::from_millis(millis));
        }
    }

    fn command(&mut self, who: Who, command: Command) {
        self.world.command(who, command);
        self.world.drain(who);
    }

    /// Everything is as it should be again, and nothing more happens.
    pub(crate) fn end(&mut self) {
        self.world.cut(false);
        self.world.relay.is_down = false;
        for who in [Who(0), Who(1)] {
            for (room, thing) in self.world.witness(who).things().collect::<Vec<_>>() {
                if let Thing::Send(send) = thing {
                    self.world.witness(who).parcels.finish(send);
                    self.command(who, Command::Finish(room, send));
                }
            }
        }
        self.world.pass(QUIET);
        [Who(0), Who(1)].into_iter().for_each(|who| self.world.witness(who).check_sent());
    }
}

/// How many rooms there are.
const PLACES: u8 = 4;

fn names(place: u8) -> (&'static str, &'static str, &'static str) {
    match place % PLACES {
        0 => ("app", "lobby", ""),
        1 => ("app", "vault", "secret"),
        2 => ("app", "door", ""),
        _ => ("abroad", "lobby", ""),
    }
}

fn config(place: u8, manner: u8) -> RoomConfig {
    let (app, room, password) = names(place);
    let (strategy, url): (Arc<dyn Strategy>, _) = match manner & 16 {
        0 => (Arc::new(WsRelay), RELAY),
        _ => (Arc::new(Torrent), TRACKER),
    };
    let url = RelayUrl::web_socket(url).expect("this is a URL");
    let relay = RelayConfig { strategy, url };
    let password = if manner & 2 > 0 { "other" } else { password };
    RoomConfig {
        relays: vec![relay],
        password: password.into(),
        passive: manner & 1 > 0,
        handshake: (place % PLACES == 2) != (manner & 4 > 0),
        trickle: (manner & 8 > 0).then_some(false),
        ..RoomConfig::new(app, room)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::seeds;

    /// What the nodes say in all stories that fuzzing begins with.
    fn heard() -> BTreeSet<String> {
        let mut heard = BTreeSet::new();
        for seed in seeds::of("nodes", &seeds::wire_folder()) {
            let mut play = Play::new();
            play.perform_all(&seed);
            play.end();
            for who in [Who(0), Who(1)] {
                heard.append(&mut play.world.witness(who).heard);
            }
        }
        heard
    }

    #[test]
    fn the_stories_are_about_all_that_a_node_says() {
        let all = [
            "CallEnded",
            "Frame",
            "Handshake",
            "HandshakeData",
            "JoinFailed",
            "KeyFrameWanted",
            "Message",
            "PeerJoined",
            "PeerLeft",
            "PeerStream",
            "PeerStreamEnded",
            "PeerTrack",
            "PeerTrackEnded",
            "Pong",
            "Receiving",
            "Relay",
            "Request",
            "Response",
            "SendReady",
            "Sending",
            "Sent",
            "ShutDown",
            "StreamSent",
            "TrackAgreed",
            "TrackReplaced",
            "TrackSent",
            "TransferBegan",
            "TransferEnded",
            "TransferPiece",
        ];
        let heard = heard();
        let missing: Vec<_> = all.iter().filter(|kind| !heard.contains(**kind)).collect();
        assert!(missing.is_empty(), "{missing:?} are missing of {heard:?}");
    }

    #[test]
    fn a_step_is_read_as_it_was_written() {
        for deed in Deed::ALL {
            let step = Step { picks: [1, 2, 3], ..Step::new(deed, Who(1)) };
            let mut bytes = Vec::new();
            step.emit(&mut bytes);
            assert_eq!(script::steps::<Step>(&bytes, 2), [step]);
        }
    }
}
