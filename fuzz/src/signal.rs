//! What peers send each other through relays: signals, and candidates once they are opened.

use tristero_proto::PeerId;
use tristero_proto::wire::{CandidateInit, OfferId, Signal};

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
    if let Ok(id) = PeerId::new(text) {
        assert_eq!(id.as_str(), text, "an id is what it was made of");
    }
    if let Some(id) = OfferId::from_wire(text) {
        assert_eq!(id.as_str(), text, "an offer's name is what it was made of");
    }
}
