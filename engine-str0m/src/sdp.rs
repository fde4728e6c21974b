//! What a data channel needs of a session description, and nothing else.
//!
//! Descriptions come from untrusted peers, in the dialects of five WebRTC implementations, and
//! str0m trusts some of what it reads: a user name fragment of 120 characters makes it panic.
//! So a description is read here into values, each of a known shape, and str0m gets a new
//! description that is made of those. Candidates are taken out, because each has to pass the
//! rules of [`RemoteCandidate`](crate::candidate::RemoteCandidate) wherever it comes from.
//!
//! A connection begins with a data channel alone; descriptions that add others to it are read by
//! [`media::parse`](crate::media::parse).

use std::fmt::Write;
use std::ops::RangeInclusive;

use tristero_proto::limits::{REMOTE_CANDIDATES_MAX, SDP_BYTES_MAX};

use crate::credentials::Password;
use crate::limits::{MESSAGE_BYTES_MAX, REMOTE_MESSAGE_BYTES_DEFAULT};
use crate::sctp_init::SctpInit;

/// The other side's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteDescription {
    pub(crate) ufrag: String,
    pub(crate) password: Password,
    /// The SHA-256 of its certificate.
    pub(crate) fingerprint: [u8; 32],
    pub(crate) setup: Setup,
    /// The name of the one media section.
    pub(crate) mid: String,
    /// The largest message that it takes, in bytes, or that we ever send.
    pub(crate) message_bytes_max: usize,
    /// Whether it speaks DTLS 1.3 with us.
    pub(crate) speaks_dtls_13: bool,
    /// How it begins SCTP, if that need not be said on the path.
    pub(crate) sctp_init: Option<SctpInit>,
    /// Who made it.
    pub(crate) family: Family,
    /// The candidate attributes in it, as they are.
    pub(crate) candidates: Vec<String>,
}

/// Who begins the DTLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    /// Whichever the answerer chooses; only in offers.
    ActPass,
    /// The one who says this.
    Active,
    /// The one who hears this.
    Passive,
}

/// Which implementation made a description, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// werift, and aiortc that it descends from: who offered is the one that begins SCTP. Everyone
    /// else begins it at both ends or, as str0m does, where DTLS began.
    Werift,
    /// libdatachannel.
    LibDataChannel,
    /// All others.
    Other,
}

/// Why a text is not a description that we can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SdpError {
    #[error("it is longer than {SDP_BYTES_MAX} bytes")]
    TooLong,
    #[error("it does not begin with v=0")]
    NotSdp,
    #[error("it has no section for a data channel")]
    NoDataChannel,
    #[error("it has a section that is not for a data channel: {0:?}")]
    OtherSection(String),
    #[error("it refuses the data channel")]
    Refused,
    #[error("{0} is missing or malformed")]
    Attribute(&'static str),
}

impl RemoteDescription {
    /// Reads a description.
    ///
    /// spec: RFC 8866; RFC 8839 section 5 (ICE); RFC 8841 section 5 and 6 (SCTP); RFC 8842 (DTLS)
    pub(crate) fn parse(sdp: &str) -> Result<Self, SdpError> {
        if sdp.len() > SDP_BYTES_MAX {
            return Err(SdpError::TooLong);
        }
        let mut lines = sdp.lines().map(str::trim_end);
        if lines.next() != Some("v=0") {
            return Err(SdpError::NotSdp);
        }
        let mut session = Attributes::default();
        let mut media: Option<Attributes<'_>> = None;
        let mut family = Family::Other;
        for line in lines {
            if let Some(origin) = line.strip_prefix("o=") {
                family = Family::of(origin);
            } else if let Some(section) = line.strip_prefix("m=") {
                if media.is_some() {
                    return Err(SdpError::OtherSection(shorten(section)));
                }
                check_section(section)?;
                media = Some(Attributes::default());
            } else if let Some(attribute) = line.strip_prefix("a=") {
                media.as_mut().unwrap_or(&mut session).take(attribute);
            }
        }
        media.ok_or(SdpError::NoDataChannel)?.or(session).read(family)
    }

    /// Writes the description for str0m, without candidates, where these other sections share its
    /// transport.
    pub(crate) fn emit(&self, bundled: &[&str]) -> String {
        let mut fingerprint = String::with_capacity(95);
        for (index, byte) in self.fingerprint.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(fingerprint, "{colon}{byte:02X}").expect("strings take all that is written");
        }
        let bundle = [&[&self.mid[..]], bundled].concat();
        let lines = [
            "v=0",
            &format!("o=- 1 1 IN IP4 {}", self.family.origin()),
            "s=-",
            "t=0 0",
            &format!("a=group:BUNDLE {}", bundle.join(" ")),
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP4 0.0.0.0",
            &format!("a=ice-ufrag:{}", self.ufrag),
            &format!("a=ice-pwd:{}", self.password.0),
            &format!("a=fingerprint:sha-256 {fingerprint}"),
            &format!("a=setup:{}", self.setup.name()),
            &format!("a=mid:{}", self.mid),
            "a=sctp-port:5000",
            &format!("a=max-message-size:{}", self.message_bytes_max),
            "",
        ];
        let mut sdp = lines.join("\r\n");
        if let Some(init) = &self.sctp_init {
            write!(sdp, "a=sctp-init:{}\r\n", init.emit())
                .expect("strings take all that is written");
        }
        sdp
    }
}

impl Family {
    /// Reads it off the origin: browsers put 127.0.0.1 there or their name before it.
    fn of(origin: &str) -> Self {
        if origin.starts_with("- ") && origin.ends_with(" IN IP4 0.0.0.0") {
            Family::Werift
        } else if origin.starts_with("rtc ") {
            Family::LibDataChannel
        } else {
            Family::Other
        }
    }

    /// Whether it can restart ICE. werift changes its credentials and looks for no path;
    /// libdatachannel refuses the offer, and loses its connection by it.
    pub(crate) fn restarts_ice(self) -> bool {
        self == Family::Other
    }

    fn origin(self) -> &'static str {
        match self {
            Family::Werift => "0.0.0.0",
            Family::LibDataChannel | Family::Other => "127.0.0.1",
        }
    }
}

impl Setup {
    const ALL: [Setup; 3] = [Setup::ActPass, Setup::Active, Setup::Passive];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Setup::ActPass => "actpass",
            Setup::Active => "active",
            Setup::Passive => "passive",
        }
    }
}

/// An offer of ours, which says that we speak DTLS 1.3.
pub(crate) fn with_dtls_13(offer: &str) -> String {
    format!("{offer}a={DTLS_13}\r\n")
}

/// The name of the media section in a description of ours.
pub(crate) fn mid_of(sdp: &str) -> Option<&str> {
    sdp.lines().find_map(|line| line.strip_prefix("a=mid:"))
}

/// The attributes that matter, of the session or of its one section. The first of each counts.
#[derive(Default)]
struct Attributes<'a> {
    ufrag: Option<&'a str>,
    password: Option<&'a str>,
    fingerprint: Option<[u8; 32]>,
    setup: Option<&'a str>,
    mid: Option<&'a str>,
    message_bytes_max: Option<&'a str>,
    speaks_dtls_13: bool,
    sctp_init: Option<SctpInit>,
    candidates: Vec<&'a str>,
}

impl<'a> Attributes<'a> {
    fn take(&mut self, attribute: &'a str) {
        self.speaks_dtls_13 |= attribute == DTLS_13;
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        match name {
            "ice-ufrag" => self.ufrag = self.ufrag.or(Some(value)),
            "ice-pwd" => self.password = self.password.or(Some(value)),
            "fingerprint" => self.fingerprint = self.fingerprint.or(parse_fingerprint(value)),
            "setup" => self.setup = self.setup.or(Some(value)),
            "mid" => self.mid = self.mid.or(Some(value)),
            "max-message-size" => {
                self.message_bytes_max = self.message_bytes_max.or(Some(value));
            }
            "sctp-init" => self.sctp_init = self.sctp_init.or_else(|| SctpInit::parse(value)),
            "candidate" if self.candidates.len() < REMOTE_CANDIDATES_MAX => {
                self.candidates.push(attribute);
            }
            _ => {}
        }
    }

    /// A section's own attributes come before the session's.
    fn or(mut self, session: Self) -> Self {
        self.candidates.extend(session.candidates);
        self.candidates.truncate(REMOTE_CANDIDATES_MAX);
        Attributes {
            ufrag: self.ufrag.or(session.ufrag),
            password: self.password.or(session.password),
            fingerprint: self.fingerprint.or(session.fingerprint),
            setup: self.setup.or(session.setup),
            mid: self.mid,
            message_bytes_max: self.message_bytes_max,
            speaks_dtls_13: self.speaks_dtls_13,
            sctp_init: self.sctp_init,
            candidates: self.candidates,
        }
    }

    fn read(self, family: Family) -> Result<RemoteDescription, SdpError> {
        let is_setup = |name| Setup::ALL.into_iter().find(|setup| setup.name() == name);
        let need = |name, value: Option<&str>, is_valid: fn(&str) -> bool| {
            value.filter(|v| is_valid(v)).map(str::to_owned).ok_or(SdpError::Attribute(name))
        };
        Ok(RemoteDescription {
            ufrag: need("a=ice-ufrag", self.ufrag, |v| is_ice_chars(v, 4..=UFRAG_CHARS_MAX))?,
            password: Password(need("a=ice-pwd", self.password, |v| is_ice_chars(v, 22..=256))?),
            fingerprint: self
                .fingerprint
                .ok_or(SdpError::Attribute("a=fingerprint with SHA-256"))?,
            setup: self.setup.and_then(is_setup).ok_or(SdpError::Attribute("a=setup"))?,
            mid: need("a=mid", self.mid, is_mid)?,
            message_bytes_max: read_message_bytes_max(self.message_bytes_max),
            speaks_dtls_13: self.speaks_dtls_13,
            // Those two don't know it, and libdatachannel repeats lines that it does not know.
            sctp_init: self.sctp_init.filter(|_| family == Family::Other),
            family,
            candidates: self.candidates.into_iter().map(str::to_owned).collect(),
        })
    }
}

/// Whether the section is a data channel's, and not refused by port 0.
fn check_section(section: &str) -> Result<(), SdpError> {
    let mut fields = section.split_ascii_whitespace();
    let (kind, port, transport) = (fields.next(), fields.next(), fields.next());
    let is_sctp = transport.is_some_and(|transport| transport.ends_with("DTLS/SCTP"));
    if kind != Some("application") || !is_sctp {
        return Err(SdpError::OtherSection(shorten(section)));
    }
    if port == Some("0") { Err(SdpError::Refused) } else { Ok(()) }
}

fn parse_fingerprint(value: &str) -> Option<[u8; 32]> {
    let (hash, bytes) = value.split_once(' ')?;
    if !hash.eq_ignore_ascii_case("sha-256") {
        return None;
    }
    let mut fingerprint = [0; 32];
    let mut pairs = bytes.trim().split(':');
    for byte in &mut fingerprint {
        let pair = pairs.next().filter(|pair| pair.len() == 2 && !pair.starts_with('+'))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then_some(fingerprint)
}

/// The lengths are those of RFC 8839 section 5.4, if not smaller.
fn is_ice_chars(value: &str, length: RangeInclusive<usize>) -> bool {
    length.contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// str0m keeps 16 characters of a name and replaces unusual ones; a peer would not know its own
/// name again.
pub(crate) fn is_mid(value: &str) -> bool {
    (1..=16).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn read_message_bytes_max(value: Option<&str>) -> usize {
    let ours = MESSAGE_BYTES_MAX as usize;
    let said = value.and_then(|value| value.parse::<u64>().ok());
    match said.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)) {
        None => REMOTE_MESSAGE_BYTES_DEFAULT,
        // spec: RFC 8841 section 6.1: no limit
        Some(0) => ours,
        Some(bytes) => bytes.min(ours),
    }
}

/// Enough of a section to recognise it in an error.
fn shorten(section: &str) -> String {
    section.chars().take(40).collect()
}

/// Says in an offer that its maker begins DTLS in a way that servers of 1.2 and of 1.3 take, or is a
/// server of 1.2.
///
/// spec: docs/protocol.md
const DTLS_13: &str = "x-tristero-dtls:1.3";

/// The longest user name fragment. RFC 8839 allows 256 characters, but str0m panics when it writes a
/// user name, which is both sides' fragments, of more than 128. Nobody's has more than 32.
const UFRAG_CHARS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FINGERPRINT: &str = "F2:C0:62:DD:C7:6D:28:8C:E4:79:10:F2:EE:58:35:E1:7F:2D:6C:8F:85:42:\
                               5E:5A:A2:C8:DE:32:85:0E:E9:F6";

    fn chromium() -> String {
        let lines = [
            "v=0",
            "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            "a=group:BUNDLE 0",
            "a=extmap-allow-mixed",
            "a=msid-semantic: WMS",
            "m=application 46154 UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP4 203.0.113.7",
            "a=candidate:1 1 udp 2113937151 0a1b2c3d-e4f5.local 46154 typ host generation 0 \
             network-cost 999",
            "a=candidate:2 1 tcp 1518280447 10.0.0.2 9 typ host tcptype active generation 0",
            "a=ice-ufrag:EsAw",
            "a=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y",
            "a=ice-options:trickle",
            &format!("a=fingerprint:sha-256 {FINGERPRINT}"),
            "a=setup:actpass",
            "a=mid:0",
            "a=sctp-port:5000",
            "a=max-message-size:262144",
            "",
        ];
        lines.join("\r\n")
    }

    #[test]
    fn an_offer_of_chromium_is_read() {
        let read = RemoteDescription::parse(&chromium()).unwrap();
        assert_eq!(read.ufrag, "EsAw");
        assert_eq!(read.password.0, "bP+XJMM09aR8AiX1jdukzR6Y");
        assert_eq!(read.fingerprint[..2], [0xF2, 0xC0]);
        assert_eq!(read.setup, Setup::ActPass);
        assert_eq!(read.mid, "0");
        assert_eq!(read.message_bytes_max, 262_144);
        assert_eq!(read.family, Family::Other);
        assert_eq!(read.candidates.len(), 2);
        assert!(read.candidates[0].starts_with("candidate:1 1 udp"));
    }

    #[test]
    fn what_firefox_says_for_the_whole_session_counts_for_the_section() {
        let fingerprint = format!("a=fingerprint:sha-256 {FINGERPRINT}\r\n");
        let moved = chromium().replace(&fingerprint, "").replace("t=0 0\r\n", "t=0 0\r\n!");
        let moved = moved.replace('!', &fingerprint);
        assert_eq!(RemoteDescription::parse(&moved), RemoteDescription::parse(&chromium()));
    }

    #[test]
    fn a_family_is_told_by_its_origin() {
        for (origin, family) in [
            ("- 85206206 0 IN IP4 0.0.0.0", Family::Werift),
            ("- 4611731400430051336 2 IN IP4 127.0.0.1", Family::Other),
            ("mozilla...THIS_IS_SDPARTA-99.0 5 0 IN IP4 0.0.0.0", Family::Other),
            ("rtc 1234 0 IN IP4 127.0.0.1", Family::LibDataChannel),
            ("str0m-0.25.0 1 2 IN IP4 0.0.0.0", Family::Other),
        ] {
            assert_eq!(Family::of(origin), family, "{origin}");
        }
    }

    #[test]
    fn line_ends_do_not_matter() {
        let unix = chromium().replace("\r\n", "\n");
        assert_eq!(RemoteDescription::parse(&unix), RemoteDescription::parse(&chromium()));
    }

    #[test]
    fn what_str0m_gets_is_read_back_the_same_but_for_candidates() {
        let read = RemoteDescription::parse(&chromium()).unwrap();
        let again = RemoteDescription::parse(&read.emit(&[])).unwrap();
        assert_eq!(again, RemoteDescription { candidates: Vec::new(), ..read });
    }

    #[test]
    fn what_lacks_something_or_has_too_much_is_refused() {
        use SdpError::{Attribute, NoDataChannel, NotSdp, Refused, TooLong};
        let long = "x".repeat(257);
        let longer_than_str0m_writes = "x".repeat(101);
        let audio = SdpError::OtherSection("audio 9 UDP/TLS/RTP/SAVPF 111".to_owned());
        let cases = [
            ("v=0", "v=1", NotSdp),
            ("m=application", "x=application", NoDataChannel),
            ("m=application 46154", "m=application 0", Refused),
            ("a=sctp-port:5000", "m=audio 9 UDP/TLS/RTP/SAVPF 111", audio),
            ("a=ice-ufrag:EsAw", "", Attribute("a=ice-ufrag")),
            ("EsAw", "Es:w", Attribute("a=ice-ufrag")),
            ("EsAw", "EsA", Attribute("a=ice-ufrag")),
            ("EsAw", &longer_than_str0m_writes, Attribute("a=ice-ufrag")),
            ("bP+XJMM09aR8AiX1jdukzR6Y", "short", Attribute("a=ice-pwd")),
            ("bP+XJMM09aR8AiX1jdukzR6Y", &long, Attribute("a=ice-pwd")),
            ("sha-256", "sha-1", Attribute("a=fingerprint with SHA-256")),
            ("F2:C0", "F2:+0", Attribute("a=fingerprint with SHA-256")),
            ("F2:C0", "F2", Attribute("a=fingerprint with SHA-256")),
            ("actpass", "holdconn", Attribute("a=setup")),
            ("a=mid:0", "a=mid:no-hyphen", Attribute("a=mid")),
            ("a=mid:0", "a=mid:seventeen_letters", Attribute("a=mid")),
            ("a=mid:0", &"x".repeat(SDP_BYTES_MAX), TooLong),
        ];
        for (from, to, why) in cases {
            let changed = chromium().replace(from, to);
            assert_eq!(RemoteDescription::parse(&changed), Err(why), "{from} -> {to:.40}");
        }
    }

    #[test]
    fn the_size_of_messages_is_what_both_take() {
        let said = |value| read_message_bytes_max(value);
        assert_eq!(said(None), 65_536);
        assert_eq!(said(Some("nonsense")), 65_536);
        assert_eq!(said(Some("1000")), 1_000);
        assert_eq!(said(Some("0")), 262_144);
        assert_eq!(said(Some("18446744073709551615")), 262_144);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in "(v=0\r\n)?([am]=[ -~]{0,30}\r\n){0,9}") {
            let _ = RemoteDescription::parse(&text);
        }
    }
}
