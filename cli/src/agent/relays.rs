//! The relays of a room, as they are told of.

use std::collections::BTreeMap;

use tristero_tokio::signaling::RelayUrl;
use tristero_tokio::{RelayConfig, RelayState, RelayStatus, Time};

use super::events::Fields;
use super::reply::Refusal;
use crate::strategies::Meeting;

/// The relays of one room, and what each is called: as it was written, but for secrets, or
/// by its URL if the strategy chose it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoomRelays {
    relays: Vec<RelayConfig>,
    names: BTreeMap<(String, RelayUrl), String>,
}

impl RoomRelays {
    /// The relays of all the ways in which a room is to be met.
    pub(crate) fn of(meetings: &[Meeting], app_id: &str) -> Result<Self, Refusal> {
        let mut room = RoomRelays::default();
        for meeting in meetings {
            let relays = meeting.relays(app_id).map_err(Refusal::new)?;
            let written = meeting.urls.iter().map(Some).chain(std::iter::repeat(None));
            for (relay, written) in relays.iter().zip(written) {
                room.add(relay, written);
            }
        }
        Ok(room)
    }

    fn add(&mut self, relay: &RelayConfig, written: Option<&String>) {
        self.relays.push(relay.clone());
        let RelayConfig { strategy, url } = relay;
        // What stands for any text shows it without secrets.
        let written = written.map(|written| RelayUrl::custom(written).to_string());
        let mut name = written.unwrap_or_else(|| url.to_string());
        let strategy = strategy.name().to_owned();
        let is_taken = self.names.iter().any(|(key, other)| key.0 != strategy && *other == name);
        if is_taken {
            name = format!("{strategy} {name}");
        }
        self.names.insert((strategy, url.clone()), name);
    }

    pub(crate) fn configs(&self) -> &[RelayConfig] {
        &self.relays
    }

    /// What each is called, and the name of its strategy.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names.iter().map(|((strategy, _), name)| (name.as_str(), strategy.as_str()))
    }

    pub(crate) fn name(&self, relay: &RelayStatus) -> String {
        let known = self.names.get(&(relay.strategy.clone(), relay.url.clone()));
        known.cloned().unwrap_or_else(|| relay.url.to_string())
    }

    /// What one is called whose strategy is not told.
    pub(crate) fn name_of_url(&self, url: &RelayUrl) -> String {
        let known = self.names.iter().find(|((_, known), _)| known == url);
        known.map_or_else(|| url.to_string(), |(_, name)| name.clone())
    }
}

/// A relay in the words of a browser's WebSocket, and then some.
pub(crate) fn describe_relay(relay: &RelayStatus, now: Time) -> Fields {
    let fields = Fields::new().with("strategy", relay.strategy.as_str());
    let fields = match &relay.state {
        RelayState::Connecting => fields.with("state", "connecting"),
        RelayState::Open => fields.with("state", "open").with("subscribed", relay.is_subscribed),
        &RelayState::BackingOff { until, failures } => {
            let wait = u64::try_from(until.since(now).as_millis()).unwrap_or(u64::MAX);
            fields.with("state", "closed").with("failures", failures).with("retryInMs", wait)
        }
        RelayState::Paused => fields.with("state", "closed").with("paused", true),
        RelayState::Retired { why } => fields.with("state", "closed").with("retired", why.as_str()),
        _ => fields.with("state", "unknown"),
    };
    fields
        .with_option("lastError", relay.last_error.as_deref())
        .with("messagesIn", relay.messages_in)
        .with("messagesOut", relay.messages_out)
        .with("malformed", relay.malformed)
}

/// A relay that no room has any more.
pub(crate) fn describe_left(strategy: &str) -> Fields {
    Fields::new().with("strategy", strategy).with("state", "closed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::Settings;

    fn room(meetings: &[&str]) -> RoomRelays {
        let parse = |text: &&str| Meeting::parse(text, &Settings::default()).unwrap();
        RoomRelays::of(&meetings.iter().map(parse).collect::<Vec<_>>(), "app").unwrap()
    }

    fn names(room: &RoomRelays) -> Vec<&str> {
        room.names().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_relay_is_called_as_it_was_written_but_for_its_password() {
        assert_eq!(names(&room(&["ws=ws://X"])), ["ws://X"]);
        assert_eq!(names(&room(&["ws=ws://me:sesame@X"])), ["ws://X"]);
    }

    #[test]
    fn two_strategies_at_one_url_are_told_apart() {
        let room = room(&["ws=ws://x,ws://x", "nostr=ws://x"]);
        assert_eq!(names(&room), ["nostr ws://x", "ws://x"]);
        assert_eq!(room.configs().len(), 3);
    }
}
