//! What comes of audio and video: it is told, counted, and recorded.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::TaskTracker;
use tristero_media_files::SinkStats;
use tristero_tokio::{Codec, MediaKind, PeerId, RemoteTrack, Room};

use crate::agent::events::Fields;
use crate::agent::room::Teller;
use crate::media::{Claimed, Claims, RecordingFiles, record};

/// How often it is told how much came of a track.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// Tells of streams and tracks, and of what comes of them, until the room is left.
pub(crate) async fn watch(room: Room, teller: Teller, tasks: TaskTracker) {
    let (mut streams, mut tracks) = (room.peer_streams(), room.peer_tracks());
    // What ends with the room is not to keep it.
    drop(room);
    // A peer may tell of a stream as often as it likes.
    let claims = Claims::default();
    loop {
        tokio::select! {
            arrived = streams.recv() => {
                let Some(arrived) = arrived else { return };
                let described: Vec<Value> = arrived.stream.tracks.iter().map(describe).collect();
                let fields = Fields::new()
                    .with("peer", arrived.peer.as_str())
                    .with_option("metadata", arrived.metadata)
                    .with("streamId", arrived.stream.id().number().to_string())
                    .with("tracks", described);
                let tracks = claims.claim_all(arrived.stream.tracks);
                if tracks.is_empty() {
                    continue;
                }
                teller.tell("stream", fields).await;
                for track in tracks {
                    tasks.spawn(count(track, teller.clone()));
                }
            }
            arrived = tracks.recv() => {
                let Some(arrived) = arrived else { return };
                let fields = Fields::new()
                    .with("peer", arrived.peer.as_str())
                    .with_option("metadata", arrived.metadata)
                    .with("kind", arrived.track.kind().to_string())
                    .with("trackId", track_id(&arrived.track))
                    .with("streamId", arrived.stream.number().to_string());
                for track in claims.claim_all(vec![arrived.track]) {
                    teller.tell("track", fields.clone()).await;
                    tasks.spawn(count(track, teller.clone()));
                }
            }
        }
    }
}

/// Records all that comes, until the room is left.
pub(super) async fn record_all(
    room: Room,
    files: RecordingFiles,
    teller: Teller,
    tasks: TaskTracker,
) {
    let (mut streams, mut tracks) = (room.peer_streams(), room.peer_tracks());
    drop(room);
    let claims = Claims::default();
    let mut number = 0;
    loop {
        let (peer, tracks) = tokio::select! {
            Some(arrived) = streams.recv() => (arrived.peer, arrived.stream.tracks),
            Some(arrived) = tracks.recv() => (arrived.peer, vec![arrived.track]),
            else => return,
        };
        for tracks in claims.claim_groups(tracks) {
            number += 1;
            let label = RecordingFiles::label(peer.as_str(), number);
            let files = RecordingFiles { label, ..files.clone() };
            tasks.spawn(record_one(peer.clone(), tracks, files, teller.clone()));
        }
    }
}

async fn record_one(peer: PeerId, tracks: Vec<Claimed>, files: RecordingFiles, teller: Teller) {
    let fields = Fields::new().with("peer", peer.as_str());
    let fields = match record(tracks, files, |_| {}).await {
        Ok(recorded) => {
            let paths = recorded.files.iter().map(|path| path.to_string_lossy().into_owned());
            let tracks: Vec<Value> = recorded.tracks.iter().map(describe_recorded).collect();
            fields.with("files", paths.collect::<Vec<String>>()).with("tracks", tracks)
        }
        Err(error) => fields.with("error", error.to_string()),
    };
    teller.tell("recorded", fields).await;
}

/// Counts what comes of a track, and tells it each second and at the end.
async fn count((mut track, _claim): Claimed, teller: Teller) {
    let mut counted = Counted::default();
    let mut seconds = interval(COUNT_INTERVAL);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            frame = track.recv() => {
                let Some(frame) = frame else { break };
                counted.frames += 1;
                counted.key_frames += u64::from(frame.is_key);
                counted.gaps += u64::from(!frame.is_contiguous);
                counted.codec = Some(frame.codec);
            }
            _ = seconds.tick() => {
                let (event, fields) = counted.describe(&track);
                teller.try_tell(event, fields);
            }
        }
    }
    let (event, fields) = counted.describe(&track);
    teller.tell(event, fields).await;
    let fields = Fields::new()
        .with("peer", track.peer().as_str())
        .with("kind", track.kind().to_string())
        .with("trackId", track_id(&track));
    teller.tell("trackEnded", fields).await;
}

#[derive(Debug, Default)]
struct Counted {
    frames: u64,
    key_frames: u64,
    gaps: u64,
    codec: Option<Codec>,
}

impl Counted {
    /// The event that tells of it, and its fields.
    fn describe(&self, track: &RemoteTrack) -> (&'static str, Fields) {
        let head =
            Fields::new().with("peer", track.peer().as_str()).with("trackId", track_id(track));
        let codec = self.codec.map(Codec::name);
        let (event, fields) = match track.kind() {
            MediaKind::Video => {
                let fields =
                    head.with("framesReceived", self.frames).with("keyFrames", self.key_frames);
                ("videoFrames", fields)
            }
            MediaKind::Audio => ("audioPackets", head.with("packets", self.frames)),
        };
        (event, fields.with("gaps", self.gaps).with("codec", codec))
    }
}

fn describe(track: &RemoteTrack) -> Value {
    json!({ "kind": track.kind().to_string(), "id": track_id(track) })
}

fn track_id(track: &RemoteTrack) -> String {
    track.id().number().to_string()
}

fn describe_recorded((kind, stats): &(MediaKind, SinkStats)) -> Value {
    let SinkStats { codec, frames, key_frames, left_out, length, .. } = stats;
    json!({
        "kind": kind.to_string(),
        "codec": codec.map(Codec::name),
        "frames": frames,
        "keyFrames": key_frames,
        "leftOut": left_out,
        "seconds": length.as_secs_f64(),
    })
}
