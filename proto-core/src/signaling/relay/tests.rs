//! When a relay is dialled, subscribed and told of.

use bytes::Bytes;

use super::*;
use crate::ids::PeerId;
use crate::rng::Seed;
use crate::strategies::{Mqtt, WsRelay};

fn relay() -> Relay {
    relay_of(&WsRelay)
}

fn relay_of(strategy: &(impl Strategy + Copy + 'static)) -> Relay {
    let seed = Seed::from_number(1);
    let terms = SessionTerms {
        url: RelayUrl::web_socket("ws://127.0.0.1:1").unwrap(),
        self_id: PeerId::new("a").unwrap(),
        shared: seed.fork("strategy"),
        rng: seed.rng("session"),
        clock: Clock { now: Time::ZERO, unix: Duration::ZERO },
    };
    Relay::new(Arc::new(*strategy), terms, seed.rng("relay"), Time::ZERO)
}

fn sent(relay: &mut Relay) -> Vec<String> {
    let mut sent = Vec::new();
    while let Some(output) = relay.poll_output() {
        if let RelayOutput::SendLink { frame: LinkFrame::Text(text), .. } = output {
            sent.push(text);
        }
    }
    sent
}

#[test]
fn a_relay_that_fails_is_dialled_again_after_ever_longer_waits() {
    let mut relay = relay();
    let mut now = Time::ZERO;
    let mut longest = [Duration::ZERO; 8];
    for wait in &mut longest {
        relay.handle_timeout(|| LinkId(1), now);
        relay.on_link_closed(LinkId(1), "refused", now);
        let RelayState::BackingOff { until, .. } = relay.status().state else { panic!() };
        *wait = until.since(now);
        now = until;
    }
    for (index, wait) in longest.iter().enumerate() {
        let doublings = u32::try_from(index).unwrap().min(BACKOFF_DOUBLINGS);
        assert!(*wait < BACKOFF_FIRST * 2u32.pow(doublings), "{longest:?}");
    }
    assert!(longest[4..].iter().any(|wait| *wait > BACKOFF_FIRST), "{longest:?}");
}

#[test]
fn a_dial_without_an_answer_is_given_up() {
    let mut relay = relay();
    relay.handle_timeout(|| LinkId(1), Time::ZERO);
    let deadline = relay.poll_timeout().unwrap();
    assert_eq!(deadline.at, Time::ZERO + DIAL_TIMEOUT);
    relay.handle_timeout(|| unreachable!("it does not dial yet"), deadline.at);
    let outputs: Vec<_> = std::iter::from_fn(|| relay.poll_output()).collect();
    assert!(outputs.iter().any(|o| matches!(o, RelayOutput::CloseLink { link: LinkId(1) })));
    relay.on_link_opened(LinkId(1), deadline.at);
    assert!(!relay.is_open(), "a link that comes too late is not used");
}

#[test]
fn a_relay_that_takes_links_and_no_subscription_is_dialled_ever_less() {
    let mut relay = relay();
    let mut now = Time::ZERO;
    for dial in 1..=6 {
        relay.handle_timeout(|| LinkId(dial), now);
        relay.on_link_opened(LinkId(dial), now);
        now = relay.poll_timeout().unwrap().at;
        relay.handle_timeout(|| unreachable!("it does not dial yet"), now);
        let RelayState::BackingOff { until, failures } = relay.status().state else { panic!() };
        assert_eq!(u64::from(failures), dial);
        now = until;
    }
    let topic = Topic::from_wire("t");
    relay.subscribe(&topic, &topic, RoomKey(1), now);
    relay.handle_timeout(|| LinkId(7), now);
    relay.on_link_opened(LinkId(7), now);
    relay.on_link_closed(LinkId(7), "gone", now + BRIEF);
    let RelayState::BackingOff { failures, .. } = relay.status().state else { panic!() };
    assert_eq!(failures, 1, "it was of use");
}

#[test]
fn a_relay_that_takes_a_subscription_and_hangs_up_at_once_is_dialled_ever_less() {
    let mut relay = relay();
    let topic = Topic::from_wire("t");
    relay.subscribe(&topic, &topic, RoomKey(1), Time::ZERO);
    let mut now = Time::ZERO;
    for dial in 1..=6 {
        relay.handle_timeout(|| LinkId(dial), now);
        relay.on_link_opened(LinkId(dial), now);
        relay.on_link_closed(LinkId(dial), "go away", now);
        let RelayState::BackingOff { until, failures } = relay.status().state else { panic!() };
        assert_eq!(u64::from(failures), dial);
        now = until;
    }
}

#[test]
fn topics_are_subscribed_once_and_again_after_a_reconnect() {
    let mut relay = relay();
    let topic = Topic::from_wire("t");
    relay.subscribe(&topic, &topic, RoomKey(1), Time::ZERO);
    relay.subscribe(&topic, &topic, RoomKey(2), Time::ZERO);
    relay.handle_timeout(|| LinkId(1), Time::ZERO);
    relay.on_link_opened(LinkId(1), Time::ZERO);
    assert_eq!(sent(&mut relay), [r#"{"type":"subscribe","topic":"t"}"#]);
    relay.unsubscribe(&topic, RoomKey(1), Time::ZERO);
    assert_eq!(sent(&mut relay), [] as [String; 0], "another room listens there");
    relay.on_link_closed(LinkId(1), "gone", Time::ZERO);
    let rest = SessionInput::Rest { root: &topic };
    assert!(!relay.tell(rest, Time::ZERO), "without a link nothing is said");
    relay.handle_timeout(|| LinkId(2), Time::from_millis(3_333));
    relay.on_link_opened(LinkId(2), Time::from_millis(3_333));
    assert_eq!(sent(&mut relay), [r#"{"type":"subscribe","topic":"t"}"#]);
    relay.unsubscribe(&topic, RoomKey(2), Time::ZERO);
    assert_eq!(sent(&mut relay), [r#"{"type":"unsubscribe","topic":"t"}"#]);
    assert!(relay.is_unused());
}

#[test]
fn a_link_that_the_session_gives_up_is_closed_and_dialled_again_after_a_wait() {
    let mut relay = relay_of(&Mqtt);
    relay.handle_timeout(|| LinkId(1), Time::ZERO);
    relay.on_link_opened(LinkId(1), Time::ZERO);
    // A CONNACK that says that the broker is not available.
    let refusal = LinkFrame::Binary(Bytes::from_static(b"\x20\x02\x00\x03"));
    relay.on_link_frame(LinkId(1), refusal, Time::ZERO);
    let outputs: Vec<_> = std::iter::from_fn(|| relay.poll_output()).collect();
    assert!(outputs.iter().any(|o| matches!(o, RelayOutput::CloseLink { link: LinkId(1) })));
    let status = relay.status();
    assert!(matches!(status.state, RelayState::BackingOff { failures: 1, .. }), "{status:?}");
    assert_eq!(status.last_error.as_deref(), Some("the broker is not available"));
}

#[test]
fn a_relay_is_told_of_when_it_takes_a_link_and_when_it_takes_a_subscription() {
    let told = |relay: &mut Relay| {
        let outputs = std::iter::from_fn(|| relay.poll_output());
        outputs.filter(|output| matches!(output, RelayOutput::StateChanged)).count()
    };
    let topic = Topic::from_wire("t");
    let mut at_once = relay();
    let mut confirming = relay_of(&Mqtt);
    for relay in [&mut at_once, &mut confirming] {
        relay.subscribe(&topic, &topic, RoomKey(1), Time::ZERO);
        relay.handle_timeout(|| LinkId(1), Time::ZERO);
        relay.on_link_opened(LinkId(1), Time::ZERO);
        assert_eq!(told(relay), 1);
    }
    assert!(at_once.status().is_subscribed && !confirming.status().is_subscribed);
    // CONNACK, then SUBACK.
    for packet in [&b"\x20\x02\x00\x00"[..], b"\x90\x03\x00\x01\x00"] {
        let frame = LinkFrame::Binary(Bytes::from_static(packet));
        confirming.on_link_frame(LinkId(1), frame, Time::ZERO);
    }
    assert!(confirming.status().is_subscribed);
    assert_eq!(told(&mut confirming), 1);
    confirming.on_link_closed(LinkId(1), "gone", Time::ZERO);
    assert!(!confirming.status().is_subscribed);
}

#[test]
fn what_an_old_link_says_does_not_matter() {
    let mut relay = relay();
    relay.handle_timeout(|| LinkId(1), Time::ZERO);
    relay.on_link_closed(LinkId(1), "refused", Time::ZERO);
    relay.handle_timeout(|| LinkId(2), Time::from_millis(3_333));
    relay.on_link_opened(LinkId(2), Time::from_millis(3_333));
    relay.on_link_closed(LinkId(1), "late", Time::from_millis(3_334));
    assert!(relay.is_open());
}
