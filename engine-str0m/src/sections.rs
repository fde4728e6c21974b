//! The sections of a session beyond the data channel's: audio and video, which are refused.
//!
//! A browser whose application adds a track offers it, and does nothing else with the connection
//! until it is answered. The answer says of each of its sections that it is not wanted. From then on
//! they belong to the session, and every later description names them, ours too. str0m is told of
//! none: to it there is the data channel alone.
//!
//! spec: RFC 3264, section 6; RFC 8843, section 7.3.3 (a refused section is in no bundle); RFC 9429,
//! section 5.2.2 (sections stay, and stay in order)

use std::fmt::Write;

use tristero_proto::limits::SDP_BYTES_MAX;

use crate::sdp::{RemoteDescription, SdpError};

/// More sections than any application has.
const SECTIONS_MAX: usize = 64;

/// The sections of a session, in their order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sections(Vec<Section>);

#[derive(Debug, PartialEq, Eq)]
enum Section {
    Data,
    Media {
        /// What it is, such as `audio`.
        kind: String,
        transport: String,
        /// The first format, for there has to be one.
        format: String,
        mid: String,
    },
}

impl Sections {
    /// Those of a session that nobody has added anything to.
    pub(crate) fn of_data_alone() -> Self {
        Sections(vec![Section::Data])
    }

    /// Reads a description, and what it says of the data channel.
    pub(crate) fn parse(sdp: &str) -> Result<(Self, RemoteDescription), SdpError> {
        if sdp.len() > SDP_BYTES_MAX {
            return Err(SdpError::TooLong);
        }
        let starts: Vec<usize> = sections(sdp).collect();
        let first = *starts.first().unwrap_or(&sdp.len());
        if starts.len() > SECTIONS_MAX {
            return Err(SdpError::OtherSection("too many".to_owned()));
        }
        let ends = starts.iter().skip(1).copied().chain([sdp.len()]);
        let session = &sdp[..first];
        if !session.starts_with("v=0") {
            return Err(SdpError::NotSdp);
        }
        let (mut read, mut data) = (Vec::new(), None);
        for (start, end) in starts.iter().zip(ends) {
            let section = &sdp[*start..end];
            if section.starts_with("m=application ") && data.is_none() {
                data = Some(RemoteDescription::parse(&format!("{session}{section}"))?);
                read.push(Section::Data);
            } else {
                read.push(Section::media(section)?);
            }
        }
        let data = data.ok_or(SdpError::NoDataChannel)?;
        Ok((Sections(read), data))
    }

    /// A description of the data channel alone, with the other sections of the session refused.
    pub(crate) fn complete(&self, described: &str) -> String {
        let at = sections(described).next().unwrap_or(described.len());
        let (session, data) = described.split_at(at);
        let mut complete = format!("{session}{MARKER}\r\n");
        for section in &self.0 {
            match section {
                Section::Data => complete.push_str(data),
                Section::Media { kind, transport, format, mid } => write!(
                    complete,
                    "m={kind} 0 {transport} {format}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n\
                     a=inactive\r\n"
                )
                .expect("strings take all that is written"),
            }
        }
        complete
    }
}

impl Section {
    fn media(section: &str) -> Result<Self, SdpError> {
        let mut lines = section.lines();
        let first = lines.next().and_then(|line| line.strip_prefix("m=")).unwrap_or_default();
        let mut fields = first.split_ascii_whitespace();
        let mut next = || fields.next().filter(|field| is_token(field)).map(str::to_owned);
        let (kind, _port, transport, format) = (next(), next(), next(), next());
        let mid = lines.find_map(|line| line.strip_prefix("a=mid:")).filter(|mid| is_token(mid));
        match (kind, transport, format, mid) {
            (Some(kind), Some(transport), Some(format), Some(mid)) => {
                Ok(Section::Media { kind, transport, format, mid: mid.to_owned() })
            }
            _ => Err(SdpError::OtherSection(first.chars().take(40).collect())),
        }
    }
}

/// Where sections begin.
fn sections(sdp: &str) -> impl Iterator<Item = usize> {
    let mut at = 0;
    sdp.split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        line.starts_with("m=").then_some(start)
    })
}

fn is_token(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.+".contains(&byte))
}

/// Trystero in JavaScript heeds no description of a connection that stands without the second half
/// of this, which one without media has no other place for.
const MARKER: &str = "a=x-tristero:a=rtpmap";

#[cfg(test)]
mod tests {
    use super::*;

    const FINGERPRINT: &str = "F2:C0:62:DD:C7:6D:28:8C:E4:79:10:F2:EE:58:35:E1:7F:2D:6C:8F:85:42:\
                               5E:5A:A2:C8:DE:32:85:0E:E9:F6";

    fn offer(media: &str) -> String {
        format!(
            "v=0\r\no=- 1 3 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
             a=ice-ufrag:EsAw\r\na=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y\r\n\
             a=fingerprint:sha-256 {FINGERPRINT}\r\na=setup:actpass\r\na=mid:0\r\n\
             a=sctp-port:5000\r\n{media}"
        )
    }

    const VIDEO: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n\
                         a=sendrecv\r\na=rtpmap:96 VP8/90000\r\n";

    #[test]
    fn media_is_refused_wherever_it_stands() {
        for (media, is_first) in [(VIDEO, false), (VIDEO, true)] {
            let offer = offer("");
            let at = if is_first { offer.find("m=").unwrap() } else { offer.len() };
            let offer = format!("{}{media}{}", &offer[..at], &offer[at..]);
            let (sections, data) = Sections::parse(&offer).unwrap();
            assert_eq!((data.ufrag.as_str(), data.mid.as_str()), ("EsAw", "0"));
            let ours = "v=0\r\na=group:BUNDLE 0\r\nm=application 9 UDP/DTLS/SCTP \
                        webrtc-datachannel\r\na=mid:0\r\n";
            let answer = sections.complete(ours);
            let mut kinds = [
                "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
                "m=video 0 UDP/TLS/RTP/SAVPF 96",
            ];
            if is_first {
                kinds.reverse();
            }
            let named: Vec<&str> = answer.lines().filter(|line| line.starts_with("m=")).collect();
            assert_eq!(named, kinds);
            assert!(answer.starts_with("v=0\r\na=group:BUNDLE 0\r\na=x-tristero:a=rtpmap\r\n"));
            assert!(answer.contains("a=mid:1\r\na=inactive\r\n"));
            let (again, _) = Sections::parse(&offer).unwrap();
            assert_eq!(again, sections);
        }
    }

    #[test]
    fn a_description_of_data_alone_gets_nothing_but_the_marker() {
        let offer = offer("");
        let (sections, _) = Sections::parse(&offer).unwrap();
        assert_eq!(sections, Sections::of_data_alone());
        let complete = sections.complete(&offer);
        assert_eq!(complete.replace("a=x-tristero:a=rtpmap\r\n", ""), offer);
    }

    #[test]
    fn sections_that_make_no_sense_are_refused_whole() {
        for media in [
            "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
            "m=video\r\na=mid:1\r\n",
            "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:<script>\r\n",
        ] {
            assert!(Sections::parse(&offer(media)).is_err(), "{media}");
        }
        assert!(Sections::parse(&offer(&VIDEO.repeat(100))).is_err());
        assert!(Sections::parse(&VIDEO.repeat(2)).is_err(), "there is no data channel");
        assert!(Sections::parse("").is_err());
        assert!(Sections::parse(&"m=\r\n".repeat(SDP_BYTES_MAX)).is_err());
    }
}
