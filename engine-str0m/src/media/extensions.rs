//! Header extensions of RTP that we speak, and the numbers that packets name them by.
//!
//! As with payload types a number means one thing on a whole connection. Only three are of use: the
//! name of the section, without which nobody knows what a packet belongs to, and two that rates are
//! estimated by. Orientation in particular is left out: who may not say it turns its pictures.
//!
//! spec: RFC 8285

/// A header extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extension {
    /// When a packet was sent.
    AbsoluteSendTime,
    /// The number of a packet on the whole connection.
    TransportSequence,
    /// The section that it belongs to.
    Mid,
}

impl Extension {
    pub(crate) const ALL: [Extension; 3] =
        [Extension::AbsoluteSendTime, Extension::TransportSequence, Extension::Mid];

    pub(crate) const fn uri(self) -> &'static str {
        match self {
            Extension::AbsoluteSendTime => {
                "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
            }
            Extension::TransportSequence => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Extension::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
        }
    }

    pub(crate) fn from_uri(uri: &str) -> Option<Self> {
        Extension::ALL.into_iter().find(|extension| extension.uri() == uri)
    }

    /// The number that Chromium gives it.
    const fn usual_id(self) -> u8 {
        match self {
            Extension::AbsoluteSendTime => 2,
            Extension::TransportSequence => 3,
            Extension::Mid => 4,
        }
    }
}

/// The extensions of a connection by their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExtensionIds {
    known: Vec<(Extension, u8)>,
    /// A bit for each number that the other side ever gave a meaning.
    mentioned: u32,
}

impl ExtensionIds {
    /// Notes that the other side uses a number, for whatever.
    pub(crate) fn mention(&mut self, id: u8) {
        self.mentioned |= bit(id);
    }

    /// Takes what the other side says; false if it contradicts what is known.
    pub(crate) fn adopt(&mut self, extension: Extension, id: u8) -> bool {
        let is_usable = (1..=ID_MAX).contains(&id);
        match self.known.iter().find(|known| known.0 == extension || known.1 == id) {
            Some(known) => *known == (extension, id),
            None if is_usable => {
                self.known.push((extension, id));
                true
            }
            None => false,
        }
    }

    /// What the extensions are called in an offer of ours: as they are known, or else as nothing
    /// else is.
    pub(crate) fn proposed(&self) -> Vec<(Extension, u8)> {
        let mut used = self.known.iter().fold(self.mentioned, |used, known| used | bit(known.1));
        let numbered = |extension: Extension| {
            if let Some(known) = self.known.iter().find(|known| known.0 == extension) {
                return Some(*known);
            }
            let mut ids = [extension.usual_id()].into_iter().chain(1..=ID_MAX);
            let id = ids.find(|id| used & bit(*id) == 0)?;
            used |= bit(id);
            Some((extension, id))
        };
        Extension::ALL.into_iter().filter_map(numbered).collect()
    }
}

const fn bit(id: u8) -> u32 {
    if id < 32 { 1 << id } else { 0 }
}

/// The highest number that a header of one byte has room for; 15 is reserved.
const ID_MAX: u8 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_means_what_it_meant_first() {
        let mut ids = ExtensionIds::default();
        assert!(ids.adopt(Extension::Mid, 9) && ids.adopt(Extension::Mid, 9));
        assert!(!ids.adopt(Extension::Mid, 4));
        assert!(!ids.adopt(Extension::TransportSequence, 9));
        assert!(!ids.adopt(Extension::TransportSequence, 15));
        assert!(!ids.adopt(Extension::TransportSequence, 0));
    }

    #[test]
    fn what_we_propose_collides_with_nothing_that_was_said() {
        let mut ids = ExtensionIds::default();
        let usual = [
            (Extension::AbsoluteSendTime, 2),
            (Extension::TransportSequence, 3),
            (Extension::Mid, 4),
        ];
        assert_eq!(ids.proposed(), usual);
        ids.adopt(Extension::Mid, 2);
        ids.mention(3);
        ids.mention(255);
        let proposed = ids.proposed();
        assert_eq!(proposed[2], (Extension::Mid, 2));
        assert_eq!(proposed[0], (Extension::AbsoluteSendTime, 1));
        assert_eq!(proposed[1], (Extension::TransportSequence, 4));
        (0..15).for_each(|id| ids.mention(id));
        assert_eq!(ids.proposed(), [(Extension::Mid, 2)]);
    }
}
