//! The exchange of descriptions of one connection: what was said and what was heard.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use str0m::CandidateKind;
use str0m::change::SdpPendingOffer;
use tristero_proto::Time;
use tristero_proto::engine::DescriptionKind;
use tristero_proto::limits::REMOTE_CANDIDATES_MAX;
use tristero_proto::wire::CandidateInit;

use crate::candidate::{RemoteCandidate, Unusable};
use crate::counters::Counters;
use crate::credentials::Password;
use crate::sdp::{RemoteDescription, Setup};

/// Our description.
#[derive(Debug)]
pub(crate) enum Ours {
    /// It waits for an address, and until then for what servers say, because no candidates may follow
    /// it.
    Held { kind: DescriptionKind, sdp: String, until: Time },
    /// It was said.
    Said,
}

/// The other side's description.
#[derive(Debug)]
pub(crate) enum Theirs {
    /// Our offer is out. Candidates that come before the answer wait for it.
    Awaited { pending: SdpPendingOffer, early: Vec<CandidateInit> },
    /// It is here.
    Here(Remote),
    /// str0m refused it when it was halfway in; all that is left is to close.
    Broken,
}

/// The other side, as it described itself.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) ufrag: String,
    pub(crate) password: Password,
    pub(crate) setup: Setup,
    /// The SHA-256 of its certificate.
    pub(crate) fingerprint: [u8; 32],
    /// The largest message to send, in bytes.
    pub(crate) message_bytes_max: usize,
    candidates: BTreeMap<SocketAddr, CandidateKind>,
}

impl Remote {
    pub(crate) fn new(description: &RemoteDescription) -> Self {
        Remote {
            ufrag: description.ufrag.clone(),
            password: description.password.clone(),
            setup: description.setup,
            fingerprint: description.fingerprint,
            message_bytes_max: description.message_bytes_max,
            candidates: BTreeMap::new(),
        }
    }

    /// Takes what the other side says of itself when ICE is restarted. All but ICE stays as it is.
    pub(crate) fn restart(&mut self, description: &RemoteDescription) {
        self.ufrag.clone_from(&description.ufrag);
        self.password = description.password.clone();
        self.candidates.clear();
    }

    /// Takes a candidate in; `None` if it is not new or not of use.
    ///
    /// Candidates are sent again over every relay and in every copy of a description, so one that
    /// is known does not count towards the limit.
    pub(crate) fn admit(
        &mut self,
        candidate: &CandidateInit,
        counters: &mut Counters,
    ) -> Option<RemoteCandidate> {
        let read = match RemoteCandidate::parse(&candidate.candidate) {
            Ok(read) => read,
            Err(Unusable::End) => return None,
            Err(Unusable::Name) => {
                counters.name_candidates += 1;
                return None;
            }
            Err(why) => {
                tracing::debug!(%why, "a remote candidate is of no use");
                counters.unusable_candidates += 1;
                return None;
            }
        };
        let ufrags = [candidate.username_fragment.as_deref(), read.ufrag.as_deref()];
        // spec: RFC 8838 section 10: it belongs to another ICE generation
        if ufrags.into_iter().flatten().any(|ufrag| !ufrag.is_empty() && ufrag != self.ufrag) {
            counters.unusable_candidates += 1;
            return None;
        }
        if self.candidates.contains_key(&read.address) {
            return None;
        }
        if self.candidates.len() >= REMOTE_CANDIDATES_MAX {
            counters.surplus_candidates += 1;
            return None;
        }
        self.candidates.insert(read.address, read.kind);
        Some(read)
    }

    /// Whether the peer said nothing of where it can be reached.
    pub(crate) fn has_no_candidates(&self) -> bool {
        self.candidates.is_empty()
    }

    /// Whether the peer can be reached over a TURN server of its own.
    pub(crate) fn has_relay(&self) -> bool {
        self.candidates.values().any(|kind| *kind == CandidateKind::Relayed)
    }

    /// What the peer said of this address; `prflx` if it said nothing.
    pub(crate) fn kind_of(&self, address: SocketAddr) -> CandidateKind {
        self.candidates.get(&address).copied().unwrap_or(CandidateKind::PeerReflexive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote() -> Remote {
        Remote {
            ufrag: "1274".to_owned(),
            password: Password("x".repeat(22)),
            setup: Setup::Active,
            fingerprint: [0; 32],
            message_bytes_max: 65_536,
            candidates: BTreeMap::new(),
        }
    }

    fn init(port: u16, ufrag: Option<&str>) -> CandidateInit {
        CandidateInit {
            candidate: format!("candidate:1 1 udp 1 192.0.2.1 {port} typ host"),
            username_fragment: ufrag.map(str::to_owned),
            ..CandidateInit::default()
        }
    }

    #[test]
    fn a_candidate_counts_once_however_often_it_comes() {
        let (mut remote, mut counters) = (remote(), Counters::default());
        assert!(remote.admit(&init(1, None), &mut counters).is_some());
        for _ in 0..1_000 {
            assert_eq!(remote.admit(&init(1, Some("1274")), &mut counters), None);
        }
        assert_eq!(counters, Counters::default());
    }

    #[test]
    fn a_candidate_of_another_generation_is_dropped() {
        let (mut remote, mut counters) = (remote(), Counters::default());
        assert_eq!(remote.admit(&init(1, Some("other")), &mut counters), None);
        let mut inside = init(2, None);
        inside.candidate.push_str(" generation 0 ufrag 9c1d");
        assert_eq!(remote.admit(&inside, &mut counters), None);
        assert_eq!(counters.unusable_candidates, 2);
        assert!(remote.admit(&init(3, Some("")), &mut counters).is_some());
    }

    #[test]
    fn there_is_a_limit_to_candidates() {
        let (mut remote, mut counters) = (remote(), Counters::default());
        let admitted =
            (1..=1_000).filter(|port| remote.admit(&init(*port, None), &mut counters).is_some());
        assert_eq!(admitted.count(), REMOTE_CANDIDATES_MAX);
        assert_eq!(counters.surplus_candidates, 1_000 - REMOTE_CANDIDATES_MAX as u64);
    }

    #[test]
    fn names_are_counted_apart_and_the_end_of_candidates_is_nothing() {
        let (mut remote, mut counters) = (remote(), Counters::default());
        let end = CandidateInit::default();
        assert_eq!(remote.admit(&end, &mut counters), None);
        assert_eq!(counters, Counters::default());
        let mut name = init(1, None);
        name.candidate = name.candidate.replace("192.0.2.1", "0a1b.local");
        assert_eq!(remote.admit(&name, &mut counters), None);
        assert_eq!(counters.name_candidates, 1);
    }

    #[test]
    fn an_address_that_was_never_named_is_peer_reflexive() {
        let (mut remote, mut counters) = (remote(), Counters::default());
        remote.admit(&init(1, None), &mut counters);
        assert_eq!(remote.kind_of("192.0.2.1:1".parse().unwrap()), CandidateKind::Host);
        assert_eq!(remote.kind_of("192.0.2.1:2".parse().unwrap()), CandidateKind::PeerReflexive);
    }
}
