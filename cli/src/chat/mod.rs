//! `tristero chat`: lines in, lines out.
//!
//! Stdout has what was said, who came and went, what became of files, and what was asked for by a
//! command, one line each, whatever a remote sends. What the program has to say about itself goes
//! to stderr.
//!
//! - [`conversation`]: all that goes on; [`command`]: what a line of input means
//! - [`people`]: what they are called; [`introductions`]: that nobody speaks before they came
//! - [`files`]: who offers, accepts and sends them; [`saving`], [`file_name`]: where they end up
//! - [`terminal`], [`text`], [`told`]: what is printed, and how strangers' text is

mod command;
mod conversation;
mod file_name;
mod files;
mod introductions;
mod people;
mod relays;
mod saving;
mod terminal;
mod text;
mod told;

use std::env::{self, VarError};

use tristero_tokio::{Config, Options};

pub(crate) use conversation::{Conversation, OnEnd};
pub(crate) use text::printable;

use crate::args::ChatArguments;
use crate::exit::Failure;
use crate::node;
use crate::signals::StopSignals;

/// Talks until the end of stdin, or until the program is asked to stop.
pub(crate) async fn run(arguments: ChatArguments) -> Result<(), Failure> {
    let config = config(&arguments)?;
    let name = arguments.name.as_deref().map(own_name).transpose()?;
    let mut signals = StopSignals::listen()?;
    let node = node::start(Options { loopback: arguments.loopback, ..Options::default() })?;
    let room = node.join(&config, &arguments.room).map_err(Failure::usage)?;
    let called = name.as_ref().map(|name| format!(", called {name}")).unwrap_or_default();
    eprintln!("you are {} in {}{called}", room.self_id(), text::printable(&arguments.room));

    let mut events = room.events();
    let talk = async {
        relays::first_relay(&mut events, arguments.wait).await?;
        let mut conversation = Conversation::new(&room, OnEnd::Leave, arguments.files)?;
        if let Some(name) = name {
            conversation = conversation.called(name);
        }
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

/// A name that everyone sees as it is given.
fn own_name(name: &str) -> Result<String, Failure> {
    people::clean_name(name)
        .filter(|clean| clean == name)
        .ok_or_else(|| Failure::usage("a name, --name, is one word of up to 32 letters and digits"))
}

fn config(arguments: &ChatArguments) -> Result<Config, Failure> {
    if arguments.app.is_empty() {
        return Err(Failure::usage("the application's name, --app, is empty"));
    }
    if arguments.room.is_empty() {
        return Err(Failure::usage("the room's name, ROOM, is empty"));
    }
    let mut config = Config::new(&arguments.app).ice(arguments.ice.config()?);
    for meeting in arguments.meeting.meetings()? {
        config = config.relays(meeting.relays(&arguments.app).map_err(Failure::usage)?);
    }
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

/// Where the password is when it is on nobody's screen.
const PASSWORD_VARIABLE: &str = "TRISTERO_PASSWORD";

/// What is left to say when the driver is gone.
const NODE_ENDED: &str = "the peer has ended by itself, which is a bug";
