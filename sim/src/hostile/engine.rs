//! The engine of simulated peers: the real one, which may be lied through.

use std::collections::VecDeque;

use bytes::Bytes;
use tristero_proto::engine::{
    ConnOptions, ConnectionInfo, DescriptionError, Engine, EngineEvent, EngineInput, EngineOutput,
    IncomingTrack, Lane, MediaInfo, MediaOutcome, Obstacle, Proposal, SendOutcome,
};
use tristero_proto::media::{MediaFrame, RtpPacket};
use tristero_proto::wire::CandidateInit;
use tristero_proto::{ConnId, Deadline, Rng, Time, TrackId};
use tristero_str0m::Str0mEngine;

use super::{Malice, is_drawn, spoil_bytes, spoil_text};

/// The engine of every peer in a world: str0m, without the encryption.
#[derive(Debug)]
pub struct SimEngine {
    inner: Str0mEngine,
    liar: Option<Liar>,
}

/// Spoils what a hostile peer sends.
#[derive(Debug)]
struct Liar {
    malice: Malice,
    rng: Rng,
    /// Messages of the channel that it sent, to be sent again out of turn.
    past: VecDeque<Vec<u8>>,
}

impl SimEngine {
    pub(crate) fn new(inner: Str0mEngine, malice: Malice, rng: Rng) -> Self {
        let liar = (!malice.is_none()).then(|| Liar { malice, rng, past: VecDeque::new() });
        SimEngine { inner, liar }
    }
}

impl Engine for SimEngine {
    fn handle_input(&mut self, input: EngineInput<'_>, now: Time) {
        self.inner.handle_input(input, now);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.inner.handle_timeout(now);
    }

    fn poll_output(&mut self) -> Option<EngineOutput> {
        let output = self.inner.poll_output()?;
        Some(match &mut self.liar {
            None => output,
            Some(liar) => liar.spoil_output(output),
        })
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.inner.poll_timeout()
    }

    fn offer(&mut self, conn: ConnId, options: ConnOptions, now: Time) {
        self.inner.offer(conn, options, now);
    }

    fn answer(
        &mut self,
        conn: ConnId,
        offer: &str,
        options: ConnOptions,
        now: Time,
    ) -> Result<(), DescriptionError> {
        self.inner.answer(conn, offer, options, now)
    }

    fn propose(&mut self, conn: ConnId, proposal: &Proposal, now: Time) {
        self.inner.propose(conn, proposal, now);
    }

    fn roll_back(&mut self, conn: ConnId, now: Time) {
        self.inner.roll_back(conn, now);
    }

    fn renegotiate(
        &mut self,
        conn: ConnId,
        offer: &str,
        now: Time,
    ) -> Result<String, DescriptionError> {
        self.inner.renegotiate(conn, offer, now)
    }

    fn accept_answer(
        &mut self,
        conn: ConnId,
        answer: &str,
        now: Time,
    ) -> Result<(), DescriptionError> {
        self.inner.accept_answer(conn, answer, now)
    }

    fn add_remote_candidate(&mut self, conn: ConnId, candidate: &CandidateInit, now: Time) {
        self.inner.add_remote_candidate(conn, candidate, now);
    }

    fn send(&mut self, conn: ConnId, lane: Lane, message: &[u8], now: Time) -> SendOutcome {
        let Some(liar) = &mut self.liar else { return self.inner.send(conn, lane, message, now) };
        let said = liar.spoil_message(message);
        let outcome = self.inner.send(conn, lane, &said, now);
        if outcome == SendOutcome::Taken {
            for more in liar.more_messages() {
                // What has no room is not said.
                _ = self.inner.send(conn, lane, &more, now);
            }
        }
        match outcome {
            // A node takes that for a fault of its own.
            SendOutcome::Refused => SendOutcome::Taken,
            SendOutcome::Taken | SendOutcome::Full => outcome,
        }
    }

    fn send_frame(
        &mut self,
        conn: ConnId,
        track: TrackId,
        frame: &MediaFrame,
        now: Time,
    ) -> MediaOutcome {
        self.inner.send_frame(conn, track, frame, now)
    }

    fn send_packet(
        &mut self,
        conn: ConnId,
        track: TrackId,
        packet: &RtpPacket,
        now: Time,
    ) -> MediaOutcome {
        self.inner.send_packet(conn, track, packet, now)
    }

    fn request_key_frame(&mut self, conn: ConnId, track: IncomingTrack, now: Time) {
        self.inner.request_key_frame(conn, track, now);
    }

    fn media_info(&self, conn: ConnId) -> MediaInfo {
        self.inner.media_info(conn)
    }

    fn close(&mut self, conn: ConnId, now: Time) {
        self.inner.close(conn, now);
    }

    fn connection_info(&self, conn: ConnId) -> Option<ConnectionInfo> {
        self.inner.connection_info(conn)
    }

    fn obstacle(&self, conn: ConnId) -> Option<Obstacle> {
        self.inner.obstacle(conn)
    }
}

impl Liar {
    fn spoil_output(&mut self, output: EngineOutput) -> EngineOutput {
        match output {
            EngineOutput::Transmit(mut transmit) => {
                if is_drawn(&mut self.rng, self.malice.datagrams) {
                    let mut bytes = spoil_bytes(&transmit.bytes, &mut self.rng);
                    bytes.truncate(DATAGRAM_BYTES_MAX);
                    transmit.bytes = Bytes::from(bytes);
                    transmit.segment_size = None;
                }
                EngineOutput::Transmit(transmit)
            }
            EngineOutput::Event(event) => EngineOutput::Event(self.spoil_event(event)),
            EngineOutput::Network(request) => EngineOutput::Network(request),
        }
    }

    fn spoil_event(&mut self, event: EngineEvent) -> EngineEvent {
        let is_spoiled = |liar: &mut Self| is_drawn(&mut liar.rng, liar.malice.signals);
        match event {
            EngineEvent::Description { conn, kind, sdp } if is_spoiled(self) => {
                EngineEvent::Description { conn, kind, sdp: spoil_text(&sdp, &mut self.rng) }
            }
            EngineEvent::Candidate { conn, mut candidate } if is_spoiled(self) => {
                candidate.candidate = spoil_text(&candidate.candidate, &mut self.rng);
                EngineEvent::Candidate { conn, candidate }
            }
            other => other,
        }
    }

    fn spoil_message(&mut self, message: &[u8]) -> Vec<u8> {
        if self.past.len() == PAST_MAX {
            self.past.pop_front();
        }
        self.past.push_back(message.to_vec());
        match is_drawn(&mut self.rng, self.malice.messages) {
            true => spoil_bytes(message, &mut self.rng),
            false => message.to_vec(),
        }
    }

    /// Messages that are sent in addition: something of before, as it was or spoiled.
    fn more_messages(&mut self) -> Vec<Vec<u8>> {
        if !is_drawn(&mut self.rng, self.malice.messages) {
            return Vec::new();
        }
        let place = self.rng.below(self.past.len() as u64);
        let again = usize::try_from(place).ok().and_then(|place| self.past.get(place)).cloned();
        let spoiled = again.as_ref().map(|again| spoil_bytes(again, &mut self.rng));
        again.into_iter().chain(spoiled).collect()
    }
}

/// So many messages are kept to be sent again.
const PAST_MAX: usize = 16;

/// The largest payload of a datagram over IPv4 (RFC 768, RFC 791).
const DATAGRAM_BYTES_MAX: usize = 65_507;
