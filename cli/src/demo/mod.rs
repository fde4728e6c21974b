//! `tristero demo`: all of it in one command, embedded in one process.
//!
//! [`tour`] goes through what peers do together and ends; [`web`] does the same with a visitor's
//! browser and stays. Both bring their own relay and use real sockets of this machine.

mod screen;
mod site;
mod tour;
mod web;

use tristero_relay::{Config, Handle, Relay};

use crate::args::DemoArguments;
use crate::exit::Failure;

/// The application that the demo's peers belong to.
const APP_ID: &str = "tristero-demo";

/// Shows what there is to show.
pub(crate) async fn run(arguments: DemoArguments) -> Result<(), Failure> {
    if arguments.web { web::run(&arguments).await } else { tour::run().await }
}

/// A relay on a free port of the loopback address, and its URL.
async fn start_relay() -> Result<(Handle, String), Failure> {
    let config = Config::new(([127, 0, 0, 1], 0).into());
    let relay = Relay::bind(config).await.map_err(Failure::running)?;
    let url = relay.url();
    Ok((relay.spawn(), url))
}
