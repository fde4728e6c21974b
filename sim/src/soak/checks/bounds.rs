//! A node holds no more than its rooms and peers account for, and after the trouble one connection
//! for each peer that is in a room with it.

use std::collections::BTreeSet;

use tristero_proto::{PeerId, limits};

use super::{Check, Verdict, ensure};
use crate::soak::record::Record;
use crate::world::{Who, World};

/// Connections to one peer: the one in use, one that is being made in each direction, and a spare.
const CONNECTIONS_PER_PEER: usize = 4;

#[derive(Debug)]
pub(super) struct Bounds;

impl Check for Bounds {
    fn name(&self) -> &'static str {
        "bounds"
    }

    fn look(&mut self, world: &World, record: &Record) -> Verdict {
        let ids = record.peers.len();
        for who in record.peers.keys() {
            let Some(node) = world.node(*who) else { continue };
            let load = node.load();
            let parts = load.relays + 2 * load.rooms + load.peers + 1;
            ensure!(load.deadlines <= parts, "{who:?} has more deadlines than parts: {load:?}");
            ensure!(load.links <= load.relays, "{who:?} has more links than relays: {load:?}");
            ensure!(
                load.connections <= CONNECTIONS_PER_PEER * ids * load.rooms.max(1),
                "{who:?} has too many connections: {load:?}"
            );
            ensure!(
                load.offered <= load.rooms * limits::POOLED_OFFERS_MAX,
                "{who:?} offers too many connections: {load:?}"
            );
            ensure!(
                load.queued <= load.peers * limits::Limits::default().outbox_transmissions,
                "{who:?} has too much to send: {load:?}"
            );
        }
        Ok(())
    }

    fn pending(&self, world: &World, record: &Record) -> Option<String> {
        // A peer with another password, or beyond a NAT, is offered a connection again and again.
        let has_strangers = record.open_visits().any(|(_, visit)| !visit.manner.is_password_right);
        let can_reach = |a: &Who, b: &Who| world.can_reach_with(*a, *b, &record.servers);
        let is_out_of_reach = |a: &Who| record.peers.keys().any(|b| !can_reach(a, b));
        record.peers.keys().filter(|who| !has_strangers && !is_out_of_reach(who)).find_map(|who| {
            let load = world.node(*who)?.load();
            let open = record.open_visits().filter(|(visit, _)| visit.who == *who);
            let members: BTreeSet<&PeerId> =
                open.flat_map(|(_, visit)| visit.members.keys()).collect();
            if load.connections > load.peers {
                Some(format!("{who:?} has connections that lead nowhere: {load:?}"))
            } else if load.peers > members.len() {
                Some(format!("{who:?} has connections that no room uses: {load:?}"))
            } else {
                None
            }
        })
    }
}
