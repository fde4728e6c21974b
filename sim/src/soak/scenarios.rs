//! Nights that are written down: what drawn ones found wrong once, in as few words as show it.
//!
//! All that is held against a drawn night is held against these, and each failed before what it
//! found was mended.

use std::time::Duration;

use super::apps::MESSAGES;
use super::options::{Options, ServiceKind};
use super::parcel::Form;
use super::record::{Character, Manner, VisitId};
use super::run::Run;
use crate::network::Conditions;
use crate::relays::Faults;

/// A night that is written down.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What happens, and what went wrong.
    pub(crate) about: &'static str,
    pub(super) options: fn() -> Options,
    pub(super) play: fn(&mut Run) -> Result<(), String>,
}

/// All of them.
pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "moved",
        about: "A machine moves while it is sent much. It was heard from where it is, and what was \
                sent to it went for ever to where it had been.",
        options: || Options {
            conditions: Conditions::latency(Duration::from_millis(120)),
            ..Options::quiet(ServiceKind::Ws)
        },
        play: |run| {
            for (mover, leaver) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let (a, b) = two_members(run, Character::Honest)?;
                run.wait(Duration::from_secs(5))?;
                run.world.roam([a, b][mover].who);
                run.wait(Duration::from_millis(180))?;
                run.leave([a, b][leaver])?;
                run.wait(Duration::from_secs(60))?;
                run.leave([a, b][1 - leaver])?;
            }
            Ok(())
        },
    },
    Scenario {
        name: "answer-behind-much",
        about: "Somebody is asked who has much to send to whoever asks. The answer waited for ten \
                seconds and was given up, and whoever asked waited for ever.",
        options: || Options::quiet(ServiceKind::Ws),
        play: |run| {
            let (a, b) = two_members(run, Character::Honest)?;
            let (host_a, host_b) = (run.world.host(a.who), run.world.host(b.who));
            run.world.network().clog(host_a, host_b, CLOGGED);
            say(run, b, 600_000)?;
            let (parcel, target) = (run.parcel(Form::Text, 10), run.record.id(b.who).clone());
            run.ask_parcel(a, parcel, &target, None)?;
            run.wait(CLOGGED)
        },
    },
    Scenario {
        name: "restless-guest",
        about: "A passive peer is woken at a tracker by somebody who comes and goes. It announced \
                its room each time.",
        options: || Options::quiet(ServiceKind::Tracker),
        play: |run| {
            let waiting = Manner { passive: true, ..ACTIVE };
            let host = run.begin(None, Character::Honest)?;
            run.enter(host, 0, waiting)?;
            let guest = run.begin(None, Character::Honest)?;
            for _ in 0..60 {
                let visit = run.enter(guest, 0, ACTIVE)?;
                run.wait(Duration::from_millis(1_500))?;
                run.leave(visit)?;
                run.wait(Duration::from_millis(500))?;
            }
            Ok(())
        },
    },
    Scenario {
        name: "dropped-unheard",
        about: "A peer in JavaScript drops ours and tells nobody. Its next offer was forgotten while \
                it was asked whether that is so, and it met ours a minute later than it could.",
        options: || Options { rooms: 2, js_peers: 1, ..Options::quiet(ServiceKind::Ws) },
        play: |run| {
            let (ours, js) = two_members(run, Character::Js)?;
            drop_unheard(run, ours, js)?;
            meet(run, [ours, js], MEETING_AGAIN_MAX)
        },
    },
    Scenario {
        name: "dropped-on-the-way",
        about: "A peer in JavaScript drops ours and tells nobody, while ours goes to another room, \
                where it is. Each of its offers began its admission anew, over a connection that it \
                did not hear.",
        options: || Options { rooms: 2, js_peers: 1, ..Options::quiet(ServiceKind::Ws) },
        play: |run| {
            let (ours, elsewhere) = leave_unheard(run)?;
            let ours = run.enter(ours.who, 1, ACTIVE)?;
            meet(run, [ours, elsewhere], MEETING_AGAIN_MAX)
        },
    },
    Scenario {
        name: "asked-too-late",
        about: "A peer in JavaScript that has dropped ours offers a connection when its admission to \
                another room is almost over. The question whether it hears ours was forgotten with \
                the admission.",
        options: || Options { rooms: 2, js_peers: 1, ..Options::quiet(ServiceKind::Ws) },
        play: |run| {
            let (ours, elsewhere) = leave_unheard(run)?;
            let relay = run.relays[0].0;
            run.world.set_relay_faults(relay, Faults::default().with_delay(DELAY));
            let ours = run.enter(ours.who, 1, ACTIVE)?;
            run.wait(OFFERED_AFTER)?;
            run.world.set_relay_faults(relay, Faults::default());
            meet(run, [ours, elsewhere], MEETING_MAX)
        },
    },
    Scenario {
        name: "asked-in-no-room",
        about: "A peer in JavaScript that has dropped ours comes to a room where ours waits. The \
                connection that no room used was replaced, and its offer forgotten with it.",
        options: || Options { rooms: 2, js_peers: 1, ..Options::quiet(ServiceKind::Ws) },
        play: |run| {
            let (ours, js) = two_members(run, Character::Js)?;
            drop_unheard(run, ours, js)?;
            run.leave(ours)?;
            let ours = run.enter(ours.who, 1, ACTIVE)?;
            run.wait(NEXT_ANNOUNCE - BEFORE_IT)?;
            let js = run.enter(js.who, 1, ACTIVE)?;
            meet(run, [ours, js], BEFORE_IT + MEETING_MAX)
        },
    },
    Scenario {
        name: "stuck-amid-a-message",
        about: "Of a message no part arrives for half a minute while the path lives, as where large \
                datagrams are lost. Whoever received it gave it up, and the connection went on \
                without it.",
        options: || Options::quiet(ServiceKind::Ws),
        play: |run| {
            let usual = Conditions::latency(Duration::from_millis(120));
            let (a, b) = two_members(run, Character::Honest)?;
            let (host_a, host_b) = (run.world.host(a.who), run.world.host(b.who));
            run.world.network().set_between(host_a, host_b, usual);
            say(run, a, 100_000)?;
            run.wait(Duration::from_millis(750))?;
            run.world.network().set_between(host_a, host_b, usual.with_mtu(600));
            run.wait(HOLE)?;
            run.world.network().set_between(host_a, host_b, usual);
            run.wait(Duration::from_secs(60))
        },
    },
];

/// One of ours and another who have met in a room.
fn two_members(run: &mut Run, other: Character) -> Result<(VisitId, VisitId), String> {
    let (a, b) = (run.begin(None, Character::Honest)?, run.begin(None, other)?);
    let (a, b) = (run.enter(a, 0, ACTIVE)?, run.enter(b, 0, ACTIVE)?);
    meet(run, [a, b], MEETING_MAX)?;
    Ok((a, b))
}

/// Runs until two are members of each other, for so long at most.
fn meet(run: &mut Run, both: [VisitId; 2], within: Duration) -> Result<(), String> {
    let end = run.world.now() + within;
    while both.iter().any(|visit| run.record.visits[visit].members.is_empty()) {
        if run.world.now() >= end {
            return Err(format!("scenario: two peers have not met within {within:?}"));
        }
        run.wait(Duration::from_secs(1))?;
    }
    Ok(())
}

/// Has a peer in JavaScript hear nothing of ours until it drops it. It goes on to answer the checks
/// of the connection, so ours is told nothing.
fn drop_unheard(run: &mut Run, ours: VisitId, js: VisitId) -> Result<(), String> {
    let (from, to) = (run.world.host(ours.who), run.world.host(js.who));
    run.world.network().cut_way(from, to, DROPPED_AFTER);
    run.wait(DROPPED_AFTER)
}

/// A peer in JavaScript goes to another room too and drops ours, which then leaves the one where they
/// met. Gives the visit that ours has ended, and that of the other to the other room.
fn leave_unheard(run: &mut Run) -> Result<(VisitId, VisitId), String> {
    let (ours, js) = two_members(run, Character::Js)?;
    let elsewhere = run.enter(js.who, 1, ACTIVE)?;
    run.wait(Duration::from_secs(1))?;
    drop_unheard(run, ours, js)?;
    run.leave(ours)?;
    Ok((ours, elsewhere))
}

/// Sends a message to everyone.
fn say(run: &mut Run, visit: VisitId, size: usize) -> Result<(), String> {
    let parcel = run.parcel(Form::Binary, size);
    let members = run.record.visits[&visit].members.keys().cloned().collect();
    run.send_parcel(visit, MESSAGES[0], parcel, (None, members))
}

const ACTIVE: Manner = Manner { passive: false, is_password_right: true, has_handshake: false };

/// Long enough that nothing passes for a while, and not so long that the connection ends.
const CLOGGED: Duration = Duration::from_secs(25);

/// When a room on its own announces itself again: a minute after the last of its first announces.
const NEXT_ANNOUNCE: Duration = Duration::from_millis(62_099);

/// Long after what a newcomer says at first.
const BEFORE_IT: Duration = Duration::from_secs(8);

/// What a relay needs for an announce or an offer, so that of the 10 s that an admission may take
/// less than the 3 s are left in which a peer can answer.
const DELAY: Duration = Duration::from_millis(4_250);
const OFFERED_AFTER: Duration = Duration::from_secs(9);

/// Longer than a receiver waits for the rest of a message, and over when SCTP tries for the sixth time.
const HOLE: Duration = Duration::from_millis(30_250);

/// Two of a room that is begun meet within it.
const MEETING_MAX: Duration = Duration::from_secs(30);

/// A browser needs 5 s to say that a connection is broken, and Trystero 5 s more to drop it.
const DROPPED_AFTER: Duration = Duration::from_secs(12);

/// A heartbeat of JavaScript says after a minute that it has lost a peer. Then ours asks for 3 s
/// whether that is so, and a connection takes a while.
const MEETING_AGAIN_MAX: Duration = Duration::from_secs(75);
