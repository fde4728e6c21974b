//! Offers of a room that are for anyone, as trackers pass them round.
//!
//! An offer is made ahead, and announced over all trackers until someone claims it with an answer
//! or it is too old.
//!
//! spec: docs/protocol.md, section 9, "BitTorrent"

use std::collections::BTreeMap;
use std::time::Duration;

use super::session::ATTEMPT_TTL;
use crate::ids::ConnId;
use crate::time::{Deadline, Time};
use crate::wire::OfferId;

/// How many offers are announced at once.
const OFFERS: usize = 3;
/// An offer that nobody claimed is given up after this long, as Trystero does.
const OFFER_TTL: Duration = Duration::from_secs(120);
/// An offer older than this is not announced any more, so that whoever hears of it has the time to
/// answer.
const ANNOUNCED_FOR: Duration = OFFER_TTL.saturating_sub(ATTEMPT_TTL);

/// Whoever answers an offer does so within this long after it was announced, as a rule.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct OfferPool {
    offers: BTreeMap<OfferId, Pooled>,
    last_announced: Option<Time>,
}

#[derive(Debug)]
struct Pooled {
    conn: ConnId,
    /// The sealed description, once the engine has it.
    sealed: Option<String>,
    made: Time,
    /// Whether anyone may have heard of it.
    is_announced: bool,
}

impl OfferPool {
    /// How many offers are to be made so that enough can be announced.
    pub(super) fn missing(&self, now: Time) -> usize {
        let fresh = self.offers.values().filter(|offer| offer.is_fresh(now)).count();
        OFFERS.saturating_sub(fresh)
    }

    /// Adds an offer that is being made.
    pub(super) fn add(&mut self, offer_id: OfferId, conn: ConnId, now: Time) {
        let pooled = Pooled { conn, sealed: None, made: now, is_announced: false };
        self.offers.insert(offer_id, pooled);
    }

    /// The engine has the description of an offer; `seal` is called if that is still wanted.
    pub(super) fn describe(&mut self, conn: ConnId, seal: impl FnOnce() -> String) {
        if let Some(offer) = self.offers.values_mut().find(|offer| offer.conn == conn) {
            offer.sealed = Some(seal());
        }
    }

    /// Whether no offer that is to be announced is still being made.
    pub(super) fn is_ready(&self) -> bool {
        self.offers.values().all(|offer| offer.sealed.is_some())
    }

    /// What to announce.
    pub(super) fn announced(&mut self, now: Time) -> Vec<(OfferId, String)> {
        self.last_announced = Some(now);
        let fresh = self.offers.iter_mut().filter(|(_, offer)| offer.is_fresh(now));
        let described = fresh.filter_map(|(id, offer)| {
            let sealed = offer.sealed.clone()?;
            offer.is_announced = true;
            Some((id.clone(), sealed))
        });
        described.take(OFFERS).collect()
    }

    /// Whether someone may be about to answer.
    pub(super) fn is_out(&self, now: Time) -> bool {
        let is_recent = |at| now.since(at) < ANSWERED_WITHIN;
        self.last_announced.is_some_and(is_recent)
            && self.offers.values().any(|offer| offer.is_announced)
    }

    /// Whether an offer is here that may be answered.
    pub(super) fn has(&self, offer_id: &OfferId) -> bool {
        self.offers.get(offer_id).is_some_and(|offer| offer.is_announced)
    }

    /// Takes an offer out, because someone answered it.
    pub(super) fn claim(&mut self, offer_id: &OfferId) -> Option<ConnId> {
        self.offers.remove(offer_id).map(|offer| offer.conn)
    }

    /// Forgets an offer whose connection is gone.
    pub(super) fn on_closed(&mut self, conn: ConnId) {
        self.offers.retain(|_, offer| offer.conn != conn);
    }

    /// Takes the offers out that are too old.
    pub(super) fn expire(&mut self, now: Time) -> Vec<ConnId> {
        let (old, kept) = std::mem::take(&mut self.offers)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, offer)| offer.made + OFFER_TTL <= now);
        self.offers = kept;
        old.into_values().map(|offer| offer.conn).collect()
    }

    /// Takes all offers out.
    pub(super) fn clear(&mut self) -> Vec<ConnId> {
        std::mem::take(&mut self.offers).into_values().map(|offer| offer.conn).collect()
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        let oldest = self.offers.values().map(|offer| offer.made).min()?;
        Some(Deadline::new(oldest + OFFER_TTL, "give offers for anyone up"))
    }
}

impl Pooled {
    fn is_fresh(&self, now: Time) -> bool {
        now.since(self.made) < ANNOUNCED_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> OfferId {
        OfferId::from_wire(&number.to_string()).unwrap()
    }

    fn pool(now: Time) -> OfferPool {
        let mut pool = OfferPool::default();
        for number in 0..pool.missing(now) {
            let conn = ConnId(number.try_into().unwrap());
            pool.add(id(number), conn, now);
            assert!(!pool.is_ready());
            pool.describe(conn, || format!("sdp {number}"));
        }
        pool
    }

    #[test]
    fn an_offer_is_announced_again_until_it_is_claimed_and_replaced() {
        let mut pool = pool(Time::ZERO);
        assert!(!pool.is_out(Time::ZERO) && !pool.has(&id(0)), "nobody has heard of it");
        let announced = pool.announced(Time::ZERO);
        assert!(pool.is_out(Time::from_millis(4_999)) && !pool.is_out(Time::from_millis(5_000)));
        assert_eq!(announced.len(), 3);
        assert_eq!(pool.announced(Time::from_millis(60_000)), announced);
        assert_eq!(pool.claim(&id(1)), Some(ConnId(1)));
        assert_eq!(pool.claim(&id(1)), None, "it is claimed once");
        assert_eq!(pool.missing(Time::from_millis(60_000)), 1);
    }

    #[test]
    fn an_old_offer_is_not_announced_and_may_still_be_answered_for_a_while() {
        let mut pool = pool(Time::ZERO);
        pool.announced(Time::ZERO);
        let old = Time::ZERO + ANNOUNCED_FOR;
        assert_eq!(pool.announced(old), []);
        assert_eq!(pool.missing(old), 3);
        assert!(pool.has(&id(0)));
        assert_eq!(pool.expire(old), []);
        assert_eq!(pool.poll_timeout().unwrap().at, Time::ZERO + OFFER_TTL);
        assert_eq!(pool.expire(Time::ZERO + OFFER_TTL).len(), 3);
        assert_eq!(pool.poll_timeout(), None);
    }
}
