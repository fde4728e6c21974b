//! Chunks of a peer that does as it likes, put together by a whole node: it neither panics, nor
//! breaks a promise of its events, nor keeps more than its limits say.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use tristero_proto::crypto::RoomToken;
use tristero_proto::wire::Frame;

use crate::memory;
use crate::nodes::{Deed, Play, Step as Act};
use crate::script::{self, blob, emit_blob};
use crate::world::{PARTIAL_BYTES_MAX, Who, datagram};

/// Steps of one run.
const STEPS_MAX: usize = 64;
/// Messages of one run: some times more than any bound that is a constant.
const MESSAGES_MAX: usize = 8_000;
/// What the node may hold in all: what its small limits allow, for everything that has one, and for
/// what has none but is bounded by a constant.
const HELD_BYTES_MAX: isize = 2 * PARTIAL_BYTES_MAX.cast_signed() + 2 * 1024 * 1024;
/// The node, and its peer.
const NODE: Who = Who(0);
const PEER: Who = Who(1);

/// Something that the peer sends, or that happens at the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A chunk, as it is.
    Chunk(Vec<u8>),
    /// Chunks that are made of less, many times.
    Flood(u8, Vec<u8>),
    /// A frame, as it is.
    Frame(Vec<u8>),
    /// Time passes, in tenths of a second.
    Wait(u8),
    /// An action is registered.
    Register(u8, u8),
    /// The node asks the peer.
    Request(u8),
    /// The node answers the peer.
    Respond(u8),
    /// The node pings the peer.
    Ping,
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind = bytes.arbitrary::<u8>()? % 8;
        Ok(match kind {
            0 => Step::Chunk(blob(bytes)?),
            1 => Step::Flood(bytes.arbitrary()?, blob(bytes)?),
            2 => Step::Frame(blob(bytes)?),
            3 => Step::Wait(bytes.arbitrary()?),
            4 => Step::Register(bytes.arbitrary()?, bytes.arbitrary()?),
            5 => Step::Request(bytes.arbitrary()?),
            6 => Step::Respond(bytes.arbitrary()?),
            _ => Step::Ping,
        })
    }
}

impl Step {
    /// Writes the step as it is read.
    pub fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Step::Chunk(chunk) => {
                out.push(0);
                emit_blob(chunk, out);
            }
            Step::Flood(times, chunk) => {
                out.extend([1, *times]);
                emit_blob(chunk, out);
            }
            Step::Frame(frame) => {
                out.push(2);
                emit_blob(frame, out);
            }
            Step::Wait(tenths) => out.extend([3, *tenths]),
            Step::Register(action, options) => out.extend([4, *action, *options]),
            Step::Request(action) => out.extend([5, *action]),
            Step::Respond(call) => out.extend([6, *call]),
            Step::Ping => out.push(7),
        }
    }
}

/// Does what the bytes say to a node that has one peer.
pub fn run(bytes: &[u8]) {
    let mut meeting = Meeting { play: Play::new(), messages: 0 };
    meeting.play.open(0);
    meeting.play.world.take_out(PEER);
    meeting.play.world.deceive();
    let before = memory::held();
    for step in script::steps(bytes, STEPS_MAX) {
        meeting.perform(step);
        let held = memory::held() - before;
        assert!(held <= HELD_BYTES_MAX, "the node holds {held} bytes");
    }
    meeting.play.end();
}

struct Meeting {
    play: Play,
    /// How many the peer has sent.
    messages: usize,
}

impl Meeting {
    fn perform(&mut self, step: Step) {
        let act = |deed, picks| Act { picks, ..Act::new(deed, NODE) };
        match step {
            Step::Chunk(chunk) => {
                let mut frame = Vec::new();
                Frame::emit_room_header(&token(), &mut frame);
                frame.extend(chunk);
                self.send(&frame);
            }
            Step::Flood(times, chunk) => {
                // A few more than fit into most of what is bounded by a constant.
                for frame in script::flood(&token(), &chunk, usize::from(times) * 8) {
                    self.send(&frame);
                }
            }
            Step::Frame(frame) => self.send(&frame),
            Step::Wait(tenths) => {
                self.play.world.pass(Duration::from_millis(u64::from(tenths) * 100));
            }
            Step::Register(action, options) => {
                self.play.perform(&act(Deed::Register, [0, action, options]));
            }
            Step::Request(action) => self.play.perform(&act(Deed::Request, [0, action, 0])),
            Step::Respond(call) => self.play.perform(&act(Deed::Respond, [call, 0, 0])),
            Step::Ping => self.play.perform(&act(Deed::Ping, [0, 1, 0])),
        }
    }

    /// The peer sends a message over the newest connection.
    fn send(&mut self, message: &[u8]) {
        let Some(way) = self.play.world.ways(PEER).last().copied() else { return };
        self.messages += 1;
        if self.messages <= MESSAGES_MAX {
            self.play.world.forge(NODE, way.path.remote, &datagram(way, b'M', message));
        }
    }
}

fn token() -> RoomToken {
    RoomToken::of_room("app", "lobby")
}
