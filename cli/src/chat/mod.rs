//! `tristero chat`: lines in, lines out.
//!
//! Stdout has what was said and who came and went, one line each, whatever a remote sends. What
//! the program has to say about itself goes to stderr.

mod conversation;
mod introductions;
mod text;

use std::collections::BTreeSet;
use std::env::{self, VarError};
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
    let room = node
        .join(&config, &arguments.room)
        .map_err(|error| Failure::usage(text::without_passwords(&error.to_string())))?;
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
    if arguments.app.is_empty() {
        return Err(Failure::usage("the application's name, --app, is empty"));
    }
    if arguments.room.is_empty() {
        return Err(Failure::usage("the room's name, ROOM, is empty"));
    }
    let config = arguments.relays.iter().fold(Config::new(&arguments.app), Config::relay);
    match password(arguments)? {
        // Trystero takes it for none, and whoever gave one would be in an open room.
        Some(empty) if empty.is_empty() => Err(Failure::usage(
            "the password is empty; leave it out, also from TRISTERO_PASSWORD, for an open room",
        )),
        Some(password) => Ok(config.password(password)),
        None => Ok(config),
    }
}

/// What was asked for, or given, or is in the environment.
fn password(arguments: &ChatArguments) -> Result<Option<String>, Failure> {
    if arguments.ask_password {
        return rpassword::prompt_password("Password: ").map(Some).map_err(|error| {
            Failure::usage(format!("the password can't be asked for without a terminal: {error}"))
        });
    }
    if arguments.password.is_some() {
        return Ok(arguments.password.clone());
    }
    match env::var(PASSWORD_VARIABLE) {
        Ok(password) => Ok(Some(password)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(Failure::usage(format!("{PASSWORD_VARIABLE} is not UTF-8")))
        }
    }
}

/// Waits until a relay is reached, and says what it is waiting for.
async fn first_relay(events: &mut RoomEvents, patience: Duration) -> Result<(), Failure> {
    let mut said = BTreeSet::new();
    let mut trouble = None;
    let reached = async {
        loop {
            let event = events.recv().await.ok_or_else(|| Failure::running(NODE_ENDED))?;
            let RoomEvent::Relay(relay) = event else { continue };
            let url = text::without_passwords(relay.url.as_str());
            if relay.state == RelayState::Open {
                eprintln!("connected to the relay {url}");
                return Ok(());
            }
            let mut waiting = format!("the relay {url}");
            if let Some(why) = &relay.last_error {
                let why = text::without_passwords(why);
                waiting = format!("{waiting}: {}", text::printable(&why));
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

/// Where the password is when it is on nobody's screen.
const PASSWORD_VARIABLE: &str = "TRISTERO_PASSWORD";

/// What is left to say when the driver is gone.
const NODE_ENDED: &str = "the peer has ended by itself, which is a bug";
