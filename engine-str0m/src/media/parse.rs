//! A description of the other side as values: what it says of the data channel, and what of each
//! section of audio or video.
//!
//! What is unknown is left out, what is too much is left out too, and what can't be named in an
//! answer makes the whole description invalid: nobody could answer it.
//!
//! spec: RFC 8866 (SDP); RFC 9429, section 5 (WebRTC); RFC 8843 (BUNDLE); RFC 8830 (msid); RFC 5576
//! (ssrc); RFC 4588 (retransmission)

use tristero_proto::limits::{MSID_BYTES_MAX, RENEGOTIATION_BYTES_MAX};
use tristero_proto::media::{MediaKind, Msid};

use super::extensions::Extension;
use super::formats::{Format, Numbered};
use crate::limits::{FORMATS_READ_MAX, SECTIONS_READ_MAX, SSRCS_READ_MAX};
use crate::sdp::{RemoteDescription, SdpError, is_mid};

/// A description of the other side.
#[derive(Clone, Debug)]
pub(crate) struct TheirDescription {
    pub(crate) data: RemoteDescription,
    /// In their order.
    pub(crate) sections: Vec<TheirSection>,
}

/// One section of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TheirSection {
    /// That of the data channel.
    Data,
    /// Another.
    Media(Box<TheirMedia>),
}

/// A section of audio or video, or of something that we don't know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TheirMedia {
    pub(crate) label: Label,
    pub(crate) mid: String,
    /// Whether it can be used: audio or video over the transport that the data channel has too.
    pub(crate) kind: Option<MediaKind>,
    pub(crate) sends: bool,
    pub(crate) receives: bool,
    /// Formats that we know, the best first.
    pub(crate) formats: Vec<Numbered>,
    /// All numbers that it gives a meaning.
    pub(crate) numbers: Vec<u8>,
    pub(crate) feedback: Feedback,
    /// Extensions with their numbers, also those that we don't know.
    pub(crate) extensions: Vec<(Option<Extension>, u8)>,
    /// What it calls the track that it sends.
    pub(crate) msid: Option<Msid>,
    /// Its packets have one of these; if there are none, it does not say.
    pub(crate) ssrcs: Vec<u32>,
}

/// What a section is named by where it is not wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// Such as `audio`.
    pub(crate) kind: String,
    pub(crate) transport: String,
    /// The first format, for there has to be one.
    pub(crate) format: String,
    /// What that is, if it says.
    pub(crate) rtpmap: Option<String>,
}

/// What a receiver may tell of what arrived.
///
/// spec: RFC 4585; RFC 5104 (ccm fir)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Feedback {
    pub(crate) nack: bool,
    pub(crate) pli: bool,
    pub(crate) fir: bool,
    pub(crate) remb: bool,
    pub(crate) transport_cc: bool,
}

impl TheirDescription {
    /// Reads a description.
    pub(crate) fn parse(sdp: &str) -> Result<Self, SdpError> {
        if sdp.len() > RENEGOTIATION_BYTES_MAX {
            return Err(SdpError::TooLong);
        }
        let (session, parts) = split(sdp);
        if !session.starts_with("v=0") {
            return Err(SdpError::NotSdp);
        }
        if parts.len() > SECTIONS_READ_MAX {
            return Err(SdpError::OtherSection("too many".to_owned()));
        }
        let bundle = bundle_of(session);
        let (mut sections, mut data) = (Vec::new(), None);
        for part in parts {
            if part.starts_with("m=application ") && data.is_none() {
                data = Some(RemoteDescription::parse(&format!("{session}{part}"))?);
                sections.push(TheirSection::Data);
            } else {
                sections.push(TheirSection::Media(Box::new(TheirMedia::parse(part, &bundle)?)));
            }
        }
        let data = data.ok_or(SdpError::NoDataChannel)?;
        let mut mids: Vec<&str> = sections.iter().map(|section| section.mid(&data)).collect();
        mids.sort_unstable();
        if mids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(SdpError::Attribute("a=mid that is used once"));
        }
        Ok(TheirDescription { data, sections })
    }
}

impl TheirSection {
    fn mid<'a>(&'a self, data: &'a RemoteDescription) -> &'a str {
        match self {
            TheirSection::Data => &data.mid,
            TheirSection::Media(media) => &media.mid,
        }
    }
}

impl TheirMedia {
    fn parse(section: &str, bundle: &[&str]) -> Result<Self, SdpError> {
        let mut lines = section.lines().map(str::trim_end);
        let first = lines.next().and_then(|line| line.strip_prefix("m=")).unwrap_or_default();
        let unusable = || SdpError::OtherSection(first.chars().take(40).collect());
        let mut fields = first.split_ascii_whitespace();
        let mut next = || fields.next().filter(|field| is_name(field));
        let (Some(kind), Some(port), Some(transport), Some(format)) =
            (next(), next(), next(), next())
        else {
            return Err(unusable());
        };
        port.parse::<u16>().map_err(|_| unusable())?;
        let numbers = [format].into_iter().chain(fields).take(FORMATS_READ_MAX);
        let numbers: Vec<u8> = numbers.filter_map(|number| number.parse().ok()).collect();
        let mut read = Attributes::default();
        lines.filter_map(|line| line.strip_prefix("a=")).for_each(|line| read.take(line));
        let mid = read.mid.filter(|mid| is_name(mid)).ok_or_else(unusable)?;
        let is_carried = transport.ends_with("RTP/SAVPF")
            && bundle.contains(&mid)
            && is_mid(mid)
            // What is only in the bundle has no port of its own (RFC 8843, section 7).
            && (port != "0" || read.is_bundle_only);
        let is_muxed = read.is_rtcp_muxed;
        let kind_of = match kind {
            "audio" => Some(MediaKind::Audio),
            "video" => Some(MediaKind::Video),
            _ => None,
        };
        let label = Label {
            kind: kind.to_owned(),
            transport: transport.to_owned(),
            format: format.to_owned(),
            rtpmap: read.rtpmap(format).filter(|map| map.len() <= 64).map(str::to_owned),
        };
        let used_kind = kind_of.filter(|_| is_carried && is_muxed);
        Ok(TheirMedia {
            label,
            mid: mid.to_owned(),
            kind: used_kind,
            sends: used_kind.is_some() && read.direction.sends(),
            receives: used_kind.is_some() && read.direction.receives(),
            formats: used_kind.map(|kind| read.formats(&numbers, kind)).unwrap_or_default(),
            numbers,
            feedback: read.feedback,
            extensions: read.extensions,
            msid: read.msid.or(read.source_msid),
            ssrcs: read.ssrcs,
        })
    }
}

/// Which way a section goes, as its maker sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Direction {
    #[default]
    Both,
    Sends,
    Receives,
    Neither,
}

impl Direction {
    fn sends(self) -> bool {
        matches!(self, Direction::Both | Direction::Sends)
    }

    fn receives(self) -> bool {
        matches!(self, Direction::Both | Direction::Receives)
    }
}

/// The attributes of a section. The first of each counts.
#[derive(Default)]
struct Attributes<'a> {
    mid: Option<&'a str>,
    direction: Direction,
    is_bundle_only: bool,
    is_rtcp_muxed: bool,
    rtpmaps: Vec<(&'a str, &'a str)>,
    fmtps: Vec<(&'a str, &'a str)>,
    feedback: Feedback,
    extensions: Vec<(Option<Extension>, u8)>,
    msid: Option<Msid>,
    source_msid: Option<Msid>,
    ssrcs: Vec<u32>,
}

impl<'a> Attributes<'a> {
    fn take(&mut self, attribute: &'a str) {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        match name {
            "mid" => self.mid = self.mid.or(Some(value)),
            "sendrecv" => self.direction = Direction::Both,
            "sendonly" => self.direction = Direction::Sends,
            "recvonly" => self.direction = Direction::Receives,
            "inactive" => self.direction = Direction::Neither,
            "bundle-only" => self.is_bundle_only = true,
            "rtcp-mux" => self.is_rtcp_muxed = true,
            "rtpmap" => push_pair(&mut self.rtpmaps, value),
            "fmtp" => push_pair(&mut self.fmtps, value),
            "rtcp-fb" => self.feedback.take(value),
            "extmap" if self.extensions.len() < FORMATS_READ_MAX => {
                self.extensions.extend(parse_extension(value));
            }
            "msid" => self.msid = self.msid.take().or_else(|| parse_msid(value)),
            "ssrc" => self.take_ssrc(value),
            _ => {}
        }
    }

    fn take_ssrc(&mut self, value: &str) {
        let (ssrc, attribute) = value.split_once(' ').unwrap_or((value, ""));
        let Ok(ssrc) = ssrc.parse::<u32>() else { return };
        if self.ssrcs.len() < SSRCS_READ_MAX && !self.ssrcs.contains(&ssrc) {
            self.ssrcs.push(ssrc);
        }
        if let Some(msid) = attribute.strip_prefix("msid:") {
            self.source_msid = self.source_msid.take().or_else(|| parse_msid(msid));
        }
    }

    fn rtpmap(&self, number: &str) -> Option<&'a str> {
        self.rtpmaps.iter().find(|(of, _)| *of == number).map(|(_, map)| *map)
    }

    /// The formats of this kind that we know, each once, in the order of the numbers.
    fn formats(&self, numbers: &[u8], kind: MediaKind) -> Vec<Numbered> {
        let mut formats: Vec<Numbered> = Vec::new();
        for number in numbers {
            let name = number.to_string();
            let fmtp = self.fmtps.iter().find(|(of, _)| *of == name).map_or("", |(_, fmtp)| fmtp);
            let format = match self.rtpmap(&name) {
                Some(rtpmap) => Format::parse(rtpmap, fmtp),
                None => Format::of_static(*number),
            };
            let is_new = |format: &Format| formats.iter().all(|known| known.format != *format);
            let Some(format) = format.filter(|f| f.kind() == kind).filter(is_new) else { continue };
            let repair = numbers.iter().find(|repair| self.is_repair(**repair, &name)).copied();
            formats.push(Numbered { format, number: *number, repair });
        }
        formats
    }

    /// Whether packets with this number repeat those with the other.
    fn is_repair(&self, number: u8, of: &str) -> bool {
        let number = number.to_string();
        let is_rtx = self.rtpmap(&number).is_some_and(|map| map.eq_ignore_ascii_case("rtx/90000"));
        let mut fmtps = self.fmtps.iter().filter(|(fmtp, _)| *fmtp == number);
        is_rtx
            && fmtps.any(|(_, fmtp)| {
                fmtp.split(';').any(|field| field.trim().strip_prefix("apt=") == Some(of))
            })
    }
}

impl Feedback {
    /// All that we can give and take of this kind.
    pub(crate) fn of_kind(kind: MediaKind) -> Self {
        let is_video = kind == MediaKind::Video;
        Feedback {
            nack: is_video,
            pli: is_video,
            fir: is_video,
            remb: is_video,
            transport_cc: true,
        }
    }

    /// What both can.
    pub(crate) fn and(self, other: Feedback) -> Self {
        Feedback {
            nack: self.nack && other.nack,
            pli: self.pli && other.pli,
            fir: self.fir && other.fir,
            remb: self.remb && other.remb,
            transport_cc: self.transport_cc && other.transport_cc,
        }
    }

    /// The values of `a=rtcp-fb` behind the number.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        [
            (self.remb, "goog-remb"),
            (self.transport_cc, "transport-cc"),
            (self.fir, "ccm fir"),
            (self.nack, "nack"),
            (self.pli, "nack pli"),
        ]
        .into_iter()
        .filter_map(|(is_known, name)| is_known.then_some(name))
    }

    /// What is said of one format counts for all: nobody tells them apart.
    fn take(&mut self, value: &str) {
        match value.split_once(' ').map(|(_number, kind)| kind) {
            Some("nack") => self.nack = true,
            Some("nack pli") => self.pli = true,
            Some("ccm fir") => self.fir = true,
            Some("goog-remb") => self.remb = true,
            Some("transport-cc") => self.transport_cc = true,
            Some(_) | None => {}
        }
    }
}

fn push_pair<'a>(pairs: &mut Vec<(&'a str, &'a str)>, value: &'a str) {
    if pairs.len() < 2 * FORMATS_READ_MAX {
        pairs.extend(value.split_once(' '));
    }
}

/// spec: RFC 8285, section 8
fn parse_extension(value: &str) -> Option<(Option<Extension>, u8)> {
    let mut fields = value.split_ascii_whitespace();
    let (id, uri) = (fields.next()?, fields.next()?);
    let id = id.split('/').next()?.parse().ok()?;
    Some((Extension::from_uri(uri), id))
}

/// `-` says that a track belongs to no stream.
fn parse_msid(value: &str) -> Option<Msid> {
    let mut fields = value.split_ascii_whitespace();
    let (stream, track) = (fields.next()?, fields.next().unwrap_or_default());
    let is_valid = |name: &str| name.len() <= MSID_BYTES_MAX && name.bytes().all(is_token_byte);
    (stream != "-" && is_valid(stream) && is_valid(track))
        .then(|| Msid { stream: stream.to_owned(), track: track.to_owned() })
}

/// spec: RFC 8866, section 9: `token-char`
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(&byte)
}

/// The sections that share one transport.
fn bundle_of(session: &str) -> Vec<&str> {
    let group = session.lines().find_map(|line| line.trim_end().strip_prefix("a=group:BUNDLE "));
    group.unwrap_or_default().split_ascii_whitespace().collect()
}

/// What stands before the first section, and the sections.
pub(crate) fn split(sdp: &str) -> (&str, Vec<&str>) {
    let mut at = 0;
    let starts = sdp.split_inclusive('\n').filter_map(|line| {
        let start = at;
        at += line.len();
        line.starts_with("m=").then_some(start)
    });
    // One more than is read, so that it is noticed.
    let starts: Vec<usize> = starts.take(SECTIONS_READ_MAX + 1).collect();
    let first = *starts.first().unwrap_or(&sdp.len());
    let ends = starts.iter().skip(1).copied().chain([sdp.len()]);
    let sections = starts.iter().zip(ends).map(|(start, end)| &sdp[*start..end]);
    (&sdp[..first], sections.collect())
}

/// What may be repeated in an answer.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.+".contains(&byte))
}
