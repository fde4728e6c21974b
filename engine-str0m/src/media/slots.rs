//! Where str0m has the sections that it knows of.
//!
//! str0m hears of sections that carry something, in the order in which it learned of them, which is
//! not that of the session. It never forgets one: a section that ended is said to be refused from
//! then on, and another may take its place in a later exchange.

use tristero_proto::media::MediaKind;

/// The places of str0m's sections, behind that of the data channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots(Vec<Slot>);

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) mid: String,
    pub(crate) kind: MediaKind,
    pub(crate) standing: Standing,
}

/// Whether a section lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Live,
    /// It ends with this exchange.
    Ending,
    /// str0m knows that it ended.
    Ended,
}

impl Slots {
    /// Gives a place to each section that carries something for the first time, and notes which ones
    /// ended.
    pub(crate) fn settle(&mut self, living: &[&str], carrying: &[(&str, MediaKind)]) {
        for slot in &mut self.0 {
            slot.standing = match slot.standing {
                Standing::Live if living.contains(&&slot.mid[..]) => Standing::Live,
                Standing::Live => Standing::Ending,
                Standing::Ending | Standing::Ended => Standing::Ended,
            };
        }
        for (mid, kind) in
            carrying.iter().filter(|(mid, _)| !self.is_known(mid)).collect::<Vec<_>>()
        {
            let slot = Slot { mid: (*mid).to_owned(), kind: *kind, standing: Standing::Live };
            match self.0.iter_mut().find(|slot| slot.standing == Standing::Ended) {
                Some(ended) => *ended = slot,
                None => self.0.push(slot),
            }
        }
    }

    /// All of them in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter()
    }

    /// Whether str0m knows of a section that lives.
    pub(crate) fn is_live(&self, mid: &str) -> bool {
        self.0.iter().any(|slot| slot.mid == mid && slot.standing == Standing::Live)
    }

    /// Whether str0m knows the name as that of a section that ended, and would mistake another one
    /// for it.
    pub(crate) fn is_spent(&self, mid: &str) -> bool {
        self.is_known(mid) && !self.is_live(mid)
    }

    fn is_known(&self, mid: &str) -> bool {
        self.0.iter().any(|slot| slot.mid == mid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(slots: &Slots) -> Vec<(&str, Standing)> {
        slots.iter().map(|slot| (&slot.mid[..], slot.standing)).collect()
    }

    #[test]
    fn a_place_is_taken_again_once_its_end_was_told() {
        let mut slots = Slots::default();
        let (a, b, c) = (("1", MediaKind::Audio), ("2", MediaKind::Video), ("3", MediaKind::Audio));
        slots.settle(&["1", "2"], &[a, b]);
        assert_eq!(names(&slots), [("1", Standing::Live), ("2", Standing::Live)]);
        // It ends, and its place can't be taken at once.
        slots.settle(&["2", "3"], &[b, c]);
        let expected = [("1", Standing::Ending), ("2", Standing::Live), ("3", Standing::Live)];
        assert_eq!(names(&slots), expected);
        assert!(slots.is_spent("1") && slots.is_live("2"));
        slots.settle(&["2", "3", "4"], &[b, c, ("4", MediaKind::Video)]);
        let expected = [("4", Standing::Live), ("2", Standing::Live), ("3", Standing::Live)];
        assert_eq!(names(&slots), expected);
        assert!(!slots.is_spent("1"), "nobody remembers it");
        // What carries nothing for a while keeps its place.
        slots.settle(&["2", "3", "4"], &[]);
        assert_eq!(names(&slots), expected);
    }
}
