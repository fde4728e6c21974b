//! Offers of audio and video on a connection that stands, which are refused.
//!
//! A browser whose application adds a track offers it, and does nothing else with the connection
//! until it is answered. The answer says of each of its sections that it is not wanted, and of the
//! data channel's that all is as it was. str0m is not told: nothing has changed.
//!
//! spec: RFC 3264, section 6; RFC 8843, section 7.3.3 (a refused section is in no bundle)

use std::fmt::Write;

use tristero_proto::limits::SDP_BYTES_MAX;

use crate::sdp::{RemoteDescription, SdpError};

/// More sections than any application has.
const SECTIONS_MAX: usize = 64;

/// The sections of an offer, in its order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sections<'a>(Vec<Section<'a>>);

#[derive(Debug, PartialEq, Eq)]
enum Section<'a> {
    Data,
    Media {
        /// What it is, such as `audio`.
        kind: &'a str,
        transport: &'a str,
        /// The first format, for there has to be one.
        format: &'a str,
        mid: &'a str,
    },
}

impl<'a> Sections<'a> {
    /// Reads an offer, and what it says of the data channel.
    pub(crate) fn parse(sdp: &'a str) -> Result<(Self, RemoteDescription), SdpError> {
        if sdp.len() > SDP_BYTES_MAX {
            return Err(SdpError::TooLong);
        }
        let starts: Vec<usize> = sections(sdp).collect();
        let Some(first) = starts.first() else { return Err(SdpError::NoDataChannel) };
        if starts.len() > SECTIONS_MAX {
            return Err(SdpError::OtherSection("too many".to_owned()));
        }
        let ends = starts[1..].iter().copied().chain([sdp.len()]);
        let session = &sdp[..*first];
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

    /// The answer, with this as what it says of the data channel: all lines behind `m=` and `c=`.
    pub(crate) fn refuse(&self, mid: &str, data: &[String]) -> String {
        let mut answer = format!(
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mid}\r\n{MARKER}\r\n"
        );
        for section in &self.0 {
            let written = match section {
                Section::Data => {
                    answer.push_str("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n");
                    answer.push_str("c=IN IP4 0.0.0.0\r\n");
                    data.iter().try_for_each(|line| write!(answer, "{line}\r\n"))
                }
                Section::Media { kind, transport, format, mid } => write!(
                    answer,
                    "m={kind} 0 {transport} {format}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n\
                     a=inactive\r\n"
                ),
            };
            written.expect("strings take all that is written");
        }
        answer
    }
}

impl<'a> Section<'a> {
    fn media(section: &'a str) -> Result<Self, SdpError> {
        let mut lines = section.lines();
        let first = lines.next().and_then(|line| line.strip_prefix("m=")).unwrap_or_default();
        let mut fields = first.split_ascii_whitespace();
        let mut next = || fields.next().filter(|field| is_token(field));
        let (kind, _port, transport, format) = (next(), next(), next(), next());
        let mid = lines.find_map(|line| line.strip_prefix("a=mid:")).filter(|mid| is_token(mid));
        match (kind, transport, format, mid) {
            (Some(kind), Some(transport), Some(format), Some(mid)) => {
                Ok(Section::Media { kind, transport, format, mid })
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

/// Trystero in JavaScript heeds no answer on a connection that stands without the second half of
/// this, which a refusal has no other place for.
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
    fn media_is_refused_and_the_data_channel_described_as_before() {
        let offer = offer(VIDEO);
        let (sections, data) = Sections::parse(&offer).unwrap();
        assert_eq!((data.ufrag.as_str(), data.mid.as_str()), ("EsAw", "0"));
        let answer = sections.refuse("0", &["a=mid:0".to_owned(), "a=setup:active".to_owned()]);
        let kinds: Vec<&str> = answer.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(
            kinds,
            ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=video 0 UDP/TLS/RTP/SAVPF 96"]
        );
        assert!(answer.contains("a=group:BUNDLE 0\r\n") && answer.contains("a=rtpmap"));
        assert!(answer.contains("a=mid:1\r\na=inactive\r\n"));
    }

    #[test]
    fn an_offer_of_nothing_new_is_answered_too() {
        let offer = offer("");
        let (sections, _) = Sections::parse(&offer).unwrap();
        assert_eq!(sections.refuse("0", &[]).matches("m=").count(), 1);
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
