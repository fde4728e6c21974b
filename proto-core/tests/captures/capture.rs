//! One capture, and what is the same for all strategies.

use std::collections::BTreeMap;

use serde_json::Value;
use tristero_proto::Time;
use tristero_proto::crypto::{SignalKey, Topic};
use tristero_proto::signaling::{LinkFrame, RelaySession, SessionInput, SessionOutput};
use tristero_proto::wire::{Signal, SignalBody};

use crate::wire;

/// A capture of two peers, A and B, in one room.
pub(crate) struct Capture {
    pub(crate) app_id: String,
    pub(crate) room_id: String,
    passwords: Vec<String>,
    pub(crate) rows: Vec<Value>,
}

impl Capture {
    pub(crate) fn read(name: &str) -> Self {
        let lines = wire::read(name).lines();
        let rows: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        let meta = &rows[0]["meta"];
        let password = |peer: &str| meta[peer]["password"].as_str().unwrap_or_default().to_owned();
        Capture {
            app_id: text(meta, "appId").to_owned(),
            room_id: text(meta, "roomId").to_owned(),
            passwords: vec![password("configA"), password("configB")],
            rows,
        }
    }

    pub(crate) fn root(&self) -> Topic {
        Topic::root(&self.app_id, &self.room_id)
    }

    /// The frames that went one way over one peer's links, `c2s` or `s2c`.
    pub(crate) fn frames(&self, peer: &str, direction: &str) -> Vec<LinkFrame> {
        let rows = self.rows.iter().filter(|row| row["peer"] == peer && row["dir"] == direction);
        rows.map(frame).collect()
    }

    /// Reads a signal, and checks that it is one of this room: it decrypts, and ours writes it in
    /// the same way. Gives its kind.
    pub(crate) fn check_signal(&self, topic: &Topic, body: &str) -> &'static str {
        let signal = Signal::parse(body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let opens = |sealed: &str| {
            let key = |password| SignalKey::derive(password, &self.app_id, &self.room_id);
            self.passwords.iter().any(|password| key(password).open(sealed).is_ok())
        };
        let kind = match &signal.body {
            SignalBody::Announce if *topic == self.root() => "announce",
            SignalBody::Announce => "nudge",
            SignalBody::Offer { sealed, .. } if opens(sealed) => "offer",
            SignalBody::Answer { sealed, .. } if opens(sealed) => "answer",
            SignalBody::Candidate { sealed, .. } if opens(sealed) => "candidate",
            _ => panic!("it does not decrypt: {body}"),
        };
        // What is for one peer comes under its own topic, but from trackers, which have none.
        assert!(kind != "nudge" || *topic != self.root(), "{body}");
        assert_eq!(signal.emit(), body, "ours writes the same");
        kind
    }
}

/// How many signals of each kind there are.
#[derive(Debug, Default)]
pub(crate) struct Kinds(BTreeMap<&'static str, usize>);

impl Kinds {
    /// Takes what a session says of a frame.
    pub(crate) fn hear(
        &mut self,
        capture: &Capture,
        session: &mut dyn RelaySession,
        frame: LinkFrame,
    ) {
        let shown = format!("{frame:?}");
        session.handle_input(SessionInput::Frame(frame), Time::ZERO);
        while let Some(output) = session.poll_output() {
            match output {
                SessionOutput::Message { topic, body } => {
                    *self.0.entry(capture.check_signal(&topic, &body)).or_default() += 1;
                }
                SessionOutput::Malformed(why) => panic!("{why}: {shown}"),
                _ => {}
            }
        }
    }

    /// At least so many of each of these.
    pub(crate) fn assert_at_least(&self, least: usize, kinds: &[&str]) {
        for kind in kinds {
            assert!(self.0.get(kind).is_some_and(|count| *count >= least), "{kind}: {self:?}");
        }
    }
}

pub(crate) fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("no text {key} in {row}"))
}

pub(crate) fn frame(row: &Value) -> LinkFrame {
    if let Some(text) = row["text"].as_str() {
        return LinkFrame::Text(text.to_owned());
    }
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    let pairs = text(row, "bin").as_bytes().chunks(2);
    LinkFrame::Binary(pairs.map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect())
}
