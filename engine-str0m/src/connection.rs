//! One connection: a str0m instance, and what the engine's contract asks for beyond it.
//!
//! It decides which data channel counts, when the peer is gone and what is said of it, and leaves
//! to the engine which datagrams it gets and when it is woken. Every method that touches str0m goes
//! through [`Driven`] and then heeds what it said, so nothing is ever left behind.

mod media;
mod negotiate;
mod renegotiate;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use str0m::channel::{ChannelData, ChannelId};
use str0m::ice::StunMessage;
use str0m::net::{Protocol, Receive};
use str0m::{CandidateKind, Rtc};
use tristero_proto::engine::{
    CloseReason, ConnectionInfo, Datagram, EngineEvent, EngineOutput, Lane, Obstacle, Path,
    SendOutcome, Transmit,
};
use tristero_proto::ice::{IceConfig, IceTransportPolicy};
use tristero_proto::{ConnId, Deadline, Time};

use crate::candidate::kind_name;
use crate::credentials::Credentials;
use crate::data_channel::{Arrival, DataChannel, Opening};
use crate::datagram::Sender;
use crate::driven::{Driven, Said};
use crate::limits::{MAPPED_ADDRESSES_MAX, SURPLUS_CHANNELS_MAX};
use crate::media::carriage::Carriage;
use crate::negotiation::{Ours, Remote, Theirs};
use crate::progress::{Going, Progress};
use crate::sdp::Setup;
use crate::shared::Shared;
use crate::silence::Silence;
use crate::traffic::Traffic;
use crate::window::Window;

pub(crate) use negotiate::Start;

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    id: ConnId,
    driven: Driven,
    credentials: Credentials,
    trickle: bool,
    ice: Arc<IceConfig>,
    /// The name of the one media section.
    mid: String,
    /// How we begin SCTP, if descriptions say so.
    sctp_init: Option<String>,
    ours: Ours,
    theirs: Theirs,
    channel: DataChannel,
    /// Who described it first.
    began: Began,
    carriage: Carriage,
    /// How often ICE was restarted.
    restarts: u32,
    /// Whether its path is gone with an address of ours, and nobody was told.
    is_stranded: bool,
    silence: Silence,
    progress: Progress,
    window: Window,
    traffic: Traffic,
    dtls_version: Option<&'static str>,
    /// Addresses at which the peer says it sees us.
    mapped: Vec<SocketAddr>,
    /// Addresses at which servers say they see us.
    reflexive: Vec<SocketAddr>,
    /// The last at which the peer does, and the path that it was said on.
    seen: Option<(Path, SocketAddr)>,
    surplus_channels: usize,
    ended: Option<CloseReason>,
}

/// Who offered a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Began {
    Here,
    There,
}

impl Connection {
    /// Takes a STUN message that [`is_authentic`](Self::is_authentic).
    pub(crate) fn on_stun(
        &mut self,
        datagram: Datagram<'_>,
        message: &StunMessage<'_>,
        now: Time,
        shared: &mut Shared,
    ) {
        let is_known = shared.paths.hear(datagram.path, self.id);
        if !is_known || !self.knows_mapped(message) {
            shared.counters.surplus_paths += 1;
            return;
        }
        if message.is_successful_binding_response() {
            self.traffic.on_answer(datagram.bytes, now);
            self.seen = message.mapped_address().map(|mapped| (datagram.path, mapped));
        }
        self.silence.hear(now);
        self.take(datagram, None, now, shared);
    }

    /// Takes a datagram of DTLS that travelled on a path of this connection.
    pub(crate) fn on_dtls(&mut self, datagram: Datagram<'_>, now: Time, shared: &mut Shared) {
        self.take(datagram, Some(self.window.pause()), now, shared);
    }

    /// Hands a datagram on. What it says may wait so long for what others say.
    fn take(
        &mut self,
        datagram: Datagram<'_>,
        pause: Option<Duration>,
        now: Time,
        shared: &mut Shared,
    ) {
        let Path { local, remote } = datagram.path;
        let Ok(received) = Receive::new(Protocol::Udp, remote, local, datagram.bytes) else {
            shared.counters.refused_datagrams += 1;
            return;
        };
        self.traffic.on_received(datagram.bytes);
        // An error says that the datagram was bad, not the connection: anyone can forge one.
        if !self.driven.receive(now, &mut shared.said, received, pause) {
            shared.counters.refused_datagrams += 1;
        }
        self.heed(now, shared);
    }

    /// Does what is due.
    pub(crate) fn wake(&mut self, now: Time, shared: &mut Shared) {
        let late = self.due().map_or(Duration::ZERO, |due| now.since(due.at));
        if self.driven.due().is_some_and(|due| due.at <= now) {
            self.driven.wake(now, &mut shared.said);
            self.heed(now, shared);
        }
        if self.silence.is_over(late, now) || self.is_stuck(now) {
            self.end(CloseReason::Silent, now, shared);
            self.heed(now, shared);
        }
        self.describe_if_complete(now, shared);
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, message: &[u8], now: Time) -> SendOutcome {
        let message_bytes_max = match &self.theirs {
            Theirs::Here(remote) => remote.message_bytes_max,
            Theirs::Awaited { .. } | Theirs::Broken => 0,
        };
        // An empty message would break the channel: the SCTP below numbers it and never sends it, so
        // the peer waits for that number for ever. Nothing in the protocol is empty.
        let can_be_sent = (1..=message_bytes_max).contains(&message.len());
        if self.ended.is_some() || !self.channel.is_open() || !can_be_sent {
            return SendOutcome::Refused;
        }
        let Some(channel) = self.channel.writable().filter(|_| self.window.takes(message.len()))
        else {
            self.channel.fill(self.window.low_water(message.len()));
            return SendOutcome::Full;
        };
        let written = self.driven.write(now, |rtc| rtc.channel(channel)?.write(true, message).ok());
        match written {
            Some(true) => {
                self.window.on_written(message.len(), now);
                self.progress.on_written(message.len(), self.window.bytes(), now);
                SendOutcome::Taken
            }
            Some(false) => {
                self.channel.fill(0);
                SendOutcome::Full
            }
            None => SendOutcome::Refused,
        }
    }

    /// Ends the connection.
    pub(crate) fn close(&mut self, now: Time, shared: &mut Shared) {
        self.end(CloseReason::Local, now, shared);
        self.heed(now, shared);
    }

    /// Whether a STUN message was made by who knows the right key: ours for requests, theirs for
    /// responses.
    pub(crate) fn is_authentic(&self, message: &StunMessage<'_>, shared: &Shared) -> bool {
        let password = if message.is_binding_request() {
            let Some((ours, theirs)) = message.split_username() else { return false };
            if ours != self.credentials.ufrag
                || self.remote().is_some_and(|remote| remote.ufrag != theirs)
            {
                return false;
            }
            &self.credentials.password
        } else {
            let Some(remote) = self.remote() else { return false };
            &remote.password
        };
        message.verify(password.0.as_bytes(), |key, parts| shared.hmac.sha1_hmac(key, parts))
    }

    /// Whether a DTLS handshake that comes from there can be this connection's.
    pub(crate) fn can_hear(&self, sender: Sender) -> bool {
        let Some(remote) = self.remote() else { return false };
        match (remote.setup, sender) {
            (_, Sender::Either) => true,
            // We let whoever offers `actpass` begin.
            (Setup::Active | Setup::ActPass, sender) => sender == Sender::Client,
            (Setup::Passive, sender) => sender == Sender::Server,
        }
    }

    /// When to [`wake`](Self::wake) it.
    pub(crate) fn due(&self) -> Option<Deadline> {
        let silence = self.silence.due().map(|at| Deadline::new(at, "silence"));
        let progress = self.progress.due().map(|at| Deadline::new(at, "acknowledgement"));
        let own = Deadline::earlier(silence, progress);
        Deadline::earlier(self.driven.due(), Deadline::earlier(own, self.description_due()))
    }

    /// Why it ended, if it did. Then all is said and it can be dropped.
    pub(crate) fn ended(&self) -> Option<CloseReason> {
        self.ended
    }

    /// What is known of it, once it is open.
    pub(crate) fn info(&self, shared: &Shared) -> Option<ConnectionInfo> {
        let remote = self.remote().filter(|_| self.channel.is_open())?;
        let mut info = ConnectionInfo::default();
        info.path = self.traffic.path;
        if let Some(path) = info.path {
            let ours = self.local_kind(path, shared);
            info.candidate_kinds = (kind_name(ours), kind_name(remote.kind_of(path.remote)));
        }
        info.rtt = self.traffic.rtt;
        info.dtls_version = self.dtls_version;
        info.bytes_received = self.traffic.bytes_received;
        info.bytes_sent = self.traffic.bytes_sent;
        info.is_offerer = self.began == Began::Here;
        info.restarts = self.restarts;
        info.restarts_ice = remote.family.restarts_ice();
        Some(info)
    }

    /// Why it is not open.
    pub(crate) fn obstacle(&self, shared: &Shared) -> Option<Obstacle> {
        let remote = self.remote().filter(|_| !self.channel.is_open())?;
        Some(if self.dtls_version.is_some() {
            Obstacle::Channel
        } else if self.seen.is_some() {
            Obstacle::Dtls
        } else if remote.has_no_candidates() && !self.lacks_relay(shared) {
            Obstacle::NoCandidates
        } else {
            shared.gatherer.obstacle(&self.ice, remote.has_relay())
        })
    }

    /// Whether it is us who have nothing to begin with: only relays are allowed, and there is none.
    fn lacks_relay(&self, shared: &Shared) -> bool {
        self.ice.transport_policy == IceTransportPolicy::Relay
            && !shared.gatherer.has_relay(&self.ice)
    }

    /// What the address is that the peer sees at the other end of a path.
    fn local_kind(&self, path: Path, shared: &Shared) -> CandidateKind {
        if shared.gatherer.is_relayed(path.local) {
            return CandidateKind::Relayed;
        }
        let seen = self.seen.filter(|(on, _)| *on == path).map_or(path.local, |(_, mapped)| mapped);
        if seen == path.local {
            CandidateKind::Host
        } else if self.reflexive.contains(&seen) {
            CandidateKind::ServerReflexive
        } else {
            CandidateKind::PeerReflexive
        }
    }

    fn remote(&self) -> Option<&Remote> {
        match &self.theirs {
            Theirs::Here(remote) => Some(remote),
            Theirs::Awaited { .. } | Theirs::Broken => None,
        }
    }

    /// Whether a response names an address of ours that is known or that there is room for.
    fn knows_mapped(&mut self, message: &StunMessage<'_>) -> bool {
        let Some(mapped) = message.mapped_address() else { return true };
        if self.mapped.contains(&mapped) {
            return true;
        }
        if self.mapped.len() >= MAPPED_ADDRESSES_MAX {
            return false;
        }
        self.mapped.push(mapped);
        true
    }

    /// Whether nothing of what was sent arrives any more.
    fn is_stuck(&mut self, now: Time) -> bool {
        let is_due = self.progress.due().is_some_and(|due| due <= now);
        let Some(id) = self.channel.id().filter(|_| is_due) else { return false };
        let buffered = self.driven.buffered(id);
        self.progress.look(buffered, now) == Going::Nowhere
    }

    /// Does something to str0m and heeds what it said.
    fn drive<R>(&mut self, now: Time, shared: &mut Shared, act: impl FnOnce(&mut Rtc) -> R) -> R {
        let result = self.driven.step(now, &mut shared.said, act);
        self.heed(now, shared);
        result
    }

    /// Heeds what str0m said, and what it says because of that.
    ///
    /// That the other side has closed is heeded last: str0m says it before the messages that came with
    /// it.
    fn heed(&mut self, now: Time, shared: &mut Shared) {
        let mut is_closed = false;
        while let Some(said) = shared.said.pop_front() {
            let is_end =
                matches!(said, Said::ClosedByRemote) || is_closed && matches!(said, Said::Gone);
            is_closed |= is_end;
            // Of a connection that ended nothing else is said.
            if !is_end && (self.ended.is_none() || matches!(said, Said::Transmit(_))) {
                self.on_said(said, now, shared);
            }
            if is_closed && shared.said.is_empty() {
                is_closed = false;
                self.end(CloseReason::Remote, now, shared);
            }
        }
        if self.driven.is_settled(now) {
            self.carriage.flow.settle();
        }
        self.note_acknowledged(now, shared);
    }

    fn on_said(&mut self, said: Said, now: Time, shared: &mut Shared) {
        match said {
            Said::Transmit(transmit) => self.on_transmit(transmit, now, shared),
            Said::ChannelOpened { id, label } => self.on_channel_opened(id, &label, now, shared),
            Said::Message(data) => self.on_message(data, now, shared),
            // Before the channel is open it is not settled.
            Said::PathFound if self.channel.is_open() => self.driven.settle(now),
            Said::PathFound => {}
            Said::ChannelClosed(id) if !self.channel.is(id) => {}
            Said::ChannelClosed(_) | Said::ClosedByRemote => {
                self.end(CloseReason::Remote, now, shared);
            }
            Said::Frame(data) => self.on_frame(&data, shared),
            Said::Packet { mid, packet } => self.on_packet(mid, *packet, shared),
            Said::KeyFrameWanted(mid) => self.on_key_frame_wanted(mid, shared),
            Said::Bitrate(bitrate) => self.carriage.flow.bitrate = Some(bitrate),
            Said::Unusable(error) => {
                tracing::trace!(conn = ?self.id, %error, "media makes no sense");
                shared.counters.unusable_media += 1;
            }
            Said::Gone => self.end(CloseReason::Failed, now, shared),
            Said::Failed(error) => {
                tracing::debug!(conn = ?self.id, %error, "a connection failed");
                self.end(CloseReason::Failed, now, shared);
            }
        }
    }

    fn on_transmit(&mut self, transmit: str0m::net::Transmit, now: Time, shared: &mut Shared) {
        let path = Path { local: transmit.source, remote: transmit.destination };
        if self.traffic.on_sent(path, &transmit.contents, now) {
            shared.paths.try_out(path, self.id);
        }
        let bytes = Bytes::from(Vec::<u8>::from(transmit.contents));
        if shared.gatherer.is_relayed(path.local) {
            shared.gatherer.relay(path, bytes, now, &mut shared.outputs);
            return;
        }
        let transmit = Transmit { path, bytes, segment_size: None, ecn: None };
        shared.outputs.push_back(EngineOutput::Transmit(transmit));
    }

    fn on_channel_opened(&mut self, id: ChannelId, label: &str, now: Time, shared: &mut Shared) {
        match self.channel.on_open(id, label) {
            Opening::Opened => self.open(now, shared),
            Opening::Completed { is_awaited: true } => self.drained(shared),
            Opening::Completed { is_awaited: false } => {}
            Opening::Surplus => {
                shared.counters.surplus_channels += 1;
                self.surplus_channels += 1;
                if self.surplus_channels > SURPLUS_CHANNELS_MAX {
                    self.end(CloseReason::Failed, now, shared);
                    return;
                }
                let said = &mut shared.said;
                self.driven.step(now, said, |rtc| rtc.direct_api().close_data_channel(id));
            }
        }
    }

    fn on_message(&mut self, data: ChannelData, now: Time, shared: &mut Shared) {
        self.silence.hear(now);
        match self.channel.on_message(data.id) {
            Arrival::Surplus => return,
            Arrival::OpensChannel => self.open(now, shared),
            Arrival::Message => {}
        }
        if !data.binary {
            shared.counters.text_messages += 1;
            return;
        }
        let bytes = Bytes::from(data.data);
        shared.event(EngineEvent::Message { conn: self.id, lane: Lane::Control, bytes });
    }

    /// Looks what the peer acknowledged, and calls whoever was sent away if there is room again.
    fn note_acknowledged(&mut self, now: Time, shared: &mut Shared) {
        let is_awaited = self.window.weight() > 0 || self.channel.is_full();
        let Some(id) = self.channel.id().filter(|_| is_awaited) else { return };
        let left = self.driven.buffered(id);
        if self.window.on_left(left, self.traffic.rtt_min(), now) {
            self.silence.hear(now);
        }
        if self.channel.drain(self.window.weight()) {
            self.drained(shared);
        }
    }

    fn open(&mut self, now: Time, shared: &mut Shared) {
        self.silence.start(now);
        self.driven.settle(now);
        self.dtls_version = self.driven.dtls_version();
        self.carriage.is_possible = self.driven.has_srtp();
        shared.gatherer.on_open(self.id, now);
        shared.event(EngineEvent::Open { conn: self.id });
    }

    fn drained(&self, shared: &mut Shared) {
        shared.event(EngineEvent::Drained { conn: self.id, lane: Lane::Control });
    }

    /// Ends the connection, once, so that the peer hears it if anything can reach it.
    fn end(&mut self, reason: CloseReason, now: Time, shared: &mut Shared) {
        if self.ended.is_none() {
            self.ended = Some(reason);
            for event in self.carriage.end(self.id) {
                shared.event(event);
            }
            let closed = self.driven.step(now, &mut shared.said, Rtc::close);
            tracing::debug!(conn = ?self.id, %reason, ?closed, "a connection ended");
        }
    }
}
