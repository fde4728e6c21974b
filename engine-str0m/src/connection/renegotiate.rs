//! Descriptions of a connection that stands: ICE restarts, and tracks that begin and end.
//!
//! A connection is stranded when the address of ours that its path used is gone. str0m then checks
//! the paths from other addresses, but the other side goes on sending to the one that worked last
//! until its own checks of it have failed, which takes longer than either side waits for. A restart
//! makes both forget all paths at once. DTLS and SCTP notice nothing but a gap, and not even that
//! where the path lives: it is used until there is another.
//!
//! Whoever offered, str0m hears of an exchange when it is over, as of an offer of the other side: see
//! [`emit`](crate::media::emit).
//!
//! spec: RFC 8445, sections 2.4 and 9; RFC 8839, section 4.4.3

use std::net::SocketAddr;

use str0m::change::SdpOffer;
use str0m::media::Mid;
use str0m::{IceCreds, Rtc, RtcError};
use tristero_proto::engine::{DescriptionError, DescriptionKind, EngineEvent, Proposal};
use tristero_proto::media::SentTrack;
use tristero_proto::{Rng, Time, TrackId};

use super::Connection;
use super::negotiate::{invalid, unreadable};
use crate::credentials::Credentials;
use crate::limits::MESSAGE_BYTES_MAX;
use crate::media::carriage::Draft;
use crate::media::parse::{TheirDescription, split};
use crate::media::section::{Half, Sending};
use crate::media::session::Session;
use crate::negotiation::Theirs;
use crate::sdp::{RemoteDescription, SdpError, Setup};
use crate::shared::Shared;

/// What an exchange makes of a connection.
struct Outcome<'a> {
    session: Session,
    /// The data channel as the other side describes it.
    data: &'a RemoteDescription,
    /// Ours, if ICE restarts.
    credentials: Option<Credentials>,
}

impl Connection {
    /// Offers something. `credentials` are ours if that is a restart.
    pub(crate) fn propose(
        &mut self,
        proposal: &Proposal,
        credentials: Credentials,
        now: Time,
        shared: &mut Shared,
    ) {
        if !self.can_renegotiate() {
            return;
        }
        let offer = match proposal {
            Proposal::Restart => self.offer_restart(credentials, now, shared),
            Proposal::Tracks(tracks) => self.offer_tracks(tracks, &mut shared.media_rng),
        };
        if let Some(sdp) = offer {
            let kind = DescriptionKind::Offer;
            shared.event(EngineEvent::Description { conn: self.id, kind, sdp });
        }
        self.heed(now, shared);
    }

    /// Gives up an offer of ours that nobody answers.
    pub(crate) fn roll_back(&mut self) {
        self.carriage.roll_back();
    }

    /// Answers an offer of the other side, under these credentials if it restarts ICE. An offer of
    /// ours is given up for it.
    pub(crate) fn renegotiate(
        &mut self,
        offer: &str,
        credentials: Credentials,
        now: Time,
        shared: &mut Shared,
    ) -> Result<String, DescriptionError> {
        let offer = self.read(offer)?;
        let can_carry = self.can_carry();
        let session = self.carriage.session.answering(&offer, can_carry).map_err(invalid)?;
        let is_restart = self.remote().is_some_and(|remote| remote.ufrag != offer.data.ufrag);
        let credentials = is_restart.then_some(credentials);
        let outcome = Outcome { session, data: &offer.data, credentials };
        let answer = self.take_outcome(outcome, &[], now, shared)?;
        self.roll_back();
        let data = match answer {
            Some(restarted) => self.as_shown(restarted, shared),
            None => self.as_before(),
        };
        Ok(self.carriage.session.emit(&data, Half::Answer))
    }

    /// Takes the answer to our offer.
    pub(super) fn accept_proposed(
        &mut self,
        answer: &str,
        now: Time,
        shared: &mut Shared,
    ) -> Result<(), DescriptionError> {
        let Some(Draft { session: draft, credentials, tracks }) = self.carriage.draft.take() else {
            return Err(DescriptionError::Unexpected);
        };
        let accepted = self.conclude(&draft, answer, credentials, &tracks, now, shared);
        if accepted.is_err() {
            // It may have become part of what they know.
            self.carriage.session.give_up(&draft);
        }
        accepted
    }

    /// The user name fragment that candidates of ours belong to.
    pub(super) fn ufrag(&self) -> &str {
        let draft = self.carriage.draft.as_ref();
        let restarted = draft.and_then(|draft| draft.credentials.as_ref());
        &restarted.unwrap_or(&self.credentials).ufrag
    }

    /// An address of ours is gone: it may be the one that the path used.
    pub(super) fn note_lost(&mut self, address: SocketAddr, shared: &mut Shared) {
        let is_used = self.traffic.path.is_some_and(|path| path.local == address);
        self.is_stranded |= is_used && self.channel.is_open();
        self.tell_if_stranded(shared);
    }

    /// Tells that the path is gone, once there is an address that another could begin at.
    pub(super) fn tell_if_stranded(&mut self, shared: &mut Shared) {
        if self.is_stranded && self.ended.is_none() && !shared.addresses.is_empty() {
            self.is_stranded = false;
            shared.event(EngineEvent::Stranded { conn: self.id });
        }
    }

    fn can_renegotiate(&self) -> bool {
        self.ended.is_none() && self.channel.is_open() && matches!(self.theirs, Theirs::Here(_))
    }

    /// Whether the other side can send or take media: its DTLS agreed on keys for it.
    fn can_carry(&mut self) -> bool {
        self.carriage.is_possible |= self.driven.has_srtp();
        self.carriage.is_possible
    }

    fn offer_tracks(&mut self, tracks: &[SentTrack], rng: &mut Rng) -> Option<String> {
        if !self.can_carry() {
            return None;
        }
        let data = self.as_before();
        let draft = self.carriage.propose(Some(tracks), None, rng);
        Some(draft.session.emit(&data, Half::Offer))
    }

    fn offer_restart(
        &mut self,
        credentials: Credentials,
        now: Time,
        shared: &mut Shared,
    ) -> Option<String> {
        // str0m knows our candidates. What it offers is forgotten at once.
        let (offer, drawn) = self.driven.step(now, &mut shared.said, |rtc| {
            let mut changes = rtc.sdp_api();
            let drawn = changes.ice_restart(true);
            let (offer, _pending) = changes.apply()?;
            Some((offer.to_sdp_string(), drawn))
        })?;
        // Those that str0m draws don't say whose they are, and are not from our seed.
        let data = credentials.replace_in(&data_alone(&offer), &drawn);
        let data = self.as_shown(data, shared);
        let draft = self.carriage.propose(None, Some(credentials), &mut shared.media_rng);
        Some(draft.session.emit(&data, Half::Offer))
    }

    fn conclude(
        &mut self,
        draft: &Session,
        answer: &str,
        credentials: Option<Credentials>,
        tracks: &[TrackId],
        now: Time,
        shared: &mut Shared,
    ) -> Result<(), DescriptionError> {
        let answer = self.read(answer)?;
        let is_new = self.remote().is_some_and(|remote| remote.ufrag != answer.data.ufrag);
        match (&credentials, is_new) {
            (Some(_), false) => return Err(invalid(SdpError::Attribute("a new a=ice-ufrag"))),
            (None, true) => return Err(invalid(SdpError::Attribute("the a=ice-ufrag as it was"))),
            (Some(_), true) | (None, false) => {}
        }
        let session = draft.concluding(&answer, self.can_carry()).map_err(invalid)?;
        let outcome = Outcome { session, data: &answer.data, credentials };
        self.take_outcome(outcome, tracks, now, shared)?;
        Ok(())
    }

    /// Makes the connection what an exchange made of it, and says what changed of the tracks. If ICE
    /// restarted, it returns our description of the data channel.
    fn take_outcome(
        &mut self,
        outcome: Outcome<'_>,
        asked: &[TrackId],
        now: Time,
        shared: &mut Shared,
    ) -> Result<Option<String>, DescriptionError> {
        let Outcome { session, data, credentials } = outcome;
        let (sections, bundled) = session.compose();
        let is_as_before = credentials.is_none() && self.carriage.session.compose().0 == sections;
        let composed = format!("{}{sections}", data.emit(&bundled));
        let mut described = None;
        if !is_as_before {
            let answered = self
                .driven
                .step(now, &mut shared.said, |rtc| hear(rtc, &composed, credentials.as_ref()));
            let (answer, drawn) = answered.map_err(invalid)?;
            described = credentials
                .as_ref()
                .map(|credentials| credentials.replace_in(&data_alone(&answer), &drawn));
        }
        // Another track may be sent where nothing else changed.
        self.move_sources(&session, now, shared);
        for event in self.carriage.take(session, asked, self.id, &mut shared.media_rng) {
            shared.event(event);
        }
        if let Some(credentials) = credentials {
            self.begin_again(credentials, data, now, shared);
        }
        self.heed(now, shared);
        Ok(described)
    }

    /// Gives the sections of str0m the sources that this session has, which stands from now on.
    fn move_sources(&mut self, next: &Session, now: Time, shared: &mut Shared) {
        let before = &self.carriage.session;
        let last_sources = &mut self.carriage.last_sources;
        let ends = before.received().map(|(media, _)| &media.mid);
        let receives = |mid: &str| next.received().any(|(media, _)| media.mid == mid);
        let ends: Vec<Mid> =
            ends.filter(|mid| !receives(mid)).map(|mid| Mid::from(&mid[..])).collect();
        let old: Vec<(Mid, u32)> = before
            .sent()
            .map(|(media, sending)| (Mid::from(&media.mid[..]), sending.ssrc))
            .collect();
        self.driven.step(now, &mut shared.said, |rtc| {
            for mid in ends {
                if let Some(stream) = rtc.direct_api().stream_rx_by_mid(mid, None) {
                    let ssrc = stream.ssrc();
                    rtc.direct_api().remove_stream_rx(ssrc);
                    last_sources.insert(mid.to_string(), *ssrc);
                }
            }
            for (media, _) in next.received() {
                if let Some(ssrc) = last_sources.remove(&media.mid) {
                    let mid = Mid::from(&media.mid[..]);
                    rtc.direct_api().expect_stream_rx(ssrc.into(), None, mid, None);
                }
            }
            let stays = |ssrc: u32| next.sent().any(|(_, sending)| sending.ssrc == ssrc);
            for (_, ssrc) in old.iter().filter(|(_, ssrc)| !stays(*ssrc)) {
                rtc.direct_api().remove_stream_tx((*ssrc).into());
            }
            for (media, sending) in next.sent().filter(|(_, sending)| sending.is_taken()) {
                declare_source(rtc, Mid::from(&media.mid[..]), sending, media.is_repaired());
            }
        });
        last_sources.retain(|mid, _| next.media().any(|media| media.mid == *mid));
    }

    /// The data channel as it is, for descriptions that change nothing of it. str0m need not know of
    /// them.
    fn as_before(&mut self) -> String {
        let setup = match self.remote().map(|remote| remote.setup) {
            Some(Setup::Active | Setup::ActPass) | None => Setup::Passive,
            Some(Setup::Passive) => Setup::Active,
        };
        let fingerprint = self.driven.fingerprint();
        let version = self.carriage.version();
        let lines = [
            "v=0",
            &format!("o=- 1 {version} IN IP4 127.0.0.1"),
            "s=-",
            "t=0 0",
            "a=extmap-allow-mixed",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP4 0.0.0.0",
            &format!("a=ice-ufrag:{}", self.credentials.ufrag),
            &format!("a=ice-pwd:{}", self.credentials.password.0),
            "a=ice-options:trickle",
            &format!("a=fingerprint:{fingerprint}"),
            &format!("a=setup:{}", setup.name()),
            &format!("a=mid:{}", self.mid),
            "a=sctp-port:5000",
            &format!("a=max-message-size:{MESSAGE_BYTES_MAX}"),
            "",
        ];
        let mut sdp = lines.join("\r\n");
        let is_agreed = self.remote().is_some_and(|remote| remote.sctp_init.is_some());
        if let Some(init) = self.sctp_init.as_ref().filter(|_| is_agreed) {
            sdp.push_str(&format!("a=sctp-init:{init}\r\n"));
        }
        sdp
    }

    /// Reads a description of this connection. It has to come from whom the connection is with.
    fn read(&self, sdp: &str) -> Result<TheirDescription, DescriptionError> {
        let Some(remote) = self.remote().filter(|_| self.can_renegotiate()) else {
            return Err(DescriptionError::Unexpected);
        };
        let mut description = TheirDescription::parse(sdp).map_err(invalid)?;
        let data = &mut description.data;
        if data.mid != self.mid {
            return Err(invalid(SdpError::Attribute("a=mid of the connection")));
        }
        if data.fingerprint != remote.fingerprint {
            return Err(invalid(SdpError::Attribute("a=fingerprint of the connection")));
        }
        if data.sctp_init.is_some_and(|init| remote.sctp_init.is_some_and(|was| init != was)) {
            return Err(invalid(SdpError::Attribute("a=sctp-init of the connection")));
        }
        // SCTP has begun. str0m wants to be told how, each time.
        data.sctp_init = remote.sctp_init;
        // Who began DTLS has begun it.
        if remote.setup != Setup::ActPass {
            data.setup = remote.setup;
        }
        // Without another name there is no other password.
        if data.ufrag == remote.ufrag {
            data.password = remote.password.clone();
        }
        Ok(description)
    }

    /// Both sides have new credentials: all paths are forgotten, and looked for anew.
    fn begin_again(
        &mut self,
        credentials: Credentials,
        remote: &RemoteDescription,
        now: Time,
        shared: &mut Shared,
    ) {
        self.credentials = credentials;
        if let Theirs::Here(known) = &mut self.theirs {
            known.restart(remote);
        }
        self.restarts += 1;
        // What is still on its way comes over the old path, and so does the answer.
        shared.paths.forget_but(self.id, self.traffic.path);
        self.seen = None;
        self.silence.hear(now);
        // What str0m found before is none of what is looked for now.
        self.heed(now, shared);
        self.driven.hurry();
        self.add_described_candidates(remote, now, shared);
    }
}

/// Tells str0m of an exchange. It returns how it would answer, and the credentials that it would do
/// so under.
fn hear(
    rtc: &mut Rtc,
    composed: &str,
    credentials: Option<&Credentials>,
) -> Result<(String, IceCreds), RtcError> {
    let offer = SdpOffer::from_sdp_string(composed).map_err(|error| unreadable(&error))?;
    let answer = rtc.sdp_api().accept_offer(offer)?;
    let drawn = rtc.direct_api().local_ice_credentials();
    if let Some(credentials) = credentials {
        rtc.direct_api().set_local_ice_credentials(credentials.to_str0m());
    }
    Ok((answer.to_sdp_string(), drawn))
}

/// Lets str0m send a track under the number that we told, in the place of one that it drew. What was
/// sent under it before goes on: nothing is ever encrypted twice with one number.
fn declare_source(rtc: &mut Rtc, mid: Mid, sending: &Sending, is_repaired: bool) {
    let drawn = rtc.direct_api().stream_tx_by_mid(mid, None).map(|stream| stream.ssrc());
    if drawn == Some(sending.ssrc.into()) || rtc.media(mid).is_none() {
        return;
    }
    if let Some(drawn) = drawn {
        rtc.direct_api().remove_stream_tx(drawn);
    }
    let repair = is_repaired.then(|| sending.repair_ssrc.into());
    rtc.direct_api().declare_stream_tx(sending.ssrc.into(), repair, mid, None);
}

/// A description of str0m without what it says of other sections.
fn data_alone(sdp: &str) -> String {
    let (session, sections) = split(sdp);
    let data = sections.into_iter().find(|section| section.starts_with("m=application "));
    format!("{session}{}", data.unwrap_or_default())
}
