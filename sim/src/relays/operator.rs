//! What a hostile operator sends to a client: things that its service would never send.
//!
//! An operator reads all that is published. What is sealed it can't open, and nobody's id belongs to
//! anybody: it can repeat, mix up and make up. What it may do at any time, and no client can help,
//! is to refuse service for good; that is left out.

use bytes::Bytes;
use serde_json::{Value, json};
use tristero_proto::Rng;
use tristero_proto::signaling::LinkFrame;

use super::faults::Trouble;
use super::service::Service;

/// The next thing that is made up.
pub(super) fn invent(service: &mut dyn Service, trouble: &mut Trouble) -> Vec<LinkFrame> {
    match trouble.rng.below(9) {
        0 => vec![LinkFrame::Text(garbage_text(&mut trouble.rng))],
        1 => vec![LinkFrame::Binary(garbage(&mut trouble.rng))],
        2 => vec![of_another_strategy(service.strategy().name(), &mut trouble.rng)],
        3 => vec![huge(&mut trouble.rng)],
        4 => {
            let topic = trouble.rng.alphanumeric(30);
            let body = json!({ "peerId": trouble.rng.alphanumeric(20) }).to_string();
            service.invent(&topic, &body).frames
        }
        5 | 6 => trouble.any_past().map(|message| message.frames).unwrap_or_default(),
        _ => {
            let (Some(message), Some(other)) = (trouble.any_past(), trouble.any_past()) else {
                return Vec::new();
            };
            let body = forged(&message.body, &other.body, &mut trouble.rng);
            service.invent(&message.topic, &body).frames
        }
    }
}

/// Something that was said, with a part of it from something else, or made up.
fn forged(said: &str, other: &str, rng: &mut Rng) -> String {
    let parse = |text| serde_json::from_str::<Value>(text).unwrap_or_default();
    let (mut said, other) = (parse(said), parse(other));
    let keys: Vec<String> =
        said.as_object().map(|said| said.keys().cloned().collect()).unwrap_or_default();
    if keys.is_empty() {
        return garbage_text(rng);
    }
    let key = &keys[pick(rng, keys.len())];
    said[key.as_str()] = match rng.below(8) {
        0 => Value::Null,
        1 => json!(-1e300),
        2 => json!(""),
        3 => json!(rng.alphanumeric(20)),
        4 => json!([{ "a": [] }]),
        5 => json!("0,".repeat(10_000)),
        // Another's id, another offer, or what was sealed for somebody else.
        _ => other.get(key).cloned().unwrap_or_else(|| json!(rng.alphanumeric(12))),
    };
    if rng.below(4) == 0 {
        // Of several that stand, a client has to choose one.
        said["answer"] = json!("1,2,3$AAAA");
        said["candidate"] = json!({ "candidate": "candidate:1" });
    }
    said.to_string()
}

fn garbage_text(rng: &mut Rng) -> String {
    const PIECES: [&str; 12] =
        ["{", "}", "[", "]", "\"", ":", ",", "null", "\\u0000", "é", "peerId", "1e999"];
    let length = 1 + rng.below(40);
    (0..length).map(|_| PIECES[pick(rng, PIECES.len())]).collect()
}

fn garbage(rng: &mut Rng) -> Bytes {
    let mut bytes = vec![0; 1 + pick(rng, 200)];
    rng.fill(&mut bytes);
    bytes.into()
}

/// A large frame, which links take: 1 MiB is the most.
fn huge(rng: &mut Rng) -> LinkFrame {
    let size = pick(rng, HUGE_BYTES_MAX);
    match rng.below(3) {
        0 => LinkFrame::Text("[".repeat(size)),
        1 => LinkFrame::Text(json!({ "topic": "a".repeat(size) }).to_string()),
        _ => LinkFrame::Binary(vec![0xFF; size].into()),
    }
}

/// What is right elsewhere.
fn of_another_strategy(name: &str, rng: &mut Rng) -> LinkFrame {
    const FRAMES: [(&str, &str); 7] = [
        ("ws", r#"{"topic":"a","payload":"{\"peerId\":\"b\"}"}"#),
        ("nostr", r#"["EVENT","s",{"content":"{\"peerId\":\"b\"}","tags":[["x","a"]]}]"#),
        ("nostr", r#"["OK","0",false,"blocked: go away"]"#),
        ("nostr", r#"["CLOSED","s","error: go away"]"#),
        ("torrent", r#"{"action":"announce","info_hash":"a","interval":-1,"complete":1}"#),
        ("torrent", r#"{"failure reason":"go away"}"#),
        ("supabase", r#"["1","1","room:a","phx_close",{}]"#),
    ];
    let others: Vec<&str> =
        FRAMES.iter().filter(|(of, _)| *of != name).map(|(_, frame)| *frame).collect();
    match others.get(pick(rng, others.len() + 1)) {
        Some(frame) => LinkFrame::Text((*frame).to_owned()),
        // PINGRESP, which means nothing where it was not asked for.
        None => LinkFrame::Binary(Bytes::from_static(b"\xD0\x00")),
    }
}

fn pick(rng: &mut Rng, length: usize) -> usize {
    usize::try_from(rng.below(length as u64)).unwrap_or(0)
}

/// Below what runtimes take.
const HUGE_BYTES_MAX: usize = 1_000_000;
