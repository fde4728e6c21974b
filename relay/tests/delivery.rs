//! Who gets what.

mod common;

use common::{TestRelay, delivery, within};
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn a_message_reaches_all_subscribers_and_the_subscribed_publisher() {
    let relay = TestRelay::start().await;
    let mut publisher = relay.subscriber(&["room"]).await;
    let mut other = relay.subscriber(&["room"]).await;
    publisher.publish("room", r#""hi""#).await;
    assert_eq!(publisher.next().await, delivery("room", r#""hi""#));
    assert_eq!(other.next().await, delivery("room", r#""hi""#));
    assert_eq!(relay.counters().published, 1);
    assert_eq!(relay.counters().delivered, 2);
}

#[tokio::test]
async fn a_publisher_that_has_not_subscribed_gets_no_echo() {
    let relay = TestRelay::start().await;
    let mut publisher = relay.subscriber(&["mine"]).await;
    let mut other = relay.subscriber(&["theirs"]).await;
    publisher.publish("theirs", "1").await;
    publisher.publish("mine", "2").await;
    assert_eq!(other.next().await, delivery("theirs", "1"));
    assert_eq!(publisher.next().await, delivery("mine", "2"));
}

#[tokio::test]
async fn a_topic_is_not_heard_on_another() {
    let relay = TestRelay::start().await;
    let mut one = relay.subscriber(&["one"]).await;
    let mut two = relay.subscriber(&["two"]).await;
    one.publish("one", "1").await;
    one.publish("two", "2").await;
    assert_eq!(one.next().await, delivery("one", "1"));
    assert_eq!(two.next().await, delivery("two", "2"), "the first it hears is its own topic");
}

#[tokio::test]
async fn nothing_more_arrives_after_unsubscribing() {
    let relay = TestRelay::start().await;
    let mut client = relay.subscriber(&["left", "kept"]).await;
    client.unsubscribe("left").await;
    client.publish("left", "1").await;
    client.publish("kept", "2").await;
    assert_eq!(client.next().await, delivery("kept", "2"));
    assert_eq!(relay.handle.stats().topics, 1);
}

#[tokio::test]
async fn payloads_pass_byte_for_byte() {
    let relay = TestRelay::start().await;
    let mut client = relay.subscriber(&["t"]).await;
    for payload in [
        r#""a string, as Trystero sends it: {\"peerId\":\"x\"}""#,
        r#""escapes stay \u0041\/\n and a lone surrogate \ud800""#,
        r#"{"b": 1,  "a":[1.50, 1e999, -0]}"#,
        "null",
        "12345678901234567890123456789",
    ] {
        client.publish("t", payload).await;
        assert_eq!(client.next().await, delivery("t", payload));
    }
}

#[tokio::test]
async fn all_subscribers_see_one_order() {
    const MESSAGES: usize = 200;
    let relay = TestRelay::start().await;
    let mut first = relay.subscriber(&["t"]).await;
    let mut second = relay.subscriber(&["t"]).await;
    let (mut left, mut right) = (relay.client().await, relay.client().await);
    let publish_both = async {
        for number in 0..MESSAGES {
            left.publish("t", &number.to_string()).await;
            right.publish("t", &format!("-{number}")).await;
        }
    };
    let read_both = async {
        for _ in 0..2 * MESSAGES {
            assert_eq!(first.next().await, second.next().await);
        }
    };
    tokio::join!(publish_both, read_both);
}

#[tokio::test]
async fn a_burst_larger_than_the_outbox_is_delivered_whole() {
    const MESSAGES: usize = 2_000;
    let relay = TestRelay::with(|limits| limits.outbox_frames_max = 16).await;
    let mut subscriber = relay.subscriber(&["t"]).await;
    let mut publisher = relay.client().await;
    let burst = async {
        for number in 0..MESSAGES {
            let text = common::publication("t", &number.to_string());
            publisher.socket.feed(Message::text(text)).await.unwrap();
        }
        publisher.socket.flush().await.unwrap();
    };
    let read = async {
        for number in 0..MESSAGES {
            assert_eq!(subscriber.next().await, delivery("t", &number.to_string()));
        }
    };
    within(async { tokio::join!(burst, read) }).await;
}

#[tokio::test]
async fn a_client_that_left_is_forgotten() {
    let relay = TestRelay::start().await;
    let leaver = relay.subscriber(&["t", "u"]).await;
    let mut other = relay.subscriber(&["t"]).await;
    assert_eq!(relay.handle.stats().topics, 2);
    leaver.leave().await;
    other.publish("t", "1").await;
    assert_eq!(other.next().await, delivery("t", "1"));
    assert_eq!(relay.handle.stats().topics, 1);
    assert_eq!(relay.counters().delivered, 1);
}
