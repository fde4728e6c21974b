//! When all is healed, everyone who belongs together and can connect is together.
//!
//! Whether two in JavaScript meet and part is not our affair. One in JavaScript closes a relay for good that
//! it could not reach six times in a row; without any it is met by nobody.

use tristero_proto::PeerId;

use super::Check;
use crate::soak::record::{Record, VisitId};
use crate::world::World;

#[derive(Debug)]
pub(super) struct Mesh;

impl Check for Mesh {
    fn name(&self) -> &'static str {
        "mesh"
    }

    fn pending(&self, world: &World, record: &Record) -> Option<String> {
        for (a, of_a) in record.open_visits() {
            for (b, _) in record.open_visits().filter(|(b, _)| record.belong_together(a, *b)) {
                let is_missing = !of_a.members.contains_key(record.id(b.who));
                let is_ours = !(record.is_js(a.who) && record.is_js(b.who));
                let is_cut_off = |visit: VisitId| {
                    let js = world.js(visit.who);
                    js.is_some_and(|js| js.has_given_up_all_relays(visit.room))
                };
                if is_missing
                    && is_ours
                    && !is_cut_off(a)
                    && !is_cut_off(b)
                    && world.can_reach_with(a.who, b.who, &record.servers)
                {
                    return Some(format!(
                        "{:?} has not met {:?} in room {}",
                        a.who, b.who, of_a.place
                    ));
                }
            }
            let mut members = of_a.members.keys().cloned().collect::<Vec<_>>();
            members.sort();
            if world.members(a.who, a.room) != members {
                return Some(format!("{:?} was told of other members than it has", a.who));
            }
            let is_known_to_stay = |id: &PeerId| {
                record.is_js(a.who) && record.was_js(id) || record.was_dropped_by(id, a)
            };
            let mut ghosts = members.iter().filter(|id| record.visit_of(of_a.place, id).is_none());
            if let Some(ghost) = ghosts.find(|id| !is_known_to_stay(id)) {
                return Some(format!("{ghost} is still a member for {:?}", a.who));
            }
        }
        None
    }
}
