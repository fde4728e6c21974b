use serde_json::Value;
use tristero_proto::crypto::Topic;
use tristero_proto::signaling::{
    BulkOffers, LinkFrame, Publication, RelaySession, RelayUrl, SessionInput, SessionOutput,
    SessionTerms, Strategy as _, Subscription,
};
use tristero_proto::strategies::Torrent;
use tristero_proto::testing::session_terms;
use tristero_proto::wire::{OfferId, Signal, SignalBody};
use tristero_proto::{PeerId, Time};

use crate::capture::{Capture, Kinds, text};

const NAMES: [&str; 8] = [
    "aquatic_ws-open",
    "aquatic_ws-passive",
    "aquatic_ws-password-secret",
    "aquatic_ws-wrong-password",
    "bittorrent-tracker-open",
    "bittorrent-tracker-passive",
    "bittorrent-tracker-password-secret",
    "bittorrent-tracker-wrong-password",
];

fn session(capture: &Capture, self_id: &str) -> Box<dyn RelaySession> {
    let terms = session_terms(RelayUrl::web_socket("ws://localhost").unwrap());
    let self_id = PeerId::new(self_id).unwrap();
    let mut session = Torrent.session(SessionTerms { self_id, ..terms });
    session.handle_input(SessionInput::Opened, Time::ZERO);
    let (topic, root) = (&capture.root(), &capture.root());
    session.handle_input(SessionInput::Subscribe(Subscription { topic, root }), Time::ZERO);
    while session.poll_output().is_some() {}
    session
}

#[test]
fn all_that_two_trackers_send_is_read() {
    for name in NAMES {
        let (mut kinds, capture) =
            (Kinds::default(), Capture::read(&format!("torrent/{name}.jsonl")));
        for frame in ["A", "B"].iter().flat_map(|peer| capture.frames(peer, "s2c")) {
            kinds.hear(&capture, &mut *session(&capture, "self"), frame);
        }
        kinds.assert_at_least(1, &["offer"]);
        if !name.ends_with("wrong-password") {
            kinds.assert_at_least(1, &["answer"]);
        }
    }
}

#[test]
fn what_is_sent_to_a_tracker_is_the_same_text() {
    for name in NAMES {
        let capture = Capture::read(&format!("torrent/{name}.jsonl"));
        for row in capture.rows.iter().filter(|row| row["dir"] == "c2s") {
            let frame: Value = serde_json::from_str(text(row, "text")).unwrap();
            let mut session = session(&capture, text(&frame, "peer_id"));
            if frame["answer"].is_object() {
                answer(&capture, &mut *session, &frame);
            } else {
                offer(&capture, &mut *session, &frame);
            }
            let theirs = LinkFrame::Text(text(row, "text").to_owned());
            assert_eq!(session.poll_output(), Some(SessionOutput::Send(theirs)));
        }
    }
}

fn offer(capture: &Capture, session: &mut dyn RelaySession, frame: &Value) {
    let offer = |offer: &Value| {
        let sealed = text(&offer["offer"], "sdp").to_owned();
        (OfferId::from_wire(text(offer, "offer_id")).unwrap(), sealed)
    };
    let offers: Vec<_> = frame["offers"].as_array().unwrap().iter().map(offer).collect();
    let (root, is_dormant) = (&capture.root(), frame["left"] == 0);
    let offers = BulkOffers { root, offers: &offers, is_dormant };
    session.handle_input(SessionInput::Offer(offers), Time::ZERO);
}

fn answer(capture: &Capture, session: &mut dyn RelaySession, frame: &Value) {
    let to = PeerId::new(text(frame, "to_peer_id")).unwrap();
    let body = SignalBody::Answer {
        offer_id: OfferId::from_wire(text(frame, "offer_id")),
        sealed: text(&frame["answer"], "sdp").to_owned(),
    };
    let from = PeerId::new(text(frame, "peer_id")).unwrap();
    let signal = &Signal { from, is_passive: false, body };
    let topic = &Topic::of_peer(&capture.app_id, &capture.room_id, &to);
    let root = &capture.root();
    let publication = Publication { topic, root, to: Some(&to), signal };
    session.handle_input(SessionInput::Publish(publication), Time::ZERO);
}
