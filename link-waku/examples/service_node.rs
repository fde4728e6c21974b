//! A service node of Waku for other programs' tests. It prints where it listens as a line of JSON,
//! `{"address":"/ip4/127.0.0.1/tcp/PORT/ws/p2p/ID"}`, and ends with its standard input.

#[path = "../tests/node/mod.rs"]
mod node;

use std::io::{self, Read as _};

use node::{Conduct, Muxers, ServiceNode};

#[tokio::main]
async fn main() {
    let node = ServiceNode::start(Conduct::Honest, Muxers::Both).await;
    println!("{}", serde_json::json!({ "address": node.address.to_string() }));
    let until_end = || io::stdin().read_to_end(&mut Vec::new());
    // Whatever ends it: nobody is there to be served.
    let _ = tokio::task::spawn_blocking(until_end).await;
}
