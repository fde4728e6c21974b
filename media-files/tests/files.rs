//! Real files, made by ffmpeg (`data/make.sh`), and what is written of them.

use std::io::Cursor;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tristero_media_files::{
    FileName, Form, IvfReader, IvfWriter, OggOpusReader, OggOpusWriter, RawReader, RawWriter,
    ReadError, Sink, Source, WebmReader, WebmTrack, WebmWriter, WriteError, Written, is_key_frame,
};
use tristero_proto::media::{Codec, MediaFrame, MediaKind, MediaTime};

mod common;

use common::{frames, open};

#[test]
fn frames_of_ivf_are_as_ffprobe_says() {
    for (name, codec) in [("vp8.ivf", Codec::Vp8), ("vp9.ivf", Codec::Vp9), ("av1.ivf", Codec::Av1)]
    {
        let mut source = open(name);
        assert_eq!(source.tracks()[0].codec, codec);
        assert_eq!(source.tracks()[0].size, Some((64, 48)));
        let frames = frames(&mut source);
        assert_eq!(frames.len(), 25, "{name}");
        assert_eq!(keys(&frames), [0, 10, 20], "{name}");
        let times: Vec<u64> = frames.iter().map(|(_, frame)| frame.time.ticks()).collect();
        let every_30th: Vec<u64> = (0..25).map(|index| index * 3_000).collect();
        assert_eq!(times, every_30th, "{name}");
    }
}

#[test]
fn frames_of_h264_are_key_frames_where_ffprobe_says() {
    let frames = common::access_units();
    assert_eq!(frames.len(), 25);
    let keys: Vec<usize> = (0..25).filter(|index| frames[*index].is_key).collect();
    assert_eq!(keys, [0, 10, 20]);
}

#[test]
fn packets_of_ogg_are_as_ffprobe_says() {
    let mut source = open("sine.opus");
    assert_eq!(source.tracks()[0].channels, Some(1));
    let frames = frames(&mut source);
    assert_eq!(frames.len(), 26);
    assert_eq!(frames[25].1.time.ticks(), 25 * 960);
}

#[test]
fn frames_of_webm_are_as_ffprobe_says() {
    for (name, tracks, pictures, packets) in [
        ("vp8-opus.webm", vec![Codec::Vp8, Codec::Opus], 15, 26),
        ("vp9-opus.webm", vec![Codec::Vp9, Codec::Opus], 15, 26),
        ("av1.webm", vec![Codec::Av1], 15, 0),
    ] {
        let mut source = open(name);
        let codecs: Vec<Codec> = source.tracks().iter().map(|track| track.codec).collect();
        assert_eq!(codecs, tracks, "{name}");
        assert_eq!(source.tracks()[0].size, Some((64, 48)));
        let all = frames(&mut source);
        let (video, audio): (Vec<_>, Vec<_>) = all.into_iter().partition(|(track, _)| *track == 0);
        assert_eq!((video.len(), audio.len()), (pictures, packets), "{name}");
        assert_eq!(keys(&video), [0, 10], "{name}");
        // Sound of ffmpeg begins 7 ms before.
        let second = video[1].1.time.since_beginning().as_millis();
        assert_eq!(second, if packets > 0 { 40 } else { 33 }, "{name}");
    }
}

#[test]
fn ivf_is_read_as_it_was_written() {
    for frames in common::videos() {
        let codec = frames[0].codec;
        let mut writer = IvfWriter::new(Cursor::new(Vec::new()), codec).expect("video");
        for frame in &frames {
            writer.write(frame).expect("a frame");
        }
        let bytes = writer.finish().expect("memory").into_inner();
        assert_eq!(bytes[24..28], (25 * 3_000_u32).to_le_bytes(), "the length, in ticks");
        let mut reader = IvfReader::new(&bytes[..]).expect("its header");
        assert_eq!(reader.track().size, Some((64, 48)), "{codec}");
        let read: Vec<MediaFrame> =
            std::iter::from_fn(|| reader.next_frame().expect("sound")).collect();
        assert_eq!(read, frames, "{codec}");
    }
}

#[test]
fn ogg_is_read_as_it_was_written() {
    let frames = common::of("sine.opus");
    let mut writer = OggOpusWriter::new(Cursor::new(Vec::new()));
    for frame in &frames {
        writer.write(frame).expect("a packet");
    }
    let bytes = writer.finish().expect("memory").into_inner();
    let mut reader = OggOpusReader::new(&bytes[..]).expect("its headers");
    let read: Vec<MediaFrame> =
        std::iter::from_fn(|| reader.next_frame().expect("sound")).collect();
    assert_eq!(read, frames);
}

#[test]
fn a_gap_in_sound_is_as_long_in_the_file() {
    let mut frames = common::of("sine.opus");
    frames.drain(10..15);
    let mut writer = OggOpusWriter::new(Cursor::new(Vec::new()));
    for frame in &frames {
        writer.write(frame).expect("a packet");
    }
    let bytes = writer.finish().expect("memory").into_inner();
    let mut reader = OggOpusReader::new(&bytes[..]).expect("its headers");
    let read: Vec<MediaFrame> =
        std::iter::from_fn(|| reader.next_frame().expect("sound")).collect();
    assert_eq!(read.len(), 22, "100 ms are one packet that conceals");
    assert_eq!(read.last().map(|frame| frame.time), frames.last().map(|frame| frame.time));

    let mut writer = RawWriter::new(Cursor::new(Vec::new()), Codec::Pcma).expect("sound");
    for at in [0, 160, 480] {
        writer.write(&sound(Codec::Pcma, at)).expect("a frame");
    }
    let bytes = writer.finish().expect("memory").into_inner();
    let silence = [0xd5; 160];
    assert_eq!(bytes.len(), 640);
    assert_eq!(bytes[320..480], silence);
}

/// Frames of sound that are an age apart by their times.
fn sound_with_gaps(codec: Codec) -> impl Iterator<Item = MediaFrame> {
    const GAP: Duration = Duration::from_secs(3_000);
    let like = match codec {
        Codec::Opus => common::of("sine.opus")[0].clone(),
        _ => sound(codec, 0),
    };
    (0..100)
        .map(move |index| MediaFrame { time: MediaTime::of(codec, GAP * index), ..like.clone() })
}

/// How many seconds of sound are in a file.
fn length_of(name: &str, bytes: &[u8]) -> f64 {
    let mut source = Source::open(Cursor::new(bytes), name).expect("its headers");
    let mut last = Duration::ZERO;
    while let Some((_, frame)) = source.next_frame().expect("sound") {
        last = frame.time.since_beginning();
    }
    last.as_secs_f64()
}

#[test]
fn gaps_in_sound_are_filled_as_far_as_time_passed() {
    const STEP: Duration = Duration::from_millis(20);
    for (codec, name) in [(Codec::Pcmu, "audio-0.ul"), (Codec::Opus, "audio-0.opus")] {
        let files = Files::default();
        let mut sink = files.sink(Form::Separate);
        let track = sink.add_track(MediaKind::Audio).expect("few");
        for (index, frame) in (0..).zip(sound_with_gaps(codec)) {
            sink.write(track, &frame, STEP * index).expect("memory");
        }
        sink.finish().expect("memory");
        let length = files.length_of(name);
        assert!((10.0..13.0).contains(&length), "{codec}: {length} s");

        let files = Files::default();
        let mut sink = files.sink(Form::Separate);
        let track = sink.add_track(MediaKind::Audio).expect("few");
        for frame in sound_with_gaps(codec).take(2) {
            sink.write(track, &frame, frame.time.since_beginning()).expect("memory");
        }
        sink.finish().expect("memory");
        let length = files.length_of(name);
        assert!((length - 3_000.0).abs() < 1.0, "{codec}: {length} s");
    }
}

#[test]
fn gaps_of_a_file_have_a_bound_together() {
    let most = tristero_media_files::limits::GAPS_MAX.as_secs_f64();
    let mut raw = RawWriter::new(Vec::new(), Codec::Pcmu).expect("sound");
    sound_with_gaps(Codec::Pcmu).for_each(|frame| raw.write(&frame).expect("a frame"));
    let length = raw.finish().expect("memory").len() as f64 / 8_000.0;
    assert!((most..most + 3.0).contains(&length), "{length} s");

    let mut ogg = OggOpusWriter::new(Vec::new());
    sound_with_gaps(Codec::Opus).for_each(|frame| ogg.write(&frame).expect("a packet"));
    let length = length_of("a.opus", &ogg.finish().expect("memory"));
    assert!((most - 3.0..most + 3.0).contains(&length), "{length} s");
}

#[test]
fn raw_sound_has_frames_of_20_ms() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
        let mut reader = RawReader::new(&[7; 400][..], codec).expect("raw");
        let read: Vec<MediaFrame> =
            std::iter::from_fn(|| reader.next_frame().expect("sound")).collect();
        let sizes: Vec<usize> = read.iter().map(|frame| frame.bytes.len()).collect();
        assert_eq!(sizes, [160, 160, 80]);
        assert_eq!(read[2].time.since_beginning(), Duration::from_millis(40), "{codec}");
    }
    assert!(RawReader::new(&[][..], Codec::Opus).is_err());
}

#[test]
fn webm_is_read_as_it_was_written_and_by_another_reader() {
    for name in ["vp8-opus.webm", "vp9-opus.webm", "av1.webm"] {
        let mut source = open(name);
        let frames = frames(&mut source);
        let described: Vec<WebmTrack> = (0..source.tracks().len())
            .map(|track| {
                let first = frames.iter().find(|(of, _)| *of == track).expect("a frame");
                WebmTrack::beginning_with(&first.1).expect("of WebM")
            })
            .collect();
        let mut writer = WebmWriter::new(Cursor::new(Vec::new()), &described).expect("tracks");
        for (track, frame) in &frames {
            writer.write(*track, frame, frame.time.since_beginning()).expect("a frame");
        }
        let bytes = writer.finish().expect("memory").into_inner();
        let mut reader = WebmReader::new(Cursor::new(&bytes)).expect("its headers");
        assert_eq!(reader.tracks(), source.tracks());
        let read: Vec<(usize, MediaFrame)> =
            std::iter::from_fn(|| reader.next_frame().expect("sound")).collect();
        assert_eq!(read.len(), frames.len());
        for (read, frame) in read.iter().zip(&frames) {
            assert_eq!((read.0, &read.1.bytes), (frame.0, &frame.1.bytes));
            let apart = read.1.time.since_beginning().abs_diff(frame.1.time.since_beginning());
            assert!(apart < Duration::from_millis(1));
        }
        by_another_reader(bytes, &frames);
    }
}

/// Whether matroska-demuxer finds the same frames, the duration and the positions.
fn by_another_reader(bytes: Vec<u8>, frames: &[(usize, MediaFrame)]) {
    let mut file = matroska_demuxer::MatroskaFile::open(Cursor::new(bytes)).expect("sound");
    let duration = file.info().duration().expect("told");
    assert!((460.0..=540.0).contains(&duration), "{duration}");
    for track in file.tracks() {
        if let Some(video) = track.video() {
            assert_eq!((video.pixel_width().get(), video.pixel_height().get()), (64, 48));
        }
    }
    let mut read = matroska_demuxer::Frame::default();
    for (track, frame) in frames {
        assert!(file.next_frame(&mut read).expect("sound"));
        assert_eq!(read.track, *track as u64 + 1);
        assert_eq!(read.data, *frame.bytes);
        assert_eq!(read.is_keyframe, Some(frame.is_key));
    }
    assert!(!file.next_frame(&mut read).expect("sound"));
    file.seek(400).expect("by the positions");
    assert!(file.next_frame(&mut read).expect("sound"));
    assert!((390..=440).contains(&read.timestamp), "{}", read.timestamp);
}

#[test]
fn clusters_are_short_however_long_a_picture_is() {
    let first = &common::of("vp8.ivf")[0];
    let track = WebmTrack::beginning_with(first).expect("of WebM");
    let mut writer = WebmWriter::new(Cursor::new(Vec::new()), &[track]).expect("tracks");
    let mut frame = first.clone();
    for second in 0..40 {
        frame.is_key = second == 0;
        writer.write(0, &frame, Duration::from_secs(second)).expect("a frame");
    }
    // Sixteen bits of milliseconds do not reach back that far.
    writer.write(0, &frame, Duration::ZERO).expect("a frame");
    let bytes = writer.finish().expect("memory").into_inner();
    let clusters = bytes.windows(4).filter(|id| *id == [0x1f, 0x43, 0xb6, 0x75]).count();
    assert_eq!(clusters, 8, "of 0 to 5, 6 to 11, …, 36 to 39 and 0");
    let mut reader = WebmReader::new(Cursor::new(&bytes)).expect("its headers");
    let times: Vec<u64> = std::iter::from_fn(|| reader.next_frame().expect("sound"))
        .map(|(_, frame)| frame.time.since_beginning().as_secs())
        .collect();
    assert_eq!(times, (0..40).chain([0]).collect::<Vec<u64>>());
}

#[test]
fn tracks_of_other_codecs_are_left_out() {
    let mut bytes = common::bytes("vp8-opus.webm");
    let name = bytes.windows(6).position(|name| name == b"A_OPUS").expect("it has sound");
    bytes[name + 5] = b'Z';
    let mut source = Source::open(Cursor::new(bytes.clone()), "").expect("it has a picture");
    assert_eq!(source.tracks().len(), 1);
    assert_eq!(frames(&mut source).len(), 15);
    let name = bytes.windows(5).position(|name| name == b"V_VP8").expect("it has a picture");
    bytes[name + 4] = b'7';
    assert!(matches!(Source::open(Cursor::new(bytes), ""), Err(ReadError::Unsupported(_))));
}

#[test]
fn a_disk_that_is_full_is_an_error_and_what_was_written_is_read() {
    let (video, audio) = (common::of("vp8.ivf"), common::of("sine.opus"));
    for (form, most) in [Form::Separate, Form::Webm]
        .into_iter()
        .flat_map(|form| (0..48).map(move |n| (form, n * 97)))
    {
        let file = common::File::default();
        let mut sink = Sink::new(form, |_| Ok(common::Full::after(most, file.clone())));
        let [picture, sound] =
            [MediaKind::Video, MediaKind::Audio].map(|kind| sink.add_track(kind).expect("few"));
        let both = video.iter().zip(&audio);
        let full = both.into_iter().any(|(frame, packet)| {
            let written = sink.write(picture, frame, Duration::ZERO);
            written.and_then(|_| sink.write(sound, packet, Duration::ZERO)).is_err()
        });
        let finished = sink.finish();
        assert!(full || finished.is_err(), "{most} bytes are too few for all");
        if form == Form::Webm && most > 2_000 {
            let mut source = Source::open(Cursor::new(file.bytes()), "").expect("its headers");
            assert!(!frames(&mut source).is_empty());
        }
    }
}

#[test]
fn what_breaks_off_is_read_up_to_there() {
    for name in ["vp8.ivf", "av1.ivf", "sine.opus", "vp8-opus.webm"] {
        let bytes = common::bytes(name);
        let all = frames(&mut open(name));
        let cut = bytes[..bytes.len() * 2 / 3].to_vec();
        let mut source = Source::open(Cursor::new(cut), name).expect("its headers are there");
        let read = frames(&mut source);
        assert!(read.len() < all.len() && (name == "sine.opus" || read.len() > 5), "{name}");
        assert_eq!(read[..], all[..read.len()]);
    }
}

#[test]
fn a_repeated_file_goes_on_in_time() {
    for (name, length) in [("vp8.ivf", 25_u64 * 3_000), ("sine.opus", 26 * 960)] {
        let all = frames(&mut open(name));
        let mut source = open(name).repeating(true);
        for round in 0..3 {
            for (_, frame) in &all {
                let (_, read) = source.next_frame().expect("sound").expect("no end");
                assert_eq!(read.bytes, frame.bytes);
                let ticks = frame.time.ticks() + round * length;
                assert!(read.time.ticks().abs_diff(ticks) <= 1, "{name} round {round}");
            }
        }
        assert_eq!(source.passes(), 2);
    }
}

#[test]
fn a_file_without_frames_is_not_repeated_for_ever() {
    let header = common::bytes("vp8.ivf")[..32].to_vec();
    let mut source = Source::open(Cursor::new(header), "").expect("a header").repeating(true);
    assert_eq!(source.next_frame().expect("sound"), None);
}

#[test]
fn video_is_left_out_until_a_key_frame_and_after_a_gap() {
    let video = common::of("vp8.ivf");
    let files = Files::default();
    let mut sink = files.sink(Form::Separate);
    let track = sink.add_track(MediaKind::Video).expect("few");
    let mut taken = Vec::new();
    for (index, frame) in video.iter().enumerate().skip(5) {
        let frame = MediaFrame { is_contiguous: index != 15, ..frame.clone() };
        if sink.write(track, &frame, Duration::ZERO).expect("memory") == Written::Taken {
            taken.push(index);
        }
    }
    assert_eq!(taken, [10, 11, 12, 13, 14, 20, 21, 22, 23, 24]);
    let stats = sink.finish().expect("memory")[0];
    assert_eq!((stats.frames, stats.key_frames, stats.left_out), (10, 2, 10));
    assert_eq!(stats.length, Duration::from_nanos(466_666_667));
    let read = files.read("video-0.ivf");
    assert_eq!(read.len(), 10);
    assert_eq!(read[5].1.time.ticks(), 30_000, "the gap stays");
}

#[test]
fn a_codec_that_changes_begins_another_file() {
    let files = Files::default();
    let mut sink = files.sink(Form::Separate);
    let track = sink.add_track(MediaKind::Video).expect("few");
    for frame in common::of("vp8.ivf").iter().chain(&common::of("vp9.ivf")[5..]) {
        sink.write(track, frame, Duration::ZERO).expect("memory");
    }
    assert_eq!(sink.finish().expect("memory")[0].left_out, 5);
    assert_eq!(files.read("video-0.ivf").len(), 25);
    assert_eq!(files.read("video-0.2.ivf").len(), 15);
}

#[test]
fn a_codec_that_changes_goes_on_in_time_wherever_it_counts_from() {
    let files = Files::default();
    let mut sink = files.sink(Form::Separate);
    let track = sink.add_track(MediaKind::Audio).expect("few");
    let at = |index: u64| Duration::from_millis(20 * index);
    for index in 0..50 {
        sink.write(track, &sound(Codec::G722, 1_000_000_000 + 320 * index), at(index))
            .expect("memory");
    }
    for index in 50..100 {
        sink.write(track, &sound(Codec::Pcmu, 160 * index), at(index)).expect("memory");
    }
    assert_eq!(sink.finish().expect("memory")[0].length, at(99));
}

#[test]
fn tracks_of_one_file_stand_as_they_arrived() {
    let (video, sound) = (common::of("vp8.ivf"), common::of("sine.opus"));
    let files = Files::default();
    let mut sink = files.sink(Form::Webm);
    let tracks =
        [MediaKind::Video, MediaKind::Audio].map(|kind| sink.add_track(kind).expect("few"));
    let arrived = |index: usize| Duration::from_millis(33 * index as u64);
    for (index, frame) in video.iter().enumerate() {
        sink.write(tracks[0], frame, arrived(index)).expect("memory");
        if let Some(frame) = index.checked_sub(3).and_then(|index| sound.get(index)) {
            sink.write(tracks[1], frame, arrived(index)).expect("memory");
        }
    }
    sink.finish().expect("memory");
    let read = files.read("tracks.webm");
    assert_eq!(read.len(), 25 + 22);
    let first = |track| read.iter().find(|(of, _)| *of == track).expect("a frame").1.time;
    assert_eq!(first(0).since_beginning(), Duration::ZERO);
    assert_eq!(first(1).since_beginning(), Duration::from_millis(99));
}

#[test]
fn a_track_that_never_comes_is_waited_for_two_seconds() {
    let files = Files::default();
    let mut sink = files.sink(Form::Webm);
    let [_, audio] =
        [MediaKind::Video, MediaKind::Audio].map(|kind| sink.add_track(kind).expect("few"));
    let mut frame = common::of("sine.opus")[0].clone();
    for second in 0..4 {
        frame.time = MediaTime::new(second * 48_000, 48_000);
        sink.write(audio, &frame, Duration::from_secs(second)).expect("memory");
        assert_eq!(files.names().len(), usize::from(second >= 2));
    }
    sink.finish().expect("memory");
    assert_eq!(files.read("tracks.webm").len(), 4);
}

#[test]
fn what_waits_for_a_track_is_bounded_whatever_its_times_say() {
    let files = Files::default();
    let mut sink = files.sink(Form::Webm);
    let [video, _] =
        [MediaKind::Video, MediaKind::Audio].map(|kind| sink.add_track(kind).expect("few"));
    let key = common::of("vp8.ivf")[0].clone();
    let mut bytes = key.bytes.to_vec();
    bytes.resize(1 << 20, 0);
    // All times are equal, and so are those of arriving.
    let large = MediaFrame { bytes: Arc::from(bytes), ..key };
    for index in 0..16 {
        assert_eq!(files.names().len(), 0, "{index}");
        sink.write(video, &large, Duration::ZERO).expect("memory");
    }
    assert_eq!(files.names(), ["tracks.webm"]);
    sink.finish().expect("memory");

    let files = Files::default();
    let mut sink = files.sink(Form::Webm);
    let [video, _] =
        [MediaKind::Video, MediaKind::Audio].map(|kind| sink.add_track(kind).expect("few"));
    for (step, names) in [(0, 0), (1, 0), (2, 1)] {
        sink.write(video, &key, Duration::from_secs(step)).expect("memory");
        assert_eq!(files.names().len(), names, "{step} s");
    }
    sink.finish().expect("memory");
}

#[test]
fn a_codec_that_changes_begins_another_file_of_all_tracks() {
    let (vp8, vp9) = (common::of("vp8.ivf"), common::of("vp9.ivf"));
    let files = Files::default();
    let mut sink = files.sink(Form::Webm);
    let [one, other] = [MediaKind::Video; 2].map(|kind| sink.add_track(kind).expect("few"));
    let mut taken = Vec::new();
    for index in 0..25 {
        let changing = if index < 10 { &vp8[index] } else { &vp9[index] };
        sink.write(other, changing, Duration::ZERO).expect("memory");
        // Its key frames are elsewhere.
        let shifted = &vp8[(index + 5) % 25];
        if sink.write(one, shifted, Duration::ZERO).expect("memory") == Written::Taken {
            taken.push(index);
        }
    }
    assert_eq!(taken, [5, 6, 7, 8, 9, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
    sink.finish().expect("memory");
    assert_eq!(files.names(), ["tracks.webm", "tracks.2.webm"]);
    assert_eq!(files.read("tracks.webm").len(), 15);
    assert_eq!(files.read("tracks.2.webm").len(), 25);
}

#[test]
fn what_is_no_frame_does_not_end_a_recording() {
    let (video, audio) = (common::of("vp8.ivf"), common::of("sine.opus"));
    for form in [Form::Separate, Form::Webm] {
        let files = Files::default();
        let mut sink = files.sink(form);
        let [picture, sound] =
            [MediaKind::Video, MediaKind::Audio].map(|kind| sink.add_track(kind).expect("few"));
        let wrong = MediaFrame { bytes: Arc::from([3]), ..audio[0].clone() };
        let empty = MediaFrame { bytes: Arc::from([]), ..video[0].clone() };
        for (track, wrong, right) in [(sound, wrong, &audio[0]), (picture, empty, &video[0])] {
            let written = sink.write(track, &wrong, Duration::ZERO).expect("memory");
            assert_eq!(written, Written::LeftOut);
            let written = sink.write(track, right, Duration::ZERO).expect("memory");
            assert_eq!(written, Written::Taken);
        }
        let stats = sink.finish().expect("memory");
        assert_eq!([stats[0].left_out, stats[1].left_out], [1, 1]);
    }
}

#[test]
fn what_webm_can_not_hold_has_a_file_of_its_own() {
    let files = Files::default();
    let mut sink = files.sink(Form::Webm);
    let tracks =
        [MediaKind::Video, MediaKind::Audio].map(|kind| sink.add_track(kind).expect("few"));
    sink.write(tracks[0], &common::access_units()[0], Duration::ZERO).expect("memory");
    sink.write(tracks[1], &common::of("sine.opus")[0], Duration::ZERO).expect("memory");
    sink.finish().expect("memory");
    assert_eq!(files.names(), ["video-0.ivf", "tracks.webm"]);
}

#[test]
fn what_is_no_frame_of_the_track_is_an_error() {
    let vp8 = common::of("vp8.ivf")[0].clone();
    let mut writer = IvfWriter::new(Cursor::new(Vec::new()), Codec::Vp9).expect("video");
    assert!(matches!(writer.write(&vp8), Err(WriteError::OtherCodec { .. })));
    let empty = MediaFrame { codec: Codec::Vp9, bytes: Arc::from([]), ..vp8 };
    assert!(matches!(writer.write(&empty), Err(WriteError::FrameSize(0))));
    assert!(IvfWriter::new(Cursor::new(Vec::new()), Codec::Opus).is_err());
    let mut writer = OggOpusWriter::new(Cursor::new(Vec::new()));
    let wrong = MediaFrame { bytes: Arc::from([3]), ..sound(Codec::Opus, 0) };
    assert!(matches!(writer.write(&wrong), Err(WriteError::NotOfCodec(Codec::Opus))));
    let h264 = &common::access_units()[0];
    assert!(matches!(WebmTrack::beginning_with(h264), Err(WriteError::Codec { .. })));
}

#[test]
fn a_key_frame_is_told_from_its_bits_alone() {
    for video in common::videos() {
        for frame in &video {
            assert_eq!(is_key_frame(frame.codec, &frame.bytes), frame.is_key);
        }
    }
}

fn keys(frames: &[(usize, MediaFrame)]) -> Vec<usize> {
    (0..frames.len()).filter(|index| frames[*index].1.is_key).collect()
}

fn sound(codec: Codec, ticks: u64) -> MediaFrame {
    MediaFrame {
        codec,
        time: MediaTime::new(ticks, codec.clock_rate()),
        is_key: true,
        is_contiguous: true,
        bytes: Arc::from([7; 160]),
    }
}

/// What a sink wrote, by name.
#[derive(Clone, Default)]
struct Files(Arc<Mutex<Vec<(String, common::File)>>>);

impl Files {
    fn sink(
        &self,
        form: Form,
    ) -> Sink<common::File, impl FnMut(FileName) -> std::io::Result<common::File>> {
        let files = self.0.clone();
        Sink::new(form, move |name| {
            let file = common::File::default();
            files.lock().expect("whole").push((name.to_string(), file.clone()));
            Ok(file)
        })
    }

    fn names(&self) -> Vec<String> {
        self.0.lock().expect("whole").iter().map(|(name, _)| name.clone()).collect()
    }

    fn length_of(&self, name: &str) -> f64 {
        let files = self.0.lock().expect("whole");
        let (_, file) = files.iter().find(|(known, _)| known == name).expect("written");
        length_of(name, &file.bytes())
    }

    fn read(&self, name: &str) -> Vec<(usize, MediaFrame)> {
        let files = self.0.lock().expect("whole");
        let (_, file) = files.iter().find(|(known, _)| known == name).expect("written");
        frames(&mut Source::open(Cursor::new(file.bytes()), name).expect("its headers"))
    }
}
