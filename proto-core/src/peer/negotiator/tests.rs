//! One negotiator, and two of them that want things at random.

use std::collections::VecDeque;

use super::*;
use crate::rng::{Rng, Seed};

const T0: Time = Time::ZERO;

fn offered(what: What) -> Negotiator {
    let mut negotiator = Negotiator::default();
    negotiator.want(what);
    assert_eq!(negotiator.next(T0), Some(Next::Propose(what)));
    say(&mut negotiator, false, T0);
    negotiator
}

const ROOM: RoomKey = RoomKey::from_number(1);

/// The engine makes an offer, and there is a room to say it in.
fn say(negotiator: &mut Negotiator, leads: bool, now: Time) {
    assert_eq!(negotiator.on_offer_made("offer".into(), leads, now), Made::Said);
    assert_eq!(negotiator.to_say(now), Some("offer"));
    negotiator.on_said(Some(ROOM), now);
    assert_eq!(negotiator.to_say(now), None);
}

fn millis(millis: u64) -> Time {
    Time::from_millis(millis)
}

#[test]
fn one_offer_is_out_at_most_and_its_answer_is_taken_once() {
    let mut negotiator = offered(What::Restart);
    negotiator.want(What::Restart);
    negotiator.want(What::Media);
    assert_eq!(negotiator.next(T0), None);
    assert!(negotiator.is_asking());
    assert_eq!(negotiator.on_accepted("answer", T0), Some(What::Restart));
    assert!(!negotiator.is_asking());
    assert_eq!(negotiator.on_accepted("again", T0), None, "nobody asked");
    assert_eq!(negotiator.next(T0), Some(Next::Propose(What::Media)), "the restart was out");
    negotiator.on_nothing();
    assert_eq!((negotiator.next(T0), negotiator.poll_timeout()), (None, None));
}

#[test]
fn what_nobody_answers_is_given_up_a_restart_at_once_and_tracks_after_three_times() {
    let mut negotiator = offered(What::Restart);
    let due = negotiator.poll_timeout().unwrap().at;
    let lapsed = Some(Lapsed { what: What::Restart, is_final: true });
    assert_eq!(negotiator.wake(due), lapsed);
    assert_eq!(negotiator.next(due), None);

    let mut negotiator = offered(What::Media);
    let mut lapses = Vec::new();
    while let Some(due) = negotiator.poll_timeout() {
        let lapsed = negotiator.wake(due.at).unwrap();
        lapses.push((due.at.since_epoch().as_secs(), lapsed.is_final));
        if negotiator.next(due.at).is_some() {
            say(&mut negotiator, false, due.at);
        }
    }
    assert_eq!(lapses, [(20, false), (60, false), (140, true)]);
    negotiator.want(What::Media);
    assert!(negotiator.next(T0).is_some(), "another time");
}

#[test]
fn an_answer_that_comes_late_may_be_followed_by_another_to_the_same() {
    let mut negotiator = offered(What::Media);
    let due = negotiator.poll_timeout().unwrap().at;
    assert_eq!(negotiator.wake(due), Some(Lapsed { what: What::Media, is_final: false }));
    assert!(negotiator.next(due).is_some());
    say(&mut negotiator, false, due);
    let now = due + Duration::from_millis(10);
    assert_eq!(negotiator.on_accepted("of the first", now), Some(What::Media));
    assert_eq!(negotiator.poll_timeout(), None, "nothing is wanted");
    negotiator.want(What::Media);
    assert_eq!(negotiator.next(now), None);
    assert_eq!(negotiator.on_accepted("of the second", now), None);
    let rested = negotiator.poll_timeout().unwrap().at;
    assert_eq!(rested, now + Duration::from_secs(1));
    assert!(negotiator.next(rested).is_some());
}

#[test]
fn an_engine_that_makes_no_offer_holds_nothing_up() {
    let mut negotiator = Negotiator::default();
    negotiator.want(What::Restart);
    negotiator.next(T0);
    assert_eq!(negotiator.on_offer("theirs".into(), true, T0), Their::Ignored);
    let due = negotiator.poll_timeout().unwrap().at;
    assert!(negotiator.wake(due).unwrap().is_final);
    assert_eq!(negotiator.next(due), Some(Next::Hear("theirs".into())));
    assert_eq!(
        negotiator.on_offer_made("offer".into(), true, due),
        Made::Dropped,
        "it is too late"
    );
    negotiator.on_numbered(due);
    let due = negotiator.poll_timeout().unwrap().at;
    assert!(negotiator.wake(due).is_some());
}

#[test]
fn an_answer_that_makes_no_sense_has_the_offer_made_once_more() {
    let mut negotiator = offered(What::Media);
    assert_eq!(negotiator.on_nonsense(), Some(Lapsed { what: What::Media, is_final: false }));
    assert!(negotiator.next(T0).is_some());
    say(&mut negotiator, false, T0);
    assert_eq!(negotiator.on_nonsense(), Some(Lapsed { what: What::Media, is_final: true }));
    assert_eq!(negotiator.next(T0), None);
}

#[test]
fn whoever_offered_the_connection_goes_on_with_its_offer() {
    let mut negotiator = offered(What::Media);
    assert_eq!(negotiator.on_offer("theirs".into(), true, T0), Their::Ignored);
    assert!(negotiator.is_asking());
    assert_eq!(negotiator.next(millis(10_000)), None, "they offer it again");
}

#[test]
fn who_answered_the_connection_answers_and_offers_again_restarts_not_for_ever() {
    for what in [What::Restart, What::Media] {
        let mut negotiator = offered(what);
        let mut offers = 1;
        for round in 1..20 {
            let now = millis(round * 1_000);
            let answered = Their::Answered("theirs".into());
            assert_eq!(negotiator.on_offer("theirs".into(), false, now), answered);
            negotiator.on_answered("theirs", now);
            if negotiator.next(now).is_none() {
                break;
            }
            say(&mut negotiator, false, now);
            offers += 1;
        }
        assert_eq!(offers, if what == What::Restart { RESTARTS_MAX } else { 20 });
    }
}

#[test]
fn an_offer_that_waits_is_forgotten_where_the_other_side_gives_it_up() {
    for leads in [false, true] {
        let mut negotiator = Negotiator::default();
        let (first, second) = ("a=ice-ufrag:1", "a=ice-ufrag:2");
        assert_eq!(negotiator.on_offer(first.into(), leads, T0), Their::Answered(first.into()));
        assert!(!negotiator.on_answered(first, T0));
        assert_eq!(negotiator.on_offer(second.into(), leads, T0), Their::Ignored);
        negotiator.want(What::Media);
        assert!(negotiator.next(T0).is_some());
        say(&mut negotiator, leads, T0);
        let next = negotiator.next(millis(1_000));
        assert_eq!(next, (!leads).then(|| Next::Hear(second.into())));
    }
}

#[test]
fn an_offer_whose_room_was_left_is_said_again_where_they_are_and_waits_for_that() {
    let mut negotiator = offered(What::Media);
    negotiator.on_left(RoomKey::from_number(2), T0);
    assert_eq!(negotiator.to_say(millis(10_000)), None, "it was said in another room");
    negotiator.on_left(ROOM, millis(1_000));
    assert_eq!(negotiator.to_say(millis(2_999)), None, "the answer may be on its way");
    assert_eq!(negotiator.poll_timeout().unwrap().at, millis(3_000));
    assert_eq!(negotiator.to_say(millis(3_000)), Some("offer"));
    negotiator.on_said(None, millis(3_000));
    assert_eq!(negotiator.poll_timeout(), None, "nothing is to be done without a room");
    assert_eq!(negotiator.wake(millis(600_000)), None);
    assert_eq!(negotiator.to_say(millis(600_000)), Some("offer"));
    negotiator.on_said(Some(ROOM), millis(600_000));
    assert_eq!(negotiator.poll_timeout().unwrap().at, millis(620_000));
    assert_eq!(negotiator.on_accepted("answer", T0), Some(What::Media));
}

#[test]
fn a_restart_with_a_number_goes_before_all_else() {
    let mut negotiator = offered(What::Media);
    negotiator.on_numbered(T0);
    assert_eq!(negotiator.next(T0), None);
    assert_eq!(negotiator.on_offer("theirs".into(), false, T0), Their::Ignored);
    assert!(!negotiator.is_asking(), "the answer to what was given up means nothing");
    negotiator.on_numbered_over();
    assert_eq!(negotiator.next(T0), None, "it is not made yet");
    assert_eq!(negotiator.on_offer_made("offer".into(), true, T0), Made::Numbered("offer".into()));
    negotiator.on_numbered_over();
    assert_eq!(negotiator.next(T0), Some(Next::Propose(What::Media)));
    // One of theirs takes the draft too.
    say(&mut negotiator, true, T0);
    assert!(negotiator.give_way());
    assert_eq!(negotiator.next(T0), Some(Next::Propose(What::Media)));
}

#[test]
fn what_was_said_before_a_restart_is_stale_after_it() {
    let mut negotiator = Negotiator::default();
    let (old, new) = ("v=0\r\na=ice-ufrag:old\r\n", "v=0\r\na=ice-ufrag:new\r\n");
    assert!(!negotiator.is_stale(old), "nothing is known");
    negotiator.on_restarted(new);
    assert!(negotiator.is_stale(old) && !negotiator.is_stale(new));
}

/// Which offers of a flood, one each 10 ms, are answered, and how many at once.
fn answered(offer: impl Fn(u64) -> String) -> (Vec<u64>, usize) {
    let mut negotiator = Negotiator::default();
    let mut answered = Vec::new();
    for step in 0..1_000 {
        let now = millis(step * 10);
        let held = negotiator.next(now).map(|next| match next {
            Next::Hear(sdp) => sdp,
            Next::Propose(what) => panic!("{what:?}"),
        });
        for sdp in held.into_iter().chain([offer(step)]) {
            if let Their::Answered(sdp) = negotiator.on_offer(sdp, false, now) {
                negotiator.on_answered(&sdp, now);
                answered.push(step);
            }
        }
    }
    let due = negotiator.poll_timeout().unwrap();
    let last = Some(Next::Hear(offer(999)));
    assert_eq!(negotiator.next(due.at), last, "the last is answered in the end");
    let at_once = answered.iter().enumerate().take_while(|(at, step)| *at as u64 == **step);
    let at_once = at_once.count();
    (answered, at_once)
}

#[test]
fn a_flood_of_restarts_is_answered_slowly_and_a_burst_of_tracks_at_once() {
    let (restarts, _) = answered(|step| format!("v=0\r\na=ice-ufrag:{step}\r\n"));
    assert_eq!(restarts, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
    let (tracks, at_once) = answered(|step| format!("v=0\r\na=ice-ufrag:same\r\n{step}"));
    assert_eq!(at_once, 16);
    assert!((50..=56).contains(&tracks.len()), "4 a second after that: {}", tracks.len());
}

/// One side of a connection, and an engine that counts.
#[derive(Default)]
struct Side {
    negotiator: Negotiator,
    leads: bool,
    /// How often tracks were changed, and how many of those changes the other side knows.
    wanted: u64,
    known: u64,
    /// What the engine offers, and whether it has not said so yet.
    draft: Option<u64>,
    is_making: bool,
    inbox: VecDeque<Message>,
}

#[derive(Debug)]
enum Message {
    Offer(u64),
    Answer(u64),
}

impl Side {
    /// Does what is due, and gives what to send.
    fn act(&mut self, now: Time) -> Vec<Message> {
        let mut said = Vec::new();
        assert_eq!(self.negotiator.wake(now), None, "nobody has to wait so long");
        while let Some(next) = self.negotiator.next(now) {
            match next {
                Next::Hear(sdp) => said.extend(self.on_offer(&sdp, now)),
                Next::Propose(_) => {
                    assert_eq!(self.draft, None, "there is one draft");
                    (self.draft, self.is_making) = (Some(self.wanted), true);
                }
            }
        }
        said
    }

    /// The engine says what it offers.
    fn make(&mut self, now: Time) -> Option<Message> {
        if !std::mem::take(&mut self.is_making) {
            return None;
        }
        say(&mut self.negotiator, self.leads, now);
        self.draft.map(Message::Offer)
    }

    fn hear(&mut self, message: &Message, now: Time) -> Option<Message> {
        match message {
            Message::Offer(number) => self.on_offer(&number.to_string(), now),
            Message::Answer(number) => {
                assert!(self.negotiator.is_asking(), "JavaScript would end the connection");
                assert_eq!(self.draft.take(), Some(*number), "it answers what is out");
                self.known = *number;
                self.negotiator.on_accepted("answer", now);
                None
            }
        }
    }

    fn on_offer(&mut self, sdp: &str, now: Time) -> Option<Message> {
        let theirs = self.negotiator.on_offer(sdp.to_owned(), self.leads, now);
        let Their::Answered(sdp) = theirs else { return None };
        (self.draft, self.is_making) = (None, false);
        self.negotiator.on_answered(&sdp, now);
        Some(Message::Answer(sdp.parse().unwrap()))
    }
}

/// Runs two sides that change their tracks `changes` times, in an order that is drawn.
fn play(rng: &mut Rng, changes: usize) {
    let mut sides = [Side { leads: true, ..Side::default() }, Side::default()];
    let (mut now, mut left) = (T0, changes);
    for step in 0.. {
        let at = usize::try_from(rng.below(2)).unwrap();
        let mut said = Vec::new();
        match rng.below(4) {
            0 if left > 0 => {
                left -= 1;
                sides[at].wanted += 1;
                sides[at].negotiator.want(What::Media);
            }
            1 => said.extend(sides[at].make(now)),
            2 => now = now + Duration::from_millis(rng.below(20)),
            _ => {
                let message = sides[at].inbox.pop_front();
                said.extend(message.and_then(|message| sides[at].hear(&message, now)));
            }
        }
        said.extend(sides[at].act(now));
        sides[1 - at].inbox.extend(said);
        let is_done = |side: &Side| side.known == side.wanted && side.inbox.is_empty();
        if left == 0 && sides.iter().all(is_done) && sides.iter().all(|side| side.draft.is_none()) {
            return;
        }
        assert!(step < 100_000, "they never agree");
    }
}

#[test]
fn two_that_change_their_tracks_at_random_agree_in_the_end() {
    let mut rng = Seed::from_number(1).rng("negotiators");
    for _ in 0..10_000 {
        let changes = usize::try_from(rng.below(12)).unwrap();
        play(&mut rng, changes);
    }
    play(&mut rng, 200);
}
