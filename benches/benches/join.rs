//! How long two peers on this machine take from `join` to `PeerJoined` on both sides.
//!
//! Each round has two new nodes and one relay. The reference in the same run is the time from
//! `join` until the relay's link stands, which nothing of ours can undercut.

use std::time::{Duration, Instant};

use tristero_relay::{Config as RelayConfig, Relay};
use tristero_tokio::{Config, Options, RelayState, Room, RoomEvent, node};

const ROUNDS: usize = 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let relay = Relay::bind(RelayConfig::new("127.0.0.1:0".parse()?)).await?;
    let config = Config::new("bench").relay(relay.url());
    let _handle = relay.spawn();
    round(&config, "warm-up").await?;
    let (mut joins, mut dials) = (Vec::new(), Vec::new());
    for number in 0..ROUNDS {
        let (join, dial) = round(&config, &format!("room {number}")).await?;
        joins.push(join);
        dials.push(dial);
    }
    print("join to PeerJoined, both sides", &mut joins);
    print("reference: join to open relay", &mut dials);
    Ok(())
}

/// Two peers meet; says how long that took, and how long the relay took to be reached.
async fn round(
    config: &Config,
    room: &str,
) -> Result<(Duration, Duration), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let options = || Options { loopback: true, ..Options::default() };
    let a = node(options())?.join(config, room)?;
    let b = node(options())?.join(config, room)?;
    let ((join_a, dial_a), (join_b, dial_b)) = tokio::join!(met(&a, start), met(&b, start));
    tokio::join!(a.node().shut_down(), b.node().shut_down());
    Ok((join_a.max(join_b), dial_a.max(dial_b)))
}

async fn met(room: &Room, start: Instant) -> (Duration, Duration) {
    let mut events = room.events();
    let mut dial = Duration::ZERO;
    loop {
        match events.recv().await {
            Some(RoomEvent::PeerJoined { .. }) => return (start.elapsed(), dial),
            Some(RoomEvent::Relay(status)) if status.state == RelayState::Open => {
                dial = start.elapsed();
            }
            Some(_) => {}
            None => return (Duration::MAX, dial),
        }
    }
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{what:32} median {:6.1} ms   min {:6.1} ms   max {:6.1} ms   ({} rounds)",
        millis(times[times.len() / 2]),
        millis(times[0]),
        millis(times[times.len() - 1]),
        times.len(),
    );
}
