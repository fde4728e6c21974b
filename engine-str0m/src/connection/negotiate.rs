//! How a connection begins: descriptions and candidates, ours and theirs.

use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use str0m::change::{SdpAnswer, SdpOffer};
use str0m::config::DtlsVersion;
use str0m::error::SdpError as Str0mSdpError;
use str0m::{Candidate, RtcConfig, RtcError};
use tristero_proto::engine::{DescriptionError, DescriptionKind, EngineEvent};
use tristero_proto::ice::{HostCandidates, IceConfig, IceTransportPolicy};
use tristero_proto::limits::REMOTE_CANDIDATES_MAX;
use tristero_proto::media::MediaConfig;
use tristero_proto::wire::CandidateInit;
use tristero_proto::{ConnId, Deadline, Time};

use super::{Began, Connection};
use crate::candidate::{RemoteCandidate, Told, emit_init, gathered_candidate, host_candidate};
use crate::credentials::Credentials;
use crate::data_channel::{DataChannel, LABEL};
use crate::driven::Driven;
use crate::gather::Gathered;
use crate::limits::{GATHERING_MAX, REMOTE_MESSAGE_BYTES_DEFAULT};
use crate::mdns::{LocalName, one_of_each_family};
use crate::media::carriage::Carriage;
use crate::negotiation::{Ours, Remote, Theirs};
use crate::progress::Progress;
use crate::sctp_init::{SctpInit, sctp_init_of};
use crate::sdp::{Family, RemoteDescription, SdpError, Setup, mid_of, with_dtls_13};
use crate::shared::Shared;
use crate::silence::Silence;
use crate::traffic::Traffic;
use crate::window::Window;

/// What a connection begins with.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) id: ConnId,
    pub(crate) config: RtcConfig,
    pub(crate) credentials: Credentials,
    pub(crate) trickle: bool,
    pub(crate) ice: Arc<IceConfig>,
    pub(crate) media: Arc<MediaConfig>,
}

impl Connection {
    /// Makes an offer.
    pub(crate) fn offer(start: Start, now: Time, shared: &mut Shared) -> Self {
        let mut driven = begin(&start, now, shared);
        let (offer, pending, channel) = driven.step(now, &mut shared.said, |rtc| {
            let mut changes = rtc.sdp_api();
            let channel = changes.add_channel(LABEL.to_owned());
            let (offer, pending) =
                changes.apply().expect("the first data channel has to be negotiated");
            (offer.to_sdp_string(), pending, channel)
        });
        let theirs = Theirs::Awaited { pending, early: Vec::new() };
        let channel = DataChannel::Awaited { ours: Some(channel) };
        let mut connection = Connection::new(start, Began::Here, driven, theirs, channel, shared);
        connection.describe(DescriptionKind::Offer, with_dtls_13(&offer), now, shared);
        connection.heed(now, shared);
        connection
    }

    /// Answers an offer.
    pub(crate) fn answer(
        mut start: Start,
        offer: &str,
        now: Time,
        shared: &mut Shared,
    ) -> Result<Self, DescriptionError> {
        let offer = RemoteDescription::parse(offer).map_err(invalid)?;
        start.config = start.config.set_dtls_version(dtls_version(&offer));
        let mut driven = begin(&start, now, shared);
        let answered = driven.step(now, &mut shared.said, |rtc| {
            let offer =
                SdpOffer::from_sdp_string(&offer.emit(&[])).map_err(|error| unreadable(&error))?;
            rtc.sdp_api().accept_offer(offer)
        });
        let answer = match answered {
            Ok(answer) => answer.to_sdp_string(),
            Err(error) => {
                shared.said.clear();
                return Err(invalid(error));
            }
        };
        let theirs = Theirs::Here(Remote::new(&offer));
        let channel = DataChannel::Awaited { ours: None };
        let mut connection = Connection::new(start, Began::There, driven, theirs, channel, shared);
        connection.describe(DescriptionKind::Answer, answer, now, shared);
        connection.heed(now, shared);
        connection.add_described_candidates(&offer, now, shared);
        Ok(connection)
    }

    /// Takes the answer to our offer.
    pub(crate) fn accept_answer(
        &mut self,
        answer: &str,
        now: Time,
        shared: &mut Shared,
    ) -> Result<(), DescriptionError> {
        match &self.theirs {
            Theirs::Awaited { .. } => {}
            Theirs::Here(_) => return self.accept_proposed(answer, now, shared),
            Theirs::Broken => return Err(DescriptionError::Unexpected),
        }
        let mut answer = RemoteDescription::parse(answer).map_err(invalid)?;
        // Who repeats what it does not know does not mean it.
        let ours = self.sctp_init.as_deref().and_then(SctpInit::parse);
        answer.sctp_init = answer.sctp_init.filter(|theirs| Some(*theirs) != ours);
        if answer.setup == Setup::ActPass {
            return Err(invalid(SdpError::Attribute("a=setup of an answer")));
        }
        if answer.mid != self.mid {
            return Err(invalid(SdpError::Attribute("a=mid of the offer")));
        }
        let Theirs::Awaited { pending, early } = mem::replace(&mut self.theirs, Theirs::Broken)
        else {
            unreachable!("it was just looked at")
        };
        if waits_for_sctp(&answer) {
            self.drive(now, shared, |rtc| rtc.direct_api().start_sctp(true));
        }
        self.drive(now, shared, |rtc| {
            let answer = SdpAnswer::from_sdp_string(&answer.emit(&[]))
                .map_err(|error| unreadable(&error))?;
            rtc.sdp_api().accept_answer(pending, answer)
        })
        .map_err(invalid)?;
        let mut remote = Remote::new(&answer);
        if waits_for_sctp(&answer) {
            // str0m was not told of the limit, so it keeps to this one.
            remote.message_bytes_max = remote.message_bytes_max.min(REMOTE_MESSAGE_BYTES_DEFAULT);
        }
        self.theirs = Theirs::Here(remote);
        self.add_described_candidates(&answer, now, shared);
        for candidate in early {
            self.add_remote_candidate(&candidate, now, shared);
        }
        Ok(())
    }

    /// Takes a candidate of the other side.
    pub(crate) fn add_remote_candidate(
        &mut self,
        candidate: &CandidateInit,
        now: Time,
        shared: &mut Shared,
    ) {
        match &mut self.theirs {
            Theirs::Awaited { early, .. } if early.len() >= REMOTE_CANDIDATES_MAX => {
                shared.counters.surplus_candidates += 1;
            }
            Theirs::Awaited { early, .. } => early.push(candidate.clone()),
            Theirs::Here(remote) => {
                match remote.admit(candidate, &mut shared.counters) {
                    Some(Told::Address(admitted)) => {
                        tracing::trace!(conn = ?self.id, candidate = candidate.candidate, "theirs");
                        let admitted = admitted.to_str0m();
                        self.drive(now, shared, |rtc| rtc.add_remote_candidate(admitted));
                    }
                    // Over a TURN server alone the address behind it would be of no use.
                    Some(Told::Name(named)) if shows_addresses(&self.ice) => {
                        shared.ask_name(self.id, named);
                    }
                    Some(Told::Name(_)) | None => {}
                }
            }
            Theirs::Broken => {}
        }
    }

    /// Takes the addresses that a name of the other side stands for.
    pub(crate) fn on_resolved(
        &mut self,
        named: &RemoteCandidate<(LocalName, u16)>,
        addresses: &[IpAddr],
        now: Time,
        shared: &mut Shared,
    ) {
        for address in one_of_each_family(addresses) {
            if let Theirs::Here(remote) = &mut self.theirs
                && let Some(candidate) = named.at(address)
                && remote.admit_address(&candidate, &mut shared.counters)
            {
                tracing::debug!(conn = ?self.id, name = %named.address.0, "a name is resolved");
                self.drive(now, shared, |rtc| rtc.add_remote_candidate(candidate.to_str0m()));
            }
        }
    }

    /// Takes an address of ours.
    pub(crate) fn add_address(&mut self, address: SocketAddr, now: Time, shared: &mut Shared) {
        if shows_addresses(&self.ice)
            && let Some(candidate) = host_candidate(address)
        {
            self.add_candidate(candidate, now, shared);
        }
        self.tell_if_stranded(shared);
        self.describe_if_complete(now, shared);
    }

    /// Gives up an address of ours.
    pub(crate) fn remove_address(&mut self, address: SocketAddr, now: Time, shared: &mut Shared) {
        if let Some(candidate) = host_candidate(address) {
            self.drive(now, shared, |rtc| rtc.direct_api().invalidate_candidate(&candidate));
        }
        self.note_lost(address, shared);
    }

    /// Takes an address that a server gave us.
    pub(crate) fn on_gathered(&mut self, gathered: Gathered, now: Time, shared: &mut Shared) {
        self.reflexive.extend(reflexive(gathered));
        let Some(candidate) = usable(gathered, &self.ice) else { return };
        if is_told_apart(gathered, &self.ice) {
            self.say_candidate(&candidate, shared);
        } else {
            self.add_candidate(candidate, now, shared);
        }
    }

    /// Gives up an address that a server gave us.
    pub(crate) fn on_lost(&mut self, gathered: Gathered, now: Time, shared: &mut Shared) {
        if let Some(candidate) = gathered_candidate(gathered) {
            self.drive(now, shared, |rtc| rtc.direct_api().invalidate_candidate(&candidate));
        }
        if let Gathered::Relayed { relayed, .. } = gathered {
            self.note_lost(relayed, shared);
        }
    }

    /// Says our description if it was held back and is complete, or has waited for long enough.
    pub(crate) fn describe_if_complete(&mut self, now: Time, shared: &mut Shared) {
        let Ours::Held { until, .. } = &self.ours else { return };
        let is_complete = now >= *until || shared.gatherer.is_settled(&self.ice);
        if shared.addresses.is_empty() || !is_complete {
            return;
        }
        if let Ours::Held { kind, sdp, .. } = mem::replace(&mut self.ours, Ours::Said) {
            shared.event(EngineEvent::Description { conn: self.id, kind, sdp });
        }
    }

    /// Until when a description may be held back.
    pub(super) fn description_due(&self) -> Option<Deadline> {
        match &self.ours {
            Ours::Held { until, .. } => Some(Deadline::new(*until, "end of gathering")),
            Ours::Said => None,
        }
    }

    fn add_candidate(&mut self, candidate: Candidate, now: Time, shared: &mut Shared) {
        let added = self
            .driven
            .step(now, &mut shared.said, |rtc| rtc.add_local_candidate(candidate).cloned());
        if let Some(added) = added {
            tracing::trace!(conn = ?self.id, candidate = %added.to_sdp_string(), "ours");
            self.say_candidate(&added, shared);
        }
        self.heed(now, shared);
    }

    /// Tells the other side of a candidate of ours.
    fn say_candidate(&mut self, candidate: &Candidate, shared: &mut Shared) {
        let candidate = match self.ice.host_candidates {
            HostCandidates::Addresses => candidate.to_sdp_string(),
            HostCandidates::Mdns => shared.hide(&candidate.to_sdp_string()),
        };
        match &mut self.ours {
            // The one media section is the last, so this belongs to it.
            Ours::Held { sdp, .. } => sdp.push_str(&format!("a={candidate}\r\n")),
            Ours::Said if self.trickle || self.channel.is_open() => {
                let candidate = emit_init(candidate, &self.mid, self.ufrag());
                shared.event(EngineEvent::Candidate { conn: self.id, candidate });
            }
            Ours::Said => {}
        }
    }

    fn new(
        start: Start,
        began: Began,
        driven: Driven,
        theirs: Theirs,
        channel: DataChannel,
        shared: &Shared,
    ) -> Self {
        Connection {
            id: start.id,
            driven,
            credentials: start.credentials,
            trickle: start.trickle,
            mid: String::new(),
            sctp_init: None,
            ours: Ours::Said,
            theirs,
            channel,
            began,
            carriage: Carriage::new(start.media, began == Began::Here),
            restarts: 0,
            is_stranded: false,
            silence: Silence::new(shared.silence_max),
            progress: Progress::default(),
            window: Window::new(),
            traffic: Traffic::default(),
            dtls_version: None,
            mapped: Vec::new(),
            reflexive: shared
                .gatherer
                .gathered(&start.ice)
                .into_iter()
                .filter_map(reflexive)
                .collect(),
            seen: None,
            ice: start.ice,
            surplus_channels: 0,
            ended: None,
        }
    }

    /// Says our description now, or when it is complete if nothing may follow it.
    fn describe(&mut self, kind: DescriptionKind, sdp: String, now: Time, shared: &mut Shared) {
        self.mid = mid_of(&sdp).expect("str0m names its media sections").to_owned();
        self.sctp_init = sctp_init_of(&sdp).map(str::to_owned);
        let sdp = self.as_shown(sdp, shared);
        if self.trickle {
            shared.event(EngineEvent::Description { conn: self.id, kind, sdp });
        } else {
            self.ours = Ours::Held { kind, sdp, until: now + GATHERING_MAX };
            self.describe_if_complete(now, shared);
        }
    }

    /// A description of ours as the peer may see it.
    pub(super) fn as_shown(&self, sdp: String, shared: &mut Shared) -> String {
        match self.ice.host_candidates {
            HostCandidates::Addresses => sdp,
            HostCandidates::Mdns => self.hidden(&sdp, shared),
        }
    }

    /// Our description without the addresses of this machine.
    fn hidden(&self, sdp: &str, shared: &mut Shared) -> String {
        let mut hidden = shared.hide_in(sdp);
        let gathered = shared.gatherer.gathered(&self.ice).into_iter();
        for gathered in gathered.filter(|gathered| is_told_apart(*gathered, &self.ice)) {
            if let Some(candidate) = usable(gathered, &self.ice) {
                let candidate = shared.hide(&candidate.to_sdp_string());
                hidden.push_str(&format!("a={candidate}\r\n"));
            }
        }
        hidden
    }

    pub(super) fn add_described_candidates(
        &mut self,
        description: &RemoteDescription,
        now: Time,
        shared: &mut Shared,
    ) {
        for candidate in &description.candidates {
            let candidate =
                CandidateInit { candidate: candidate.clone(), ..CandidateInit::default() };
            self.add_remote_candidate(&candidate, now, shared);
        }
    }
}

/// Makes the str0m connection, with a candidate for each address that is known.
fn begin(start: &Start, now: Time, shared: &mut Shared) -> Driven {
    let config = start.config.clone().set_local_ice_credentials(start.credentials.to_str0m());
    let mut driven = Driven::new(config, shared.epoch, now, &mut shared.said);
    let own = shared.addresses.iter().filter(|_| shows_addresses(&start.ice));
    let own = own.filter_map(|address| host_candidate(*address));
    let gathered = shared.gatherer.gathered(&start.ice);
    let gathered = gathered.into_iter().filter_map(|gathered| usable(gathered, &start.ice));
    for candidate in own.chain(gathered) {
        tracing::trace!(conn = ?start.id, candidate = %candidate.to_sdp_string(), "ours");
        driven.step(now, &mut shared.said, |rtc| {
            rtc.add_local_candidate(candidate);
        });
    }
    driven
}

/// The address at which a server sees us, if that is what it said.
fn reflexive(gathered: Gathered) -> Option<SocketAddr> {
    match gathered {
        Gathered::Reflexive { mapped, .. } => Some(mapped),
        Gathered::Relayed { .. } => None,
    }
}

/// Whether a peer may learn our addresses.
fn shows_addresses(ice: &IceConfig) -> bool {
    ice.transport_policy == IceTransportPolicy::All
}

/// The candidate of an address that a server gave us, if a peer may learn it.
fn usable(gathered: Gathered, ice: &IceConfig) -> Option<Candidate> {
    let is_relayed = matches!(gathered, Gathered::Relayed { .. });
    (is_relayed || shows_addresses(ice)).then(|| gathered_candidate(gathered)).flatten()
}

/// Whether str0m need not know of an address that peers have to be told of: where no NAT is, a server
/// sees a socket at its own address, which is not told by itself if it is hidden.
///
/// spec: draft-ietf-mmusic-mdns-ice-candidates, section 3.1.2
fn is_told_apart(gathered: Gathered, ice: &IceConfig) -> bool {
    let is_hidden = ice.host_candidates == HostCandidates::Mdns;
    let is_own = matches!(gathered, Gathered::Reflexive { mapped, base } if mapped == base);
    is_hidden && is_own
}

/// Whether nobody would begin SCTP: who answered begins DTLS, which is what str0m goes by, and waits
/// for us because we offered. The stream that we then use is an even one, which only werift and its
/// like don't mind, and messages are limited to the 64 KiB that they take.
fn waits_for_sctp(answer: &RemoteDescription) -> bool {
    answer.family == Family::Werift && answer.setup == Setup::Active
}

/// What we answer an offer with: 1.3 where its maker says that it takes it, and will begin.
fn dtls_version(offer: &RemoteDescription) -> DtlsVersion {
    if offer.speaks_dtls_13 && offer.setup != Setup::Passive {
        DtlsVersion::Dtls13
    } else {
        DtlsVersion::Dtls12
    }
}

pub(super) fn invalid(error: impl std::fmt::Display) -> DescriptionError {
    DescriptionError::Invalid(error.to_string())
}

pub(super) fn unreadable(error: &Str0mSdpError) -> RtcError {
    RtcError::RemoteSdp(error.to_string())
}
