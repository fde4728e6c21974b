//! Descriptions of browsers that add audio and video, and what they are answered.

#![allow(clippy::unwrap_used)]

mod harness;

use std::fmt::Write;

use harness::World;
use harness::media::{
    A, B, agree, answer, audio, connected, connected_with, lines, propose, video,
};
use tristero_proto::engine::{DescriptionError, Engine, EngineInput};
use tristero_proto::media::{Codec, MediaConfig, MediaKind, Msid};

/// What Chromium 148 says when a page adds a camera and a microphone, and how it answers two tracks
/// of ours.
const CHROMIUM_ADDS: &str = include_str!("sdp/chromium-adds.txt");
const CHROMIUM_ANSWERS: &str = include_str!("sdp/chromium-answers.txt");

/// The sections of a description beyond that of the data channel.
fn media_of(sdp: &str) -> Vec<String> {
    let mut sections = Vec::new();
    for line in sdp.lines() {
        if line.starts_with("m=") {
            sections.push(String::new());
        }
        if let Some(section) = sections.last_mut() {
            writeln!(section, "{line}").unwrap();
        }
    }
    sections.remove(0);
    sections
}

/// An offer of end A without any sections but that of the data channel.
fn data_alone(world: &mut World) -> String {
    let mut offer = propose(world, A, &[]);
    let now = world.now;
    world.hosts[0].engine.roll_back(A.1, now);
    let media: usize =
        media_of(&offer).iter().map(|section| section.len() + section.lines().count()).sum();
    offer.truncate(offer.len() - media);
    let group = lines(&offer, "a=group:BUNDLE")[0].to_owned();
    let data: Vec<&str> = group.split(' ').take(2).collect();
    offer.replace(&group, &data.join(" "))
}

/// The same with these sections, which all share its transport.
fn offer_with(world: &mut World, sections: &[String]) -> String {
    let data = data_alone(world);
    let mids: String = sections
        .iter()
        .filter(|section| !section.lines().next().unwrap().contains(" 0 UDP/"))
        .map(|section| format!(" {}", lines(section, "a=mid:")[0].trim_start_matches("a=mid:")))
        .collect();
    let group = lines(&data, "a=group:BUNDLE")[0].to_owned();
    data.replace(&group, &format!("{group}{mids}")) + &sections.concat()
}

fn answered(world: &mut World, sections: &[String]) -> String {
    let offer = offer_with(world, sections);
    answer(world, B, &offer).unwrap()
}

fn section(kind: &str, mid: &str, direction: &str) -> String {
    let media = media_of(CHROMIUM_ADDS);
    let of_kind = media.iter().find(|section| section.starts_with(&format!("m={kind}"))).unwrap();
    let old = lines(of_kind, "a=mid:")[0];
    of_kind
        .replace(old, &format!("a=mid:{mid}"))
        .replace("a=sendrecv\n", &format!("a={direction}\n"))
}

fn first_lines(sdp: &str) -> Vec<&str> {
    lines(sdp, "m=").into_iter().skip(1).collect()
}

fn directions(sdp: &str) -> Vec<&str> {
    sdp.lines()
        .filter_map(|line| line.strip_prefix("a="))
        .filter(|name| ["sendrecv", "sendonly", "recvonly", "inactive"].contains(name))
        .collect()
}

#[test]
fn what_chromium_adds_is_taken_with_all_codecs_that_are_known() {
    let mut world = connected();
    let answer = answered(&mut world, &media_of(CHROMIUM_ADDS));
    let expected = [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 8",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 102 103 108 109 116 117 45 46",
    ];
    assert_eq!(first_lines(&answer), expected);
    assert_eq!(directions(&answer), ["recvonly", "recvonly"]);
    let mid = lines(&answer, "a=mid:")[0].trim_start_matches("a=mid:");
    assert_eq!(lines(&answer, "a=group:"), [format!("a=group:BUNDLE {mid} 0 1")]);
    for once_in_each in ["a=rtcp-mux", "a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:"] {
        let count = lines(&answer, once_in_each).len();
        assert!(count >= 2, "{once_in_each}");
    }
    assert_eq!(lines(&answer, "a=extmap:").len(), 6);
    for absent in ["a=msid:", "a=ssrc", "orientation", "stream-id", "red/", "H265", "telephone"] {
        assert!(!answer.contains(absent), "{absent}");
    }
    assert!(answer.contains("a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-"));
    assert!(
        answer.contains("a=rtcp-fb:96 nack pli\r\n") && answer.contains("a=fmtp:97 apt=96\r\n")
    );
    let began = &world.hosts[1].log(B.1).began;
    let stream = "b8a38fcd-31ae-4362-a5e6-2e531cd16d80".to_owned();
    let track = "036e3f61-da35-4f57-ae4e-9320d5a4a8f7".to_owned();
    assert_eq!((began[0].1, began[0].2.clone()), (MediaKind::Audio, Some(Msid { stream, track })));
    assert_eq!((began.len(), began[1].1), (2, MediaKind::Video));
    world.assert_delivers(A, B, b"there");
}

#[test]
fn the_answer_of_chromium_says_what_it_takes() {
    let mut world = connected();
    answered(&mut world, &media_of(CHROMIUM_ADDS));
    // It made the sections, and now we add ours to them. A is the one whose sections begin with o.
    let offer = propose(&mut world, B, &[video(1), audio(2)]);
    let theirs: Vec<String> = media_of(CHROMIUM_ANSWERS)
        .iter()
        .map(|section| section.replace("a=mid:o", "a=mid:a"))
        .collect();
    let mine = lines(&offer, "a=mid:");
    assert_eq!(mine[1..], ["a=mid:0", "a=mid:1", "a=mid:a1", "a=mid:a2"]);
    assert_eq!(directions(&offer), ["recvonly", "recvonly", "sendrecv", "sendrecv"]);
    let data = offer_with(&mut world, &theirs);
    world.accept(1, B.1, &data);
    let agreed = &world.hosts[1].log(B.1).agreed;
    assert_eq!(agreed[0].1, [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1]);
    assert_eq!(agreed[1].1, [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma]);
    assert_eq!(world.hosts[1].log(B.1).began.len(), 2, "those that were there go on");
    assert!(world.hosts[1].log(B.1).ended.is_empty());
}

#[test]
fn the_first_section_of_a_kind_lives_on_and_later_ones_are_refused_and_used_again() {
    let mut world = connected();
    let all = |directions: [&str; 4]| {
        let kinds = ["audio", "video", "video", "audio"].into_iter().zip(["0", "1", "2", "3"]);
        let sections = kinds.zip(directions);
        sections.map(|((kind, mid), direction)| section(kind, mid, direction)).collect::<Vec<_>>()
    };
    let answer = answered(&mut world, &all(["sendrecv"; 4]));
    assert_eq!(directions(&answer), ["recvonly"; 4]);
    let answer = answered(&mut world, &all(["recvonly"; 4]));
    assert_eq!(directions(&answer), ["inactive"; 4]);
    let ports: Vec<&str> = first_lines(&answer).iter().map(|line| &line[8..9]).collect();
    assert_eq!(ports, ["9", "9", "0", "0"]);
    assert!(lines(&answer, "a=group:")[0].ends_with(" 0 1"));
    assert!(
        !answer.contains("a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=inactive\r\na=msid")
    );
    assert_eq!(world.hosts[1].log(B.1).ended.len(), 4);
    // Their places are used for others.
    let again = [
        section("audio", "0", "recvonly"),
        section("video", "1", "recvonly"),
        section("audio", "4", "sendrecv"),
        section("video", "5", "sendrecv"),
    ];
    let answer = answered(&mut world, &again);
    assert_eq!(directions(&answer), ["inactive", "inactive", "recvonly", "recvonly"]);
    assert_eq!(world.hosts[1].log(B.1).receiving().count(), 2);
}

/// Chromium puts a track into a section in which it never sent, and before it hears an answer: a
/// refusal would stop that track.
#[test]
fn a_section_in_which_they_never_sent_is_not_refused() {
    let mut world = connected();
    let with = |direction| [section("video", "0", "sendrecv"), section("video", "1", direction)];
    let ports =
        |answer: &str| -> String { first_lines(answer).iter().map(|line| &line[8..9]).collect() };
    for direction in ["recvonly", "inactive", "recvonly"] {
        let answer = answered(&mut world, &with(direction));
        assert_eq!(directions(&answer), ["recvonly", "inactive"]);
        assert_eq!(ports(&answer), "99", "{direction}");
    }
    let answer = answered(&mut world, &with("sendrecv"));
    assert_eq!(directions(&answer), ["recvonly"; 2]);
    let answer = answered(&mut world, &with("recvonly"));
    assert_eq!(ports(&answer), "90", "now it was used");
}

#[test]
fn a_room_that_wants_nothing_keeps_the_first_of_each_kind() {
    for media in [
        MediaConfig { receives: false, ..MediaConfig::default() },
        MediaConfig { codecs: Vec::new(), ..MediaConfig::default() },
    ] {
        let mut world = connected_with(&MediaConfig::default(), &media);
        let sections = [
            section("video", "0", "sendrecv"),
            section("video", "1", "sendrecv"),
            section("audio", "2", "sendrecv"),
        ];
        let answer = answered(&mut world, &sections);
        assert_eq!(directions(&answer), ["inactive"; 3]);
        let ports: Vec<&str> = first_lines(&answer).iter().map(|line| &line[8..9]).collect();
        assert_eq!(ports, ["9", "0", "9"]);
        assert!(world.hosts[1].log(B.1).began.is_empty());
    }
}

/// As Firefox says it: other numbers, and names in braces.
const FIREFOX: &str = "m=video 9 UDP/TLS/RTP/SAVPF 120 124 126 127\n\
    c=IN IP4 0.0.0.0\n\
    a=sendrecv\n\
    a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\n\
    a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\n\
    a=extmap:5 urn:ietf:params:rtp-hdrext:toffset\n\
    a=extmap:6/recvonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\n\
    a=extmap:7 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\n\
    a=fmtp:126 profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1\n\
    a=fmtp:120 max-fs=12288;max-fr=60\n\
    a=fmtp:124 apt=120\n\
    a=fmtp:127 apt=126\n\
    a=mid:1\n\
    a=msid:{5dbf02d4-a1d1-4f4c-8a7e-2a6b5a6a8f57} {0a1b2c3d-91a8-4bb3-b26e-2a3e53c8c8f1}\n\
    a=rtcp-fb:120 nack\n\
    a=rtcp-fb:120 nack pli\n\
    a=rtcp-fb:120 ccm fir\n\
    a=rtcp-fb:120 goog-remb\n\
    a=rtcp-fb:120 transport-cc\n\
    a=rtcp-mux\n\
    a=rtcp-rsize\n\
    a=rtpmap:120 VP8/90000\n\
    a=rtpmap:124 rtx/90000\n\
    a=rtpmap:126 H264/90000\n\
    a=rtpmap:127 rtx/90000\n\
    a=ssrc:1234567 cname:{9d0c5c5e-0000-4000-8000-000000000000}\n\
    a=ssrc:7654321 cname:{9d0c5c5e-0000-4000-8000-000000000000}\n\
    a=ssrc-group:FID 1234567 7654321\n";

#[test]
fn the_numbers_of_whoever_speaks_first_are_those_of_the_connection() {
    let mut world = connected();
    let answer = answered(&mut world, &[FIREFOX.to_owned()]);
    assert_eq!(first_lines(&answer), ["m=video 9 UDP/TLS/RTP/SAVPF 120 124 126 127"]);
    assert!(answer.contains("a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"));
    assert!(answer.contains("a=extmap:7 http://www.ietf.org/id/draft-holmer-rmcat"));
    let stream = "{5dbf02d4-a1d1-4f4c-8a7e-2a6b5a6a8f57}".to_owned();
    let msid = world.hosts[1].log(B.1).began[0].2.clone();
    assert_eq!(msid.map(|msid| msid.stream), Some(stream));
    // Ours are the same where they are known, and collide with none.
    let offer = propose(&mut world, B, &[video(1)]);
    let own = first_lines(&offer)[1];
    assert!(own.starts_with("m=video 9 UDP/TLS/RTP/SAVPF 120 124 98 99 126 127 "), "{own}");
    let numbers: Vec<&str> = own.split(' ').skip(3).collect();
    assert!(numbers.iter().all(|n| numbers.iter().filter(|m| m == &n).count() == 1), "{own}");
    assert!(offer.contains("a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"));
}

#[test]
fn numbers_that_contradict_others_are_left_out() {
    let mut world = connected();
    let first = section("video", "0", "sendrecv");
    let swapped = section("video", "1", "sendrecv")
        .replace("a=rtpmap:96 VP8", "a=rtpmap:96 VP9")
        .replace("a=rtpmap:98 VP9", "a=rtpmap:98 VP8");
    let answer = answered(&mut world, &[first, swapped]);
    let expected = [
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 102 103 108 109 116 117 45 46",
        "m=video 9 UDP/TLS/RTP/SAVPF 102 103 108 109 116 117 45 46",
    ];
    assert_eq!(first_lines(&answer), expected);
    let other_extensions = section("audio", "2", "sendrecv").replace("a=extmap:4 ", "a=extmap:9 ");
    let first = section("video", "0", "sendrecv");
    let second = section("video", "1", "sendrecv");
    let answer = answered(&mut world, &[first, second, other_extensions]);
    assert_eq!(
        directions(&answer),
        ["recvonly", "recvonly", "inactive"],
        "nobody knows whose it is"
    );
}

#[test]
fn what_is_not_known_is_named_and_not_used() {
    let mut world = connected();
    let h265 = "m=video 9 UDP/TLS/RTP/SAVPF 49\nc=IN IP4 0.0.0.0\na=mid:0\na=sendrecv\na=rtcp-mux\n\
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\na=rtpmap:49 H265/90000\n";
    let text = "m=text 9 UDP/TLS/RTP/SAVPF 98\nc=IN IP4 0.0.0.0\na=mid:1\na=rtcp-mux\n";
    let unmuxed = section("audio", "2", "sendrecv").replace("a=rtcp-mux\n", "");
    let other = section("audio", "3", "sendrecv").replace("UDP/TLS/RTP/SAVPF", "RTP/AVP");
    let answer = answered(&mut world, &[h265.to_owned(), text.to_owned(), unmuxed, other]);
    let expected = [
        "m=video 9 UDP/TLS/RTP/SAVPF 49",
        "m=text 0 UDP/TLS/RTP/SAVPF 98",
        "m=audio 0 UDP/TLS/RTP/SAVPF 111",
        "m=audio 0 RTP/AVP 111",
    ];
    assert_eq!(first_lines(&answer), expected);
    assert!(answer.contains("a=rtpmap:49 H265/90000\r\n"));
    assert_eq!(directions(&answer), ["inactive"; 4]);
}

#[test]
fn sections_stay_and_stay_in_order() {
    let mut world = connected();
    let (audio, video) = (section("audio", "0", "sendrecv"), section("video", "1", "sendrecv"));
    let first = answered(&mut world, &[audio.clone(), video.clone()]);
    let twice = section("video", "0", "sendrecv");
    for wrong in [
        vec![],
        vec![audio.clone()],
        vec![video.clone(), audio.clone()],
        vec![audio.clone(), twice],
        vec![audio.clone(), video.replace("a=mid:1", "a=mid:<1>")],
        vec![audio.clone(), video.replace("a=mid:1\n", "")],
        vec![audio.clone(), video.replace("m=video 9", "m=video")],
    ] {
        let offer = data_alone(&mut world) + &wrong.concat();
        let refused = answer(&mut world, B, &offer);
        assert!(matches!(refused, Err(DescriptionError::Invalid(_))), "{wrong:?}");
    }
    assert_eq!(world.hosts[1].log(B.1).receiving().count(), 2, "all is as it was");
    let again = answered(&mut world, &[audio, video]);
    assert_eq!(first_lines(&again), first_lines(&first));
    assert!(world.hosts[1].log(B.1).ended.is_empty());
}

#[test]
fn two_hundred_sections_are_answered_and_used_as_far_as_is_reasonable() {
    let mut world = connected();
    let sections: Vec<String> = (0..200)
        .map(|number| {
            let kind = if number % 2 == 0 { "audio" } else { "video" };
            section(kind, &number.to_string(), "sendrecv")
        })
        .collect();
    let offer = offer_with(&mut world, &sections);
    assert!(offer.len() > 256 * 1024, "{}", offer.len());
    let answered = answer(&mut world, B, &offer).unwrap();
    assert_eq!(first_lines(&answered).len(), 200);
    assert_eq!(directions(&answered).iter().filter(|name| **name == "recvonly").count(), 32);
    assert_eq!(world.hosts[1].log(B.1).receiving().count(), 32);
    world.assert_delivers(A, B, b"there");
    let many: Vec<String> = (0..513)
        .map(|number| format!("m=audio 0 UDP/TLS/RTP/SAVPF 0\na=mid:{number}\na=inactive\n"))
        .collect();
    let offer = offer_with(&mut world, &many);
    assert!(answer(&mut world, B, &offer).is_err());
}

#[test]
fn our_own_offers_are_as_browsers_want_them() {
    let mut world = connected();
    let offer = propose(&mut world, A, &[video(1), audio(2)]);
    let mids: Vec<&str> = lines(&offer, "a=mid:").iter().map(|line| &line[6..]).collect();
    assert_eq!(mids[1..], ["o1", "o2"]);
    assert_eq!(lines(&offer, "a=group:"), [format!("a=group:BUNDLE {}", mids.join(" "))]);
    assert_eq!(directions(&offer), ["sendrecv"; 2]);
    assert!(offer.contains("a=x-tristero:a=rtpmap\r\n"));
    assert!(offer.contains("a=msid:stream-1 track-1\r\n"));
    let group = lines(&offer, "a=ssrc-group:FID ");
    let sources: Vec<&str> = group[0].split(' ').skip(1).collect();
    assert_eq!(group.len(), 1, "sound is not repeated");
    for source in sources {
        assert!(offer.contains(&format!("a=ssrc:{source} cname:")));
        assert!(offer.contains(&format!("a=ssrc:{source} msid:stream-1 track-1\r\n")));
    }
    assert_eq!(lines(&offer, "a=ssrc:").len(), 6);
    // The candidates are known. Whoever never heard of the offer is as before.
    world.input(0, EngineInput::AddressAdded("10.0.0.9:4000".parse().unwrap()));
    world.assert_delivers(B, A, b"there");
}

#[test]
fn a_track_that_browsers_put_into_our_section_begins() {
    let mut world = connected();
    agree(&mut world, B, A, &[video(1)]);
    // A browser sends a track of its own where it receives one of ours.
    let ours = section("video", "a1", "sendrecv");
    let answer = answered(&mut world, &[ours]);
    assert_eq!(directions(&answer), ["sendrecv"]);
    assert!(answer.contains("a=msid:stream-1 track-1\r\n"));
    assert_eq!(world.hosts[1].log(B.1).receiving().count(), 1);
    assert!(world.hosts[1].log(B.1).agreed.len() == 1, "nothing changed for ours");
    let answer = answered(&mut world, &[section("video", "a1", "inactive")]);
    assert_eq!(directions(&answer), ["inactive"]);
    assert_eq!(world.hosts[1].log(B.1).agreed.last().unwrap().1, [], "it is not taken any more");
    let answer = answered(&mut world, &[section("video", "a1", "recvonly")]);
    assert_eq!(directions(&answer), ["sendonly"]);
    assert_eq!(world.hosts[1].log(B.1).agreed.last().unwrap().1[0], Codec::Vp8);
}

/// A browser that has just added a track, and hears of our offer before we hear of its own, offers
/// nothing more if its answer says all that ours allows.
#[test]
fn an_answer_may_bring_a_track_that_was_just_added() {
    let mut world = connected();
    answered(&mut world, &[section("video", "0", "recvonly")]);
    let offer = propose(&mut world, B, &[video(1)]);
    assert_eq!(directions(&offer), ["recvonly", "sendrecv"]);
    let theirs = [section("video", "0", "sendonly"), section("video", "a1", "sendrecv")];
    let answer = offer_with(&mut world, &theirs);
    world.accept(1, B.1, &answer);
    assert_eq!(world.hosts[1].log(B.1).receiving().count(), 2);
    assert_eq!(world.hosts[1].log(B.1).agreed[0].1[0], Codec::Vp8);
    let offer = propose(&mut world, B, &[]);
    assert_eq!(directions(&offer), ["recvonly"; 2], "what is vacant invites too");
}

#[test]
fn what_is_received_is_not_given_up_for_what_comes_after_it() {
    let mut world = connected();
    let with = |first: &str, mid: &str| -> Vec<String> {
        let rest = (1..33).map(|number| section("video", &number.to_string(), "sendrecv"));
        [section("video", mid, first)].into_iter().chain(rest).collect()
    };
    answered(&mut world, &with("recvonly", "0"));
    let receiving: Vec<_> = world.hosts[1].log(B.1).receiving().collect();
    assert_eq!(receiving.len(), 32);
    answered(&mut world, &with("sendrecv", "0"));
    assert!(world.hosts[1].log(B.1).receiving().eq(receiving), "those that were there go on");
}

#[test]
fn no_more_is_invited_than_is_received() {
    let mut world = connected();
    let sections: Vec<String> =
        (0..33).map(|number| section("video", &number.to_string(), "recvonly")).collect();
    answered(&mut world, &sections);
    let offer = propose(&mut world, B, &[video(1)]);
    assert_eq!(directions(&offer)[..32], ["recvonly"; 32]);
    assert_eq!(directions(&offer)[32..], ["inactive", "sendonly"]);

    for media in [
        MediaConfig { receives: false, ..MediaConfig::default() },
        MediaConfig { codecs: vec![Codec::Opus], ..MediaConfig::default() },
    ] {
        let mut world = connected_with(&MediaConfig::default(), &media);
        answered(&mut world, &[section("video", "0", "recvonly")]);
        let offer = propose(&mut world, B, &[audio(1)]);
        assert_eq!(directions(&offer)[0], "inactive", "{media:?}");
    }
}

#[test]
fn names_of_ours_that_others_use_are_not_used_again() {
    let mut world = connected();
    let refused = section("audio", "a1", "sendrecv").replace("a=rtcp-mux\n", "");
    let huge = section("video", "a4294967295", "sendrecv");
    answered(&mut world, &[refused, huge]);
    let offer = propose(&mut world, B, &[video(1), audio(2)]);
    let mids = lines(&offer, "a=mid:");
    assert_eq!(mids[1..], ["a=mid:a1", "a=mid:a4294967295", "a=mid:a2", "a=mid:a3"]);
}
