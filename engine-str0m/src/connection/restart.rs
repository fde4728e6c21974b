//! ICE restarts: another path for a connection that stands.
//!
//! A connection is stranded when the address of ours that its path used is gone. str0m then checks
//! the paths from other addresses, but the other side goes on sending to the one that worked last
//! until its own checks of it have failed, which takes longer than either side waits for. A restart
//! makes both forget all paths at once. DTLS and SCTP notice nothing but a gap.
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
use crate::refusal::Sections;
use crate::sdp::{RemoteDescription, SdpError, Setup};
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
            self.restart = Some(Restart { pending, credentials });
            shared.event(EngineEvent::Description {
                conn: self.id,
                kind: DescriptionKind::Offer,
                sdp,
            });
        }
        self.heed(now, shared);
    }

    /// Answers the other side's restart under these credentials. One of ours is given up for it.
    pub(crate) fn answer_restart(
        &mut self,
        offer: &str,
        credentials: Credentials,
        now: Time,
        shared: &mut Shared,
    ) -> Result<String, DescriptionError> {
        let offer = self.read_restart(offer)?;
        self.restart = None;
        let answered = self.driven.step(now, &mut shared.said, |rtc| {
            let offer =
                SdpOffer::from_sdp_string(&offer.emit()).map_err(|error| unreadable(&error))?;
            let answer = rtc.sdp_api().accept_offer(offer)?;
            let drawn = rtc.direct_api().local_ice_credentials();
            rtc.direct_api().set_local_ice_credentials(credentials.to_str0m());
            Ok::<_, str0m::RtcError>((answer.to_sdp_string(), drawn))
        });
        let (answer, drawn) = answered.map_err(invalid)?;
        let sdp = self.as_shown(credentials.replace_in(&answer, &drawn), shared);
        self.begin_again(credentials, &offer, now, shared);
        Ok(sdp)
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
        let answer = self.read_restart(answer)?;
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

    /// Answers an offer of media that it is refused; all else stays as it is.
    pub(crate) fn refuse_media(&mut self, offer: &str) -> Result<String, DescriptionError> {
        let Some(remote) = self.remote().filter(|_| self.can_restart()) else {
            return Err(DescriptionError::Unexpected);
        };
        let (sections, data) = Sections::parse(offer).map_err(invalid)?;
        if data.ufrag != remote.ufrag || data.fingerprint != remote.fingerprint {
            return Err(invalid(SdpError::Attribute("a=ice-ufrag of the connection")));
        }
        let setup = match remote.setup {
            Setup::Active | Setup::ActPass => Setup::Passive,
            Setup::Passive => Setup::Active,
        };
        let fingerprint = self.driven.fingerprint();
        Ok(sections.refuse(
            &self.mid,
            &[
                format!("a=ice-ufrag:{}", self.credentials.ufrag),
                format!("a=ice-pwd:{}", self.credentials.password.0),
                format!("a=fingerprint:{fingerprint}"),
                format!("a=setup:{}", setup.name()),
                format!("a=mid:{}", self.mid),
                "a=sctp-port:5000".to_owned(),
                format!("a=max-message-size:{MESSAGE_BYTES_MAX}"),
            ],
        ))
    }

    /// Reads a description of a restart. It has to come from whom the connection is with.
    fn read_restart(&self, sdp: &str) -> Result<RemoteDescription, DescriptionError> {
        let Some(remote) = self.remote().filter(|_| self.can_restart()) else {
            return Err(DescriptionError::Unexpected);
        };
        let mut description = RemoteDescription::parse(sdp).map_err(invalid)?;
        if description.mid != self.mid {
            return Err(invalid(SdpError::Attribute("a=mid of the connection")));
        }
        if description.fingerprint != remote.fingerprint {
            return Err(invalid(SdpError::Attribute("a=fingerprint of the connection")));
        }
        if description.ufrag == remote.ufrag {
            return Err(invalid(SdpError::Attribute("a new a=ice-ufrag")));
        }
        // Who began DTLS has begun it.
        if remote.setup != Setup::ActPass {
            description.setup = remote.setup;
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
        shared.paths.forget(self.id);
        self.seen = None;
        self.silence.hear(now);
        // What str0m found before is none of what is looked for now.
        self.heed(now, shared);
        self.driven.hurry();
        self.add_described_candidates(remote, now, shared);
    }
}
