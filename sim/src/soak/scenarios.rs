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
                let (a, b) = two_members(run)?;
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
            let (a, b) = two_members(run)?;
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
];

/// Two peers who have met in a room.
fn two_members(run: &mut Run) -> Result<(VisitId, VisitId), String> {
    let (a, b) = (run.begin(None, Character::Honest)?, run.begin(None, Character::Honest)?);
    let (a, b) = (run.enter(a, 0, ACTIVE)?, run.enter(b, 0, ACTIVE)?);
    for _ in 0..MEETING_SECONDS_MAX {
        run.wait(Duration::from_secs(1))?;
        if [a, b].iter().all(|visit| !run.record.visits[visit].members.is_empty()) {
            return Ok((a, b));
        }
    }
    Err("scenario: two peers have not met".to_owned())
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

const MEETING_SECONDS_MAX: u32 = 30;
