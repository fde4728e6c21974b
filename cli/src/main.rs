//! The program `tristero`: rooms, a relay and a scriptable peer on the command line.
//!
//! Each subcommand is a module of its own, with an async `run` that ends in a [`Failure`] or not.
//! Rules kept here:
//!
//! - What a command is for goes to stdout; notes, logs and errors go to stderr.
//! - An error is one sentence; the exit status tells of which kind it is ([`exit`]).
//! - A command that is interrupted leaves its rooms first.
//!
//! Protocol, networking and the relay itself are the matters of the libraries below.

mod agent;
mod args;
mod chat;
mod demo;
mod doctor;
mod exit;
mod files;
mod ice;
mod joining;
mod lines;
mod logging;
mod media;
mod node;
mod play;
mod record;
mod relay;
mod relays;
mod signals;
mod strategies;
mod words;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use crate::args::{Arguments, Command, RelayArguments};
use crate::exit::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start(arguments.verbose);
    match start(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}

fn start(command: Command) -> Result<(), Failure> {
    let runtime = runtime(&command)
        .map_err(|error| Failure::running(format!("the program can't start: {error}")))?;
    let outcome = runtime.block_on(run(command));
    // A thread may still be reading stdin, and nothing else is left to be waited for.
    runtime.shutdown_background();
    outcome
}

/// A relay says how many threads it wants; everything else may have one for each core.
fn runtime(command: &Command) -> io::Result<Runtime> {
    let mut builder = match command {
        Command::Relay(RelayArguments { threads: 1, .. }) => Builder::new_current_thread(),
        Command::Relay(RelayArguments { threads, .. }) => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(*threads);
            builder
        }
        Command::Demo(_)
        | Command::Chat(_)
        | Command::Agent(_)
        | Command::Record(_)
        | Command::Play(_)
        | Command::Relays(_)
        | Command::Doctor(_) => Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Chat(arguments) => chat::run(arguments).await,
        Command::Agent(arguments) => agent::run(arguments).await,
        Command::Record(arguments) => record::run(arguments).await,
        Command::Play(arguments) => play::run(arguments).await,
        Command::Relay(arguments) => relay::run(arguments).await,
        Command::Relays(arguments) => relays::run(arguments).await,
        Command::Doctor(arguments) => doctor::run(arguments).await,
    }
}
