//! What peers send each other through relays and about their connections: signals, candidates once
//! they are opened, and what is said of connections that stand and of audio and video.

use tristero_proto::PeerId;
use tristero_proto::wire::{CandidateInit, MediaSaid, OfferId, Renegotiation, Signal};

/// Reads bytes as a signal, a candidate and names. What can be read is written and read again, and
/// is the same.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(signal) = Signal::parse(text) {
        assert_eq!(Signal::parse(&signal.emit()), Ok(signal), "a signal says the same again");
    }
    if let Some(candidate) = CandidateInit::parse(text) {
        let again = CandidateInit::parse(&candidate.emit());
        assert_eq!(again, Some(candidate), "a candidate says the same again");
    }
    if let Ok(value) = serde_json::from_str(text) {
        for action in [MediaSaid::STREAM, MediaSaid::TRACK] {
            if let Some(said) = MediaSaid::parse(action, &value) {
                let again = MediaSaid::parse(said.action(), &said.emit());
                assert_eq!(again, Some(said), "what is said of media says the same again");
            }
        }
        if let Some(said) = Renegotiation::parse(&value) {
            let again = Renegotiation::parse(&said.emit());
            assert_eq!(again, Some(said), "what is said of a connection says the same again");
        }
    }
    if let Ok(id) = PeerId::new(text) {
        assert_eq!(id.as_str(), text, "an id is what it was made of");
    }
    if let Some(id) = OfferId::from_wire(text) {
        assert_eq!(id.as_str(), text, "an offer's name is what it was made of");
    }
}
