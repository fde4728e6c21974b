//! Offers that wait for `/accept`.

use std::collections::BTreeMap;

use tristero_tokio::PeerId;

/// Offers of one peer. One more is rejected.
const PER_PEER_MAX: usize = 8;
/// Offers of all peers. One more is rejected.
const ALL_MAX: usize = 64;

/// See the [module](self). `R` answers one.
#[derive(Debug)]
pub(super) struct OpenOffers<R> {
    /// By the numbers that they are accepted by. None is given twice.
    offers: BTreeMap<u64, Open<R>>,
    last_number: u64,
}

/// An offer.
#[derive(Debug)]
pub(super) struct Open<R> {
    pub(super) peer: PeerId,
    /// What the file is called here.
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) responder: R,
}

/// Why it is not known which offer is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoOffer {
    #[error("nothing is offered to you")]
    None,
    #[error("there is no offer {0}")]
    Unknown(u64),
    #[error("several files are offered; /accept takes the number of one: {0}")]
    Several(String),
}

impl<R> OpenOffers<R> {
    pub(super) fn new() -> Self {
        OpenOffers { offers: BTreeMap::new(), last_number: 0 }
    }

    /// Keeps an offer and gives it a number. It is given back if there are too many.
    pub(super) fn add(&mut self, open: Open<R>) -> Result<u64, Open<R>> {
        let of_peer = self.offers.values().filter(|other| other.peer == open.peer).count();
        if of_peer >= PER_PEER_MAX || self.offers.len() >= ALL_MAX {
            return Err(open);
        }
        self.last_number += 1;
        self.offers.insert(self.last_number, open);
        Ok(self.last_number)
    }

    /// Takes the offer of this number, or the only one.
    pub(super) fn take(&mut self, number: Option<u64>) -> Result<(u64, Open<R>), NoOffer> {
        let number = match (number, self.offers.len()) {
            (Some(number), _) => number,
            (None, 0) => return Err(NoOffer::None),
            (None, 1) => *self.offers.keys().next().expect("there is one"),
            (None, _) => return Err(NoOffer::Several(self.list())),
        };
        let open = self.offers.remove(&number).ok_or(NoOffer::Unknown(number))?;
        Ok((number, open))
    }

    /// Somebody is gone, and with them what they offered.
    pub(super) fn forget(&mut self, peer: &PeerId) {
        self.offers.retain(|_, open| open.peer != *peer);
    }

    fn list(&self) -> String {
        let each = self.offers.iter().map(|(number, open)| format!("{number} is {}", open.name));
        each.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(peer: &str, name: &str) -> Open<()> {
        let (peer, name) = (PeerId::new(peer).unwrap(), name.to_owned());
        Open { peer, name, size: 1, responder: () }
    }

    #[test]
    fn an_offer_is_taken_by_its_number_or_when_it_is_the_only_one() {
        let mut offers = OpenOffers::new();
        assert_eq!(offers.take(None).unwrap_err(), NoOffer::None);
        assert_eq!(offers.add(open("a", "one")).unwrap(), 1);
        assert_eq!(offers.take(None).unwrap().1.name, "one");
        assert_eq!(offers.take(Some(1)).unwrap_err(), NoOffer::Unknown(1));
        assert_eq!(offers.add(open("a", "two")).unwrap(), 2, "a number is not given twice");
        assert_eq!(offers.add(open("b", "three")).unwrap(), 3);
        let several = NoOffer::Several("2 is two, 3 is three".to_owned());
        assert_eq!(offers.take(None).unwrap_err(), several);
        assert_eq!(offers.take(Some(3)).unwrap().1.name, "three");
    }

    #[test]
    fn offers_go_with_who_made_them() {
        let mut offers = OpenOffers::new();
        offers.add(open("a", "one")).unwrap();
        offers.add(open("b", "two")).unwrap();
        offers.forget(&PeerId::new("a").unwrap());
        assert_eq!(offers.take(None).unwrap().1.name, "two");
    }

    #[test]
    fn nobody_fills_the_list() {
        let mut offers = OpenOffers::new();
        for _ in 0..PER_PEER_MAX {
            offers.add(open("greedy", "x")).unwrap();
        }
        assert_eq!(offers.add(open("greedy", "x")).unwrap_err().name, "x");
        for n in PER_PEER_MAX..ALL_MAX {
            offers.add(open(&format!("peer-{n}"), "x")).unwrap();
        }
        assert!(offers.add(open("late", "x")).is_err());
    }
}
