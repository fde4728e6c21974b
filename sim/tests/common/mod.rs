//! What several tests are made of.

use tristero_proto::RelayConfig;
use tristero_sim::{MqttService, NostrService, Relay, TrackerService, Verdicts, World, WsService};

/// What a relay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ws,
    Nostr,
    Mqtt,
    Tracker,
}

pub(crate) const KINDS: [Kind; 4] = [Kind::Ws, Kind::Nostr, Kind::Mqtt, Kind::Tracker];

impl Kind {
    /// Adds a relay that runs it. A tracker draws from the seed who gets an offer.
    pub(crate) fn add_to(self, world: &mut World, seed: u64) -> (Relay, RelayConfig) {
        match self {
            Kind::Ws => world.add_relay(WsService::new()),
            Kind::Nostr => world.add_relay(NostrService::new(Verdicts::First)),
            Kind::Mqtt => world.add_relay(MqttService::new()),
            Kind::Tracker => world.add_relay(TrackerService::new(seed)),
        }
    }
}
