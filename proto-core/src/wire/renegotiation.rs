//! What the two ends of a connection that stands say about it: `@_signal` in JavaScript.
//!
//! spec: docs/protocol.md, sections 7 and 12

use serde_json::{Map, Value};

use super::CandidateInit;
use crate::limits;

/// Something about a connection that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renegotiation {
    /// A new offer.
    Offer {
        /// Its number, between two of ours. Each is higher than those before.
        number: u64,
        /// The SDP.
        sdp: String,
    },
    /// The answer to one.
    Answer {
        /// The number of the offer.
        number: u64,
        /// The number of the answerer's last offer, between two of ours: whoever answers has given
        /// up what it offered itself.
        given_up: u64,
        /// The SDP.
        sdp: String,
    },
    /// A new candidate.
    Candidate {
        /// The number of the offer that it belongs to, between two of ours.
        number: u64,
        /// The candidate.
        candidate: CandidateInit,
    },
}

impl Renegotiation {
    /// Reads what was [emitted](Self::emit), or what JavaScript says, where numbers are 0; `None`
    /// if it is neither.
    pub fn parse(value: &Value) -> Option<Self> {
        let text = value.get("sdp")?.as_str()?;
        if text.len() > limits::RENEGOTIATION_BYTES_MAX {
            return None;
        }
        let read_number = |name| value.get(name).and_then(Value::as_u64).unwrap_or(0);
        let number = read_number("n");
        let sdp = || text.to_owned();
        match value.get("type")?.as_str()? {
            "offer" => Some(Renegotiation::Offer { number, sdp: sdp() }),
            "answer" => {
                let given_up = read_number("g");
                Some(Renegotiation::Answer { number, given_up, sdp: sdp() })
            }
            "candidate" => {
                let candidate = CandidateInit::parse(text)?;
                Some(Renegotiation::Candidate { number, candidate })
            }
            _ => None,
        }
    }

    /// The number of the offer that it belongs to, between two of ours.
    pub fn number(&self) -> u64 {
        match self {
            Renegotiation::Offer { number, .. }
            | Renegotiation::Answer { number, .. }
            | Renegotiation::Candidate { number, .. } => *number,
        }
    }

    /// Writes it as JavaScript does, and the numbers that are not 0.
    pub fn emit(&self) -> Value {
        let (name, sdp, given_up) = match self {
            Renegotiation::Offer { sdp, .. } => ("offer", sdp.clone(), 0),
            Renegotiation::Answer { sdp, given_up, .. } => ("answer", sdp.clone(), *given_up),
            Renegotiation::Candidate { candidate, .. } => ("candidate", candidate.emit(), 0),
        };
        let mut object = Map::new();
        object.insert("type".into(), name.into());
        object.insert("sdp".into(), sdp.into());
        for (name, number) in [("n", self.number()), ("g", given_up)] {
            if number > 0 {
                object.insert(name.into(), number.into());
            }
        }
        Value::Object(object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_emitted_parses_to_the_same() {
        let candidate = CandidateInit {
            candidate: "candidate:1 1 udp 1 192.0.2.1 1 typ host".into(),
            ..CandidateInit::default()
        };
        for number in [0, 1, u64::MAX] {
            for said in [
                Renegotiation::Offer { number, sdp: "v=0".into() },
                Renegotiation::Answer { number, given_up: number / 2, sdp: "v=0".into() },
                Renegotiation::Candidate { number, candidate: candidate.clone() },
            ] {
                assert_eq!(Renegotiation::parse(&said.emit()), Some(said));
            }
        }
    }

    #[test]
    fn anything_else_is_nothing() {
        let long = "x".repeat(limits::RENEGOTIATION_BYTES_MAX + 1);
        for value in [
            json!(null),
            json!({"type": "offer"}),
            json!({"type": "rollback", "sdp": ""}),
            json!({"type": "offer", "sdp": 7}),
            json!({"type": "offer", "sdp": long}),
            json!({"type": "candidate", "sdp": "no JSON"}),
        ] {
            assert_eq!(Renegotiation::parse(&value), None, "{value}");
        }
    }
}
