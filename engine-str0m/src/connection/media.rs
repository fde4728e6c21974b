//! Frames and packets of one connection.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use str0m::Rtc;
use str0m::format::PayloadParams;
use str0m::media::{KeyframeRequestKind, MediaData, MediaTime as Str0mTime, Mid};
use str0m::rtp::{RtpPacket as Str0mPacket, RtpWrite};
use tristero_proto::engine::{Datagram, EngineEvent, IncomingTrack, MediaInfo, MediaOutcome};
use tristero_proto::limits::RTP_PAYLOAD_BYTES_MAX;
use tristero_proto::media::{Codec, MediaFrame, MediaKind, MediaTime, Medium, RtpPacket};
use tristero_proto::{Time, TrackId};

use super::Connection;
use crate::datagram::source_of;
use crate::limits::{MEDIA_WAITING_BYTES_MAX, MEDIA_WAITING_MAX};
use crate::media::formats::Numbered;
use crate::media::frame::is_frame;
use crate::media::packets::payloads;
use crate::shared::Shared;

/// Where and when a frame is sent.
#[derive(Clone, Copy)]
struct Placed {
    mid: Mid,
    numbered: Numbered,
    /// Its time, in ticks of its codec.
    ticks: u64,
    at: Instant,
}

impl Connection {
    /// Takes a datagram of RTP or RTCP that travelled on a path of this connection.
    pub(crate) fn on_media(&mut self, datagram: Datagram<'_>, now: Time, shared: &mut Shared) {
        let is_admitted = match source_of(datagram.bytes) {
            Some(source) => self.carriage.gate.admits(source),
            // RTCP proves what it is before anything is believed.
            None => self.carriage.is_in_use(),
        };
        if !is_admitted {
            shared.counters.surplus_media += 1;
            return;
        }
        // str0m holds one packet that it was not asked for yet.
        let pause = (self.carriage.medium == Medium::Frames).then(|| self.window.pause());
        self.take(datagram, pause, now, shared);
    }

    /// Sends a frame.
    pub(crate) fn send_frame(
        &mut self,
        track: TrackId,
        frame: &MediaFrame,
        now: Time,
        shared: &mut Shared,
    ) -> MediaOutcome {
        let is_open = self.ended.is_none() && is_frame(frame);
        let Some(outlet) = self.carriage.outlet(track, frame.codec).filter(|_| is_open) else {
            return MediaOutcome::Unwanted;
        };
        let (mid, numbered) = (Mid::from(outlet.mid), outlet.numbered);
        let is_late = self.carriage.is_paced && self.is_late(mid, now, shared);
        if is_late || !self.carriage.flow.has_room(frame.bytes.len()) {
            self.carriage.flow.count_sent(track, |stats| stats.dropped += 1);
            return MediaOutcome::Full;
        }
        let Some(ticks) = self.carriage.flow.place(track, frame, now) else {
            return MediaOutcome::Unwanted;
        };
        let at = shared.epoch.instant(now);
        let placed = Placed { mid, numbered, ticks, at };
        let is_written = match self.carriage.medium {
            Medium::Frames => self.write_frame(placed, frame, now),
            Medium::Packets => self.write_payloads(placed, track, frame, now),
        };
        if !is_written {
            self.carriage.flow.count_sent(track, |stats| stats.dropped += 1);
            return MediaOutcome::Full;
        }
        self.carriage.flow.on_sent(track, frame.bytes.len(), |stats| {
            stats.codec = Some(frame.codec);
            stats.frames += 1;
            stats.key_frames += u64::from(frame.is_key && frame.codec.kind() == MediaKind::Video);
        });
        MediaOutcome::Taken
    }

    /// Lets str0m put a frame into packets.
    fn write_frame(&mut self, placed: Placed, frame: &MediaFrame, now: Time) -> bool {
        let Placed { mid, numbered, ticks, at } = placed;
        let bytes = Arc::clone(&frame.bytes);
        let written = self.driven.write(now, |rtc| {
            let clock_rate = clock_rate_of(rtc, numbered.number)?;
            let time = Str0mTime::new(ticks, clock_rate);
            rtc.writer(mid)?.write(numbered.number.into(), at, time, bytes).ok()
        });
        written.is_some()
    }

    /// Puts a frame into packets.
    fn write_payloads(
        &mut self,
        placed: Placed,
        track: TrackId,
        frame: &MediaFrame,
        now: Time,
    ) -> bool {
        let Placed { mid, numbered, ticks, at } = placed;
        let payloads = payloads(frame);
        let Some(first) = self.carriage.flow.reserve(track, payloads.len()) else { return false };
        // Of G.722 packets count half of the samples. All count modulo 2^32.
        let ticks = if frame.codec == Codec::G722 { ticks / 2 } else { ticks };
        let time = u32::try_from(ticks & u64::from(u32::MAX)).unwrap_or_default();
        let last = payloads.len().saturating_sub(1);
        let is_video = frame.codec.kind() == MediaKind::Video;
        let written = self.driven.write(now, |rtc| {
            let mut api = rtc.direct_api();
            let stream = api.stream_tx_by_mid(mid, None)?;
            for (index, (sequence, payload)) in (first..).zip(payloads).enumerate() {
                let number = numbered.number.into();
                let write = RtpWrite::new(number, sequence.into(), time, at, payload);
                let write = write.marker(is_video && index == last);
                stream.write_rtp(write.nackable(numbered.repair.is_some()));
            }
            Some(())
        });
        written.is_some()
    }

    /// Sends a packet.
    pub(crate) fn send_packet(
        &mut self,
        track: TrackId,
        packet: &RtpPacket,
        now: Time,
        shared: &mut Shared,
    ) -> MediaOutcome {
        let is_sane = (1..=RTP_PAYLOAD_BYTES_MAX).contains(&packet.payload.len());
        let is_open = self.ended.is_none() && is_sane;
        let Some(outlet) = self.carriage.outlet(track, packet.codec).filter(|_| is_open) else {
            return MediaOutcome::Unwanted;
        };
        let (mid, numbered) = (Mid::from(outlet.mid), outlet.numbered);
        let is_late = self.carriage.is_paced && self.is_late(mid, now, shared);
        if is_late || !self.carriage.flow.has_room(packet.payload.len()) {
            self.carriage.flow.count_sent(track, |stats| stats.dropped += 1);
            return MediaOutcome::Full;
        }
        let Some((sequence, time)) = self.carriage.flow.number(track, packet) else {
            return MediaOutcome::Unwanted;
        };
        let at = shared.epoch.instant(now);
        let write =
            RtpWrite::new(numbered.number.into(), sequence.into(), time, at, &packet.payload[..])
                .marker(packet.is_marked)
                .nackable(numbered.repair.is_some());
        let written = self.driven.write(now, |rtc| {
            let mut api = rtc.direct_api();
            api.stream_tx_by_mid(mid, None).map(|stream| stream.write_rtp(write))
        });
        if written.is_none() {
            return MediaOutcome::Unwanted;
        }
        self.carriage.flow.on_sent(track, packet.payload.len(), |stats| {
            stats.codec = Some(packet.codec);
            stats.packets += 1;
        });
        MediaOutcome::Taken
    }

    /// Asks for a key frame.
    pub(crate) fn request_key_frame(
        &mut self,
        track: IncomingTrack,
        now: Time,
        shared: &mut Shared,
    ) {
        let Some(section) = self.carriage.received(track).filter(|_| self.ended.is_none()) else {
            return;
        };
        let mid = Mid::from(&section.mid[..]);
        let kind = match (section.feedback.pli, section.feedback.fir) {
            (true, _) => KeyframeRequestKind::Pli,
            (false, true) => KeyframeRequestKind::Fir,
            (false, false) => return,
        };
        let is_asked = self.drive(now, shared, |rtc| {
            let mut api = rtc.direct_api();
            api.stream_rx_by_mid(mid, None).map(|stream| stream.request_keyframe(kind))
        });
        if is_asked.is_some() {
            self.carriage.flow.count_received(track, |stats| stats.key_frame_requests += 1);
        }
    }

    /// What is known of its audio and video.
    pub(crate) fn media_info(&self) -> MediaInfo {
        self.carriage.info()
    }

    /// Whether more of a section waits for its turn than the path bears. Only where the rate is
    /// estimated anything does.
    fn is_late(&mut self, mid: Mid, now: Time, shared: &Shared) -> bool {
        let at = shared.epoch.instant(now);
        self.driven.write(now, |rtc| {
            let mut api = rtc.direct_api();
            let waiting = api.stream_tx_by_mid(mid, None).and_then(|stream| stream.queue_info());
            waiting.is_some_and(|waiting| {
                let since = waiting.first_unsent().map(|since| at.saturating_duration_since(since));
                waiting.byte_size() > MEDIA_WAITING_BYTES_MAX
                    || since.is_some_and(|since| since > MEDIA_WAITING_MAX)
            })
        })
    }

    pub(super) fn on_frame(&mut self, data: &MediaData, shared: &mut Shared) {
        let Some((track, codec)) = self.carriage.received_in(&data.mid, *data.pt) else {
            shared.counters.surplus_media += 1;
            return;
        };
        self.carriage.gate.on_frame(track);
        let is_key = codec.kind() == MediaKind::Audio || data.is_keyframe();
        let packets = data.seq_range.end().saturating_sub(**data.seq_range.start()) + 1;
        self.carriage.flow.count_received(track, |stats| {
            stats.codec = Some(codec);
            stats.frames += 1;
            stats.key_frames += u64::from(is_key && codec.kind() == MediaKind::Video);
            stats.packets += packets;
            stats.bytes += data.data.len() as u64;
            stats.gaps += u64::from(!data.contiguous);
        });
        let frame = MediaFrame {
            codec,
            time: MediaTime::new(data.time.numer(), data.time.denom()),
            is_key,
            is_contiguous: data.contiguous,
            bytes: Arc::clone(&data.data),
        };
        shared.event(EngineEvent::Frame { conn: self.id, track, frame });
    }

    pub(super) fn on_packet(&mut self, mid: Mid, packet: Str0mPacket, shared: &mut Shared) {
        let number = *packet.header.payload_type;
        let Some((track, codec)) = self.carriage.received_in(&mid, number) else {
            shared.counters.surplus_media += 1;
            return;
        };
        self.carriage.gate.on_frame(track);
        if packet.payload.is_empty() {
            return;
        }
        self.carriage.flow.count_received(track, |stats| {
            stats.codec = Some(codec);
            stats.packets += 1;
            stats.bytes += packet.payload.len() as u64;
        });
        let packet = RtpPacket {
            codec,
            sequence: *packet.seq_no,
            time: packet.header.timestamp,
            is_marked: packet.header.marker,
            payload: Bytes::from_owner(packet.payload),
        };
        shared.event(EngineEvent::Packet { conn: self.id, track, packet });
    }

    pub(super) fn on_key_frame_wanted(&mut self, mid: Mid, shared: &mut Shared) {
        if let Some(track) = self.carriage.sent_in(&mid) {
            self.carriage.flow.count_sent(track, |stats| stats.key_frame_requests += 1);
            shared.event(EngineEvent::KeyFrameWanted { conn: self.id, track });
        }
    }
}

/// The ticks of a codec, as str0m counts them.
fn clock_rate_of(rtc: &Rtc, number: u8) -> Option<str0m::media::Frequency> {
    let is_named = |params: &PayloadParams| *params.pt() == number;
    rtc.codec_config().find(is_named).map(|params| params.spec().clock_rate)
}

#[cfg(test)]
mod tests {
    use tristero_proto::media::Codec;

    #[test]
    fn our_clocks_are_those_of_str0m() {
        let mut config = str0m::format::CodecConfig::empty();
        crate::media::formats::configure(&mut config);
        for params in config.params() {
            let name = params.spec().codec.to_string();
            let codec = Codec::from_name(&name).unwrap();
            assert_eq!(params.spec().clock_rate.get(), codec.clock_rate(), "{name}");
        }
    }
}
