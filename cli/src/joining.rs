//! Joining the one room of a command.

use std::env::{self, VarError};

use tristero_tokio::{Config, MediaConfig, Options, Room};

use crate::args::RoomArguments;
use crate::exit::Failure;
use crate::node;

/// Joins the room that the arguments name, with a node of its own.
pub(crate) fn join(arguments: &RoomArguments) -> Result<Room, Failure> {
    join_with(arguments, MediaConfig::default())
}

/// Joins it with these codecs of audio and video.
pub(crate) fn join_with(arguments: &RoomArguments, media: MediaConfig) -> Result<Room, Failure> {
    let config = config(arguments)?.media(media);
    let node = node::start(Options { loopback: arguments.loopback, ..Options::default() })?;
    node.join(&config, &arguments.room).map_err(Failure::usage)
}

fn config(arguments: &RoomArguments) -> Result<Config, Failure> {
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
fn password(arguments: &RoomArguments) -> Result<Option<String>, Failure> {
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
