//! The codec, by table and by property.

use proptest::prelude::*;
use serde_json::value::RawValue;
use tristero_relay::wire::{ClientMessage, Delivery, Wrong};

const TOPIC_BYTES_MAX: usize = 40;

fn parse(text: &str) -> Result<ClientMessage<'_>, Wrong> {
    ClientMessage::parse(text, TOPIC_BYTES_MAX)
}

#[test]
fn messages_are_read_however_they_are_written() {
    for (text, canonical) in [
        (r#"{"type":"subscribe","topic":"t"}"#, r#"{"type":"subscribe","topic":"t"}"#),
        (r#"{"topic":"t","type":"unsubscribe"}"#, r#"{"type":"unsubscribe","topic":"t"}"#),
        (
            " {\n\"type\" : \"\\u0073ubscribe\", \"topic\":\"\\u00e9\"} ",
            "{\"type\":\"subscribe\",\"topic\":\"é\"}",
        ),
        (
            r#"{"type":"publish","topic":"","payload": { "a" :1} ,"more":[]}"#,
            r#"{"type":"publish","topic":"","payload":{ "a" :1}}"#,
        ),
        (
            r#"{"payload":null,"type":"publish","topic":"t"}"#,
            r#"{"type":"publish","topic":"t","payload":null}"#,
        ),
    ] {
        assert_eq!(parse(text).unwrap().emit(), canonical, "{text}");
    }
}

#[test]
fn wrong_messages_are_told_apart() {
    let long = format!(r#"{{"type":"subscribe","topic":"{}"}}"#, "x".repeat(41));
    let deep = format!(r#"{{"type":{}"#, "[".repeat(100_000));
    for (text, wrong) in [
        ("", Wrong::Malformed),
        ("null", Wrong::Malformed),
        (r#""subscribe""#, Wrong::Malformed),
        (r#"["subscribe","t"]"#, Wrong::Malformed),
        (r#"{"type":"subscribe","topic":"t"}x"#, Wrong::Malformed),
        (r#"{"type":"subscribe","topic":"t","topic":"u"}"#, Wrong::Malformed),
        (&deep, Wrong::Malformed),
        ("{}", Wrong::UnknownType),
        (r#"{"type":1,"topic":"t"}"#, Wrong::UnknownType),
        (r#"{"type":"Subscribe","topic":"t"}"#, Wrong::UnknownType),
        (r#"{"type":"subscribe"}"#, Wrong::Incomplete),
        (r#"{"type":"unsubscribe","topic":null}"#, Wrong::Incomplete),
        (r#"{"type":"subscribe","topic":["t"]}"#, Wrong::Incomplete),
        (r#"{"type":"subscribe","topic":"\ud800"}"#, Wrong::Incomplete),
        (r#"{"type":"publish","topic":"t"}"#, Wrong::Incomplete),
        (&long, Wrong::TopicTooLong),
    ] {
        assert_eq!(parse(text).unwrap_err(), wrong, "{text}");
    }
}

#[test]
fn deliveries_name_the_topic_and_then_the_payload() {
    let payload: &RawValue = serde_json::from_str(r#"{"b": 1}"#).unwrap();
    let delivery = Delivery { topic: "\"t\"".into(), payload };
    assert_eq!(delivery.emit().as_str(), r#"{"topic":"\"t\"","payload":{"b": 1}}"#);
    assert!(Delivery::parse(r#"{"topic":"t"}"#).is_none());
}

proptest! {
    #[test]
    fn any_topic_and_payload_survive_the_way_through_the_relay(
        topic in ".{0,10}",
        payload in json(),
    ) {
        let payload = RawValue::from_string(payload).unwrap();
        let sent = ClientMessage::Publish { topic: topic.as_str().into(), payload: &payload };
        let sent = sent.emit();
        let Ok(ClientMessage::Publish { topic: read, payload: raw }) = parse(&sent) else {
            panic!("{sent}");
        };
        let passed_on = Delivery { topic: read, payload: raw }.emit();
        prop_assert!(passed_on.len() < sent.len());
        let received = Delivery::parse(&passed_on).unwrap();
        prop_assert_eq!(&*received.topic, topic);
        prop_assert_eq!(received.payload.get(), payload.get());
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in r#"[{}\[\]",:\\ a-z0-9]{0,60}|.*"#) {
        let _ = parse(&text);
        let _ = Delivery::parse(&text);
    }
}

/// JSON texts of all kinds, also with spaces that a parser would drop.
fn json() -> impl Strategy<Value = String> {
    let text = ".*".prop_map(|text| serde_json::Value::from(text).to_string());
    let number = any::<f64>().prop_map(|number| format!("{number:e}"));
    let leaf = prop_oneof![Just("null".to_owned()), Just("true".to_owned()), number, text];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(|items| {
            let members = items.iter().map(|item| format!("\"m\" : {item}"));
            format!("[ {{{}}}]", members.collect::<Vec<_>>().join(",\n"))
        })
    })
}
