//! Nothing that a remote sends makes the engine panic or grow.

#![allow(clippy::unwrap_used)]

mod harness;

use std::time::Duration;

use harness::{World, conn, trickle};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use str0m::ice::StunMessage;
use tristero_proto::ConnId;
use tristero_proto::engine::{Datagram, Engine, EngineInput, Path};
use tristero_proto::wire::CandidateInit;

const A: (usize, ConnId) = (0, ConnId::from_number(1));
const B: (usize, ConnId) = (1, ConnId::from_number(2));

/// So many datagrams lost or doubled are survived in any case.
const HARM_MAX: usize = 5;

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    Lost,
    Twice,
    /// The one before it comes after it.
    Late,
}

/// One thing done to a text.
#[derive(Clone, Debug)]
enum Edit {
    DropLine(Index),
    RepeatLine(Index, usize),
    SwapLines(Index, Index),
    /// Puts a line of another description in.
    Insert(Index, Index),
    ChangeByte(Index, u8),
    Cut(Index),
    Stretch(Index, usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let index = any::<Index>;
    let edit = prop_oneof![
        index().prop_map(Edit::DropLine),
        (index(), 1..200_usize).prop_map(|(line, times)| Edit::RepeatLine(line, times)),
        (index(), index()).prop_map(|(a, b)| Edit::SwapLines(a, b)),
        (index(), index()).prop_map(|(at, line)| Edit::Insert(at, line)),
        (index(), any::<u8>()).prop_map(|(at, byte)| Edit::ChangeByte(at, byte)),
        index().prop_map(Edit::Cut),
        (index(), 1..10_000_usize).prop_map(|(at, times)| Edit::Stretch(at, times)),
    ];
    vec(edit, 0..6)
}

fn apply(text: &str, edits: &[Edit]) -> String {
    let mut text = text.to_owned();
    for edit in edits {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        if lines.is_empty() {
            return text;
        }
        match edit {
            Edit::DropLine(at) => {
                lines.remove(at.index(lines.len()));
            }
            Edit::RepeatLine(at, times) => {
                let at = at.index(lines.len());
                let again = vec![lines[at]; *times];
                lines.splice(at..at, again);
            }
            Edit::SwapLines(a, b) => {
                let (a, b) = (a.index(lines.len()), b.index(lines.len()));
                lines.swap(a, b);
            }
            Edit::Insert(at, line) => {
                lines.insert(at.index(lines.len()), FOREIGN_LINES[line.index(FOREIGN_LINES.len())]);
            }
            Edit::ChangeByte(at, byte) => {
                let mut bytes = text.into_bytes();
                let at = at.index(bytes.len());
                bytes[at] = *byte;
                text = String::from_utf8_lossy(&bytes).into_owned();
                continue;
            }
            Edit::Cut(at) => {
                let at = at.index(lines.len());
                lines.truncate(at);
            }
            Edit::Stretch(at, times) => {
                let at = at.index(text.len());
                let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap();
                text.insert_str(at, &"7".repeat(*times));
                continue;
            }
        }
        text = lines.concat();
    }
    text
}

/// Lines of descriptions with media, of other roles, and of nobody.
const FOREIGN_LINES: [&str; 20] = [
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
    "m=application 0 DTLS/SCTP 5000\r\n",
    "a=rtpmap:111 opus/48000/2\r\n",
    "a=simulcast:send a;b;c recv d\r\n",
    "a=ssrc-group:FID 1 1\r\n",
    "a=extmap:255 urn:x\r\n",
    "a=ice-lite\r\n",
    "a=setup:active\r\n",
    "a=setup:passive\r\n",
    "a=setup:holdconn\r\n",
    "a=group:BUNDLE 0 0 1\r\n",
    "a=mid:0\r\n",
    "a=sctp-init:AAAA\r\n",
    "a=max-message-size:18446744073709551615\r\n",
    "a=fingerprint:sha-1 00\r\n",
    "a=ice-ufrag:\r\n",
    "a=ice-ufrag:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
    "a=candidate:1 1 udp 4294967295 10.0.0.2 4000 typ host\r\n",
    "a=candidate:1 1 udp 1 ::ffff:10.0.0.2 4000 typ prflx raddr x rport y\r\n",
];

fn captured() -> Vec<String> {
    let vectors = include_str!("../../proto-core/tests/wire/vectors.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let samples = vectors["liveSamples"].as_array().unwrap();
    let sdp = samples.iter().filter(|s| s["field"] == "offer" || s["field"] == "answer");
    sdp.filter_map(|sample| sample["plaintext"].as_str()).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_offer_is_answered_or_refused(sample: Index, edits in edits()) {
        let mut world = World::new(2);
        let mut samples = captured();
        samples.push(world.offer(0, conn(7), trickle()).unwrap());
        let offer = apply(&samples[sample.index(samples.len())], &edits);
        let now = world.now;
        if world.hosts[1].engine.answer(conn(2), &offer, trickle(), now).is_ok() {
            world.run_for(Duration::from_secs(3));
            world.close(B);
        }
        prop_assert_eq!(world.hosts[1].engine.poll_timeout(), None);
    }

    #[test]
    fn any_answer_is_taken_or_refused(edits in edits()) {
        let mut world = World::new(2);
        let offer = world.offer(0, A.1, trickle()).unwrap();
        let answer = apply(&world.answer(1, B.1, &offer), &edits);
        let now = world.now;
        let _ = world.hosts[0].engine.accept_answer(A.1, &answer, now);
        world.run_for(Duration::from_secs(3));
        world.close(A);
        prop_assert_eq!(world.hosts[0].engine.poll_timeout(), None);
    }

    #[test]
    fn any_candidate_is_taken_or_dropped(
        candidates in vec("(a=)?candidate:[0-9a-z]{1,4} [0-9]{1,3} (udp|tcp|UDP) [0-9]{1,10} \
            ([0-9.]{7,15}|[0-9a-f:]{2,20}|[a-z.]{1,9}) [0-9]{1,5} typ (host|srflx|prflx|relay).{0,40}", 1..20),
        ufrag in proptest::option::of(".{0,9}"),
    ) {
        let mut world = World::new(1);
        let offer = world.offer(0, A.1, trickle()).unwrap();
        world.answer(0, B.1, &offer);
        let now = world.now;
        for candidate in candidates {
            let init = CandidateInit {
                candidate,
                username_fragment: ufrag.clone(),
                ..CandidateInit::default()
            };
            world.hosts[0].engine.add_remote_candidate(A.1, &init, now);
            world.hosts[0].engine.add_remote_candidate(B.1, &init, now);
        }
        world.run_for(Duration::from_secs(3));
    }

    #[test]
    fn damaged_copies_of_all_datagrams_do_not_end_a_connection(
        damages in vec((any::<Index>(), any::<Index>(), any::<u8>(), any::<bool>()), 1..60),
    ) {
        let mut world = World::new(2);
        world.connect(A, B);
        world.assert_delivers(A, B, &[9; 3_000]);
        let sent = world.sent.clone();
        for (which, at, byte, is_cut) in damages {
            let original = &sent[which.index(sent.len())];
            let mut bytes = original.bytes.to_vec();
            let at = at.index(bytes.len());
            if is_cut { bytes.truncate(at) } else { bytes[at] = byte }
            let path = Path { local: original.path.remote, remote: original.path.local };
            let to = usize::from(path.local == world.hosts[1].address);
            let datagram = Datagram { path, ecn: None, bytes: &bytes };
            world.input(to, EngineInput::Datagram(datagram));
        }
        prop_assert!(world.closed(A).is_empty() && world.closed(B).is_empty());
        world.assert_delivers(A, B, b"there");
        world.assert_delivers(B, A, b"and back");
    }

    #[test]
    fn a_network_that_loses_repeats_and_reorders_is_survived(
        fates in vec(prop_oneof![
            3 => Just(Fate::Arrives), 1 => Just(Fate::Lost), 1 => Just(Fate::Twice), 1 => Just(Fate::Late),
        ], 10..60),
    ) {
        let mut world = World::new(2);
        world.negotiate(A, B);
        let (began, mut fates) = (world.now, fates.into_iter());
        let (mut seen, mut harm) = (0, 0);
        while !(world.is_open(A) && world.is_open(B)) {
            while seen < world.sent.len() {
                // Those that nothing was done to yet are the last on the wire.
                let at = world.wire.len() - (world.sent.len() - seen);
                seen += 1;
                let fate = fates.next().unwrap_or(Fate::Arrives);
                harm += usize::from(matches!(fate, Fate::Lost | Fate::Twice));
                match fate {
                    Fate::Late if at > 0 => world.wire.swap(at, at - 1),
                    Fate::Arrives | Fate::Late => {}
                    Fate::Lost => drop(world.wire.remove(at)),
                    Fate::Twice => world.wire.insert(at, world.wire[at].clone()),
                }
            }
            // A server answers so many flights that come again, and then gives up.
            if harm > HARM_MAX && !(world.closed(A).is_empty() && world.closed(B).is_empty()) {
                return Ok(());
            }
            let patience = if harm > HARM_MAX { 60 } else { 25 };
            let end = began + Duration::from_secs(patience);
            prop_assert!(world.step(end), "nothing more happened");
        }
        world.assert_delivers(A, B, b"there");
        world.assert_delivers(B, A, b"and back");
    }

    #[test]
    fn damaged_datagrams_while_connecting_are_survived(
        damages in vec((0..40_usize, any::<Index>(), any::<u8>()), 1..10),
    ) {
        let mut world = World::new(2);
        world.negotiate(A, B);
        let end = world.now + Duration::from_secs(20);
        let mut count = 0;
        while !(world.is_open(A) && world.is_open(B)) && world.step(end) {
            for (_, transmit) in world.wire.iter_mut().skip(1) {
                count += 1;
                if let Some((_, at, byte)) = damages.iter().find(|(when, ..)| *when == count) {
                    let mut bytes = transmit.bytes.to_vec();
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                    transmit.bytes = bytes.into();
                }
            }
        }
        for end in [A, B] {
            world.close(end);
            prop_assert_eq!(world.closed(end).len(), 1);
            prop_assert_eq!(world.hosts[end.0].engine.poll_timeout(), None);
        }
    }
}

#[test]
fn a_client_that_misses_a_part_of_the_servers_flight_asks_for_it_now_and_then() {
    let mut world = World::new(2);
    world.negotiate(A, B);
    let is_flight = |bytes: &[u8]| bytes.starts_with(&[22, 254, 253]);
    let server = world.hosts[1].address;
    let end = world.now + Duration::from_secs(10);
    let flight = loop {
        assert!(world.step(end));
        let mut wire = world.wire.iter_mut().map(|(_, transmit)| transmit);
        if let Some(sent) = wire.find(|s| s.path.local == server && is_flight(&s.bytes)) {
            break sent;
        }
    };
    // The hello stays as it is, and so the client has keys; what comes right after it is damaged.
    let mut bytes = flight.bytes.to_vec();
    let hello = 13 + usize::from(u16::from_be_bytes([bytes[11], bytes[12]]));
    bytes[hello + 8] ^= 1;
    flight.bytes = bytes.into();
    let before = world.sent.len();
    world.run_until(|world| world.is_open(A) && world.is_open(B));
    let count = world.sent.len() - before;
    assert!(count < 40, "{count} datagrams");
}

#[test]
fn a_peer_that_forges_its_address_again_and_again_is_ignored_at_last() {
    let mut world = World::new(2);
    world.connect(A, B);
    let mine = world.hosts[0].address;
    let is_check = |bytes: &[u8]| bytes.starts_with(&[0, 1]);
    let check = world.sent.iter().find(|s| s.path.remote == mine && is_check(&s.bytes)).unwrap();
    let check = check.bytes.to_vec();
    for port in 1..=2_000 {
        world.arrive(0, ([10, 0, 7, 7], port).into(), &check);
    }
    let surplus = world.hosts[0].engine.counters().surplus_paths;
    assert!((1_800..2_000).contains(&surplus), "{surplus}");
    world.run_for(Duration::from_secs(30));
    world.assert_delivers(A, B, b"still here");
}

#[test]
fn a_peer_that_sees_us_at_ever_new_addresses_is_ignored_at_last() {
    let mut world = World::new(2);
    let offer = world.offer(0, A.1, trickle()).unwrap();
    let answer = world.answer(1, B.1, &offer);
    let password = answer.lines().find_map(|line| line.strip_prefix("a=ice-pwd:")).unwrap();
    let password = password.to_owned();
    world.accept(0, A.1, &answer);
    world.run_until(|world| world.is_open(A) && world.is_open(B));
    let mine = world.hosts[0].address;
    let check = world.sent.iter().rfind(|s| s.path.local == mine && s.bytes.starts_with(&[0, 1]));
    let check = check.unwrap().bytes.clone();
    let transaction = StunMessage::parse(&check).unwrap().trans_id();
    let hmac = str0m::crypto::from_feature_flags().sha1_hmac_provider;
    let from = world.hosts[1].address;
    for port in 1..=2_000 {
        let mapped = ([10, 0, 7, 7], port).into();
        let reply = StunMessage::binding_reply(transaction, mapped);
        let mut bytes = [0; 200];
        let key = Some(password.as_bytes());
        let length = reply.to_bytes(key, &mut bytes, |k, parts| hmac.sha1_hmac(k, parts)).unwrap();
        world.arrive(0, from, &bytes[..length]);
    }
    let surplus = world.hosts[0].engine.counters().surplus_paths;
    assert!((1_900..2_000).contains(&surplus), "{surplus}");
    world.run_for(Duration::from_secs(30));
    world.assert_delivers(A, B, b"still here");
}
