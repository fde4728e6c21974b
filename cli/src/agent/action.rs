//! What a room receives under one name, and how it is told of.

use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tristero_tokio::{Payload, RawAction, Received, Receiving, ReceivingStream, Room};

use super::Refusal;
use super::command::RegisterOrder;
use super::events::{Fields, unix_ms};
use super::payload::{describe, payload_bytes};
use super::room::{RawSender, Teller};

/// An action of a room. It may be sent on without being registered; what comes then waits.
pub(crate) struct ActionEntry {
    sender: RawSender,
    phase: Phase,
    registration: Arc<Mutex<Registration>>,
    /// Gives the listener what tells of messages that are arriving, once.
    progress: Option<mpsc::Sender<ReceivingStream>>,
}

enum Phase {
    Unregistered(RawAction, mpsc::Receiver<ReceivingStream>),
    /// A task tells of what comes.
    Registered,
}

/// How messages are told of, and how many there were.
#[derive(Debug)]
struct Registration {
    manner: Manner,
    tally: Tally,
}

/// How messages are told of.
#[derive(Clone, Debug, Default)]
struct Manner {
    print: bool,
    hash: bool,
    progress: bool,
    expect: Option<u64>,
    save: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: u64,
    /// Of the payloads, and only where a number of messages is expected.
    bytes: usize,
    first: Option<u64>,
    last: Option<u64>,
}

impl ActionEntry {
    pub(crate) fn new(action: RawAction) -> Self {
        let (progress, streams) = mpsc::channel(1);
        let registration = Registration { manner: Manner::default(), tally: Tally::default() };
        ActionEntry {
            sender: action.sender(),
            phase: Phase::Unregistered(action, streams),
            registration: Arc::new(Mutex::new(registration)),
            progress: Some(progress),
        }
    }

    pub(crate) fn sender(&self) -> RawSender {
        self.sender.clone()
    }

    /// How many messages came since the count began.
    pub(crate) fn received(&self) -> u64 {
        lock(&self.registration).tally.count
    }

    /// Tells of what comes, from now on as ordered. The count begins anew.
    pub(crate) fn register(
        &mut self,
        order: RegisterOrder,
        room: &Room,
        teller: &Teller,
        tellers: &mut JoinSet<()>,
    ) -> Result<(), Refusal> {
        let RegisterOrder { action: name, print, hash, progress, expect, save, .. } = order;
        if progress && let Some(streams) = self.progress.take() {
            let stream = room.action(&name).and_then(|action: RawAction| action.receiving());
            // There is room for the one stream, and a listener that is gone needs none.
            let _ = streams.try_send(stream.map_err(Refusal::new)?);
        }
        let manner = Manner { print, hash, progress, expect, save };
        *lock(&self.registration) = Registration { manner, tally: Tally::default() };
        if let Phase::Unregistered(action, streams) =
            std::mem::replace(&mut self.phase, Phase::Registered)
        {
            let registration = self.registration.clone();
            let listener = Listener { name, registration, teller: teller.clone(), saved: 0 };
            tellers.spawn(listener.listen(action, streams));
        }
        Ok(())
    }
}

/// Tells of what comes under one name.
struct Listener {
    name: String,
    registration: Arc<Mutex<Registration>>,
    teller: Teller,
    saved: u64,
}

impl Listener {
    /// Until the room is left.
    async fn listen(mut self, mut action: RawAction, mut streams: mpsc::Receiver<ReceivingStream>) {
        let mut receiving = None;
        loop {
            tokio::select! {
                // How a message arrives is told before it has.
                biased;
                Some(stream) = streams.recv() => receiving = Some(stream),
                step = next_step(&mut receiving) => match step {
                    Some(step) => self.on_progress(&step).await,
                    None => receiving = None,
                },
                message = action.recv() => match message {
                    Some(Ok(message)) => self.on_message(message).await,
                    Some(Err(_)) => {} // there is no payload that is not raw
                    None => return,
                },
            }
        }
    }

    async fn on_progress(&self, step: &Receiving) {
        if self.manner().progress {
            let metadata = step.metadata.clone();
            let fields = self.fields().with("progress", step.fraction);
            let fields = fields.with("peer", step.peer.as_str()).with_option("metadata", metadata);
            self.teller.tell("receiveProgress", fields).await;
        }
    }

    async fn on_message(&mut self, message: Received<Payload>) {
        let Received { peer, value: payload, metadata, .. } = message;
        let manner = self.manner();
        // Whoever has been told of a message finds it counted.
        let done = lock(&self.registration).count(&payload);
        if manner.progress {
            // The last step is the message itself, in this program and not in others.
            let whole = self.fields().with("progress", 1).with("peer", peer.as_str());
            let whole = whole.with_option("metadata", metadata.clone());
            self.teller.tell("receiveProgress", whole).await;
        }
        let file = match (&manner.save, &payload) {
            (Some(folder), Payload::Binary(bytes)) => self.save(folder, bytes).await,
            _ => None,
        };
        if manner.print {
            let fields = self.fields().with("peer", peer.as_str());
            let fields = fields.with_option("metadata", metadata);
            let fields = fields.with_all(describe(&payload, manner.hash).await);
            self.teller.tell("message", fields.with_option("file", file)).await;
        }
        if let Some(done) = done {
            self.teller.tell("countDone", self.fields().with_all(done)).await;
        }
    }

    /// Writes a binary to a file of its own and returns its path.
    async fn save(&mut self, folder: &Path, bytes: &Bytes) -> Option<String> {
        self.saved += 1;
        let name = utf8_percent_encode(&self.name, UNSAFE_IN_FILE_NAMES);
        let path = folder.join(format!("{name}-{}", self.saved));
        match write(folder, &path, bytes).await {
            Ok(()) => Some(path.display().to_string()),
            Err(error) => {
                let why = format!("{} can't be written: {error}", path.display());
                self.teller.tell("error", self.fields().with("error", why)).await;
                None
            }
        }
    }

    fn fields(&self) -> Fields {
        Fields::new().with("action", self.name.as_str())
    }

    fn manner(&self) -> Manner {
        lock(&self.registration).manner.clone()
    }
}

impl Registration {
    /// Counts a message, and tells of all if it was the last that is expected.
    fn count(&mut self, payload: &Payload) -> Option<Fields> {
        let now = unix_ms();
        let Tally { count, bytes, first, last } = &mut self.tally;
        *count += 1;
        *last = Some(now);
        let first = *first.get_or_insert(now);
        let expect = self.manner.expect?;
        *bytes += payload_bytes(payload);
        if *count != expect {
            return None;
        }
        let done = Fields::new()
            .with("count", *count)
            .with("bytes", *bytes)
            .with("tFirst", first)
            .with("tLast", now);
        self.tally = Tally::default();
        Some(done)
    }
}

/// The next step of messages that are arriving, if that is to be told.
async fn next_step(receiving: &mut Option<ReceivingStream>) -> Option<Receiving> {
    match receiving {
        Some(stream) => stream.recv().await,
        None => pending().await,
    }
}

async fn write(folder: &Path, path: &Path, bytes: &Bytes) -> io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    tokio::fs::write(path, bytes).await
}

fn lock(registration: &Mutex<Registration>) -> MutexGuard<'_, Registration> {
    // Nothing is left half done while it is held.
    registration.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An action may have any name; none may lead out of the folder.
const UNSAFE_IN_FILE_NAMES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_done_at_the_number_and_begins_anew() {
        let manner = Manner { expect: Some(2), ..Manner::default() };
        let mut registration = Registration { manner, tally: Tally::default() };
        for _ in 0..2 {
            assert_eq!(registration.count(&"grüß".into()), None);
            let done = serde_json::Value::from(registration.count(&"abc".into()).unwrap());
            assert_eq!((&done["count"], &done["bytes"]), (&2.into(), &9.into()));
            assert!(done["tFirst"].as_u64() <= done["tLast"].as_u64());
        }
    }

    #[test]
    fn no_action_leads_out_of_its_folder() {
        let encode = |name| utf8_percent_encode(name, UNSAFE_IN_FILE_NAMES).to_string();
        assert_eq!(encode("../a b\\ü"), "..%2Fa%20b%5C%C3%BC");
    }
}
