//! The exchange of descriptions of one connection: what was said and what was heard.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use str0m::CandidateKind;
use str0m::change::SdpPendingOffer;
use tristero_proto::Time;
use tristero_proto::engine::DescriptionKind;
use tristero_proto::limits::REMOTE_CANDIDATES_MAX;
use tristero_proto::wire::CandidateInit;

use crate::candidate::{RemoteCandidate, Told, Unusable};
use crate::counters::Counters;
use crate::credentials::Password;
use crate::limits::REMOTE_NAMES_MAX;
use crate::mdns::LocalName;
use crate::sctp_init::SctpInit;
use crate::sdp::{Family, RemoteDescription, Setup};

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
    pub(crate) family: Family,
    /// The SHA-256 of its certificate.
    pub(crate) fingerprint: [u8; 32],
    /// The largest message to send, in bytes.
    pub(crate) message_bytes_max: usize,
    /// How it began SCTP, if that was not said on the path.
    pub(crate) sctp_init: Option<SctpInit>,
    candidates: BTreeMap<SocketAddr, CandidateKind>,
    /// Names, with a port, that stand for addresses.
    names: BTreeSet<(LocalName, u16)>,
}

impl Remote {
    pub(crate) fn new(description: &RemoteDescription) -> Self {
        Remote {
            ufrag: description.ufrag.clone(),
            password: description.password.clone(),
            setup: description.setup,
            family: description.family,
            fingerprint: description.fingerprint,
            message_bytes_max: description.message_bytes_max,
            sctp_init: description.sctp_init,
            candidates: BTreeMap::new(),
            names: BTreeSet::new(),
        }
    }

    /// Takes what the other side says of itself when ICE is restarted. All but ICE stays as it is.
    pub(crate) fn restart(&mut self, description: &RemoteDescription) {
        self.ufrag.clone_from(&description.ufrag);
        self.password = description.password.clone();
        self.candidates.clear();
        // What they stand for is asked for again.
        self.names.clear();
    }

    /// Takes a candidate in; `None` if it is not new or not of use.
    ///
    /// Candidates are sent again over every relay and in every copy of a description, so one that
    /// is known does not count towards the limit.
    pub(crate) fn admit(
        &mut self,
        candidate: &CandidateInit,
        counters: &mut Counters,
    ) -> Option<Told> {
        let read = match Told::parse(&candidate.candidate) {
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
        let ufrags = [candidate.username_fragment.as_deref(), read.ufrag()];
        // spec: RFC 8838 section 10: it belongs to another ICE generation
        if ufrags.into_iter().flatten().any(|ufrag| !ufrag.is_empty() && ufrag != self.ufrag) {
            counters.unusable_candidates += 1;
            return None;
        }
        let is_new = match &read {
            Told::Address(candidate) => self.admit_address(candidate, counters),
            Told::Name(candidate) => self.admit_name(candidate, counters),
        };
        is_new.then_some(read)
    }

    /// Takes a candidate in whose name was resolved, or that had none; false if it is not new.
    pub(crate) fn admit_address(
        &mut self,
        candidate: &RemoteCandidate,
        counters: &mut Counters,
    ) -> bool {
        if self.candidates.contains_key(&candidate.address) {
            return false;
        }
        if self.candidates.len() >= REMOTE_CANDIDATES_MAX {
            counters.surplus_candidates += 1;
            return false;
        }
        self.candidates.insert(candidate.address, candidate.kind);
        true
    }

    /// A name is asked for once: whether it is known does not change while a connection is made.
    fn admit_name(
        &mut self,
        candidate: &RemoteCandidate<(LocalName, u16)>,
        counters: &mut Counters,
    ) -> bool {
        if self.names.contains(&candidate.address) {
            return false;
        }
        if self.names.len() >= REMOTE_NAMES_MAX {
            counters.surplus_candidates += 1;
            return false;
        }
        self.names.insert(candidate.address.clone())
    }

    /// Whether the peer said nothing of where it can be reached.
    pub(crate) fn has_no_candidates(&self) -> bool {
        self.candidates.is_empty() && self.names.is_empty()
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
            family: Family::Other,
            fingerprint: [0; 32],
            message_bytes_max: 65_536,
            sctp_init: None,
            candidates: BTreeMap::new(),
            names: BTreeSet::new(),
        }
    }

    fn init(port: u16, ufrag: Option<&str>) -> CandidateInit {
        CandidateInit {
            candidate: format!("candidate:1 1 udp 1 192.0.2.1 {port} typ host"),
            username_fragment: ufrag.map(str::to_owned),
            ..CandidateInit::default()
        }
    }

    fn named(number: u16) -> CandidateInit {
        let mut named = init(5_000, None);
        let name = format!("0a1b2c3d-0000-4000-8000-00000000{number:04}.local");
        named.candidate = named.candidate.replace("192.0.2.1", &name);
        named
    }

    #[test]
    fn a_candidate_counts_once_however_often_it_comes() {
        let (mut remote, mut counters) = (remote(), Counters::default());
        assert!(remote.admit(&init(1, None), &mut counters).is_some());
        for _ in 0..1_000 {
            assert_eq!(remote.admit(&init(1, Some("1274")), &mut counters), None);
        }
        assert!(remote.admit(&named(1), &mut counters).is_some());
        for _ in 0..1_000 {
            assert_eq!(remote.admit(&named(1), &mut counters), None);
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
        let admitted =
            (1..=1_000).filter(|name| remote.admit(&named(*name), &mut counters).is_some());
        assert_eq!(admitted.count(), REMOTE_NAMES_MAX);
    }

    #[test]
    fn other_names_are_counted_apart_and_the_end_of_candidates_is_nothing() {
        let (mut remote, mut counters) = (remote(), Counters::default());
        let end = CandidateInit::default();
        assert_eq!(remote.admit(&end, &mut counters), None);
        assert!(remote.has_no_candidates());
        assert_eq!(counters, Counters::default());
        let mut name = init(1, None);
        name.candidate = name.candidate.replace("192.0.2.1", "0a1b.local");
        assert_eq!(remote.admit(&name, &mut counters), None);
        assert_eq!(counters.name_candidates, 1);
        assert!(remote.has_no_candidates());
        assert!(remote.admit(&named(1), &mut counters).is_some());
        assert!(!remote.has_no_candidates());
    }

    #[test]
    fn an_address_that_was_never_named_is_peer_reflexive() {
        let (mut remote, mut counters) = (remote(), Counters::default());
        remote.admit(&init(1, None), &mut counters);
        assert_eq!(remote.kind_of("192.0.2.1:1".parse().unwrap()), CandidateKind::Host);
        assert_eq!(remote.kind_of("192.0.2.1:2".parse().unwrap()), CandidateKind::PeerReflexive);
    }
}
