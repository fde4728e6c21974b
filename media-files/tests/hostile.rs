//! Files that are wrong: they are errors or shorter, and nothing else.

use std::io::Cursor;
use std::time::Duration;

use proptest::prelude::*;
use tristero_media_files::{Form, ReadError, Sink, Source, is_key_frame};
use tristero_proto::media::{Codec, MediaFrame, MediaTime};

mod common;

/// Reads all of it and some of it again. Each frame takes a byte at least, so it has to end.
fn read_all(bytes: Vec<u8>, name: &str) -> Result<(), ReadError> {
    let most = bytes.len();
    let mut source = Source::open(Cursor::new(bytes), name)?;
    let mut frames = 0;
    while source.next_frame()?.is_some() {
        frames += 1;
        assert!(frames <= most, "more frames than bytes");
    }
    source = source.repeating(true);
    for _ in 0..30 {
        if source.next_frame()?.is_none() {
            return Ok(());
        }
    }
    Ok(())
}

/// A header of a WebM file with a track of VP8, and what follows it.
fn webm(rest: &[u8]) -> Vec<u8> {
    webm_of(b"V_VP8", &[], rest)
}

/// One with a track of some codec. `info` is between the header and the track.
fn webm_of(codec: &[u8], info: &[u8], rest: &[u8]) -> Vec<u8> {
    let length = u8::try_from(codec.len()).expect("a name");
    let mut bytes = vec![0x1a, 0x45, 0xdf, 0xa3, 0x87, 0x42, 0x82, 0x84];
    bytes.extend_from_slice(b"webm");
    bytes.extend_from_slice(&[0x18, 0x53, 0x80, 0x67, 0x01, 255, 255, 255, 255, 255, 255, 255]);
    bytes.extend_from_slice(info);
    bytes.extend_from_slice(&[0x16, 0x54, 0xae, 0x6b, 0x87 + length, 0xae, 0x85 + length]);
    bytes.extend_from_slice(&[0xd7, 0x81, 1, 0x86, 0x80 + length]);
    bytes.extend_from_slice(codec);
    bytes.extend_from_slice(rest);
    bytes
}

/// The beginning of a cluster without an end.
const CLUSTER: [u8; 12] = [0x1f, 0x43, 0xb6, 0x75, 0x01, 255, 255, 255, 255, 255, 255, 255];

#[test]
fn a_length_of_many_gigabytes_takes_no_memory() {
    let mut ivf = common::bytes("vp8.ivf")[..32].to_vec();
    ivf.extend_from_slice(&[0xff; 12]);
    assert!(matches!(read_all(ivf, ""), Err(ReadError::FrameTooLarge(_))));

    // As much as is allowed, and not there.
    let mut ivf = common::bytes("vp8.ivf")[..32].to_vec();
    ivf.extend_from_slice(&(4_u32 << 20).to_le_bytes());
    ivf.extend_from_slice(&[0; 20]);
    assert!(read_all(ivf, "").is_ok(), "it breaks off");

    let huge = [0x1a, 0x45, 0xdf, 0xa3, 0x08, 255, 255, 255, 255];
    assert!(matches!(read_all(huge.to_vec(), ""), Err(ReadError::Damaged(_))));
}

#[test]
fn times_beyond_all_ages_are_an_error() {
    let mut ivf = common::bytes("vp8.ivf");
    ivf[36..44].copy_from_slice(&[0xff; 8]);
    assert!(matches!(read_all(ivf, ""), Err(ReadError::Damaged(_))));
    let mut ivf = common::bytes("vp8.ivf");
    ivf[16..20].copy_from_slice(&[0; 4]);
    assert!(matches!(read_all(ivf, ""), Err(ReadError::Damaged(_))));
}

#[test]
fn times_of_webm_beyond_all_ages_are_an_error() {
    let frame = common::of("vp8.ivf")[0].bytes.to_vec();
    let file = |scale: [u8; 8], time: [u8; 8]| {
        let info = [&[0x15, 0x49, 0xa9, 0x66, 0x8c, 0x2a, 0xd7, 0xb1, 0x88][..], &scale].concat();
        let length = u32::try_from(frame.len() + 4).expect("a frame");
        let size = (0x1000_0000 | length).to_be_bytes();
        let block = [&[0xa3][..], &size, &[0x81, 0, 0, 0x80], &frame].concat();
        webm_of(b"V_VP8", &info, &[&CLUSTER[..], &[0xe7, 0x88], &time, &block].concat())
    };
    let small = 1_000_000_u64.to_be_bytes();
    read_all(file(small, small), "").expect("a time");
    for (scale, time) in [([0xff; 8], [0xff; 8]), ([0xff; 8], small), (small, [0xff; 8])] {
        assert!(matches!(read_all(file(scale, time), ""), Err(ReadError::Damaged(_))));
    }
}

#[test]
fn what_takes_no_time_is_not_repeated_for_ever() {
    // A packet of no frames at the time 0.
    let block = [0xa3, 0x86, 0x81, 0, 0, 0x80, 3, 0];
    let bytes = webm_of(b"A_OPUS", &[], &[&CLUSTER[..], &block].concat());
    let mut source = Source::open(Cursor::new(bytes), "").expect("its headers").repeating(true);
    assert!(source.next_frame().expect("sound").is_some());
    assert_eq!(source.next_frame().expect("sound"), None);
}

#[test]
fn positions_that_lead_in_circles_are_not_followed() {
    // A table of contents that names itself twice.
    let entry = [0x4d, 0xbb, 0x8b, 0x53, 0xab, 0x84, 0x11, 0x4d, 0x9b, 0x74, 0x53, 0xac, 0x81, 0];
    let mut bytes = webm(&[]);
    let segment = bytes.len() - 17;
    let mut table = vec![0x11, 0x4d, 0x9b, 0x74, 0x9c];
    table.extend_from_slice(&entry);
    table.extend_from_slice(&entry);
    bytes.splice(segment..segment, table);
    let _ = read_all(bytes, "");
}

#[test]
fn a_page_without_an_end_is_not_gathered_for_ever() {
    let opus = common::bytes("sine.opus");
    // Pages of one packet each that is never complete, with checksums that are right: as ogg writes
    // a packet of many megabytes.
    let mut bytes = Vec::new();
    let mut writer = ogg::PacketWriter::new(&mut bytes);
    let head = &opus[28..47];
    writer.write_packet(head, 1, ogg::PacketWriteEndInfo::EndPage, 0).expect("memory");
    writer
        .write_packet(&b"OpusTags\0\0\0\0\0\0\0\0"[..], 1, ogg::PacketWriteEndInfo::EndPage, 0)
        .expect("memory");
    writer
        .write_packet(vec![0xfc; 8 << 20], 1, ogg::PacketWriteEndInfo::EndStream, 0)
        .expect("memory");
    drop(writer);
    assert!(matches!(read_all(bytes, ""), Err(ReadError::FrameTooLarge(_))));
}

#[test]
fn a_checksum_that_is_wrong_is_an_error() {
    let mut opus = common::bytes("sine.opus");
    let last = opus.len() - 1;
    opus[last] ^= 1;
    assert!(matches!(read_all(opus, ""), Err(ReadError::Damaged(_))));
}

#[test]
fn what_is_known_and_not_carried_is_named() {
    let mut ivf = common::bytes("vp8.ivf");
    ivf[8..12].copy_from_slice(b"VVC1");
    let error = read_all(ivf, "").expect_err("not carried");
    assert_eq!(error.to_string(), "has nothing that rooms carry, but the codec VVC1");
    assert!(matches!(read_all(b"RIFF".to_vec(), "a.wav"), Err(ReadError::UnknownForm)));
    assert!(matches!(read_all(Vec::new(), ""), Err(ReadError::UnknownForm)));
}

/// A time, at one end or the other more often than between.
fn time() -> impl Strategy<Value = u64> {
    prop_oneof![0..100_000_u64, u64::MAX - 100_000..=u64::MAX, any::<u64>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_may_be_a_file(form in 0..5_usize, rest in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = match form {
            0 => b"DKIF".to_vec(),
            1 => b"OggS".to_vec(),
            2 => webm(&[]),
            3 => webm(&CLUSTER),
            _ => common::bytes("vp8.ivf")[..32].to_vec(),
        };
        bytes.extend_from_slice(&rest);
        let _ = read_all(bytes, "");
    }

    #[test]
    fn any_byte_of_a_file_may_be_another(
        name in proptest::sample::select(common::NAMES.to_vec()),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        in_front in any::<bool>(),
    ) {
        let mut bytes = common::bytes(name);
        let within = if in_front { 200.min(bytes.len()) } else { bytes.len() };
        for (at, byte) in changes {
            bytes[at.index(within)] = byte;
        }
        let _ = read_all(bytes, "");
    }

    #[test]
    fn any_bytes_may_be_a_frame(
        codec in proptest::sample::select(Codec::ALL.to_vec()),
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let _ = is_key_frame(codec, &bytes);
        let _ = common::write_everywhere(codec, &bytes);
    }

    #[test]
    fn frames_may_have_any_times(
        like in proptest::sample::select(common::one_of_each()),
        times in proptest::collection::vec((time(), time()), 2..5),
    ) {
        for form in [Form::Separate, Form::Webm] {
            let mut sink = Sink::new(form, |_| Ok(Cursor::new(Vec::new())));
            let track = sink.add_track(like.codec.kind()).expect("few");
            for (ticks, arrived) in &times {
                let time = MediaTime::new(*ticks, like.codec.clock_rate());
                let frame = MediaFrame { time, ..like.clone() };
                sink.write(track, &frame, Duration::from_secs(*arrived)).expect("memory");
            }
            prop_assert_eq!(sink.finish().expect("memory")[0].frames, times.len() as u64);
        }
    }

    #[test]
    fn any_bit_of_a_frame_may_be_another(
        video in 0..4_usize,
        changes in proptest::collection::vec((0..60_usize, any::<u8>()), 1..6),
    ) {
        let frame = &common::videos()[video][0];
        let mut bytes = frame.bytes.to_vec();
        for (at, byte) in changes {
            let at = at.min(bytes.len() - 1);
            bytes[at] = byte;
        }
        let _ = common::write_everywhere(frame.codec, &bytes);
    }
}
