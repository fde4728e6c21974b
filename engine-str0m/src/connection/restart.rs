//! Descriptions of a connection that stands: ICE restarts, and media that is refused.
//!
//! A connection is stranded when the address of ours that its path used is gone. str0m then checks
//! the paths from other addresses, but the other side goes on sending to the one that worked last
//! until its own checks of it have failed, which takes longer than either side waits for. A restart
//! makes both forget all paths at once. DTLS and SCTP notice nothing but a gap, and not even that
//! where the path lives: it is used until there is another.
//!
//! spec: RFC 8445, sections 2.4 and 9; RFC 8839, section 4.4.3

use std::net::SocketAddr;

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use tristero_proto::Time;
use tristero_proto::engine::{DescriptionError, DescriptionKind, EngineEvent};

use super::Connection;
use super::negotiate::{invalid, unreadable};
use crate::credentials::Credentials;
use crate::limits::MESSAGE_BYTES_MAX;
use crate::negotiation::Theirs;
use crate::sdp::{RemoteDescription, SdpError, Setup};
use crate::sections::Sections;
use crate::shared::Shared;

/// A restart of ours that is not answered yet.
#[derive(Debug)]
pub(super) struct Restart {
    pending: SdpPendingOffer,
    /// Ours, once it is answered.
    credentials: Credentials,
}

impl Connection {
    /// Offers a restart under these credentials.
    pub(crate) fn restart(&mut self, credentials: Credentials, now: Time, shared: &mut Shared) {
        if !self.can_restart() {
            return;
        }
        let offered = self.driven.step(now, &mut shared.said, |rtc| {
            let mut changes = rtc.sdp_api();
            let theirs = changes.ice_restart(true);
            let (offer, pending) = changes.apply()?;
            Some((offer.to_sdp_string(), pending, theirs))
        });
        if let Some((offer, pending, drawn)) = offered {
            // Those that str0m draws don't say whose they are, and are not from our seed.
            let sdp = self.as_shown(credentials.replace_in(&offer, &drawn), shared);
            let sdp = self.sections.complete(&sdp);
            self.restart = Some(Restart { pending, credentials });
            shared.event(EngineEvent::Description {
                conn: self.id,
                kind: DescriptionKind::Offer,
                sdp,
            });
        }
        self.heed(now, shared);
    }

    /// Gives up a restart of ours that nobody answers.
    pub(crate) fn roll_back(&mut self) {
        self.restart = None;
    }

    /// Answers an offer of the other side, under these credentials if it restarts ICE. Media is
    /// refused. A restart of ours is given up for it.
    pub(crate) fn renegotiate(
        &mut self,
        offer: &str,
        credentials: Credentials,
        now: Time,
        shared: &mut Shared,
    ) -> Result<String, DescriptionError> {
        let (sections, offer) = self.read(offer)?;
        let is_restart = self.remote().is_some_and(|remote| remote.ufrag != offer.ufrag);
        let answer = if is_restart {
            self.answer_restart(&offer, credentials, now, shared)?
        } else {
            self.as_before()
        };
        self.restart = None;
        let answer = sections.complete(&answer);
        self.sections = sections;
        Ok(answer)
    }

    /// Takes the answer to our restart.
    pub(super) fn accept_restart(
        &mut self,
        answer: &str,
        now: Time,
        shared: &mut Shared,
    ) -> Result<(), DescriptionError> {
        let Some(Restart { pending, credentials }) = self.restart.take() else {
            return Err(DescriptionError::Unexpected);
        };
        let (_, answer) = self.read(answer)?;
        if self.remote().is_some_and(|remote| remote.ufrag == answer.ufrag) {
            return Err(invalid(SdpError::Attribute("a new a=ice-ufrag")));
        }
        let accepted = self.driven.step(now, &mut shared.said, |rtc| {
            let answer =
                SdpAnswer::from_sdp_string(&answer.emit()).map_err(|error| unreadable(&error))?;
            rtc.sdp_api().accept_answer(pending, answer)?;
            rtc.direct_api().set_local_ice_credentials(credentials.to_str0m());
            Ok::<_, str0m::RtcError>(())
        });
        accepted.map_err(invalid)?;
        self.begin_again(credentials, &answer, now, shared);
        Ok(())
    }

    /// The user name fragment that candidates of ours belong to.
    pub(super) fn ufrag(&self) -> &str {
        let restarted = self.restart.as_ref().map(|restart| &restart.credentials);
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

    fn can_restart(&self) -> bool {
        self.ended.is_none() && self.channel.is_open() && matches!(self.theirs, Theirs::Here(_))
    }

    fn answer_restart(
        &mut self,
        offer: &RemoteDescription,
        credentials: Credentials,
        now: Time,
        shared: &mut Shared,
    ) -> Result<String, DescriptionError> {
        let answered = self.driven.step(now, &mut shared.said, |rtc| {
            let offer =
                SdpOffer::from_sdp_string(&offer.emit()).map_err(|error| unreadable(&error))?;
            let answer = rtc.sdp_api().accept_offer(offer)?;
            let drawn = rtc.direct_api().local_ice_credentials();
            rtc.direct_api().set_local_ice_credentials(credentials.to_str0m());
            Ok::<_, str0m::RtcError>((answer.to_sdp_string(), drawn))
        });
        let (answer, drawn) = answered.map_err(invalid)?;
        let answer = self.as_shown(credentials.replace_in(&answer, &drawn), shared);
        self.begin_again(credentials, offer, now, shared);
        Ok(answer)
    }

    /// The answer to an offer that changes nothing. str0m need not know of it.
    fn as_before(&mut self) -> String {
        let setup = match self.remote().map(|remote| remote.setup) {
            Some(Setup::Active | Setup::ActPass) | None => Setup::Passive,
            Some(Setup::Passive) => Setup::Active,
        };
        let fingerprint = self.driven.fingerprint();
        let lines = [
            "v=0",
            "o=- 1 2 IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            &format!("a=group:BUNDLE {}", self.mid),
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP4 0.0.0.0",
            &format!("a=ice-ufrag:{}", self.credentials.ufrag),
            &format!("a=ice-pwd:{}", self.credentials.password.0),
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
    fn read(&self, sdp: &str) -> Result<(Sections, RemoteDescription), DescriptionError> {
        let Some(remote) = self.remote().filter(|_| self.can_restart()) else {
            return Err(DescriptionError::Unexpected);
        };
        let (sections, mut description) = Sections::parse(sdp).map_err(invalid)?;
        if description.mid != self.mid {
            return Err(invalid(SdpError::Attribute("a=mid of the connection")));
        }
        if description.fingerprint != remote.fingerprint {
            return Err(invalid(SdpError::Attribute("a=fingerprint of the connection")));
        }
        if description.sctp_init.is_some_and(|init| remote.sctp_init.is_some_and(|was| init != was))
        {
            return Err(invalid(SdpError::Attribute("a=sctp-init of the connection")));
        }
        // SCTP has begun. str0m wants to be told how, each time.
        description.sctp_init = remote.sctp_init;
        // Who began DTLS has begun it.
        if remote.setup != Setup::ActPass {
            description.setup = remote.setup;
        }
        Ok((sections, description))
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
