//! When all is healed, everyone who belongs together and can connect is together.

use super::Check;
use crate::soak::record::Record;
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
                if is_missing && world.can_reach(a.who, b.who) {
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
            if let Some(ghost) = members.iter().find(|id| record.visit_of(of_a.place, id).is_none())
            {
                return Some(format!("{ghost} is still a member for {:?}", a.who));
            }
        }
        None
    }
}
