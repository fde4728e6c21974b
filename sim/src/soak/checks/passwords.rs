//! Nobody is let into a room who has another password.

use tristero_proto::Event;

use super::{Check, Verdict, ensure};
use crate::soak::record::{Fact, Record, VisitId};

#[derive(Debug)]
pub(super) struct Passwords;

impl Check for Passwords {
    fn name(&self) -> &'static str {
        "passwords"
    }

    fn see(&mut self, fact: Fact<'_>, record: &Record) -> Verdict {
        let Fact::Told { who, event: Event::PeerJoined { room, peer } } = fact else {
            return Ok(());
        };
        let Some(host) = record.visits.get(&VisitId { who, room: *room }) else { return Ok(()) };
        // It may have left since then, or come back with another one.
        let has_same = record.visits.iter().any(|(id, guest)| {
            guest.place == host.place
                && guest.manner.is_password_right == host.manner.is_password_right
                && record.id(id.who) == peer
        });
        // Hostile peers know the password, and may have got in under a name that is nobody's.
        ensure!(
            has_same || !record.is_honest(peer),
            "{who:?} let {peer} in, which has another password"
        );
        Ok(())
    }
}
