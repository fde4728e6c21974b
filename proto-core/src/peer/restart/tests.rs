//! What two of ours tell each other of restarts, and what a relay makes of it.

use super::*;
use crate::rng::Seed;

fn pair() -> [Restarts; 2] {
    let mut pair = [1, 2].map(|seed| Restarts::new(Seed::from_number(seed).rng("restarts")));
    let secrets = [pair[0].secret(), pair[1].secret()];
    pair[0].on_secret(&secrets[1]);
    pair[1].on_secret(&secrets[0]);
    pair
}

/// What is told over relays, and nothing else is told.
fn told(restarts: &mut Restarts) -> Vec<String> {
    let all = std::iter::from_fn(|| restarts.poll_told());
    all.filter_map(|told| match told {
        Told::Sealed(sealed) => Some(sealed),
        Told::Said(Renegotiation::Candidate { .. }) => None,
        Told::Said(said) => panic!("{said:?}"),
    })
    .collect()
}

/// What is told over the connection, and how much over relays.
fn said(restarts: &mut Restarts) -> (Vec<Renegotiation>, usize) {
    let (mut all, mut sealed) = (Vec::new(), 0);
    while let Some(told) = restarts.poll_told() {
        match told {
            Told::Said(said) => all.push(said),
            Told::Sealed(_) => sealed += 1,
        }
    }
    (all, sealed)
}

impl Restarts {
    fn on_sealed(&mut self, sealed: &str, leads: bool, now: Time) -> Option<Heard> {
        self.hear(self.open(sealed)?, Way::Relays, leads, now)
    }

    fn on_said(&mut self, said: &Renegotiation, leads: bool, now: Time) -> Option<Heard> {
        self.hear(said.clone(), Way::Connection, leads, now)
    }
}

fn candidate(number: u16) -> CandidateInit {
    let candidate = format!("candidate:1 1 udp 1 192.0.2.1 {number} typ host");
    CandidateInit { candidate, ..CandidateInit::default() }
}

const T0: Time = Time::ZERO;

#[test]
fn an_offer_is_told_until_it_is_answered_and_taken_once() {
    let [mut a, mut b] = pair();
    a.on_offer_made("offer".into(), T0);
    let first = told(&mut a);
    assert_eq!(first.len(), 1);
    assert!(a.on_local_candidate(&candidate(1), T0));
    told(&mut a);
    let at = T0 + TELL_AGAIN;
    assert_eq!(a.poll_timeout().map(|due| due.at), Some(at));
    a.wake(at);
    let again = told(&mut a);
    assert_eq!(again.len(), 1);

    let offer = Heard::Offer { number: 1, sdp: "offer".into() };
    assert_eq!(b.on_sealed(&first[0], false, at), Some(offer));
    b.on_answer_made(1, "answer".into(), Way::Relays, at);
    assert!(b.on_local_candidate(&candidate(2), at));
    let answer = told(&mut b);
    for (later, answers) in [(0, 0), (1_000, 1), (1_500, 0), (9_000, 1), (20_000, 0)] {
        let later = at + Duration::from_millis(later);
        assert_eq!(b.on_sealed(&again[0], false, later), None);
        assert_eq!(told(&mut b).len(), answers, "{later:?}");
    }

    // The relay turns the answer and the candidate round.
    assert_eq!(a.on_sealed(&answer[1], true, at), None);
    let taken = Heard::Answer { sdp: "answer".into(), early: vec![candidate(2)] };
    assert_eq!(a.on_sealed(&answer[0], true, at), Some(taken));
    assert_eq!(a.on_sealed(&answer[0], true, at), None);
    assert_eq!(a.poll_timeout(), None);
    assert!(a.on_local_candidate(&candidate(3), at));
    assert!(!a.on_local_candidate(&candidate(4), at + SETTLES_IN), "there is a path by now");
}

#[test]
fn of_two_offers_at_once_the_leaders_stands() {
    let [mut a, mut b] = pair();
    a.on_offer_made("a".into(), T0);
    b.on_offer_made("b".into(), T0);
    let (of_a, of_b) = (told(&mut a), told(&mut b));
    assert_eq!(a.on_sealed(&of_b[0], true, T0), None);
    let offer = Heard::Offer { number: 1, sdp: "a".into() };
    assert_eq!(b.on_sealed(&of_a[0], false, T0), Some(offer));
    b.on_answer_made(1, "answer".into(), Way::Relays, T0);
    let answer = told(&mut b);
    assert!(matches!(a.on_sealed(&answer[0], true, T0), Some(Heard::Answer { .. })));
    let later = T0 + TAKE_PAUSE;
    assert_eq!(a.on_sealed(&of_b[0], true, later), None, "b has given it up");
    assert!(told(&mut a).is_empty());
}

#[test]
fn who_moves_before_its_answer_arrived_is_heard_in_the_end() {
    let [mut a, mut b] = pair();
    a.on_offer_made("a".into(), T0);
    let of_a = told(&mut a);
    assert!(b.on_sealed(&of_a[0], false, T0).is_some());
    b.on_answer_made(1, "lost".into(), Way::Relays, T0);
    told(&mut b);
    b.on_offer_made("b".into(), T0);
    let of_b = told(&mut b);
    assert_eq!(a.on_sealed(&of_b[0], true, T0), None, "it goes on with its own");
    let at = T0 + TELL_AGAIN;
    a.wake(at);
    assert_eq!(b.on_sealed(&told(&mut a)[0], false, at), None);
    let answer = told(&mut b);
    assert!(matches!(a.on_sealed(&answer[0], true, at), Some(Heard::Answer { .. })));
    b.wake(at);
    let offer = Heard::Offer { number: 2, sdp: "b".into() };
    assert_eq!(a.on_sealed(&told(&mut b)[0], true, at), Some(offer));
}

#[test]
fn an_offer_that_nobody_answers_is_told_a_few_times() {
    let [mut a, _] = pair();
    a.on_offer_made("offer".into(), T0);
    let mut tells = told(&mut a).len();
    while let Some(due) = a.poll_timeout() {
        a.wake(due.at);
        tells += told(&mut a).len();
    }
    assert_eq!(tells, 5);
}

#[test]
fn restarts_are_taken_one_by_one() {
    let [mut a, mut b] = pair();
    let mut taken = 0;
    for step in 0..60 {
        let now = T0 + Duration::from_millis(step * 100);
        a.on_offer_made("offer".into(), now);
        for sealed in told(&mut a) {
            if let Some(Heard::Offer { number, .. }) = b.on_sealed(&sealed, false, now) {
                b.on_answer_made(number, "answer".into(), Way::Relays, now);
                taken += 1;
            }
        }
    }
    assert_eq!(taken, 2);
}

#[test]
fn what_is_old_or_sealed_by_somebody_else_is_nothing() {
    let [mut a, mut b] = pair();
    let [mut stranger, _] = pair();
    a.on_offer_made("first".into(), T0);
    let first = told(&mut a);
    a.on_offer_made("second".into(), T0);
    let second = told(&mut a);
    assert!(b.on_sealed(&second[0], false, T0).is_some());
    b.on_answer_made(2, "answer".into(), Way::Relays, T0);
    assert_eq!(b.on_sealed(&first[0], false, T0), None, "a relay replays it");
    assert_eq!(a.on_sealed(&second[0], false, T0), None, "a relay says it back");
    for forged in ["", "1,2$AA==", &first[0][1..]] {
        assert_eq!(b.on_sealed(forged, false, T0), None);
    }
    stranger.on_secret(&stranger.secret());
    stranger.on_offer_made("offer".into(), T0);
    let forged = told(&mut stranger);
    assert_eq!(b.on_sealed(&forged[0], false, T0), None);
}

#[test]
fn without_a_secret_nothing_is_told() {
    let mut alone = Restarts::new(Seed::from_number(1).rng("restarts"));
    assert!(!alone.is_possible());
    for _ in 0..10 {
        alone.on_offer_made("offer".into(), T0);
    }
    assert!(told(&mut alone).is_empty() && alone.told.is_empty());
}

#[test]
fn while_the_path_lives_no_relay_is_needed() {
    let [mut a, mut b] = pair();
    assert!(a.want(Way::Connection, T0));
    a.on_offer_made("offer".into(), T0);
    let (offer, sealed) = said(&mut a);
    assert_eq!((offer.len(), sealed), (1, 0));
    let heard = Heard::Offer { number: 1, sdp: "offer".into() };
    assert_eq!(b.on_said(&offer[0], false, T0), Some(heard));
    b.on_answer_made(1, "answer".into(), Way::Connection, T0);
    let (answer, sealed) = said(&mut b);
    assert_eq!((answer.len(), sealed), (1, 0));
    assert!(matches!(a.on_said(&answer[0], true, T0), Some(Heard::Answer { .. })));
    assert_eq!(a.poll_timeout(), None);
    assert!(a.want(Way::Connection, T0), "it is over");
}

#[test]
fn an_offer_that_the_end_of_the_path_met_is_told_over_relays_and_taken_once() {
    let [mut a, mut b] = pair();
    a.want(Way::Connection, T0);
    a.on_offer_made("offer".into(), T0);
    let (offer, _) = said(&mut a);
    assert!(b.on_said(&offer[0], false, T0).is_some());
    b.on_answer_made(1, "answer".into(), Way::Connection, T0);
    let (lost, _) = said(&mut b);
    let at = T0 + Duration::from_millis(500);
    assert!(a.on_local_candidate(&candidate(1), at));
    said(&mut a);
    assert!(!a.want(Way::Relays, at), "it is the same restart");
    let again = told(&mut a);
    assert_eq!(again.len(), 1);
    assert_eq!(b.on_sealed(&again[0], false, at), None);
    let answer = told(&mut b);
    let taken = a.on_sealed(&answer[0], true, at);
    assert!(matches!(taken, Some(Heard::Answer { .. })), "{taken:?}");
    assert_eq!(a.on_said(&lost[0], true, at), None, "it comes late after all");
}

#[test]
fn what_nobody_answers_is_told_both_ways_and_given_up() {
    let [mut a, _] = pair();
    a.want(Way::Connection, T0);
    a.on_offer_made("offer".into(), T0);
    let (mut offers, mut sealed, mut ends) = (0, 0, 0);
    loop {
        let (more, more_sealed) = said(&mut a);
        (offers, sealed) = (offers + more.len(), sealed + more_sealed);
        let Some(due) = a.poll_timeout() else { break };
        assert!(!a.want(Way::Connection, due.at), "one is out");
        ends += usize::from(a.wake(due.at));
    }
    assert_eq!((offers, sealed, ends), (5, 4, 1));
    assert!(!a.on_local_candidate(&candidate(1), T0), "there is no restart any more");
}

#[test]
fn a_flood_over_the_connection_is_taken_as_slowly_as_one_over_relays() {
    let [_, mut b] = pair();
    let (mut taken, mut answers) = (0, 0);
    for step in 0..6_000 {
        let now = T0 + Duration::from_millis(step);
        let said_twice = Renegotiation::Offer { number: step + 1, sdp: "offer".into() };
        for _ in 0..2 {
            if let Some(Heard::Offer { number, .. }) = b.on_said(&said_twice, false, now) {
                b.on_answer_made(number, "answer".into(), Way::Connection, now);
                taken += 1;
            }
        }
        answers += said(&mut b).0.len();
    }
    assert_eq!((taken, answers), (2, 2));
}

#[test]
fn an_offer_that_was_given_up_and_comes_late_is_nothing() {
    let [mut a, mut b] = pair();
    a.want(Way::Connection, T0);
    a.on_offer_made("a".into(), T0);
    let (late, _) = said(&mut a);
    b.want(Way::Relays, T0);
    b.on_offer_made("b".into(), T0);
    // b has the smaller id and has not heard of a's.
    assert!(a.on_sealed(&told(&mut b)[0], false, T0).is_some());
    a.on_answer_made(1, "answer".into(), Way::Relays, T0);
    let answer = told(&mut a);
    assert!(matches!(b.on_sealed(&answer[0], true, T0), Some(Heard::Answer { .. })));
    let later = T0 + TAKE_PAUSE;
    assert_eq!(b.on_said(&late[0], true, later), None);
    a.want(Way::Connection, later);
    a.on_offer_made("another".into(), later);
    assert!(b.on_said(&said(&mut a).0[0], true, later).is_some());
}
