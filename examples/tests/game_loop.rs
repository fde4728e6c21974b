//! A frame in which nothing happens allocates nothing.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::{PATIENCE, Program, relay};
use tristero_examples::{Epoch, Frame, Game, Place, addresses};
use tristero_proto::Time;

const GAME_LOOP: &str = env!("CARGO_BIN_EXE_game_loop");
/// The time of one frame.
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);
/// Two minutes.
const FRAMES: u64 = 2 * 60 * 60;

#[test]
fn two_games_play_and_their_idle_frames_allocate_nothing() {
    let (_runtime, relay) = relay();
    let play = || Program::start(GAME_LOOP, &relay, &["--frames", "200"]);
    let (mut a, mut b) = (play(), play());
    for game in [&mut a, &mut b] {
        let played = game.event("played");
        println!("{played}");
        let idle = &played["by"]["idle"];
        assert!(idle["frames"].as_u64().unwrap() > 0);
        assert_eq!((&idle["allocations"], &idle["bytes"]), (&0.into(), &0.into()));
    }
    a.end();
    b.end();
}

/// Two games in this thread that have met. From then on their time is that of their frames, as fast
/// as they are computed.
struct Pair {
    games: [Game; 2],
    now: Time,
    costs: BTreeMap<Frame, (u64, u64)>,
}

impl Pair {
    fn met(relay: &str) -> Self {
        let (app, room) = ("games".to_owned(), "pair".to_owned());
        let place = Place { relay: relay.to_owned(), app, room, loopback: true, no_stun: true };
        let (epoch, began) = (Epoch::begin(), Instant::now());
        let join = || {
            let config = place.room(&place.room).unwrap();
            Game::join(config, &addresses(true).unwrap(), epoch).unwrap()
        };
        let mut games = [join(), join()];
        while games.iter().any(|game| game.ships().is_empty()) {
            assert!(began.elapsed() < PATIENCE, "they don't meet");
            for game in &mut games {
                game.frame(epoch.now()).unwrap();
            }
            std::thread::yield_now();
        }
        Pair { games, now: epoch.now(), costs: BTreeMap::new() }
    }

    fn play(&mut self, frames: u64) {
        for _ in 0..frames {
            self.now = self.now + FRAME;
            for number in [0, 1] {
                self.frame(number);
                // The time of frames is faster than that of the operating system, which has to
                // have brought what one sent before the other is asked.
                self.deliver(1 - number);
            }
        }
    }

    fn frame(&mut self, number: usize) -> Frame {
        let (game, now) = (&mut self.games[number], self.now);
        let mut frame = Ok(Frame::Idle);
        let allocated = allocation_counter::measure(|| frame = game.frame(now));
        let frame = frame.unwrap();
        let (frames, bytes) = self.costs.entry(frame).or_default();
        *frames += 1;
        *bytes += allocated.bytes_total;
        frame
    }

    /// Plays frames of one until it has all that the other sent.
    fn deliver(&mut self, to: usize) {
        let began = Instant::now();
        while self.games[to].traffic().datagrams_received
            < self.games[1 - to].traffic().datagrams_sent
        {
            assert!(began.elapsed() < PATIENCE, "a datagram is lost on this machine");
            self.frame(to);
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_frame_with_a_connected_peer_in_which_nothing_is_due_allocates_nothing() {
    let (_runtime, relay) = relay();
    let mut pair = Pair::met(&relay);
    // What is left to do of having met.
    pair.play(600);
    pair.costs.clear();
    pair.play(FRAMES);
    for (frame, (frames, bytes)) in &pair.costs {
        println!("{frames:6} frames {frame:?}: {bytes} bytes");
    }
    let (frames, bytes) = pair.costs[&Frame::Idle];
    assert!(frames > FRAMES, "more than half of both sides' frames are idle: {frames}");
    assert_eq!(bytes, 0);
    assert!(pair.games.iter().all(|game| game.ships().len() == 1), "they are still there");
}

#[test]
fn a_ship_that_moves_is_seen_by_the_other() {
    let (_runtime, relay) = relay();
    let mut pair = Pair::met(&relay);
    pair.games[0].steer((3, 4), pair.now).unwrap();
    pair.play(10);
    let seen: Vec<_> = pair.games[1].ships().values().copied().collect();
    assert_eq!(seen, [(3, 4)]);
}
