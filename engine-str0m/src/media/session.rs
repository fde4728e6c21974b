//! The session as both sides agreed on it: its sections in their order, and the tables that they
//! share.
//!
//! A session is a value. An offer, an answer and the end of an exchange each make a new one out of
//! the one that stands, which stays until the exchange is over; to give one up is to drop it.
//!
//! What is done with sections that nobody sends in follows from Chromium, which numbers header
//! extensions anew as soon as no section lives, and then breaks its own connection. So **the first
//! section of each kind is never refused**: it is inactive. Nor is one refused in which they offer
//! to send nothing and never sent: a browser may put a track into it before it hears our answer, and
//! would lose it. Others are refused, so that their places are used again. Sections of ours are never
//! refused by us, nor are those of another Tristero, and nothing of ours is sent in theirs: both sides
//! reuse what is theirs. **Offers of ours offer to receive in all sections**, so that a browser can
//! answer with a track that it has just added.
//!
//! spec: RFC 9429, sections 5.2 and 5.3; RFC 3264, sections 6 and 8

use std::sync::Arc;

use tristero_proto::engine::IncomingTrack;
use tristero_proto::media::{Codec, MediaConfig, MediaKind, SentTrack};

use super::extensions::ExtensionIds;
use super::formats::{Format, Numbered, PayloadTypes};
use super::parse::{Feedback, Label, TheirDescription, TheirMedia, TheirSection};
use super::section::{Half, Maker, MediaSection, Past, Receiving, Section, Sending};
use super::slots::Slots;
use crate::limits::{TRACKS_RECEIVED_MAX, TRACKS_SENT_MAX};
use crate::sdp::SdpError;

/// A session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    config: Arc<MediaConfig>,
    /// What our names of sections begin with. The other side has another letter, or digits.
    prefix: char,
    pub(super) sections: Vec<Section>,
    pub(super) types: PayloadTypes,
    ids: ExtensionIds,
    pub(super) slots: Slots,
    /// Sections that we offered and that may or may not have become part of what the other side
    /// knows: nobody answered in time. They are offered again.
    unconfirmed: Vec<(String, MediaKind)>,
    last_mid: u32,
    last_incoming: u64,
    /// How many descriptions were made of it.
    version: u64,
}

impl Session {
    /// A session of a data channel alone.
    pub(crate) fn of_data_alone(config: Arc<MediaConfig>, is_offerer: bool) -> Self {
        Session {
            config,
            prefix: if is_offerer { OFFERER } else { ANSWERER },
            sections: vec![Section::Data],
            types: PayloadTypes::default(),
            ids: ExtensionIds::default(),
            slots: Slots::default(),
            unconfirmed: Vec::new(),
            last_mid: 0,
            last_incoming: 0,
            version: 2,
        }
    }

    /// What the session is once we have answered an offer. Nothing is sent or received unless the
    /// connection can carry it.
    pub(crate) fn answering(
        &self,
        offer: &TheirDescription,
        can_carry: bool,
    ) -> Result<Self, SdpError> {
        if offer.sections.len() < self.sections.len() {
            return Err(SdpError::Attribute("a section of the session"));
        }
        let mut next = self.next();
        next.sections.clear();
        // What is received goes on before anything else begins.
        let mut reserved = self.received().count();
        for (index, theirs) in offer.sections.iter().enumerate() {
            let known = self.sections.get(index).and_then(Section::media);
            reserved -= usize::from(known.is_some_and(|known| known.receiving.is_some()));
            let means = Means { can_carry, reserved };
            let section = match (theirs, self.sections.get(index)) {
                (TheirSection::Data, Some(Section::Data)) => Section::Data,
                (TheirSection::Media(media), Some(Section::Media(known)))
                    if known.mid == media.mid =>
                {
                    next.answer(media, Some(known), means)
                }
                (TheirSection::Media(media), None | Some(Section::Refused { .. })) => {
                    next.answer(media, None, means)
                }
                _ => return Err(SdpError::Attribute("the order of the sections")),
            };
            next.sections.push(section);
        }
        let numbers = next.sections.iter().filter_map(|section| self.number_of(section.mid()?));
        next.last_mid = numbers.chain([next.last_mid]).max().unwrap_or_default();
        next.unconfirmed.retain(|(mid, _)| !offer.sections.iter().any(|s| is_named(s, mid)));
        next.settle_slots();
        Ok(next)
    }

    /// What the session would be if the other side took what we offer: these tracks, or those that
    /// are sent already. Numbers of new sources are drawn.
    pub(crate) fn proposing(
        &self,
        tracks: Option<&[SentTrack]>,
        draw: &mut dyn FnMut() -> u32,
    ) -> Self {
        let mut next = self.next();
        for (mid, kind) in std::mem::take(&mut next.unconfirmed) {
            let vacant = next.vacant(mid, kind, &[]);
            next.sections.push(Section::Media(Box::new(vacant)));
        }
        if let Some(tracks) = tracks {
            next.send(tracks, draw);
        }
        next.invite();
        next
    }

    /// Has these tracks sent, and no others.
    fn send(&mut self, tracks: &[SentTrack], draw: &mut dyn FnMut() -> u32) {
        let mut missing: Vec<&SentTrack> = tracks.iter().take(TRACKS_SENT_MAX).collect();
        for section in self.sections.iter_mut().filter_map(Section::media_mut) {
            section.sending.take_if(|sending| {
                let place = missing
                    .iter()
                    .position(|track| track.track == sending.track && track.msid == sending.msid);
                if let Some(place) = place {
                    sending.wished.clone_from(&missing.remove(place).codecs);
                }
                place.is_none()
            });
        }
        for track in missing {
            self.place(track, draw);
        }
    }

    /// Offers to receive wherever that is possible, as browsers do. One that has just added a track
    /// and hears of our offer sees no need for another if its answer says all that ours allows (W3C
    /// WebRTC, section 4.7.3): the track would wait for ever.
    fn invite(&mut self) {
        if !self.config.receives {
            return;
        }
        let config = Arc::clone(&self.config);
        let is_carried = |media: &MediaSection| {
            let mut codecs = media.formats.iter().map(|known| known.format.codec());
            media.has_mid() && codecs.any(|codec| config.codecs.contains(&codec))
        };
        let left = TRACKS_RECEIVED_MAX.saturating_sub(self.received().count());
        let sections = self.sections.iter_mut().filter_map(Section::media_mut);
        let silent = sections.filter(|media| media.receiving.is_none() && is_carried(media));
        silent.take(left).for_each(|media| media.invites = true);
    }

    /// What the session is once our offer, of which this is the outcome that we would like, was
    /// answered.
    pub(crate) fn concluding(
        &self,
        answer: &TheirDescription,
        can_carry: bool,
    ) -> Result<Self, SdpError> {
        if answer.sections.len() < self.sections.len() {
            return Err(SdpError::Attribute("a section of the offer"));
        }
        let mut next = self.clone();
        next.sections.clear();
        for (ours, theirs) in self.sections.iter().zip(&answer.sections) {
            let section = match (ours, theirs) {
                (Section::Data, TheirSection::Data) => Section::Data,
                (Section::Media(ours), TheirSection::Media(media)) if ours.mid == media.mid => {
                    next.conclude(ours, media, can_carry)
                }
                (Section::Refused { mid, .. }, TheirSection::Media(media)) if *mid == media.mid => {
                    ours.clone()
                }
                _ => return Err(SdpError::Attribute("the order of the sections")),
            };
            next.sections.push(section);
        }
        next.unconfirmed.clear();
        next.settle_slots();
        Ok(next)
    }

    /// Notes that nobody answered this offer of ours.
    pub(crate) fn give_up(&mut self, draft: &Session) {
        let is_new = |media: &&MediaSection| {
            self.sections.iter().all(|known| known.mid() != Some(&media.mid[..]))
        };
        let offered = draft.media().filter(|media| media.maker == Maker::Us).filter(is_new);
        self.unconfirmed = offered.map(|media| (media.mid.clone(), media.kind)).collect();
        self.last_mid = draft.last_mid;
        self.version = draft.version;
    }

    /// The sections that may carry something.
    pub(crate) fn media(&self) -> impl Iterator<Item = &MediaSection> {
        self.sections.iter().filter_map(Section::media)
    }

    /// The tracks that we send or would like to.
    pub(crate) fn sent(&self) -> impl Iterator<Item = (&MediaSection, &Sending)> {
        self.media().filter_map(|media| Some((media, media.sending.as_ref()?)))
    }

    /// The tracks that the other side sends.
    pub(crate) fn received(&self) -> impl Iterator<Item = (&MediaSection, &Receiving)> {
        self.media().filter_map(|media| Some((media, media.receiving.as_ref()?)))
    }

    /// The number of the next description.
    pub(crate) fn version(&self) -> u64 {
        self.version + 1
    }

    fn next(&self) -> Self {
        Session { version: self.version + 1, ..self.clone() }
    }

    /// Decides what becomes of a section that the other side offers.
    fn answer(
        &mut self,
        theirs: &TheirMedia,
        known: Option<&MediaSection>,
        Means { can_carry, reserved }: Means,
    ) -> Section {
        let is_usable = |kind: &MediaKind| {
            !self.slots.is_spent(&theirs.mid) && known.is_none_or(|known| known.kind == *kind)
        };
        let Some(kind) = theirs.kind.filter(is_usable) else {
            return Section::Refused { label: theirs.label.clone(), mid: theirs.mid.clone() };
        };
        let mut section = self.read(theirs, kind, known);
        let formats = std::mem::take(&mut section.formats);
        let preferred = self.preferred(&formats);
        let is_carried = can_carry && section.has_mid();
        let is_wanted = is_carried
            && theirs.sends
            && self.config.receives
            && !preferred.is_empty()
            && self.received().count() + reserved < TRACKS_RECEIVED_MAX;
        section.formats = if preferred.is_empty() { formats.clone() } else { preferred };
        section.receiving = is_wanted.then(|| self.receive(theirs, section.receiving.take()));
        let taken = if is_carried && theirs.receives { &formats[..] } else { &[] };
        if let Some(sending) = &mut section.sending {
            sending.take(taken, &section.formats);
        }
        let is_used = section.receiving.is_some() || section.sends(Half::Answer);
        let is_first = self.media().all(|media| media.kind != kind);
        section.note_use();
        let may_be_used = !theirs.sends && section.past == Past::Unused;
        let is_kept = section.maker == Maker::Us || self.is_reused(&theirs.mid);
        if is_used || is_first || may_be_used || is_kept {
            Section::Media(Box::new(section))
        } else {
            section.refused()
        }
    }

    /// What we learn of a section by their answer to our offer of it.
    fn conclude(&mut self, ours: &MediaSection, theirs: &TheirMedia, can_carry: bool) -> Section {
        let Some(kind) = theirs.kind.filter(|kind| *kind == ours.kind) else {
            return ours.refused();
        };
        let mut section = self.read(theirs, kind, Some(ours));
        section.formats.retain(|said| ours.formats.iter().any(|known| known.is_same(said)));
        let is_carried = can_carry && section.has_mid();
        let is_wanted = is_carried && theirs.sends && ours.receives(Half::Offer);
        section.receiving = if is_wanted && !section.formats.is_empty() {
            Some(self.receive(theirs, section.receiving.take()))
        } else {
            None
        };
        let taken = if is_carried && theirs.receives { &section.formats[..] } else { &[] };
        if let Some(sending) = &mut section.sending {
            sending.take(taken, &section.formats);
        }
        if section.formats.is_empty() {
            section.formats.clone_from(&ours.formats);
        }
        section.note_use();
        Section::Media(Box::new(section))
    }

    /// A section with what they say of it, and who sent in it before.
    fn read(
        &mut self,
        theirs: &TheirMedia,
        kind: MediaKind,
        known: Option<&MediaSection>,
    ) -> MediaSection {
        let is_ours = self.number_of(&theirs.mid).is_some();
        if !is_ours {
            theirs.numbers.iter().for_each(|number| self.types.mention(*number));
        }
        // str0m learns what numbers mean by the first description of a section, and by no later one.
        let is_told = self.slots.is_live(&theirs.mid);
        let formats = theirs.formats.iter().filter_map(|said| {
            if is_told { self.types.confirm(*said) } else { self.types.adopt(*said) }
        });
        let formats = formats.collect();
        let extensions = theirs.extensions.iter().filter_map(|(extension, id)| {
            self.ids.mention(*id);
            extension.filter(|extension| self.ids.adopt(*extension, *id)).map(|known| (known, *id))
        });
        let extensions = extensions.collect();
        MediaSection {
            mid: theirs.mid.clone(),
            kind,
            maker: if is_ours { Maker::Us } else { Maker::Them },
            label: theirs.label.clone(),
            formats,
            extensions,
            feedback: Feedback::of_kind(kind).and(theirs.feedback),
            sending: known.and_then(|known| known.sending.clone()),
            receiving: known.and_then(|known| known.receiving.clone()),
            past: known.map_or(Past::Unused, |known| known.past),
            invites: false,
        }
    }

    /// The number in a name that is one of ours.
    fn number_of(&self, mid: &str) -> Option<u32> {
        number_after(self.prefix, mid)
    }

    /// Whether a section is one that another Tristero made, which sends its next track in it.
    fn is_reused(&self, mid: &str) -> bool {
        let other = if self.prefix == OFFERER { ANSWERER } else { OFFERER };
        number_after(other, mid).is_some()
    }

    /// The track that they send in a section: the one that was there, if it is still called so.
    fn receive(&mut self, theirs: &TheirMedia, before: Option<Receiving>) -> Receiving {
        let same = before.filter(|before| before.msid == theirs.msid).map(|before| before.track);
        let track = same.unwrap_or_else(|| {
            self.last_incoming += 1;
            IncomingTrack(self.last_incoming)
        });
        Receiving { track, msid: theirs.msid.clone(), ssrcs: theirs.ssrcs.clone() }
    }

    /// What of these the room has codecs for, in its order.
    fn preferred(&self, formats: &[Numbered]) -> Vec<Numbered> {
        let of_codec = |codec: &Codec| {
            let codec = *codec;
            formats.iter().filter(move |known| known.format.codec() == codec).copied()
        };
        self.config.codecs.iter().flat_map(of_codec).collect()
    }

    /// Finds a section for a track of ours, or makes one. Without a codec there is none.
    fn place(&mut self, track: &SentTrack, draw: &mut dyn FnMut() -> u32) {
        let is_free = |media: &MediaSection| {
            media.maker == Maker::Us && media.kind == track.kind && media.sending.is_none()
        };
        let mut sections = self.sections.iter().filter_map(Section::media);
        let vacant = sections.find(|media| is_free(media) && media.has_codec_of(&track.codecs));
        let mid = match vacant {
            Some(vacant) => vacant.mid.clone(),
            None => {
                self.last_mid += 1;
                let mid = format!("{}{}", self.prefix, self.last_mid);
                let vacant = self.vacant(mid.clone(), track.kind, &track.codecs);
                if !vacant.has_codec_of(&track.codecs) {
                    return;
                }
                self.sections.push(Section::Media(Box::new(vacant)));
                mid
            }
        };
        let sending = Sending {
            track: track.track,
            msid: track.msid.clone(),
            ssrc: draw(),
            repair_ssrc: draw(),
            wished: track.codecs.clone(),
            taken: Vec::new(),
        };
        let mut sections = self.sections.iter_mut().filter_map(Section::media_mut);
        if let Some(section) = sections.find(|media| media.mid == mid) {
            section.sending = Some(sending);
        }
    }

    /// A section of ours that nobody sends in, for a track that is best encoded as the first of
    /// these.
    fn vacant(&self, mid: String, kind: MediaKind, first: &[Codec]) -> MediaSection {
        let rest = self.config.codecs.iter().filter(|codec| !first.contains(codec));
        let known = first.iter().filter(|codec| self.config.codecs.contains(codec)).chain(rest);
        let all = self.types.proposed(&Format::ALL);
        let formats = known.flat_map(|codec| {
            all.iter().filter(move |numbered| numbered.format.codec() == *codec).copied()
        });
        let formats: Vec<Numbered> =
            formats.filter(|numbered| numbered.format.kind() == kind).collect();
        let label = Label {
            kind: kind.to_string(),
            transport: "UDP/TLS/RTP/SAVPF".to_owned(),
            format: formats.first().map_or(0, |first| first.number).to_string(),
            rtpmap: formats.first().map(|first| first.format.rtpmap()),
        };
        MediaSection {
            mid,
            kind,
            maker: Maker::Us,
            label,
            formats,
            extensions: self.ids.proposed(),
            feedback: Feedback::of_kind(kind),
            sending: None,
            receiving: None,
            past: Past::Unused,
            invites: false,
        }
    }

    fn settle_slots(&mut self) {
        let carrying = |media: &&MediaSection| {
            !media.formats.is_empty() && (media.receiving.is_some() || media.sends(Half::Answer))
        };
        let media = || self.sections.iter().filter_map(Section::media);
        let living: Vec<&str> = media().map(|media| &media.mid[..]).collect();
        let used: Vec<(&str, MediaKind)> =
            media().filter(carrying).map(|media| (&media.mid[..], media.kind)).collect();
        self.slots.settle(&living, &used);
    }
}

/// What is there for the sections of an offer.
#[derive(Clone, Copy, Debug)]
struct Means {
    /// Whether the connection can carry audio and video.
    can_carry: bool,
    /// How many of the sections that come later are received.
    reserved: usize,
}

/// What names of sections begin with that the two sides of a connection make.
const OFFERER: char = 'o';
const ANSWERER: char = 'a';

/// The number in a name that one of ours gave to a section: none is half as great as it could be.
fn number_after(prefix: char, mid: &str) -> Option<u32> {
    let number = mid.strip_prefix(prefix)?.parse().ok();
    number.filter(|number| *number < u32::MAX / 2)
}

fn is_named(section: &TheirSection, mid: &str) -> bool {
    matches!(section, TheirSection::Media(media) if media.mid == mid)
}
