//! The signaling messages that peers exchange over relays.
//!
//! spec: docs/protocol.md, section 2

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::ids::PeerId;
use crate::limits;
use crate::rng::Rng;

/// The name of an offer, shared by everything that belongs to it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfferId(Arc<str>);

impl OfferId {
    /// The length of our own, in characters, as Trystero's topic strategies have them.
    const LENGTH: usize = 12;

    /// The length of those for anyone: what a tracker takes.
    const BULK_LENGTH: usize = 20;

    /// Draws an id of our own.
    pub fn generate(rng: &mut Rng) -> Self {
        OfferId(rng.alphanumeric(Self::LENGTH).into())
    }

    /// Draws the id of an offer for anyone.
    pub fn generate_bulk(rng: &mut Rng) -> Self {
        OfferId(rng.alphanumeric(Self::BULK_LENGTH).into())
    }

    /// An id as it came from a peer; `None` if it is empty or longer than any.
    pub fn from_wire(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= limits::OFFER_ID_BYTES_MAX).then(|| OfferId(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OfferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OfferId({})", self.0)
    }
}

/// One signaling message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Who sent it.
    pub from: PeerId,
    /// Whether the sender says that it is a passive peer.
    pub is_passive: bool,
    /// What it says.
    pub body: SignalBody,
}

/// What a signaling message says. Descriptions and candidates are still sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalBody {
    /// "I am here"; to one peer alone it is a nudge: "you lead, please offer".
    Announce,
    /// A session description to be answered.
    Offer {
        /// The offer's name.
        offer_id: OfferId,
        /// The sealed SDP.
        sealed: String,
    },
    /// The answer to an offer.
    Answer {
        /// The offer's name; some JavaScript peers leave it out.
        offer_id: Option<OfferId>,
        /// The sealed SDP.
        sealed: String,
    },
    /// A candidate of either side.
    Candidate {
        /// The offer's name.
        offer_id: Option<OfferId>,
        /// The sealed JSON of an `RTCIceCandidateInit`.
        sealed: String,
    },
    /// Something about the connection that stands, between two of ours.
    Standing {
        /// A [`Renegotiation`](super::Renegotiation), sealed with the secret of the connection.
        sealed: String,
    },
}

/// Why a text is no signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// It is not a JSON object.
    #[error("a signal is a JSON object")]
    NotAnObject,
    /// It is longer than any signal.
    #[error("the signal is too long")]
    TooLong,
    /// The sender's id is missing or is not one.
    #[error("the signal has no valid peerId")]
    Sender,
    /// A description, a candidate or an offer's name is there and is not a text of valid length.
    #[error("the signal's field {0} is not valid")]
    Field(&'static str),
}

impl Signal {
    /// Reads a signal.
    pub fn parse(json: &str) -> Result<Signal, SignalError> {
        if json.len() > limits::SIGNAL_BYTES_MAX {
            return Err(SignalError::TooLong);
        }
        let object: Map<String, Value> =
            serde_json::from_str(json).map_err(|_| SignalError::NotAnObject)?;
        let from = object.get("peerId").and_then(Value::as_str).ok_or(SignalError::Sender)?;
        let from = PeerId::new(from).map_err(|_| SignalError::Sender)?;
        let is_passive = object.get("passive") == Some(&Value::Bool(true));
        Ok(Signal { from, is_passive, body: SignalBody::parse(&object)? })
    }

    /// Writes the signal.
    pub fn emit(&self) -> String {
        // The order of the keys is Trystero's.
        let mut object = Map::new();
        object.insert("peerId".into(), self.from.as_str().into());
        match &self.body {
            SignalBody::Announce => {}
            SignalBody::Offer { offer_id, sealed } => {
                object.insert("offerId".into(), offer_id.as_str().into());
                object.insert("offer".into(), sealed.as_str().into());
            }
            SignalBody::Answer { offer_id, sealed } => {
                object.insert("answer".into(), sealed.as_str().into());
                insert_offer_id(&mut object, offer_id.as_ref());
            }
            SignalBody::Candidate { offer_id, sealed } => {
                object.insert("candidate".into(), sealed.as_str().into());
                insert_offer_id(&mut object, offer_id.as_ref());
            }
            SignalBody::Standing { sealed } => {
                object.insert("standing".into(), sealed.as_str().into());
            }
        }
        if self.is_passive {
            object.insert("passive".into(), true.into());
        }
        Value::Object(object).to_string()
    }
}

impl SignalBody {
    fn parse(object: &Map<String, Value>) -> Result<SignalBody, SignalError> {
        let offer = sealed_field(object, "offer")?;
        let answer = sealed_field(object, "answer")?;
        let candidate = sealed_field(object, "candidate")?;
        if let Some(sealed) = sealed_field(object, "standing")? {
            return Ok(SignalBody::Standing { sealed });
        }
        let offer_id = match object.get("offerId").and_then(Value::as_str) {
            None => None,
            Some(text) => Some(OfferId::from_wire(text).ok_or(SignalError::Field("offerId"))?),
        };
        Ok(if let Some(sealed) = offer {
            let offer_id = offer_id.ok_or(SignalError::Field("offerId"))?;
            SignalBody::Offer { offer_id, sealed }
        } else if let Some(sealed) = candidate {
            SignalBody::Candidate { offer_id, sealed }
        } else if let Some(sealed) = answer {
            SignalBody::Answer { offer_id, sealed }
        } else {
            SignalBody::Announce
        })
    }
}

/// A field that must be a non-empty string where it is present.
fn sealed_field(
    object: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, SignalError> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(SignalError::Field(name)),
    }
}

fn insert_offer_id(object: &mut Map<String, Value>, offer_id: Option<&OfferId>) {
    if let Some(id) = offer_id {
        object.insert("offerId".into(), id.as_str().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_without_sender_or_with_a_broken_field_is_dropped_whole() {
        let broken = [
            ("7", SignalError::NotAnObject),
            ("[]", SignalError::NotAnObject),
            ("{", SignalError::NotAnObject),
            ("{}", SignalError::Sender),
            (r#"{"peerId":7}"#, SignalError::Sender),
            (r#"{"peerId":""}"#, SignalError::Sender),
            (r#"{"peerId":"a","offer":""}"#, SignalError::Field("offer")),
            (r#"{"peerId":"a","offer":"x"}"#, SignalError::Field("offerId")),
            (r#"{"peerId":"a","answer":null}"#, SignalError::Field("answer")),
            (
                r#"{"peerId":"a","offer":"x","offerId":"o","candidate":7}"#,
                SignalError::Field("candidate"),
            ),
        ];
        for (json, error) in broken {
            assert_eq!(Signal::parse(json), Err(error), "{json}");
        }
        let long = format!(r#"{{"peerId":"a","x":"{}"}}"#, "x".repeat(limits::SIGNAL_BYTES_MAX));
        assert_eq!(Signal::parse(&long), Err(SignalError::TooLong));
    }

    #[test]
    fn the_precedence_is_offer_then_candidate_then_answer() {
        let body = |json| Signal::parse(json).unwrap().body;
        let all = r#"{"peerId":"a","offerId":"o","answer":"A","candidate":"C","offer":"O"}"#;
        assert!(matches!(body(all), SignalBody::Offer { sealed, .. } if sealed == "O"));
        let two = r#"{"peerId":"a","answer":"A","candidate":"C"}"#;
        assert!(matches!(body(two), SignalBody::Candidate { sealed, .. } if sealed == "C"));
    }

    #[test]
    fn what_was_emitted_parses_to_the_same() {
        let offer_id = OfferId::from_wire("ZKxmm98XBJWl").unwrap();
        let bodies = [
            SignalBody::Announce,
            SignalBody::Offer { offer_id: offer_id.clone(), sealed: "x".into() },
            SignalBody::Answer { offer_id: Some(offer_id.clone()), sealed: "x".into() },
            SignalBody::Candidate { offer_id: Some(offer_id), sealed: "x".into() },
            SignalBody::Standing { sealed: "x".into() },
        ];
        for body in bodies {
            for is_passive in [false, true] {
                let from = PeerId::new("RFDKlemPjdHHkuajzMIq").unwrap();
                let signal = Signal { from, is_passive, body: body.clone() };
                assert_eq!(Signal::parse(&signal.emit()).as_ref(), Ok(&signal));
            }
        }
    }
}
