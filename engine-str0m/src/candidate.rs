//! ICE candidates as text: the other side's, of which we take what we can use, and ours.
//!
//! Where a candidate is, is an address or a name (`A` below), which becomes an address when it is
//! resolved.
//!
//! Candidates come from untrusted peers and in many dialects, so they are read here and given to
//! str0m as values: an address, a kind and a priority, never as text.

use std::net::{IpAddr, SocketAddr};

use str0m::net::Protocol;
use str0m::{Candidate, CandidateKind};
use tristero_proto::limits::CANDIDATE_BYTES_MAX;
use tristero_proto::wire::CandidateInit;

use crate::gather::Gathered;
use crate::mdns::LocalName;

/// What the other side told of where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// An address that a datagram can be sent to.
    Address(RemoteCandidate),
    /// A name to be resolved.
    Name(RemoteCandidate<(LocalName, u16)>),
}

/// A candidate of the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteCandidate<A = SocketAddr> {
    pub(crate) address: A,
    pub(crate) kind: CandidateKind,
    pub(crate) priority: u32,
    /// The ICE generation it belongs to, if it says so.
    pub(crate) ufrag: Option<String>,
}

/// Why a candidate was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("it says that no more candidates come")]
    End,
    #[error("its address is a name that is not one of multicast DNS")]
    Name,
    #[error("it is not for UDP")]
    NotUdp,
    #[error("it is for another component")]
    OtherComponent,
    #[error("no datagram can be sent to its address")]
    Unreachable,
    #[error("it is not a candidate")]
    Malformed,
}

impl Told {
    /// Reads a candidate attribute, with or without the leading `a=` that some peers send.
    ///
    /// spec: RFC 8839 section 5.1
    pub(crate) fn parse(text: &str) -> Result<Self, Unusable> {
        let text = text.trim();
        let text = text.strip_prefix("a=").unwrap_or(text);
        if text.is_empty() || text == "candidate:" {
            return Err(Unusable::End);
        }
        if text.len() > CANDIDATE_BYTES_MAX {
            return Err(Unusable::Malformed);
        }
        let fields = text.strip_prefix("candidate:").ok_or(Unusable::Malformed)?;
        let mut fields = fields.split_ascii_whitespace();
        let mut next = || fields.next().ok_or(Unusable::Malformed);

        let _foundation = next()?;
        let component: u16 = next()?.parse().map_err(|_| Unusable::Malformed)?;
        let transport = next()?;
        let priority: u32 = next()?.parse().map_err(|_| Unusable::Malformed)?;
        let host = next()?;
        let port: u16 = next()?.parse().map_err(|_| Unusable::Malformed)?;
        if next()? != "typ" {
            return Err(Unusable::Malformed);
        }
        let kind = parse_kind(next()?)?;
        let mut ufrag = None;
        while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
            if name == "ufrag" {
                ufrag = Some(value.to_owned());
            }
        }

        if !transport.eq_ignore_ascii_case("udp") {
            return Err(Unusable::NotUdp);
        }
        if component != 1 {
            return Err(Unusable::OtherComponent);
        }
        if port == 0 {
            return Err(Unusable::Unreachable);
        }
        match host.parse::<IpAddr>() {
            Ok(ip) => {
                let address = reachable(ip, port).ok_or(Unusable::Unreachable)?;
                Ok(Told::Address(RemoteCandidate { address, kind, priority, ufrag }))
            }
            // Only addresses of the machine itself have such names.
            Err(_) if kind != CandidateKind::Host => Err(Unusable::Name),
            Err(_) => {
                let address = (LocalName::parse(host).ok_or(Unusable::Name)?, port);
                Ok(Told::Name(RemoteCandidate { address, kind, priority, ufrag }))
            }
        }
    }

    /// The ICE generation that it belongs to, if it says so.
    pub(crate) fn ufrag(&self) -> Option<&str> {
        match self {
            Told::Address(candidate) => candidate.ufrag.as_deref(),
            Told::Name(candidate) => candidate.ufrag.as_deref(),
        }
    }
}

impl RemoteCandidate<(LocalName, u16)> {
    /// The same, now that its name is known to stand for this; none if nobody could send there.
    pub(crate) fn at(&self, ip: IpAddr) -> Option<RemoteCandidate> {
        let RemoteCandidate { address: (_, port), kind, priority, ufrag } = self;
        let address = reachable(ip, *port)?;
        Some(RemoteCandidate { address, kind: *kind, priority: *priority, ufrag: ufrag.clone() })
    }
}

impl RemoteCandidate {
    /// The same as str0m wants it.
    pub(crate) fn to_str0m(&self) -> Candidate {
        let foundation = kind_name(self.kind).to_owned();
        let (address, kind) = (self.address, self.kind);
        let (component, priority) = (1, self.priority);
        Candidate::from_parts(
            foundation,
            component,
            Protocol::Udp,
            priority,
            address,
            kind,
            None,
            None,
            None,
        )
    }
}

/// The candidate of a socket of ours; `None` if nobody could send to that address.
pub(crate) fn host_candidate(address: SocketAddr) -> Option<Candidate> {
    is_reachable(address).then(|| Candidate::host(address, Protocol::Udp).ok()).flatten()
}

/// The candidate of an address that a server gave us; `None` if nobody could send there.
pub(crate) fn gathered_candidate(gathered: Gathered) -> Option<Candidate> {
    let candidate = match gathered {
        Gathered::Reflexive { mapped, base } => {
            is_reachable(mapped).then(|| Candidate::server_reflexive(mapped, base, Protocol::Udp))
        }
        Gathered::Relayed { relayed, base } => {
            is_reachable(relayed).then(|| Candidate::relayed(relayed, base, Protocol::Udp))
        }
    };
    candidate?.ok()
}

/// Writes a candidate of ours, given as its attribute, as browsers exchange them.
pub(crate) fn emit_init(candidate: String, mid: &str, ufrag: &str) -> CandidateInit {
    CandidateInit {
        candidate,
        sdp_mid: Some(mid.to_owned()),
        sdp_m_line_index: Some(0),
        username_fragment: Some(ufrag.to_owned()),
    }
}

/// The kind's name in RFC 8839.
pub(crate) fn kind_name(kind: CandidateKind) -> &'static str {
    match kind {
        CandidateKind::Host => "host",
        CandidateKind::PeerReflexive => "prflx",
        CandidateKind::ServerReflexive => "srflx",
        CandidateKind::Relayed => "relay",
    }
}

fn parse_kind(name: &str) -> Result<CandidateKind, Unusable> {
    match name {
        "host" => Ok(CandidateKind::Host),
        "prflx" => Ok(CandidateKind::PeerReflexive),
        "srflx" => Ok(CandidateKind::ServerReflexive),
        "relay" => Ok(CandidateKind::Relayed),
        _ => Err(Unusable::Malformed),
    }
}

fn reachable(ip: IpAddr, port: u16) -> Option<SocketAddr> {
    let address = SocketAddr::new(ip.to_canonical(), port);
    is_reachable(address).then_some(address)
}

/// Whether one address names one machine. Link-local addresses don't without a scope, which
/// candidates can't say.
fn is_reachable(address: SocketAddr) -> bool {
    let is_unicast = match address.ip() {
        IpAddr::V4(ip) => {
            !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() || ip.is_link_local())
        }
        IpAddr::V6(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local()),
    };
    is_unicast && address.port() != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<RemoteCandidate, Unusable> {
        match Told::parse(text)? {
            Told::Address(candidate) => Ok(candidate),
            Told::Name(candidate) => panic!("a name: {candidate:?}"),
        }
    }

    const NAME: &str = "6f2f1b0a-1c2d-4e3f-8a9b-0c1d2e3f4a5b.local";

    #[test]
    fn candidates_of_browsers_and_of_werift_are_read() {
        let chromium = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr \
                        10.0.0.2 rport 46154 generation 0 ufrag EsAw network-id 1 network-cost 10";
        let read = parse(chromium).unwrap();
        assert_eq!(read.address, "203.0.113.7:46154".parse().unwrap());
        assert_eq!(read.kind, CandidateKind::ServerReflexive);
        assert_eq!(read.priority, 1_677_729_535);
        assert_eq!(read.ufrag.as_deref(), Some("EsAw"));

        let werift = "candidate:9c29a2bc887618212a1623bfa 1 udp 2116026367 fd00::2 37656 typ host \
                      generation 0 ufrag 1274";
        assert_eq!(parse(werift).unwrap().address, "[fd00::2]:37656".parse().unwrap());

        let firefox = "candidate:0 1 UDP 2122252543 192.168.1.5 50055 typ host";
        assert_eq!(parse(firefox).unwrap().ufrag, None);
        assert_eq!(parse(&format!("a={firefox}\r\n")), parse(firefox));
    }

    #[test]
    fn what_no_datagram_can_be_sent_to_is_dropped() {
        let cases = [
            ("", Unusable::End),
            ("candidate:", Unusable::End),
            ("a=candidate:", Unusable::End),
            ("candidate:1 1 udp 1 6f2f-1b.local 5000 typ host", Unusable::Name),
            (&format!("candidate:1 1 udp 1 {NAME} 5000 typ srflx"), Unusable::Name),
            (&format!("candidate:1 1 tcp 1 {NAME} 5000 typ host"), Unusable::NotUdp),
            (&format!("candidate:1 1 udp 1 {NAME} 0 typ host"), Unusable::Unreachable),
            ("candidate:1 1 udp 1 example.org 5000 typ host", Unusable::Name),
            ("candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active", Unusable::NotUdp),
            ("candidate:1 2 udp 1 192.0.2.1 5000 typ host", Unusable::OtherComponent),
            ("candidate:1 1 udp 1 192.0.2.1 0 typ host", Unusable::Unreachable),
            ("candidate:1 1 udp 1 0.0.0.0 5000 typ host", Unusable::Unreachable),
            ("candidate:1 1 udp 1 255.255.255.255 5000 typ host", Unusable::Unreachable),
            ("candidate:1 1 udp 1 224.0.0.1 5000 typ host", Unusable::Unreachable),
            ("candidate:1 1 udp 1 169.254.1.1 5000 typ host", Unusable::Unreachable),
            ("candidate:1 1 udp 1 fe80::1 5000 typ host", Unusable::Unreachable),
            ("candidate:1 1 udp 1 ff02::1 5000 typ host", Unusable::Unreachable),
            ("nonsense", Unusable::Malformed),
            ("candidate:1 1 udp 1 192.0.2.1 5000", Unusable::Malformed),
            ("candidate:1 1 udp 1 192.0.2.1 5000 typ guest", Unusable::Malformed),
            ("candidate:1 1 udp 4294967296 192.0.2.1 5000 typ host", Unusable::Malformed),
            ("candidate:1 1 udp 1 192.0.2.1 65536 typ host", Unusable::Malformed),
        ];
        for (text, why) in cases {
            assert_eq!(parse(text), Err(why), "{text}");
        }
        let long = format!(
            "candidate:1 1 udp 1 192.0.2.1 5000 typ host {}",
            "x".repeat(CANDIDATE_BYTES_MAX)
        );
        assert_eq!(parse(&long), Err(Unusable::Malformed));
    }

    #[test]
    fn a_name_of_multicast_dns_is_kept_until_its_address_is_known() {
        let text = format!("candidate:1 1 udp 7 {NAME} 5000 typ host generation 0 ufrag EsAw");
        let Ok(Told::Name(told)) = Told::parse(&text) else { panic!("it names nobody") };
        assert_eq!(told.address, (LocalName::parse(NAME).unwrap(), 5000));
        let found = told.at([10, 0, 0, 2].into()).unwrap();
        let expected = "candidate:1 1 udp 7 10.0.0.2 5000 typ host ufrag EsAw";
        assert_eq!(Ok(found), parse(expected));
        assert_eq!(told.at([169, 254, 1, 1].into()), None);
    }

    #[test]
    fn ours_are_written_without_a_prefix_and_read_back() {
        let address = "192.0.2.1:5000".parse().unwrap();
        let candidate = host_candidate(address).unwrap().to_sdp_string();
        let init = emit_init(candidate, "0", "5abcdef");
        assert!(init.candidate.starts_with("candidate:"), "{init:?}");
        assert_eq!(init.sdp_mid.as_deref(), Some("0"));
        assert_eq!(init.sdp_m_line_index, Some(0));
        assert_eq!(init.username_fragment.as_deref(), Some("5abcdef"));
        assert_eq!(parse(&init.candidate).unwrap().address, address);
        assert_eq!(host_candidate("0.0.0.0:5000".parse().unwrap()), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in "(candidate:)?[ -~]{0,80}") {
            if let Ok(Told::Address(read)) = Told::parse(&text) {
                let _ = read.to_str0m();
            }
        }

        #[test]
        fn what_is_taken_reaches_str0m_unchanged(a: u8, b: u8, port in 1_u16.., priority: u32) {
            let text = format!("candidate:1 1 udp {priority} 10.0.{a}.{b} {port} typ host");
            let read = parse(&text).unwrap();
            let given = read.to_str0m();
            prop_assert_eq!(given.addr(), read.address);
            prop_assert_eq!(given.prio(), priority);
            prop_assert_eq!(given.kind(), read.kind);
        }
    }
}
