//! Two peers of this process meet through a relay, over one kind of path.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tristero_tokio::{
    Config, IceConfig, IceTransportPolicy, NodeHandle, Options, RelayConfig, Room, RoomEvent,
    RoomEvents,
};

use super::facts::{JoinOutcome, Met};
use crate::node;

/// One of the two.
struct Guest {
    node: NodeHandle,
    room: Room,
    events: RoomEvents,
    /// Whether nothing is left where its server is of no help.
    needs_server: bool,
    /// What went wrong for it last, which may have been made good since.
    trouble: Option<String>,
}

/// Makes them meet, and lets data pass.
pub(super) async fn meet(
    app: &str,
    relay: &RelayConfig,
    ice: &IceConfig,
    options: &Options,
    deadline: Instant,
) -> JoinOutcome {
    let config = Config::new(app).relays([relay.clone()]).ice(ice.clone());
    let needs_server = ice.transport_policy == IceTransportPolicy::Relay;
    let join = |name: Option<&str>| Guest::join(&config, name, needs_server, options);
    let mut left = match join(None) {
        Ok(guest) => guest,
        Err(why) => return JoinOutcome::Failed(why),
    };
    // Nobody else is in a room that is named by an id of ours.
    let name = left.node.self_id().to_string();
    let mut right = match join(Some(&name)) {
        Ok(guest) => guest,
        Err(why) => return JoinOutcome::Failed(why),
    };
    let begun = Instant::now();
    let met = timeout_at(deadline, connect(&mut left, &mut right, begun)).await;
    let outcome = match met {
        Ok(Ok(met)) => JoinOutcome::Met(met),
        Ok(Err(outcome)) => outcome,
        Err(_elapsed) => JoinOutcome::Failed(why_late(&left, &right, begun.elapsed())),
    };
    // The program may end before they have said goodbye to each other, and nobody minds.
    let _ = timeout_at(deadline + HANGING_UP_MAX, async {
        tokio::join!(left.node.shut_down(), right.node.shut_down());
    })
    .await;
    outcome
}

async fn connect(left: &mut Guest, right: &mut Guest, begun: Instant) -> Result<Met, JoinOutcome> {
    tokio::try_join!(left.welcome(), right.welcome())?;
    let took = begun.elapsed();
    let peer = right.node.self_id();
    let silence = |error| JoinOutcome::Failed(format!("no data passes: {error}"));
    let ping = left.room.ping(peer).await.map_err(silence)?;
    let kinds = left.room.connection_info(peer).map(|info| info.candidate_kinds);
    Ok(Met { took, ping, kinds: kinds.unwrap_or_default() })
}

impl Guest {
    fn join(
        config: &Config,
        name: Option<&str>,
        needs_server: bool,
        options: &Options,
    ) -> Result<Self, String> {
        let node = node::start(options.clone()).map_err(|failure| failure.to_string())?;
        let name = name.unwrap_or(node.self_id().as_str());
        let room = node.join(config, name).map_err(|error| error.to_string())?;
        let events = room.events();
        Ok(Guest { node, room, events, needs_server, trouble: None })
    }

    /// Waits for the other.
    async fn welcome(&mut self) -> Result<(), JoinOutcome> {
        loop {
            match self.events.recv().await {
                Some(RoomEvent::PeerJoined { .. }) => return Ok(()),
                Some(RoomEvent::JoinFailed { failure, .. }) => {
                    self.trouble = Some(failure.to_string());
                }
                Some(RoomEvent::IceServerFailed { failure, .. }) if self.needs_server => {
                    return Err(JoinOutcome::NoServer(failure));
                }
                Some(RoomEvent::IceServerFailed { url, failure }) => {
                    self.trouble = Some(format!("{url}: {failure}"));
                }
                Some(_) => {}
                None => {
                    let bug = "a peer ended by itself, which is a bug";
                    return Err(JoinOutcome::Failed(bug.to_owned()));
                }
            }
        }
    }

    /// Whether the relay brought anything.
    fn has_heard(&self) -> bool {
        self.room.relays().iter().any(|relay| relay.messages_in > 0)
    }
}

fn why_late(left: &Guest, right: &Guest, waited: Duration) -> String {
    let seconds = waited.as_secs_f64();
    if let Some(trouble) = left.trouble.as_ref().or(right.trouble.as_ref()) {
        return format!("not within {seconds:.1} s: {trouble}");
    }
    match left.has_heard() && right.has_heard() {
        true => format!("signals passed, and no connection came of them within {seconds:.1} s"),
        false => format!("the relay passed no signals on within {seconds:.1} s"),
    }
}

/// What a goodbye may take.
const HANGING_UP_MAX: Duration = Duration::from_millis(300);
