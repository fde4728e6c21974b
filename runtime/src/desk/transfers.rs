//! Transfers that arrive, on their way to who reads them.
//!
//! A transfer may have no gaps. One whose reader is too slow ends, with an error, and so does one
//! when all of them together take too much.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use serde_json::Value;
use tristero_proto::wire::ActionName;
use tristero_proto::{PeerId, TransferFailure, TransferId};

use crate::inbox::{Inbox, Unqueued, Wakes};
use crate::transfer::IncomingError;
use crate::unread::Unread;
use crate::waiting::{Readers, Waiters};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Transfers {
    unread: Unread,
    readers: BTreeMap<ActionName, Readers<Arrival>>,
    under_way: Waiters<TransferId, Piece>,
    /// Bytes that wait to be read, of all transfers.
    waiting: Arc<AtomicUsize>,
}

/// A transfer that begins.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) peer: PeerId,
    pub(crate) metadata: Option<Value>,
    pub(crate) pieces: Inbox<Piece>,
}

/// What follows.
#[derive(Debug)]
pub(crate) enum Piece {
    More(Waiting, f64),
    End(Result<(), IncomingError>),
}

/// Bytes that count as waiting until they are taken, or this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    bytes: Bytes,
    counter: Arc<AtomicUsize>,
}

impl Transfers {
    pub(crate) fn new(unread: Unread) -> Self {
        let (readers, under_way) = (BTreeMap::new(), Waiters::default());
        Transfers { unread, readers, under_way, waiting: Arc::default() }
    }

    /// Adds a reader of an action; the first one gets all, as long as it is there.
    pub(crate) fn read(&mut self, action: &ActionName) -> Inbox<Arrival> {
        self.readers.entry(action.clone()).or_default().add(self.unread.messages())
    }

    pub(crate) fn on_began(
        &mut self,
        peer: PeerId,
        transfer: TransferId,
        action: &ActionName,
        (metadata, size): (Option<Value>, usize),
        wakes: &mut Wakes,
    ) {
        let Some(readers) = self.readers.get_mut(action) else { return };
        let pieces = self.under_way.add(transfer, self.unread.transfer());
        let arrival = Arrival { peer, metadata, pieces };
        if readers.offer_first(arrival, size, wakes).is_err() {
            self.under_way.end_one(&transfer, wakes);
        }
    }

    pub(crate) fn on_piece(
        &mut self,
        transfer: TransferId,
        bytes: Bytes,
        fraction: f64,
        wakes: &mut Wakes,
    ) {
        let size = bytes.len();
        let waiting = Waiting::new(bytes, &self.waiting);
        let is_too_much = self.waiting.load(Ordering::Relaxed) > self.unread.all_transfer_bytes;
        let offered = if is_too_much {
            Err(Unqueued::Full)
        } else {
            self.under_way.offer(&transfer, Piece::More(waiting, fraction), size, wakes)
        };
        match offered {
            Ok(()) => {}
            Err(Unqueued::Full) => {
                let end = Piece::End(Err(IncomingError::TooSlow));
                self.under_way.finish(&transfer, end, wakes);
            }
            // Nobody wants it, so its bytes are not kept.
            Err(Unqueued::Gone) => self.under_way.end_one(&transfer, wakes),
        }
    }

    pub(crate) fn on_ended(
        &mut self,
        transfer: TransferId,
        result: Result<(), TransferFailure>,
        wakes: &mut Wakes,
    ) {
        let end = Piece::End(result.map_err(IncomingError::Failed));
        self.under_way.finish(&transfer, end, wakes);
    }

    pub(crate) fn end(self, wakes: &mut Wakes) {
        let Transfers { unread: _, readers, under_way, waiting: _ } = self;
        readers.into_values().for_each(|readers| readers.end(wakes));
        under_way.end(wakes);
    }
}

impl Waiting {
    fn new(bytes: Bytes, counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(bytes.len(), Ordering::Relaxed);
        Waiting { bytes, counter: counter.clone() }
    }

    /// The bytes, which are the reader's from now on.
    pub(crate) fn take(mut self) -> Bytes {
        self.counter.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.counter.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}
