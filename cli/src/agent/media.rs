//! Audio and video of a room of an agent: what it sends, and what is told of what comes.

mod watching;

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;
use tristero_media_files::Form;
use tristero_tokio::{
    AddBuilder, AddError, Added, LocalStream, LocalTrack, MediaError, MediaFailure, PeerId, Room,
};

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
    shared: SharedStream,
    /// What tells in this room of the end of files.
    telling: Vec<Aborting>,
}

/// A stream that other rooms may send too. It is played until the last of them is left, or removes it.
#[derive(Clone)]
pub(crate) struct SharedStream {
    stream: LocalStream,
    playing: Arc<Mutex<Players>>,
}

/// What plays each track. Files that were added together end together.
type Players = Vec<(LocalTrack, Arc<Aborting>)>;

/// Ends a task when this is dropped.
struct Aborting(AbortHandle);

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
        let adding = begin(address(adding, metadata, target.as_ref()))?;
        let tracks = stream.tracks();
        let id = stream.id().map(|id| id.number().to_string());
        let (playing, telling) = self.play(&name, program);
        let shared = SharedStream { stream, playing: Arc::new(Mutex::new(playing)) };
        self.streams.insert(name.clone(), Sent { shared, telling: vec![telling] });
        let fields = Fields::new()
            .with("stream", name)
            .with_option("streamId", id)
            .with("tracks", describe_tracks(&tracks));
        Ok(self.answer(fields, adding))
    }

    /// The stream of this name.
    pub(crate) fn stream(&self, name: &str) -> Result<SharedStream, Refusal> {
        self.streams.get(name).map(|sent| sent.shared.clone()).ok_or_else(|| no_stream(name))
    }

    /// Sends a stream of another room here too.
    pub(crate) fn share_stream(
        &mut self,
        shared: SharedStream,
        order: AddStreamOrder,
    ) -> Result<Begun, Refusal> {
        let AddStreamOrder { stream: name, metadata, target, late_joiners, .. } = order;
        if self.streams.contains_key(&name) {
            return Err(Refusal::new(format!("there is a stream called {name} already")));
        }
        if self.streams.len() >= STREAMS_MAX {
            return Err(Refusal::new(format!("a room has {STREAMS_MAX} streams at most")));
        }
        let stream = &shared.stream;
        let adding = self.room.add_stream(stream).late_joiners(late_joiners);
        let adding = begin(address(adding, metadata, target.as_ref()))?;
        let fields = Fields::new()
            .with("stream", name.as_str())
            .with_option("streamId", stream.id().map(|id| id.number().to_string()))
            .with("tracks", describe_tracks(&stream.tracks()));
        self.streams.insert(name, Sent { shared, telling: Vec::new() });
        Ok(self.answer(fields, adding))
    }

    /// Stops to send a stream.
    pub(crate) fn remove_stream(&mut self, order: RemoveStreamOrder) -> Result<Begun, Refusal> {
        let RemoveStreamOrder { stream: name, target, .. } = order;
        let sent = self.streams.get(&name).ok_or_else(|| no_stream(&name))?;
        let stream = &sent.shared.stream;
        let removed = match target.as_ref().map(Targets::peers) {
            Some(peers) => self.room.remove_stream_from(stream, peers),
            None => self.room.remove_stream(stream),
        };
        // What the room does not have is not to keep its name.
        if target.is_none() && matches!(removed, Ok(()) | Err(MediaError::NoSuchStream)) {
            self.streams.remove(&name);
        }
        removed.map_err(Refusal::new)?;
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
        let stream = &sent.shared.stream;
        let old = stream.tracks().into_iter().find(|old| old.kind() == new.kind());
        let old = old.ok_or_else(|| Refusal::new(format!("it has no {}", new.kind())))?;
        let old_id = track_id(&old);
        let mut replacing = self.room.replace_track(&old, new).stream(stream);
        if let Some(metadata) = metadata {
            replacing = replacing.metadata(metadata);
        }
        let replacing = begin(replacing)?;
        let fields = Fields::new()
            .with("stream", name.as_str())
            .with_option("oldTrackId", old_id)
            .with_option("trackId", track_id(new));
        let played = self.play(&name, program);
        if let Some(sent) = self.streams.get_mut(&name) {
            sent.shared.players().retain(|(track, _)| *track != old);
            sent.play(played);
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
            let add = self.room.add_track(track, &sent.shared.stream).late_joiners(late_joiners);
            adding.push(address(add, metadata.clone(), target.as_ref()).into_future());
        }
        let fields = Fields::new()
            .with("stream", name.as_str())
            .with_option("streamId", sent.shared.stream.id().map(|id| id.number().to_string()))
            .with("tracks", describe_tracks(&tracks));
        let played = self.play(&name, program);
        if let Some(sent) = self.streams.get_mut(&name) {
            sent.play(played);
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
        adding: impl Future<Output = Result<Added, AddError>> + Send + 'static,
    ) -> Begun {
        let teller = self.teller.clone();
        Begun::Running(Box::pin(async move {
            let added = adding.await.map_err(Refusal::new)?;
            let fields = fields.with_all(describe_added(&added));
            teller.tell("streamAdded", fields.clone()).await;
            Ok(fields)
        }))
    }

    /// Plays files until their end, or until all their tracks are replaced or removed. It tells of
    /// their end in this room, unless that is left before.
    fn play(&self, name: &str, program: Program) -> (Players, Aborting) {
        let tracks = program.tracks();
        let (teller, name) = (self.teller.clone(), name.to_owned());
        let (ended, end) = oneshot::channel();
        // No task of this room, for another may go on with it.
        let playing = tokio::spawn(async move {
            // Nobody is there to be told if this room was left.
            let _ = ended.send(program.play().end().await);
        });
        let telling = self.tasks.spawn(async move {
            let fields = Fields::new().with("stream", name);
            let fields = match end.await {
                Ok(Ok(played)) => fields
                    .with("written", played.written)
                    .with("late", played.late)
                    .with("tooLarge", played.too_large),
                Ok(Err(error)) => fields.with("error", error.to_string()),
                // It was ended.
                Err(_) => return,
            };
            teller.tell("streamPlayed", fields).await;
        });
        let playing = Arc::new(Aborting(playing.abort_handle()));
        let players = tracks.into_iter().map(|track| (track, playing.clone())).collect();
        (players, Aborting(telling.abort_handle()))
    }
}

impl Sent {
    fn play(&mut self, (playing, telling): (Players, Aborting)) {
        self.shared.players().extend(playing);
        self.telling.retain(|Aborting(task)| !task.is_finished());
        self.telling.push(telling);
    }
}

impl SharedStream {
    fn players(&self) -> MutexGuard<'_, Players> {
        self.playing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Aborting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Begins to add, and waits for the others later.
///
/// # Errors
///
/// Fails if it can't be added at all.
fn begin<F>(
    adding: impl IntoFuture<Output = Result<Added, AddError>, IntoFuture = F>,
) -> Result<impl Future<Output = Result<Added, AddError>> + Send + 'static, Refusal>
where
    F: Future<Output = Result<Added, AddError>> + Unpin + Send + 'static,
{
    let mut adding = adding.into_future();
    let early = match Pin::new(&mut adding).poll(&mut Context::from_waker(Waker::noop())) {
        // It is added all the same.
        Poll::Ready(Err(error)) if !matches!(error, AddError::NotTaken(_)) => {
            return Err(Refusal::new(error));
        }
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    };
    Ok(async move {
        match early {
            Some(result) => result,
            None => adding.await,
        }
    })
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
