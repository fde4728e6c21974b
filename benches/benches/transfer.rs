//! How fast two peers on this machine send each other a large payload, by the public API.
//!
//! Both run in one process, on one thread each. CPU time is that of the process, so it counts both
//! sides.

use std::time::{Duration, Instant};

use tristero_relay::{Config as RelayConfig, Relay};
use tristero_tokio::{Config, Options, Payload, RawAction, Room, RoomEvent, node};

const ROUNDS: usize = 5;
const BYTES: usize = 32 * 1024 * 1024;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let relay = Relay::bind(RelayConfig::new("127.0.0.1:0".parse()?)).await?;
    let config = Config::new("bench").relay(relay.url());
    let _handle = relay.spawn();
    let options = || Options { loopback: true, ..Options::default() };
    let (a, b) = (node(options())?.join(&config, "room")?, node(options())?.join(&config, "room")?);
    tokio::join!(met(&a), met(&b));
    let (files, mut inbox): (RawAction, RawAction) = (a.action("file")?, b.action("file")?);
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let payload = vec![7u8; BYTES];
        let start = Instant::now();
        let (sent, received) = tokio::join!(files.send(payload).into_future(), inbox.recv());
        sent?;
        let Some(Payload::Binary(bytes)) = received.transpose()?.map(|received| received.value)
        else {
            return Err("the room was left".into());
        };
        assert_eq!(bytes.len(), BYTES);
        rates.push(BYTES as f64 / 1e6 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    println!(
        "{} MiB payloads: median {:.1} MB/s   min {:.1}   max {:.1}   ({ROUNDS} rounds)",
        BYTES / 1024 / 1024,
        rates[ROUNDS / 2],
        rates[0],
        rates[ROUNDS - 1],
    );
    tokio::time::timeout(Duration::from_secs(5), a.node().shut_down()).await?;
    Ok(())
}

async fn met(room: &Room) {
    let mut events = room.events();
    while let Some(event) = events.recv().await {
        if matches!(event, RoomEvent::PeerJoined { .. }) {
            return;
        }
    }
}
