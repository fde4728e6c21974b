//! A service node of Waku for other programs' tests: `service_node [PORT [SEED]]`.
//!
//! It prints where it listens as a line of JSON, `{"address":"/ip4/127.0.0.1/tcp/PORT/ws/p2p/ID"}`,
//! then a line `{"subscribers":N}` whenever another number of clients is subscribed to something,
//! and ends with its standard input.
//!
//! Nodes of one SEED, which is a number, have one ID: with the PORT of one that has ended, a second
//! one is that node come back, to which clients return.

#[path = "../tests/node/mod.rs"]
mod node;

use std::env;
use std::io::{self, Read as _};

use libp2p::identity::Keypair;
use node::{Conduct, Muxers, ServiceNode};
use sha2::{Digest as _, Sha256};

#[tokio::main]
async fn main() {
    let mut arguments = env::args().skip(1);
    let port = arguments.next().map_or(0, |port| port.parse().expect("PORT is the number of one"));
    let key = arguments.next().map_or_else(Keypair::generate_ed25519, |seed| {
        key_of(seed.parse().expect("SEED is a number of 64 bits at most"))
    });
    let node = ServiceNode::start_at(port, key, Conduct::Honest, Muxers::Both).await;
    println!("{}", serde_json::json!({ "address": node.address.to_string() }));

    let mut subscribers = node.subscribers.clone();
    tokio::spawn(async move {
        while subscribers.changed().await.is_ok() {
            println!("{}", serde_json::json!({ "subscribers": *subscribers.borrow_and_update() }));
        }
    });
    let until_end = || io::stdin().read_to_end(&mut Vec::new());
    // Whatever ends it: nobody is there to be served.
    let _ = tokio::task::spawn_blocking(until_end).await;
}

fn key_of(seed: u64) -> Keypair {
    let secret: [u8; 32] = Sha256::digest(seed.to_be_bytes()).into();
    Keypair::ed25519_from_bytes(secret).expect("any 32 bytes are a key")
}
