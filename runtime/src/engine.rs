//! Any engine, so that the types of applications don't name one.

use tristero_proto::engine::{
    ConnOptions, ConnectionInfo, DescriptionError, Engine, EngineInput, EngineOutput,
    IncomingTrack, Lane, MediaInfo, MediaOutcome, Obstacle, Proposal, SendOutcome,
};
use tristero_proto::media::{MediaFrame, RtpPacket};
use tristero_proto::wire::CandidateInit;
use tristero_proto::{ConnId, Deadline, Time, TrackId};

/// See the [module](self).
pub(crate) struct AnyEngine(Box<dyn Engine + Send>);

impl AnyEngine {
    pub(crate) fn new(engine: impl Engine + Send + 'static) -> Self {
        AnyEngine(Box::new(engine))
    }
}

impl Engine for AnyEngine {
    fn handle_input(&mut self, input: EngineInput<'_>, now: Time) {
        self.0.handle_input(input, now);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.0.handle_timeout(now);
    }

    fn poll_output(&mut self) -> Option<EngineOutput> {
        self.0.poll_output()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.0.poll_timeout()
    }

    fn offer(&mut self, conn: ConnId, options: ConnOptions, now: Time) {
        self.0.offer(conn, options, now);
    }

    fn answer(
        &mut self,
        conn: ConnId,
        offer: &str,
        options: ConnOptions,
        now: Time,
    ) -> Result<(), DescriptionError> {
        self.0.answer(conn, offer, options, now)
    }

    fn propose(&mut self, conn: ConnId, proposal: &Proposal, now: Time) {
        self.0.propose(conn, proposal, now);
    }

    fn roll_back(&mut self, conn: ConnId, now: Time) {
        self.0.roll_back(conn, now);
    }

    fn renegotiate(
        &mut self,
        conn: ConnId,
        offer: &str,
        now: Time,
    ) -> Result<String, DescriptionError> {
        self.0.renegotiate(conn, offer, now)
    }

    fn accept_answer(
        &mut self,
        conn: ConnId,
        answer: &str,
        now: Time,
    ) -> Result<(), DescriptionError> {
        self.0.accept_answer(conn, answer, now)
    }

    fn add_remote_candidate(&mut self, conn: ConnId, candidate: &CandidateInit, now: Time) {
        self.0.add_remote_candidate(conn, candidate, now);
    }

    fn send(&mut self, conn: ConnId, lane: Lane, message: &[u8], now: Time) -> SendOutcome {
        self.0.send(conn, lane, message, now)
    }

    fn send_frame(
        &mut self,
        conn: ConnId,
        track: TrackId,
        frame: &MediaFrame,
        now: Time,
    ) -> MediaOutcome {
        self.0.send_frame(conn, track, frame, now)
    }

    fn send_packet(
        &mut self,
        conn: ConnId,
        track: TrackId,
        packet: &RtpPacket,
        now: Time,
    ) -> MediaOutcome {
        self.0.send_packet(conn, track, packet, now)
    }

    fn request_key_frame(&mut self, conn: ConnId, track: IncomingTrack, now: Time) {
        self.0.request_key_frame(conn, track, now);
    }

    fn media_info(&self, conn: ConnId) -> MediaInfo {
        self.0.media_info(conn)
    }

    fn close(&mut self, conn: ConnId, now: Time) {
        self.0.close(conn, now);
    }

    fn connection_info(&self, conn: ConnId) -> Option<ConnectionInfo> {
        self.0.connection_info(conn)
    }

    fn obstacle(&self, conn: ConnId) -> Option<Obstacle> {
        self.0.obstacle(conn)
    }
}
