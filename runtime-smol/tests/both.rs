//! Two runtimes in one process.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use tristero_smol as rooms;
use tristero_smol::blocking::Wait as _;
use tristero_smol::{Action, Options, Proxies};

#[path = "../../runtime-native/suite/common.rs"]
mod common;
mod runtime;

use common::{config, have_met, run, soon};

#[test]
fn a_node_on_tokio_and_one_on_smol_meet_and_talk() {
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let options = || Options { loopback: true, proxies: Proxies::none(), ..Options::default() };
    let config = run(config());
    let on_smol = tristero_smol::node(options()).unwrap().join(&config, "room").unwrap();
    let on_tokio = {
        let _entered = tokio.enter();
        tristero_tokio::node(options()).unwrap().join(&config, "room").unwrap()
    };
    // One room is waited for on both: handles belong to no executor.
    run(have_met(&on_smol, &on_tokio));
    let (from_smol, mut at_tokio): (Action<String>, Action<String>) =
        (on_smol.action("chat").unwrap(), on_tokio.action("chat").unwrap());
    run(soon(from_smol.send("over there"))).unwrap();
    let heard = tokio.block_on(soon(at_tokio.recv()));
    assert_eq!(heard.unwrap().unwrap().value, "over there");
    on_tokio.leave().wait();
    on_smol.leave().wait();
}
