//! Offers of a room that are for anyone, as trackers pass them round.
//!
//! An offer is made for an announce, which a tracker passes on to one peer. It is announced again
//! only when that peer would have answered, so that no two peers answer the same.
//!
//! spec: docs/protocol.md, section 9, "BitTorrent"

use std::collections::BTreeMap;
use std::time::Duration;

use super::session::ATTEMPT_TTL;
use crate::ids::ConnId;
use crate::limits;
use crate::time::{Deadline, Time};
use crate::wire::OfferId;

/// How many offers an announce has.
const OFFERS: usize = 3;
/// An offer is given up after this long at the latest, as Trystero does.
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
}

#[derive(Debug)]
struct Pooled {
    conn: ConnId,
    /// The sealed description, once the engine has it.
    sealed: Option<String>,
    made: Time,
    /// When it was announced last.
    announced: Option<Time>,
}

impl OfferPool {
    /// How many offers are to be made for so many announces.
    pub(super) fn missing(&self, announces: usize, now: Time) -> usize {
        let free = self.offers.values().filter(|offer| offer.is_free(now)).count();
        (OFFERS * announces)
            .saturating_sub(free)
            .min(limits::POOLED_OFFERS_MAX.saturating_sub(self.offers.len()))
    }

    /// Adds an offer that is being made.
    pub(super) fn add(&mut self, offer_id: OfferId, conn: ConnId, now: Time) {
        let pooled = Pooled { conn, sealed: None, made: now, announced: None };
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

    /// What one announce has: what nobody has heard of, or not for the longest time.
    pub(super) fn announce(&mut self, now: Time) -> Vec<(OfferId, String)> {
        let mut fresh: Vec<_> =
            self.offers.iter_mut().filter(|(_, offer)| offer.is_fresh(now)).collect();
        fresh.sort_by_key(|(_, offer)| offer.announced);
        let described = fresh.into_iter().filter_map(|(id, offer)| {
            let sealed = offer.sealed.clone()?;
            offer.announced = Some(now);
            Some((id.clone(), sealed))
        });
        described.take(OFFERS).collect()
    }

    /// Until when someone may be about to answer, if that lies ahead.
    pub(super) fn is_out_until(&self, now: Time) -> Option<Time> {
        let last = self.offers.values().filter_map(|offer| offer.announced).max()?;
        Some(last + ANSWERED_WITHIN).filter(|until| now < *until)
    }

    /// Whether an offer is here that may be answered.
    pub(super) fn has(&self, offer_id: &OfferId) -> bool {
        self.offers.get(offer_id).is_some_and(|offer| offer.announced.is_some())
    }

    /// Takes an offer out, because someone answered it.
    pub(super) fn claim(&mut self, offer_id: &OfferId) -> Option<ConnId> {
        self.offers.remove(offer_id).map(|offer| offer.conn)
    }

    /// Forgets an offer whose connection is gone.
    pub(super) fn on_closed(&mut self, conn: ConnId) {
        self.offers.retain(|_, offer| offer.conn != conn);
    }

    /// Takes the offers out that nobody will answer any more.
    pub(super) fn expire(&mut self, now: Time) -> Vec<ConnId> {
        let (old, kept) = std::mem::take(&mut self.offers)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, offer)| offer.expires() <= now);
        self.offers = kept;
        old.into_values().map(|offer| offer.conn).collect()
    }

    /// Takes all offers out.
    pub(super) fn clear(&mut self) -> Vec<ConnId> {
        std::mem::take(&mut self.offers).into_values().map(|offer| offer.conn).collect()
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        let first = self.offers.values().map(Pooled::expires).min()?;
        Some(Deadline::new(first, "give offers for anyone up"))
    }
}

impl Pooled {
    fn is_fresh(&self, now: Time) -> bool {
        now.since(self.made) < ANNOUNCED_FOR
    }

    /// Whether nobody will answer it who has heard of it.
    fn is_free(&self, now: Time) -> bool {
        let is_over = |at| now.since(at) >= ANSWERED_WITHIN;
        self.is_fresh(now) && self.announced.is_none_or(is_over)
    }

    /// An offer that went out is of no use once an attempt by it would have been given up.
    fn expires(&self) -> Time {
        let answered_until = self.announced.map(|at| at + ATTEMPT_TTL);
        answered_until.map_or(self.made + OFFER_TTL, |until| until.min(self.made + OFFER_TTL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> OfferId {
        OfferId::from_wire(&number.to_string()).unwrap()
    }

    fn ids(announced: &[(OfferId, String)]) -> Vec<&str> {
        announced.iter().map(|(id, _)| id.as_str()).collect()
    }

    /// Makes what so many announces lack.
    fn fill(pool: &mut OfferPool, announces: usize, now: Time) {
        let first = pool.offers.len();
        for number in first..first + pool.missing(announces, now) {
            let conn = ConnId(number.try_into().unwrap());
            pool.add(id(number), conn, now);
            assert!(!pool.is_ready());
            pool.describe(conn, || format!("sdp {number}"));
        }
    }

    #[test]
    fn an_offer_is_claimed_once_and_after_it_was_announced() {
        let mut pool = OfferPool::default();
        fill(&mut pool, 1, Time::ZERO);
        assert_eq!(pool.is_out_until(Time::ZERO), None);
        assert!(!pool.has(&id(0)), "nobody has heard of it");
        assert_eq!(ids(&pool.announce(Time::ZERO)), ["0", "1", "2"]);
        let until = Time::from_millis(5_000);
        assert_eq!(pool.is_out_until(Time::from_millis(4_999)), Some(until));
        assert_eq!(pool.is_out_until(until), None);
        assert_eq!(pool.claim(&id(1)), Some(ConnId(1)));
        assert_eq!(pool.claim(&id(1)), None);
        assert_eq!(pool.missing(1, until), 1);
    }

    #[test]
    fn announces_in_a_row_have_offers_of_their_own_and_a_later_one_has_them_again() {
        let mut pool = OfferPool::default();
        fill(&mut pool, 2, Time::ZERO);
        assert_eq!(ids(&pool.announce(Time::ZERO)), ["0", "1", "2"]);
        assert_eq!(ids(&pool.announce(Time::ZERO)), ["3", "4", "5"]);
        assert_eq!(pool.missing(1, Time::from_millis(4_999)), 3);
        assert_eq!(pool.missing(1, Time::from_millis(5_000)), 0);
        assert_eq!(ids(&pool.announce(Time::from_millis(5_000))), ["0", "1", "2"]);
        assert_eq!(ids(&pool.announce(Time::from_millis(10_000))), ["3", "4", "5"]);
    }

    #[test]
    fn a_full_pool_announces_the_oldest_again() {
        let mut pool = OfferPool::default();
        for second in 0..limits::POOLED_OFFERS_MAX / OFFERS {
            let now = Time::from_millis(second as u64 * 100);
            fill(&mut pool, 1, now);
            pool.announce(now);
        }
        let now = Time::from_millis(2_000);
        assert_eq!(pool.missing(1, now), 0);
        assert_eq!(ids(&pool.announce(now)), ["0", "1", "2"]);
    }

    #[test]
    fn an_old_offer_is_not_announced_and_may_still_be_answered_for_a_while() {
        let mut pool = OfferPool::default();
        fill(&mut pool, 1, Time::ZERO);
        for second in (0..=90).step_by(10) {
            assert_eq!(pool.announce(Time::from_millis(second * 1_000)).len(), 3);
        }
        let old = Time::ZERO + ANNOUNCED_FOR;
        assert_eq!(pool.announce(old), []);
        assert_eq!(pool.missing(1, old), 3);
        assert!(pool.has(&id(0)));
        assert_eq!(pool.expire(old), []);
        let end = Time::from_millis(90_000) + ATTEMPT_TTL;
        assert_eq!(pool.poll_timeout().unwrap().at, end);
        assert_eq!(pool.expire(end).len(), 3);
        assert_eq!(pool.poll_timeout(), None);
    }
}
