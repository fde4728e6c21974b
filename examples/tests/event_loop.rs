//! The loop without async, as two programs that talk.

mod common;

use common::{Program, relay};

const EVENT_LOOP: &str = env!("CARGO_BIN_EXE_event_loop");

#[test]
fn two_programs_meet_and_greet_each_other() {
    let (_runtime, relay) = relay();
    let talk = |greeting| {
        let arguments = ["--room", "talk", "--greet", greeting, "--until-messages", "1"];
        Program::start(EVENT_LOOP, &relay, &arguments)
    };
    let (mut a, mut b) = (talk("I am a"), talk("I am b"));
    let (a_id, b_id) = (a.event("ready")["selfId"].clone(), b.event("ready")["selfId"].clone());
    assert_eq!(a.event("joined")["peer"], b_id);
    assert_eq!(b.event("joined")["peer"], a_id);
    let (to_a, to_b) = (a.event("message"), b.event("message"));
    assert_eq!((&to_a["peer"], &to_a["said"]), (&b_id, &"I am b".into()));
    assert_eq!((&to_b["peer"], &to_b["said"]), (&a_id, &"I am a".into()));
    a.end();
    b.end();
}

#[test]
fn what_is_typed_is_said_to_all_and_the_end_of_input_is_a_goodbye() {
    let (_runtime, relay) = relay();
    let talk = || Program::start(EVENT_LOOP, &relay, &["--room", "typed"]);
    let (mut a, mut b) = (talk(), talk());
    let a_id = a.event("ready")["selfId"].clone();
    a.event("message");
    b.event("message");
    a.say("how are you?");
    assert_eq!(b.event("message")["said"], "how are you?");
    a.hang_up();
    let left = b.event("left");
    assert_eq!((&left["peer"], &left["why"]), (&a_id, &"it left".into()));
    a.end();
    b.hang_up();
    b.end();
}

#[test]
fn a_link_that_can_not_be_opened_is_no_reason_to_end() {
    let mut alone = Program::start(EVENT_LOOP, "wss://127.0.0.1:9", &[]);
    let relay = alone.event("relay");
    assert_eq!(
        (&relay["state"], &relay["why"]),
        (&"waiting".into(), &"this loop has no TLS".into())
    );
    alone.hang_up();
    alone.end();
}
