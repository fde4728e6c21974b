//! Audio and video over sockets of this machine.

use std::sync::Arc;
use std::time::Duration;

use super::common::{config, have_met, met, peer, run, soon};
use crate::rooms::{
    Codec, LocalStream, LocalTrack, MediaFrame, MediaKind, MediaTime, PeerStreams, RemoteTrack,
};
use serde_json::json;

/// What an encoder would make; of VP8 only the first bytes say what it is (RFC 6386, section 9.1).
pub(super) fn frame(codec: Codec, number: u8) -> MediaFrame {
    let is_key = codec != Codec::Vp8 || number.is_multiple_of(4);
    let head: &[u8] = match (codec, is_key) {
        (Codec::Vp8, true) => &[0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x00, 0x30, 0x00],
        (Codec::Vp8, false) => &[0x11, 0x02, 0x00],
        // 20 ms of one channel.
        _ => &[0x78],
    };
    let length = if codec == Codec::Vp8 { 5_000 } else { 60 };
    let bytes: Vec<u8> = head.iter().copied().chain(vec![number; length]).collect();
    let time = MediaTime::of(codec, Duration::from_millis(20 * u64::from(number)));
    MediaFrame { codec, time, is_key, is_contiguous: true, bytes: Arc::from(bytes) }
}

/// The first track of that kind that is sent.
async fn first(streams: &mut PeerStreams, kind: MediaKind) -> RemoteTrack {
    soon(streams.recv()).await.unwrap().stream.take(kind).unwrap()
}

/// Writes frames, each after the one before has arrived.
async fn exchange(from: &LocalTrack, to: &mut RemoteTrack, codec: Codec) {
    for number in 0..20 {
        let sent = frame(codec, number);
        from.write(&sent).unwrap();
        let got = soon(to.recv()).await.unwrap();
        assert_eq!((got.codec, got.is_key), (codec, sent.is_key));
        assert_eq!(got.bytes, sent.bytes);
        assert_eq!(got.is_contiguous, number > 0);
    }
}

#[test]
fn pictures_and_sound_arrive_as_they_were_sent() {
    run(async {
        let (a, b) = met(&config().await).await;
        let mut streams = b.peer_streams();
        let (video, audio) = (LocalTrack::of(Codec::Vp8), LocalTrack::of(Codec::Opus));
        let stream = LocalStream::new([video.clone(), audio.clone()]);
        let added = soon(a.add_stream(&stream).metadata(json!("camera"))).await.unwrap();
        assert_eq!((added.taken, added.failed), (vec![b.self_id().clone()], vec![]));
        let mut arrived = soon(streams.recv()).await.unwrap();
        assert_eq!((&arrived.peer, arrived.metadata), (a.self_id(), Some(json!("camera"))));
        let mut picture = arrived.stream.take(MediaKind::Video).unwrap();
        let mut sound = arrived.stream.take(MediaKind::Audio).unwrap();
        exchange(&video, &mut picture, Codec::Vp8).await;
        exchange(&audio, &mut sound, Codec::Opus).await;
        assert_eq!((picture.stats().frames, picture.dropped()), (20, 0));
        assert_eq!(video.stats(&a, b.self_id()).unwrap().frames, 20);
        a.remove_stream(&stream).unwrap();
        assert!(soon(picture.recv()).await.is_none() && soon(sound.recv()).await.is_none());
    });
}

#[test]
fn what_one_sends_is_sent_on_to_another() {
    run(async {
        let config = config().await;
        let (a, forwarder) = met(&config).await;
        let mut at_forwarder = forwarder.peer_streams();
        let late = peer().join(&config, "room").unwrap();
        have_met(&forwarder, &late).await;
        let mut at_late = late.peer_streams();

        let video = LocalTrack::of(Codec::Vp8);
        let stream = LocalStream::new([video.clone()]);
        soon(a.add_stream(&stream).to(forwarder.self_id())).await.unwrap();
        let camera = first(&mut at_forwarder, MediaKind::Video).await;
        let copy = LocalTrack::any(MediaKind::Video);
        let copies = LocalStream::new([copy.clone()]);
        soon(forwarder.add_stream(&copies).to(late.self_id())).await.unwrap();
        let _relaying = copy.relay(&camera).unwrap();
        drop(camera);
        let mut seen = first(&mut at_late, MediaKind::Video).await;
        exchange(&video, &mut seen, Codec::Vp8).await;
    });
}
