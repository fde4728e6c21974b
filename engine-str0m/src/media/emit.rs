//! Descriptions of a session: ours for the other side, and the one that str0m is given.
//!
//! str0m never makes an offer of a connection that stands, and none of its answers is said. It hears
//! of what was agreed on, as if the other side had offered exactly that.
//!
//! spec: RFC 9429, section 5; RFC 8843, section 7 (BUNDLE); RFC 5576 (ssrc); RFC 4588, section 8

use std::fmt::Write;

use tristero_proto::media::MediaKind;

use super::extensions::Extension;
use super::formats::Numbered;
use super::parse::{Feedback, Label, split};
use super::section::{Half, MediaSection, Section, Sending};
use super::session::Session;
use super::slots::Standing;

/// Trystero in JavaScript heeds no description of a connection that stands without the second half
/// of this, which one without media has no other place for.
const MARKER: &str = "a=x-tristero:a=rtpmap";

impl Session {
    /// Our description, made of one of the data channel alone. What else stands in that is left out.
    pub(crate) fn emit(&self, described: &str, half: Half) -> String {
        let (session, sections) = split(described);
        let data = sections.into_iter().find(|section| section.starts_with("m=application "));
        let data = data.unwrap_or_default();
        let mid = data.lines().find_map(|line| line.strip_prefix("a=mid:")).unwrap_or_default();
        let mut sdp = String::with_capacity(1_024 * (1 + self.sections.len()));
        let is_replaced =
            |line: &&str| ["a=group:", "a=msid-semantic"].iter().any(|name| line.starts_with(name));
        session.lines().filter(|line| !is_replaced(line)).for_each(|line| push(&mut sdp, line));
        let mids = self.sections.iter().filter_map(|section| match section {
            Section::Data => Some(mid),
            Section::Media(media) => Some(&media.mid),
            Section::Refused { .. } => None,
        });
        push(&mut sdp, &format!("a=group:BUNDLE {}", mids.collect::<Vec<_>>().join(" ")));
        push(&mut sdp, MARKER);
        if self.media().next().is_some() {
            push(&mut sdp, "a=msid-semantic: WMS *");
        }
        let transport: Vec<&str> = data.lines().filter(|line| is_of_transport(line)).collect();
        for section in &self.sections {
            match section {
                Section::Data => sdp.push_str(data),
                Section::Media(media) => emit_media(&mut sdp, media, half, &transport),
                Section::Refused { label, mid } => emit_refused(&mut sdp, label, mid),
            }
        }
        sdp
    }

    /// The sections that str0m has to know of, as the other side would offer what was agreed on, and
    /// the names of those that are in the bundle.
    pub(crate) fn compose(&self) -> (String, Vec<&str>) {
        let (mut sdp, mut bundled) = (String::new(), Vec::new());
        for slot in self.slots.iter() {
            let media = self.media().find(|media| media.mid == slot.mid);
            let media = media.filter(|_| slot.standing == Standing::Live);
            let types: Vec<Numbered> = self.types.of_kind(slot.kind).copied().collect();
            let port = if media.is_some() { 9 } else { 0 };
            push(&mut sdp, &first_line(kind_name(slot.kind), port, &types));
            push(&mut sdp, "c=IN IP4 0.0.0.0");
            push(&mut sdp, &format!("a=mid:{}", slot.mid));
            // Turned round: what we send they receive.
            let (sends, receives) = media.map_or((false, false), |media| {
                (media.receiving.is_some(), media.sends(Half::Answer))
            });
            push(&mut sdp, direction(sends, receives));
            push(&mut sdp, "a=rtcp-mux");
            if let Some(media) = media {
                bundled.push(&slot.mid[..]);
                emit_extensions(&mut sdp, &media.extensions);
            }
            let feedback = media.map_or_else(Feedback::default, |media| media.feedback);
            types.iter().for_each(|numbered| emit_format(&mut sdp, numbered, feedback));
        }
        (sdp, bundled)
    }
}

fn emit_media(sdp: &mut String, media: &MediaSection, half: Half, transport: &[&str]) {
    let kind = kind_name(media.kind);
    let (sends, receives) = (media.sends(half), media.receives(half));
    if media.formats.is_empty() {
        let Label { transport, format, .. } = &media.label;
        push(sdp, &format!("m={kind} 9 {transport} {format}"));
    } else {
        push(sdp, &first_line(kind, 9, &media.formats));
    }
    push(sdp, "c=IN IP4 0.0.0.0");
    push(sdp, "a=rtcp:9 IN IP4 0.0.0.0");
    transport.iter().for_each(|line| push(sdp, line));
    push(sdp, &format!("a=mid:{}", media.mid));
    emit_extensions(sdp, &media.extensions);
    push(sdp, direction(sends, receives));
    let sending = media.sending.as_ref().filter(|_| sends);
    if let Some(sending) = sending {
        push(sdp, &format!("a=msid:{} {}", sending.msid.stream, sending.msid.track));
    }
    push(sdp, "a=rtcp-mux");
    push(sdp, "a=rtcp-rsize");
    media.formats.iter().for_each(|numbered| emit_format(sdp, numbered, media.feedback));
    if let (true, Some(rtpmap)) = (media.formats.is_empty(), &media.label.rtpmap) {
        push(sdp, &format!("a=rtpmap:{} {rtpmap}", media.label.format));
    }
    if let Some(sending) = sending {
        emit_sources(sdp, sending, media);
    }
}

/// The numbers of the sources, so that nobody has to guess. Retransmissions have a source of their
/// own.
fn emit_sources(sdp: &mut String, sending: &Sending, media: &MediaSection) {
    let Sending { ssrc, repair_ssrc, msid, .. } = sending;
    let sources = [Some(ssrc), Some(repair_ssrc).filter(|_| media.is_repaired())];
    if media.is_repaired() {
        push(sdp, &format!("a=ssrc-group:FID {ssrc} {repair_ssrc}"));
    }
    for source in sources.into_iter().flatten() {
        push(sdp, &format!("a=ssrc:{source} cname:{CNAME}"));
        push(sdp, &format!("a=ssrc:{source} msid:{} {}", msid.stream, msid.track));
    }
}

fn emit_refused(sdp: &mut String, label: &Label, mid: &str) {
    let Label { kind, transport, format, .. } = label;
    push(sdp, &format!("m={kind} 0 {transport} {format}"));
    push(sdp, "c=IN IP4 0.0.0.0");
    push(sdp, &format!("a=mid:{mid}"));
    push(sdp, "a=inactive");
}

fn emit_extensions(sdp: &mut String, extensions: &[(Extension, u8)]) {
    for (extension, id) in extensions {
        push(sdp, &format!("a=extmap:{id} {}", extension.uri()));
    }
}

fn emit_format(sdp: &mut String, numbered: &Numbered, feedback: Feedback) {
    let Numbered { format, number, repair } = numbered;
    push(sdp, &format!("a=rtpmap:{number} {}", format.rtpmap()));
    for name in feedback.names() {
        push(sdp, &format!("a=rtcp-fb:{number} {name}"));
    }
    if let Some(fmtp) = format.fmtp() {
        push(sdp, &format!("a=fmtp:{number} {fmtp}"));
    }
    if let Some(repair) = repair {
        push(sdp, &format!("a=rtpmap:{repair} rtx/90000"));
        push(sdp, &format!("a=fmtp:{repair} apt={number}"));
    }
}

fn first_line(kind: &str, port: u16, formats: &[Numbered]) -> String {
    let mut line = format!("m={kind} {port} UDP/TLS/RTP/SAVPF");
    let numbers = formats.iter().flat_map(|known| [Some(known.number), known.repair]);
    for number in numbers.flatten() {
        write!(line, " {number}").expect("strings take all that is written");
    }
    line
}

const fn kind_name(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
    }
}

const fn direction(sends: bool, receives: bool) -> &'static str {
    match (sends, receives) {
        (true, true) => "a=sendrecv",
        (true, false) => "a=sendonly",
        (false, true) => "a=recvonly",
        (false, false) => "a=inactive",
    }
}

fn is_of_transport(line: &str) -> bool {
    ["a=ice-ufrag:", "a=ice-pwd:", "a=ice-options:", "a=fingerprint:", "a=setup:"]
        .iter()
        .any(|name| line.starts_with(name))
}

fn push(sdp: &mut String, line: &str) {
    sdp.push_str(line);
    sdp.push_str("\r\n");
}

/// One machine has one clock, and all that it sends has this name.
///
/// spec: RFC 7022; it need not differ between connections
const CNAME: &str = "tristero";
