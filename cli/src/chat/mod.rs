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

pub(crate) use conversation::{Conversation, OnEnd};
pub(crate) use file_name::numbered;
pub(crate) use relays::{LostRelays, first_relay};
pub(crate) use text::printable;
pub(crate) use told::{join_failure, relay_notice};

use crate::args::ChatArguments;
use crate::exit::Failure;
use crate::joining;
use crate::signals::StopSignals;

/// Talks until the end of stdin, or until the program is asked to stop.
pub(crate) async fn run(arguments: ChatArguments) -> Result<(), Failure> {
    let name = arguments.name.as_deref().map(own_name).transpose()?;
    let mut signals = StopSignals::listen()?;
    let room = joining::join(&arguments.room)?;
    let node = room.node().clone();
    let called = name.as_ref().map(|name| format!(", called {name}")).unwrap_or_default();
    eprintln!("you are {} in {}{called}", room.self_id(), text::printable(&arguments.room.room));

    let mut events = room.events();
    let talk = async {
        first_relay(&mut events, arguments.room.wait).await?;
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

/// What is left to say when the driver is gone.
pub(crate) const NODE_ENDED: &str = "the peer has ended by itself, which is a bug";
