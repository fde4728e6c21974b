//! A hundred nodes in one thread.

mod common;

use common::{Program, relay};

#[test]
fn everyone_in_ten_rooms_of_ten_meets_everyone_in_their_room() {
    let (_runtime, relay) = relay();
    let mut nodes = Program::start(env!("CARGO_BIN_EXE_hundred_nodes"), &relay, &[]);
    let met = nodes.event("met");
    println!("{met}");
    assert_eq!(met["pairs"], 450);
    nodes.end();
}
