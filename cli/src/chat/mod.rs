//! `tristero chat`: lines in, lines out.
//!
//! Stdout has what was said and who came and went, one line each, whatever a remote sends. What
//! the program has to say about itself goes to stderr.

mod conversation;
mod text;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;
use tristero_tokio::{Config, Options, RelayState, RoomEvent, RoomEvents};

pub(crate) use conversation::{Conversation, OnEnd};

use crate::args::ChatArguments;
use crate::exit::Failure;
use crate::node;
use crate::signals::StopSignals;

/// The action that lines are sent on.
pub(crate) const CHAT_ACTION: &str = "chat";

/// Talks until the end of stdin, or until the program is asked to stop.
pub(crate) async fn run(arguments: ChatArguments) -> Result<(), Failure> {
    let config = config(&arguments)?;
    let mut signals = StopSignals::listen()?;
    let node = node::start(Options { loopback: arguments.loopback, ..Options::default() })?;
    let room = node.join(&config, &arguments.room).map_err(Failure::usage)?;
    eprintln!("you are {} in {}", room.self_id(), text::printable(&arguments.room));

    let mut events = room.events();
    let talk = async {
        first_relay(&mut events, arguments.wait).await?;
        let conversation = Conversation::new(&room, OnEnd::Leave)?;
        conversation.run(&mut events).await
    };
    let outcome = tokio::select! {
        outcome = talk => outcome,
        () = signals.next() => Ok(()),
    };
    room.leave().await;
    node.shut_down().await;
    outcome
}

fn config(arguments: &ChatArguments) -> Result<Config, Failure> {
    let password = if arguments.ask_password {
        Some(rpassword::prompt_password("Password: ").map_err(|error| {
            Failure::usage(format!("the password can't be asked for without a terminal: {error}"))
        })?)
    } else {
        arguments.password.clone()
    };
    let config = arguments.relays.iter().fold(Config::new(&arguments.app), Config::relay);
    Ok(config.password(password.unwrap_or_default()))
}

/// Waits until a relay is reached, and says what it is waiting for.
async fn first_relay(events: &mut RoomEvents, patience: Duration) -> Result<(), Failure> {
    let mut said = BTreeSet::new();
    let mut trouble = None;
    let reached = async {
        loop {
            let event = events.recv().await.ok_or_else(|| Failure::running(NODE_ENDED))?;
            let RoomEvent::Relay(relay) = event else { continue };
            if relay.state == RelayState::Open {
                eprintln!("connected to the relay {}", relay.url);
                return Ok(());
            }
            let mut waiting = format!("the relay {}", relay.url);
            if let Some(why) = &relay.last_error {
                waiting = format!("{waiting}: {}", text::printable(why));
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

/// What is left to say when the driver is gone.
const NODE_ENDED: &str = "the peer has ended by itself, which is a bug";
