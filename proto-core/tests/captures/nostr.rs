use tristero_proto::signaling::{RelayUrl, Strategy as _};
use tristero_proto::strategies::Nostr;
use tristero_proto::testing::session_terms;

use crate::capture::{Capture, Kinds};

#[test]
fn all_that_four_nostr_relays_send_is_read() {
    for (server, scenarios) in [
        ("nostr-rs-relay", &["open", "passive", "password-secret", "wrong-password"][..]),
        ("py-nostr-relay", &["open", "passive", "password-secret", "wrong-password"]),
        ("npm-nostr-relay-core", &["open"]),
        ("crate-nostr-relay-builder", &["open"]),
    ] {
        let mut kinds = Kinds::default();
        for scenario in scenarios {
            let capture = Capture::read(&format!("nostr/{server}-{scenario}.jsonl"));
            let url = RelayUrl::web_socket("ws://localhost").unwrap();
            let mut session = Nostr.session(session_terms(url));
            for frame in ["A", "B"].iter().flat_map(|peer| capture.frames(peer, "s2c")) {
                kinds.hear(&capture, &mut *session, frame);
            }
        }
        kinds.assert_at_least(1, &["announce", "offer", "answer", "candidate"]);
    }
}
