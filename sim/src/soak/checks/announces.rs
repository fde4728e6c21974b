//! Rooms are announced seldom: relays went down under clients that did so often.
//!
//! A stay in a room begins with a burst of four announces on each link, and one a minute follows: a
//! tenth of one each 5.3 s, which was too much for a public relay. Whatever others do changes
//! nothing, with two exceptions. A passive room says that it is there when it is woken, and to
//! trackers when it falls silent too. A tracker that has not named its interval yet, because its
//! answer is on the way or lost, hears of a room every 10 s.
//!
//! spec: docs/protocol.md, section 2, "Announcing"

use std::collections::BTreeMap;
use std::time::Duration;

use tristero_proto::crypto::Topic;
use tristero_proto::{LinkId, Time};

use super::{Check, Verdict, ensure};
use crate::relays::Announce;
use crate::soak::record::{Record, VisitId};
use crate::world::World;

#[derive(Debug, Default)]
pub(super) struct Announces {
    /// The last announce that was looked at.
    seen: u64,
    /// When each stay was announced over each link.
    made: BTreeMap<(VisitId, LinkId), Vec<Time>>,
}

impl Check for Announces {
    fn name(&self) -> &'static str {
        "announces"
    }

    fn look(&mut self, world: &World, record: &Record) -> Verdict {
        let is_new = |announce: &&Announce| announce.number > self.seen;
        let new: Vec<&Announce> = world.announces().rev().take_while(is_new).collect();
        for announce in new.into_iter().rev() {
            self.seen = announce.number;
            self.see_announce(announce, record)?;
        }
        Ok(())
    }
}

impl Announces {
    fn see_announce(&mut self, announce: &Announce, record: &Record) -> Verdict {
        if record.is_hostile(announce.who) {
            return Ok(());
        }
        let Some(visit) = visit_of(announce, record) else {
            return Err(format!("{:?} announced a room in which it was not", announce.who));
        };
        let (burst, pause) = match record.visits[&visit].manner.passive || announce.is_in_trouble {
            true => (BURST_OF_THE_WOKEN, PAUSE_OF_THE_WOKEN),
            false => (BURST, PAUSE),
        };
        let made = self.made.entry((visit, announce.link)).or_default();
        made.push(announce.at);
        for (place, since) in made.iter().enumerate() {
            let count = made.len() - place;
            let within = announce.at.since(*since).as_nanos();
            let again = if pause < PAUSE { within / PAUSE.as_nanos() } else { 0 };
            let after_burst = within / pause.as_nanos() + again * (BURST - 1);
            ensure!(
                count as u128 <= burst + after_burst,
                "{:?} announced a room {count} times: {:?}",
                announce.who,
                &made[place..],
            );
        }
        Ok(())
    }
}

/// The stay in a room that somebody announced.
fn visit_of(announce: &Announce, record: &Record) -> Option<VisitId> {
    let is_it = |(id, visit): &(&VisitId, &crate::soak::record::Visit)| {
        id.who == announce.who
            && visit.from <= announce.at
            && visit.until.is_none_or(|until| announce.at <= until)
            && Topic::root("app", &format!("room {}", visit.place)) == announce.root
    };
    record.visits.iter().filter(is_it).map(|(id, _)| *id).next_back()
}

/// How many announces a stay begins with on each link.
const BURST: u128 = 4;

/// One more is made in each time as long as this.
const PAUSE: Duration = Duration::from_secs(60);

/// The same for a passive room: it tells trackers that it is there before it is woken, and the first
/// time that it is woken again it says so at once.
const BURST_OF_THE_WOKEN: u128 = BURST + 2;

/// The same for a passive room, which is woken again and again, and in trouble, where a tracker's
/// interval may not be heard. A minute after its last burst the next one that it makes is a burst too.
const PAUSE_OF_THE_WOKEN: Duration = Duration::from_millis(5_333);
