//! Audio and video of a room of an agent: what it sends, and what is told of what comes.

mod watching;

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;
use tristero_media_files::Form;
use tristero_tokio::{AddBuilder, Added, LocalStream, LocalTrack, MediaFailure, PeerId, Room};

use super::command::{
    AddManner, AddStreamOrder, RecordOrder, RemoveStreamOrder, ReplaceTrackOrder, Targets,
};
use super::events::Fields;
use super::reply::{Begun, Outcome, Refusal};
use super::room::Teller;
use crate::media::{Program, RecordingFiles};

pub(crate) use watching::watch;

/// Streams of one room that are sent at once.
const STREAMS_MAX: usize = 64;

/// See the [module](self).
pub(crate) struct AgentMedia {
    room: Room,
    teller: Teller,
    tasks: TaskTracker,
    streams: BTreeMap<String, Sent>,
}

/// A stream that is sent.
struct Sent {
    stream: LocalStream,
    /// What plays each track. Files that were added together end together.
    playing: Vec<(LocalTrack, Arc<Playing>)>,
}

/// Ends what plays when this is dropped.
struct Playing(AbortHandle);

impl AgentMedia {
    pub(crate) fn new(room: Room, teller: Teller, tasks: TaskTracker) -> Self {
        AgentMedia { room, teller, tasks, streams: BTreeMap::new() }
    }

    /// Begins to send files.
    pub(crate) async fn add_stream(&mut self, order: AddStreamOrder) -> Result<Begun, Refusal> {
        if order.manner == AddManner::Tracks {
            return self.add_tracks(order).await;
        }
        let AddStreamOrder { files, stream: name, metadata, target, repeats, late_joiners, .. } =
            order;
        if self.streams.contains_key(&name) {
            return Err(Refusal::new(format!("there is a stream called {name} already")));
        }
        if self.streams.len() >= STREAMS_MAX {
            return Err(Refusal::new(format!("a room has {STREAMS_MAX} streams at most")));
        }
        let program = Program::open(files, repeats).await.map_err(Refusal::new)?;
        let stream = program.stream();
        let adding = self.room.add_stream(&stream).late_joiners(late_joiners);
        let adding = address(adding, metadata, target.as_ref()).into_future();
        let tracks = stream.tracks();
        let id = stream.id().map(|id| id.number().to_string());
        let playing = self.play(&name, program);
        self.streams.insert(name.clone(), Sent { stream, playing });
        let fields = Fields::new()
            .with("stream", name)
            .with_option("streamId", id)
            .with("tracks", describe_tracks(&tracks));
        Ok(self.answer(fields, adding))
    }

    /// The stream of this name.
    pub(crate) fn stream(&self, name: &str) -> Result<LocalStream, Refusal> {
        self.streams.get(name).map(|sent| sent.stream.clone()).ok_or_else(|| no_stream(name))
    }

    /// Sends a stream of another room here too.
    pub(crate) fn share_stream(
        &mut self,
        stream: LocalStream,
        order: AddStreamOrder,
    ) -> Result<Begun, Refusal> {
        let AddStreamOrder { stream: name, metadata, target, late_joiners, .. } = order;
        if self.streams.contains_key(&name) {
            return Err(Refusal::new(format!("there is a stream called {name} already")));
        }
        let adding = self.room.add_stream(&stream).late_joiners(late_joiners);
        let adding = address(adding, metadata, target.as_ref()).into_future();
        let fields = Fields::new()
            .with("stream", name.as_str())
            .with_option("streamId", stream.id().map(|id| id.number().to_string()))
            .with("tracks", describe_tracks(&stream.tracks()));
        self.streams.insert(name, Sent { stream, playing: Vec::new() });
        Ok(self.answer(fields, adding))
    }

    /// Stops to send a stream.
    pub(crate) fn remove_stream(&mut self, order: RemoveStreamOrder) -> Result<Begun, Refusal> {
        let RemoveStreamOrder { stream: name, target, .. } = order;
        let sent = self.streams.get(&name).ok_or_else(|| no_stream(&name))?;
        match target.as_ref().map(Targets::peers) {
            Some(peers) => self.room.remove_stream_from(&sent.stream, peers),
            None => self.room.remove_stream(&sent.stream),
        }
        .map_err(Refusal::new)?;
        if target.is_none() {
            self.streams.remove(&name);
        }
        let teller = self.teller.clone();
        Ok(Begun::Running(Box::pin(async move {
            teller.tell("streamRemoved", Fields::new().with("stream", name)).await;
            Ok(Fields::new())
        })))
    }

    /// Sends the first track of a file in the place of that of a stream which is for the same.
    pub(crate) async fn replace_track(
        &mut self,
        order: ReplaceTrackOrder,
    ) -> Result<Begun, Refusal> {
        let ReplaceTrackOrder { stream: name, files, metadata, repeats, .. } = order;
        let program = Program::open(files, repeats).await.map_err(Refusal::new)?;
        let news = program.tracks();
        let [new] = &news[..] else {
            return Err(Refusal::new("a track is replaced by a file with one track"));
        };
        let sent = self.streams.get(&name).ok_or_else(|| no_stream(&name))?;
        let old = sent.stream.tracks().into_iter().find(|old| old.kind() == new.kind());
        let old = old.ok_or_else(|| Refusal::new(format!("it has no {}", new.kind())))?;
        let old_id = track_id(&old);
        let mut replacing = self.room.replace_track(&old, new).stream(&sent.stream);
        if let Some(metadata) = metadata {
            replacing = replacing.metadata(metadata);
        }
        let replacing = replacing.into_future();
        let fields = Fields::new()
            .with("stream", name.as_str())
            .with_option("oldTrackId", old_id)
            .with_option("trackId", track_id(new));
        let playing = self.play(&name, program);
        if let Some(sent) = self.streams.get_mut(&name) {
            sent.playing.retain(|(track, _)| *track != old);
            sent.playing.extend(playing);
        }
        let teller = self.teller.clone();
        Ok(Begun::Running(Box::pin(async move {
            let added = replacing.await.map_err(Refusal::new)?;
            let fields = fields.with_all(describe_added(&added));
            teller.tell("trackReplaced", fields.clone()).await;
            Ok(fields)
        })))
    }

    /// Records what is sent here, from now on.
    pub(crate) fn record(&self, order: &RecordOrder) -> Outcome {
        let form = if order.webm { Form::Webm } else { Form::Separate };
        let files = RecordingFiles { folder: order.dir.clone(), label: String::new(), form };
        let tasks = self.tasks.clone();
        self.tasks.spawn(watching::record_all(
            self.room.clone(),
            files,
            self.teller.clone(),
            tasks,
        ));
        Ok(Fields::new())
    }

    /// Begins to send files as tracks of a stream that there is.
    async fn add_tracks(&mut self, order: AddStreamOrder) -> Result<Begun, Refusal> {
        let AddStreamOrder { files, stream: name, metadata, target, repeats, late_joiners, .. } =
            order;
        let program = Program::open(files, repeats).await.map_err(Refusal::new)?;
        let sent = self.streams.get(&name).ok_or_else(|| no_stream(&name))?;
        let tracks = program.tracks();
        let mut adding = Vec::new();
        for track in &tracks {
            let add = self.room.add_track(track, &sent.stream).late_joiners(late_joiners);
            adding.push(address(add, metadata.clone(), target.as_ref()).into_future());
        }
        let fields = Fields::new()
            .with("stream", name.as_str())
            .with_option("streamId", sent.stream.id().map(|id| id.number().to_string()))
            .with("tracks", describe_tracks(&tracks));
        let playing = self.play(&name, program);
        if let Some(sent) = self.streams.get_mut(&name) {
            sent.playing.extend(playing);
        }
        let all = async move {
            let mut all = Added::default();
            for added in adding {
                let added = added.await?;
                all.taken.extend(added.taken);
                all.failed.extend(added.failed);
            }
            Ok(all)
        };
        Ok(self.answer(fields, all))
    }

    /// Answers once those who are there have.
    fn answer(
        &self,
        fields: Fields,
        adding: impl Future<Output = Result<Added, tristero_tokio::AddError>> + Send + 'static,
    ) -> Begun {
        let teller = self.teller.clone();
        Begun::Running(Box::pin(async move {
            let added = adding.await.map_err(Refusal::new)?;
            let fields = fields.with_all(describe_added(&added));
            teller.tell("streamAdded", fields.clone()).await;
            Ok(fields)
        }))
    }

    /// Plays files until their end, or until all their tracks are replaced or removed.
    fn play(&self, name: &str, program: Program) -> Vec<(LocalTrack, Arc<Playing>)> {
        let tracks = program.tracks();
        let (teller, name) = (self.teller.clone(), name.to_owned());
        let mut playing = program.play();
        let task = self.tasks.spawn(async move {
            let fields = Fields::new().with("stream", name);
            let fields = match playing.end().await {
                Ok(played) => fields
                    .with("written", played.written)
                    .with("late", played.late)
                    .with("tooLarge", played.too_large),
                Err(error) => fields.with("error", error.to_string()),
            };
            teller.tell("streamPlayed", fields).await;
        });
        let playing = Arc::new(Playing(task.abort_handle()));
        tracks.into_iter().map(|track| (track, playing.clone())).collect()
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn address(adding: AddBuilder, metadata: Option<Value>, target: Option<&Targets>) -> AddBuilder {
    let adding = target.map_or(&[][..], Targets::peers).iter().fold(adding, AddBuilder::to);
    match metadata {
        Some(metadata) => adding.metadata(metadata),
        None => adding,
    }
}

fn describe_tracks(tracks: &[LocalTrack]) -> Vec<Value> {
    let describe = |track: &LocalTrack| {
        let codecs: Vec<&str> = track.codecs().iter().map(|codec| codec.name()).collect();
        json!({ "kind": track.kind().to_string(), "id": track_id(track), "codecs": codecs })
    };
    tracks.iter().map(describe).collect()
}

fn track_id(track: &LocalTrack) -> Option<String> {
    track.id().map(|id| id.number().to_string())
}

fn describe_added(added: &Added) -> Fields {
    let taken: Vec<Value> = added.taken.iter().map(|peer| peer.as_str().into()).collect();
    let describe = |(peer, why): &(PeerId, MediaFailure)| json!({ "peer": peer.as_str(), "error": why.to_string() });
    let failed: Vec<Value> = added.failed.iter().map(describe).collect();
    Fields::new().with("taken", taken).with_option("failed", (!failed.is_empty()).then_some(failed))
}

fn no_stream(name: &str) -> Refusal {
    Refusal::new(format!("there is no stream {name}"))
}
