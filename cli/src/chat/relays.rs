//! What is said of relays: that one is waited for, lost, and back.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;
use tristero_tokio::{RelayState, RelayStatus, RoomEvent, RoomEvents};

use super::NODE_ENDED;
use super::text::printable;
use super::told;
use crate::exit::Failure;

/// The relays that are out of reach, so that each is complained about once.
#[derive(Debug, Default)]
pub(crate) struct LostRelays(BTreeSet<String>);

impl LostRelays {
    /// What is to be said of this change, if anything is.
    pub(crate) fn note(&mut self, relay: &RelayStatus) -> Option<String> {
        let url = &relay.url;
        match &relay.state {
            RelayState::Open if relay.is_subscribed && self.0.remove(url.as_str()) => {
                Some(format!("connected to the relay {url} again"))
            }
            RelayState::BackingOff { .. } if self.0.insert(url.as_str().to_owned()) => {
                let why = relay.last_error.as_deref().unwrap_or("it hung up");
                Some(format!("the relay {url} is out of reach: {}", printable(why)))
            }
            RelayState::Retired { why } => {
                Some(format!("the relay {url} does not want us: {}", printable(why)))
            }
            _ => None,
        }
    }
}

/// Waits until a relay is reached, and says what it is waiting for.
pub(crate) async fn first_relay(
    events: &mut RoomEvents,
    patience: Duration,
) -> Result<(), Failure> {
    let mut said = BTreeSet::new();
    let mut trouble = None;
    let reached = async {
        loop {
            let event = events.recv().await.ok_or_else(|| Failure::running(NODE_ENDED))?;
            let relay = match event {
                RoomEvent::Relay(relay) => relay,
                RoomEvent::RelayNotice { url, text } => {
                    eprintln!("{}", told::relay_notice(&url, &text));
                    continue;
                }
                _ => continue,
            };
            let url = &relay.url;
            // A relay that has no subscription of ours brings nobody, and may yet refuse it.
            if relay.state == RelayState::Open && relay.is_subscribed {
                eprintln!("connected to the relay {url}");
                return Ok(());
            }
            let mut waiting = format!("the relay {url}");
            if let Some(why) = &relay.last_error {
                waiting = format!("{waiting}: {}", printable(why));
                trouble = Some(waiting.clone());
            }
            if !said.contains(&waiting) {
                eprintln!("waiting for {waiting}");
                said.insert(waiting);
            }
        }
    };
    match timeout(patience, reached).await {
        Ok(reached) => reached,
        Err(_elapsed) => {
            let seconds = patience.as_secs_f64();
            let why = trouble.map(|trouble| format!(" ({trouble})")).unwrap_or_default();
            let gave_up = format!("no relay was reachable within {seconds} s{why}");
            Err(Failure::Unreachable(gave_up))
        }
    }
}
