//! What came under a name: how it is told of, and how much it was.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tristero_tokio::{Payload, PeerId};

use super::command::Manner;
use super::events::{Fields, unix_ms};
use super::payload::{describe, payload_bytes};
use super::room::Teller;

/// See the [module](self). Clones are of the same account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    action: Arc<str>,
    teller: Teller,
    entries: Arc<Mutex<Entries>>,
}

#[derive(Debug, Default)]
struct Entries {
    manner: Manner,
    tally: Tally,
    /// Files that were written, each with its own number.
    saved: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: u64,
    /// Of the payloads, and only where a number of messages is expected.
    bytes: usize,
    first: Option<u64>,
    last: Option<u64>,
}

impl Account {
    pub(crate) fn new(action: &str, teller: Teller) -> Self {
        Account { action: action.into(), teller, entries: Arc::default() }
    }

    /// Tells in this manner from now on. The count begins anew.
    pub(crate) fn begin(&self, manner: Manner) {
        let mut entries = self.entries();
        entries.manner = manner;
        entries.tally = Tally::default();
    }

    /// How much came since the count began.
    pub(crate) fn received(&self) -> u64 {
        self.entries().tally.count
    }

    /// Tells, as the event of this name, that something came, and counts it.
    pub(crate) async fn enter(
        &self,
        event: &str,
        peer: &PeerId,
        payload: &Payload,
        metadata: Option<Value>,
    ) {
        // Whoever has been told of it finds it counted.
        let (manner, done) = {
            let mut entries = self.entries();
            (entries.manner.clone(), entries.count(payload))
        };
        let file = match (&manner.save, payload) {
            (Some(folder), Payload::Binary(bytes)) => self.save(folder, bytes).await,
            _ => None,
        };
        if manner.print {
            let fields = self.fields().with("peer", peer.as_str());
            let fields = fields.with_option("metadata", metadata);
            let fields = fields.with_all(describe(payload, manner.hash).await);
            self.teller.tell(event, fields.with_option("file", file)).await;
        }
        if let Some(done) = done {
            self.teller.tell("countDone", self.fields().with_all(done)).await;
        }
    }

    /// Tells how much of something is here, if that is wanted.
    pub(crate) async fn enter_progress(
        &self,
        peer: &PeerId,
        fraction: f64,
        metadata: Option<&Value>,
    ) {
        let is_wanted = self.entries().manner.progress;
        if is_wanted {
            let fields = self.fields().with("progress", fraction).with("peer", peer.as_str());
            let fields = fields.with_option("metadata", metadata.cloned());
            self.teller.tell("receiveProgress", fields).await;
        }
    }

    /// Writes a binary to a file of its own and returns its path.
    async fn save(&self, folder: &Path, bytes: &Bytes) -> Option<String> {
        let number = {
            let mut entries = self.entries();
            entries.saved += 1;
            entries.saved
        };
        let name = utf8_percent_encode(&self.action, UNSAFE_IN_FILE_NAMES);
        let path = folder.join(format!("{name}-{number}"));
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
        Fields::new().with("action", &*self.action)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing is left half done while it is held.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Counts what came, and tells of all if it was the last that is expected.
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

async fn write(folder: &Path, path: &Path, bytes: &Bytes) -> io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    tokio::fs::write(path, bytes).await
}

/// An action may have any name; none may lead out of the folder.
const UNSAFE_IN_FILE_NAMES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_done_at_the_number_and_begins_anew() {
        let manner = Manner { expect: Some(2), ..Manner::default() };
        let mut entries = Entries { manner, ..Entries::default() };
        for _ in 0..2 {
            assert_eq!(entries.count(&"grüß".into()), None);
            let done = Value::from(entries.count(&"abc".into()).unwrap());
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
