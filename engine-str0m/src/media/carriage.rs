//! The audio and video of one connection: what was agreed on, what is proposed, what passes.

use std::collections::BTreeMap;
use std::sync::Arc;

use tristero_proto::engine::{EngineEvent, IncomingTrack, MediaInfo};
use tristero_proto::media::{Codec, MediaConfig, Medium, SentTrack};
use tristero_proto::{ConnId, Rng, TrackId};

use super::flow::Flow;
use super::formats::Numbered;
use super::gate::Gate;
use super::section::{MediaSection, Receiving, Sending};
use super::session::Session;
use crate::credentials::Credentials;

/// The audio and video of one connection.
#[derive(Debug)]
pub(crate) struct Carriage {
    pub(crate) session: Session,
    pub(crate) draft: Option<Draft>,
    pub(crate) flow: Flow,
    pub(crate) gate: Gate,
    pub(crate) medium: Medium,
    /// Whether it is sent no faster than the path bears, as far as that is known.
    pub(crate) is_paced: bool,
    /// Whether both sides have keys for it.
    pub(crate) is_possible: bool,
    /// The last source of each section that nobody sends in now. str0m has to be told of it before it
    /// hears of another, to begin anew.
    pub(crate) last_sources: BTreeMap<String, u32>,
}

/// An offer of ours that is not answered yet.
#[derive(Debug)]
pub(crate) struct Draft {
    /// What the session would be.
    pub(crate) session: Session,
    /// Ours, once it is answered, if ICE is to restart.
    pub(crate) credentials: Option<Credentials>,
    /// The tracks whose outcome is to be told.
    pub(crate) tracks: Vec<TrackId>,
}

/// A track that is sent, with what is needed to send it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outlet<'a> {
    pub(crate) mid: &'a str,
    pub(crate) numbered: Numbered,
}

impl Carriage {
    pub(crate) fn new(config: Arc<MediaConfig>, is_offerer: bool) -> Self {
        let (medium, is_paced) = (config.medium, config.estimates_bandwidth);
        Carriage {
            session: Session::of_data_alone(config, is_offerer),
            draft: None,
            flow: Flow::default(),
            gate: Gate::default(),
            medium,
            is_paced,
            is_possible: false,
            last_sources: BTreeMap::new(),
        }
    }

    /// Drafts an offer of these tracks, or of what is sent anyway. One that was made before is given
    /// up.
    pub(crate) fn propose(
        &mut self,
        tracks: Option<&[SentTrack]>,
        credentials: Option<Credentials>,
        rng: &mut Rng,
    ) -> &Draft {
        self.roll_back();
        let session = self.session.proposing(tracks, &mut || draw_source(rng));
        let tracks = tracks.into_iter().flatten().map(|track| track.track).collect();
        self.draft.insert(Draft { session, credentials, tracks })
    }

    /// Forgets the offer that nobody answered.
    pub(crate) fn roll_back(&mut self) {
        if let Some(draft) = self.draft.take() {
            self.session.give_up(&draft.session);
        }
    }

    /// Takes the session that was agreed on, and says what changed by it.
    pub(crate) fn take(
        &mut self,
        next: Session,
        asked: &[TrackId],
        conn: ConnId,
        rng: &mut Rng,
    ) -> Vec<EngineEvent> {
        let before = std::mem::replace(&mut self.session, next);
        self.flow.follow(&self.session, &mut || draw_source(rng));
        self.gate.follow(&self.session);
        let mut events = Vec::new();
        for (_, receiving) in before.received() {
            if self.received(receiving.track).is_none() {
                events.push(EngineEvent::TrackEnded { conn, track: receiving.track });
            }
        }
        for (media, Receiving { track, msid, .. }) in self.session.received() {
            if before.received().all(|(_, known)| known.track != *track) {
                let (kind, msid) = (media.kind, msid.clone());
                events.push(EngineEvent::TrackBegan { conn, track: *track, kind, msid });
            }
        }
        let codecs_in = |session: &Session, track: TrackId| {
            let mut sent = session.sent().filter(|(_, sending)| sending.track == track);
            sent.next().map(|(_, sending)| sending.codecs())
        };
        for track in asked {
            let codecs = codecs_in(&self.session, *track).unwrap_or_default();
            events.push(EngineEvent::TrackAgreed { conn, track: *track, codecs });
        }
        for (_, sending) in self.session.sent().filter(|(_, s)| !asked.contains(&s.track)) {
            let codecs = sending.codecs();
            if codecs_in(&before, sending.track).is_some_and(|was| was != codecs) {
                events.push(EngineEvent::TrackAgreed { conn, track: sending.track, codecs });
            }
        }
        events
    }

    /// Says that all tracks of theirs ended.
    pub(crate) fn end(&mut self, conn: ConnId) -> Vec<EngineEvent> {
        self.draft = None;
        let tracks = self.session.received().map(|(_, receiving)| receiving.track);
        tracks.map(|track| EngineEvent::TrackEnded { conn, track }).collect()
    }

    /// Where frames of a track go that are encoded like this, if that was agreed on.
    pub(crate) fn outlet(&self, track: TrackId, codec: Codec) -> Option<Outlet<'_>> {
        let (media, sending) = self.sending(track)?;
        let numbered = sending.taken.iter().find(|known| known.format.codec() == codec)?;
        Some(Outlet { mid: &media.mid, numbered: *numbered })
    }

    /// The track that we send in a section.
    pub(crate) fn sent_in(&self, mid: &str) -> Option<TrackId> {
        let mut sent = self.session.sent().filter(|(media, _)| media.mid == mid);
        sent.next().map(|(_, sending)| sending.track)
    }

    /// The track that the other side sends in a section, and what it may send there by this number.
    pub(crate) fn received_in(&self, mid: &str, number: u8) -> Option<(IncomingTrack, Codec)> {
        let mut received = self.session.received().filter(|(media, _)| media.mid == mid);
        let (media, receiving) = received.next()?;
        let numbered = media.formats.iter().find(|known| known.number == number)?;
        Some((receiving.track, numbered.format.codec()))
    }

    /// The section of a track of theirs.
    pub(crate) fn received(&self, track: IncomingTrack) -> Option<&MediaSection> {
        let mut received = self.session.received().filter(|(_, known)| known.track == track);
        received.next().map(|(media, _)| media)
    }

    /// Whether anything passes either way.
    pub(crate) fn is_in_use(&self) -> bool {
        !self.gate.is_shut() || self.session.sent().any(|(_, sending)| sending.is_taken())
    }

    /// The number of the next description.
    pub(crate) fn version(&self) -> u64 {
        self.session.version()
    }

    /// What is known of all that passes.
    pub(crate) fn info(&self) -> MediaInfo {
        self.flow.info(self.is_possible)
    }

    fn sending(&self, track: TrackId) -> Option<(&MediaSection, &Sending)> {
        self.session.sent().find(|(_, sending)| sending.track == track)
    }
}

/// A number of 32 bits, of which no other of the connection is likely to be the same; never 0, which
/// is that of probes.
fn draw_source(rng: &mut Rng) -> u32 {
    u32::from_be_bytes(rng.bytes()).max(1)
}
