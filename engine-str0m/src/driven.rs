//! One str0m connection, behind the only door to it.
//!
//! str0m must be emptied after everything that is done to it: some tens of packets without a poll
//! between them end in an error. So what holds an [`Rtc`] is [`Driven`], and whoever wants to do
//! something to it passes a closure to [`step`](Driven::step), which empties it afterwards.
//!
//! It also has to be told the time before it is asked to do something: its timers count from the
//! last moment it knew, and a message sent after a pause would be repeated at once.
//!
//! **Messages and datagrams of a connection that stands are taken first and emptied later**, all that
//! came in a turn at once: emptying walks several times through all that is in flight, which for one
//! message or acknowledgement at a time is most of what a byte costs. It is due at once, or, where a
//! lot is in flight, a moment later.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use str0m::bwe::{Bitrate, BweKind};
use str0m::channel::{ChannelData, ChannelId};
use str0m::media::{MediaData, Mid};
use str0m::net::{Receive, Transmit};
use str0m::rtp::RtpPacket;
use str0m::{Event, IceConnectionState, Input, Output, Reason, Rtc, RtcConfig, RtcError};
use tristero_proto::{Deadline, Time};

use crate::epoch::Epoch;
use crate::limits::{
    BACKLOG_MAX, BITRATE_WISHED_KBPS, CHECK_GRID, HURRY_ON, MEDIA_ERRORS_MAX, ROUNDS_MAX,
    STUN_PACE, STUN_PACE_MIN,
};

/// What str0m said in a step, as far as it matters here.
#[derive(Debug)]
pub(crate) enum Said {
    Transmit(Transmit),
    ChannelOpened {
        id: ChannelId,
        label: String,
    },
    Message(ChannelData),
    ChannelClosed(ChannelId),
    PathFound,
    /// A frame of theirs.
    Frame(Box<MediaData>),
    /// A packet of theirs, where they are not put together.
    Packet {
        mid: Mid,
        packet: Box<RtpPacket>,
    },
    KeyFrameWanted(Mid),
    /// What the path bears, in bits per second.
    Bitrate(u64),
    /// Some media makes no sense. The connection goes on.
    Unusable(RtcError),
    /// The other side closed DTLS, or SCTP is lost.
    ClosedByRemote,
    /// It has nothing left to do.
    Gone,
    /// It can't go on.
    Failed(RtcError),
}

impl Said {
    fn from_event(event: Event) -> Option<Self> {
        match event {
            Event::ChannelOpen(id, label) => Some(Said::ChannelOpened { id, label }),
            Event::ChannelData(data) => Some(Said::Message(data)),
            Event::ChannelClose(id) => Some(Said::ChannelClosed(id)),
            Event::Closed => Some(Said::ClosedByRemote),
            Event::MediaData(data) => Some(Said::Frame(Box::new(data))),
            Event::KeyframeRequest(request) => Some(Said::KeyFrameWanted(request.mid)),
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                Some(Said::Bitrate(estimate.as_u64()))
            }
            Event::IceConnectionStateChange(
                IceConnectionState::Connected | IceConnectionState::Completed,
            ) => Some(Said::PathFound),
            // ICE's `Disconnected` heals by itself; silence decides when it is enough. The rest is
            // about media and statistics.
            event => {
                tracing::trace!(?event, "str0m said something that does not matter");
                None
            }
        }
    }
}

/// One str0m connection.
#[derive(Debug)]
pub(crate) struct Driven {
    rtc: Rtc,
    epoch: Epoch,
    /// The time it was told last.
    told: Time,
    due: Option<Deadline>,
    pace: Pace,
    /// Whether it was done something to and not emptied.
    backlog: Option<Backlog>,
}

/// What it was not emptied after.
#[derive(Clone, Copy, Debug)]
struct Backlog {
    datagrams: usize,
    /// When to empty it.
    due: Time,
}

/// How soon one ICE check may follow another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// There is no path yet, and somebody waits for one.
    Hurried,
    /// From this moment on as str0m likes it.
    SteadyFrom(Time),
}

impl Driven {
    /// Makes a connection.
    pub(crate) fn new(
        config: RtcConfig,
        epoch: Epoch,
        now: Time,
        said: &mut VecDeque<Said>,
    ) -> Self {
        let mut rtc = config.build(epoch.instant(now));
        // Without an estimate this does nothing.
        rtc.bwe().set_bitrate(Bitrate::ZERO, Bitrate::kbps(BITRATE_WISHED_KBPS));
        let mut driven =
            Driven { rtc, epoch, told: now, due: None, pace: Pace::Hurried, backlog: None };
        // Its ICE agent sets no timer before it was woken once.
        driven.wake(now, said);
        driven
    }

    /// Does something to the connection and adds what it said to `said`.
    pub(crate) fn step<R>(
        &mut self,
        now: Time,
        said: &mut VecDeque<Said>,
        act: impl FnOnce(&mut Rtc) -> R,
    ) -> R {
        if self.told < now || self.backlog.is_some() {
            self.wake(now, said);
        }
        let result = act(&mut self.rtc);
        self.drain(now, said);
        result
    }

    /// Writes to its channels. What comes of it is said when it is next emptied, which is due at
    /// once: its timers run from then on, so it need not be told the time.
    pub(crate) fn write<R>(&mut self, now: Time, write: impl FnOnce(&mut Rtc) -> R) -> R {
        let result = write(&mut self.rtc);
        self.defer(0, now);
        result
    }

    /// Gives it a datagram; false if it could make nothing of it. What comes of it is said within this
    /// pause, or at once while there is no path.
    pub(crate) fn receive(
        &mut self,
        now: Time,
        said: &mut VecDeque<Said>,
        datagram: Receive<'_>,
        pause: Option<Duration>,
    ) -> bool {
        self.told = now;
        let taken = self.rtc.handle_input(Input::Receive(self.epoch.instant(now), datagram));
        if taken.is_err() {
            // It stopped at the datagram and was not told the time.
            self.wake(now, said);
            return false;
        }
        match pause.filter(|_| self.pace != Pace::Hurried) {
            Some(pause) if self.defer(1, now + pause) < BACKLOG_MAX => {}
            Some(_) | None => self.drain(now, said),
        }
        true
    }

    /// Notes that it is to be emptied by then, and says after how many datagrams.
    fn defer(&mut self, datagrams: usize, due: Time) -> usize {
        let backlog = self.backlog.get_or_insert(Backlog { datagrams: 0, due });
        backlog.datagrams += datagrams;
        backlog.due = backlog.due.min(due);
        backlog.datagrams
    }

    /// Lets it do what is due.
    pub(crate) fn wake(&mut self, now: Time, said: &mut VecDeque<Said>) {
        self.told = now;
        if self.tell_time(now, said) {
            self.drain(now, said);
        }
    }

    /// Tells it the time; false if it can't go on. A frame of ours that can't be taken apart stops
    /// it halfway, so it is told again.
    fn tell_time(&mut self, now: Time, said: &mut VecDeque<Said>) -> bool {
        for _ in 0..MEDIA_ERRORS_MAX {
            match self.rtc.handle_input(Input::Timeout(self.epoch.instant(now))) {
                Ok(()) => return true,
                Err(error) if is_about_media(&error) => said.push_back(Said::Unusable(error)),
                Err(error) => {
                    said.push_back(Said::Failed(error));
                    return false;
                }
            }
        }
        said.push_back(Said::Failed(RtcError::WriteWithoutPoll));
        false
    }

    /// How many bytes of a channel are not acknowledged.
    pub(crate) fn buffered(&mut self, id: ChannelId) -> usize {
        self.rtc.channel(id).map_or(usize::MAX, |mut channel| channel.buffered_amount())
    }

    /// The version of DTLS that was agreed on, once there is one.
    pub(crate) fn dtls_version(&mut self) -> Option<&'static str> {
        // The numbers are those of the record layer (RFC 6347, RFC 9147).
        match self.rtc.direct_api().dtls_protocol_version()?.as_u16() {
            0xFEFD => Some("DTLS 1.2"),
            0xFEFC => Some("DTLS 1.3"),
            _ => None,
        }
    }

    /// Whether both sides have keys for media, while there is a path.
    pub(crate) fn has_srtp(&self) -> bool {
        self.rtc.is_connected()
    }

    /// Whether all that was written is on its way.
    pub(crate) fn is_settled(&self, now: Time) -> bool {
        self.backlog.is_none() && self.due.is_none_or(|due| due.at > now)
    }

    /// The fingerprint of our certificate, as descriptions have it.
    pub(crate) fn fingerprint(&mut self) -> String {
        self.rtc.direct_api().local_dtls_fingerprint().to_string()
    }

    /// Tells it that a path is looked for again.
    pub(crate) fn hurry(&mut self) {
        self.pace = Pace::Hurried;
    }

    /// Tells it that there is a path now.
    pub(crate) fn settle(&mut self, now: Time) {
        self.pace = Pace::SteadyFrom(now + HURRY_ON);
    }

    /// When to [`wake`](Self::wake) it.
    pub(crate) fn due(&self) -> Option<Deadline> {
        let emptied = self.backlog.map(|backlog| Deadline::new(backlog.due, "messages that wait"));
        Deadline::earlier(self.due, emptied)
    }

    /// Polls until there is nothing left to say, nor to do at this moment.
    fn drain(&mut self, now: Time, said: &mut VecDeque<Said>) {
        self.backlog = None;
        for _ in 0..ROUNDS_MAX {
            let Some(at) = self.poll(said) else {
                self.due = None;
                return;
            };
            let reason = self.rtc.last_timeout_reason();
            let at = self.epoch.deadline(at, now).map(|at| self.pace.moved(at, reason, now));
            self.due = at.map(|at| Deadline::new(at, why(reason)));
            if self.due.is_none_or(|due| due.at > now) {
                return;
            }
            if !self.tell_time(now, said) {
                return;
            }
        }
    }

    /// Polls until the next timeout; `None` if there will be none.
    fn poll(&mut self, said: &mut VecDeque<Said>) -> Option<Instant> {
        let mut errors = 0;
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => said.push_back(Said::Transmit(transmit)),
                Ok(Output::Event(Event::RtpPacket(packet))) => said.extend(self.packet(packet)),
                Ok(Output::Event(event)) => said.extend(Said::from_event(event)),
                Ok(Output::Timeout(at)) if self.rtc.is_alive() => return Some(at),
                Ok(Output::Timeout(_)) => {
                    said.push_back(Said::Gone);
                    return None;
                }
                Err(error) if is_about_media(&error) && errors < MEDIA_ERRORS_MAX => {
                    errors += 1;
                    said.push_back(Said::Unusable(error));
                }
                Err(error) => {
                    said.push_back(Said::Failed(error));
                    return None;
                }
            }
        }
    }

    /// A packet with the section that it belongs to, which its source knows.
    fn packet(&mut self, packet: RtpPacket) -> Option<Said> {
        let mid = self.rtc.direct_api().stream_rx(&packet.header.ssrc)?.mid();
        Some(Said::Packet { mid, packet: Box::new(packet) })
    }
}

impl Pace {
    /// str0m leaves 50 ms between any two checks of a connection (RFC 8445, section 14.2, calls it
    /// Ta), and looks for work whenever it is woken. With a few addresses on either side that would
    /// be most of the time that connecting takes, so until there is a path, and a little longer for
    /// a better one, checks that wait for nothing else are made at the least distance that the RFC
    /// allows.
    ///
    /// Where there is one, the checks that keep it are made when those of other connections are, so that
    /// a process with many of them sleeps in between.
    fn moved(self, at: Time, reason: Reason, now: Time) -> Time {
        if reason != Reason::Ice {
            return at;
        }
        let is_paced = at <= now + STUN_PACE;
        let is_steady = matches!(self, Pace::SteadyFrom(since) if since <= now);
        match (is_steady, is_paced) {
            (false, true) => at.min(now + STUN_PACE_MIN),
            (true, false) => next_multiple(at, CHECK_GRID),
            (false, false) | (true, true) => at,
        }
    }
}

/// The first moment that is no earlier, and a multiple of this since the epoch.
fn next_multiple(at: Time, of: Duration) -> Time {
    let since = at.since_epoch().as_nanos();
    let missing = since.next_multiple_of(of.as_nanos()) - since;
    at + Duration::from_nanos(u64::try_from(missing).unwrap_or_default())
}

/// Whether an error is about some frame, and says nothing of the connection.
fn is_about_media(error: &RtcError) -> bool {
    matches!(
        error,
        RtcError::Packet(..)
            | RtcError::NoSenderSource
            | RtcError::NoReceiverSource(_)
            | RtcError::UnknownPt(_)
            | RtcError::UnknownRid(_)
            | RtcError::WriteWithoutPoll
            | RtcError::NotSendingDirection(_)
            | RtcError::NotReceivingDirection
            | RtcError::FeedbackNotEnabled(_)
            | RtcError::ResendRequiresRtxPt
    )
}

/// What str0m's timer is for, for logs and simulators.
fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::DTLS => "dtls handshake",
        Reason::Ice => "ice check",
        Reason::Sctp => "sctp timer",
        Reason::Channel => "data channel",
        Reason::Feedback => "rtcp",
        Reason::Nack => "lost packets",
        Reason::SendStream | Reason::Packetize | Reason::ReceiveReorder => "media",
        Reason::Twcc | Reason::Pacer(_) => "bandwidth",
        // str0m's list may grow.
        _ => "str0m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_that_keep_a_path_are_made_with_those_of_others() {
        let now = Time::from_millis(10_100);
        let moved = |pace: Pace, at| pace.moved(Time::from_millis(at), Reason::Ice, now);
        let steady = Pace::SteadyFrom(now);
        assert_eq!(moved(steady, 12_600), Time::from_millis(13_000));
        assert_eq!(moved(steady, 13_000), Time::from_millis(13_000));
        assert_eq!(moved(steady, 10_150), Time::from_millis(10_150), "Ta is Ta");
        for hurried in [Pace::Hurried, Pace::SteadyFrom(Time::from_millis(10_101))] {
            assert_eq!(moved(hurried, 12_600), Time::from_millis(12_600));
            assert_eq!(moved(hurried, 10_150), Time::from_millis(10_105));
        }
        let sctp = Time::from_millis(12_600);
        assert_eq!(steady.moved(sctp, Reason::Sctp, now), sctp);
    }
}
