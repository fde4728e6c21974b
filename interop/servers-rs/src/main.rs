//! Signaling servers that others wrote, for tests: `tristero-test-servers mqtt | nostr | torrent`.
//!
//! It prints where the server listens as a line of JSON, `{"url":"ws://127.0.0.1:PORT"}`, once a
//! client can connect, and ends with its standard input, or when the server does.
//!
//! What is peculiar to a server stands in its module. They keep their defaults, but for what a
//! default forbids that public servers of the kind allow.

mod mqtt;
mod nostr;
mod port;
mod torrent;

use std::env;
use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use port::ReservedPort;

/// How long to wait before the server is tried again: much less than a test notices.
const RETRY_INTERVAL: Duration = Duration::from_millis(5);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let name = env::args().nth(1).unwrap_or_default();
    let serve = server(&name)?;
    let port = ReservedPort::any().context("there is no free port")?;
    let address = port.address();

    let (ended_tx, ended_rx) = mpsc::channel();
    let input_ended = ended_tx.clone();
    // Who receives is gone only when all of this ends, and with it the need to say so.
    thread::spawn(move || ended_tx.send(serve(address)).ok());
    wait_for(address, &ended_rx)?;
    println!(r#"{{"url":"ws://{address}"}}"#);
    thread::spawn(move || input_ended.send(read_to_end()).ok());
    ended_rx.recv().context("nobody is left who could end")?
}

/// What serves at an address until it fails.
type Serve = fn(SocketAddr) -> Result<()>;

fn server(name: &str) -> Result<Serve> {
    match name {
        "mqtt" => Ok(mqtt::serve),
        "nostr" => Ok(nostr::serve),
        "torrent" => Ok(torrent::serve),
        _ => bail!("name one of the servers: mqtt, nostr, torrent"),
    }
}

/// Whatever ends the input: nobody is there to be served.
fn read_to_end() -> Result<()> {
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Returns once a client can connect. Most of the servers don't tell.
fn wait_for(address: SocketAddr, ended: &Receiver<Result<()>>) -> Result<()> {
    while TcpStream::connect(address).is_err() {
        match ended.recv_timeout(RETRY_INTERVAL) {
            Ok(how) => return how.and_then(|()| bail!("it ended before it listened")),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("it ended and does not say how"),
        }
    }
    Ok(())
}
