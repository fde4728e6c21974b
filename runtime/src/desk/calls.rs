//! Requests of peers, on their way to a handler.

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde_json::Value;
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{CallId, PeerId, Request};

use crate::inbox::{Bounds, Inbox, Unqueued, Wakes};
use crate::waiting::{Readers, Waiters};

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Calls {
    handlers: BTreeMap<ActionName, Readers<Asked>>,
    /// Those that a handler has, each told when nobody waits for its answer any more.
    open: Waiters<CallId, Infallible>,
}

/// A request of a peer.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) peer: PeerId,
    pub(crate) call: CallId,
    pub(crate) payload: Payload,
    pub(crate) metadata: Option<Value>,
    /// Ends when the caller is gone.
    pub(crate) ended: Inbox<Infallible>,
}

impl Calls {
    /// Adds a handler of an action; the first one gets all, as long as it is there.
    pub(crate) fn handle(&mut self, action: &ActionName, bounds: Bounds) -> Inbox<Asked> {
        self.handlers.entry(action.clone()).or_default().add(bounds)
    }

    pub(crate) fn is_handled(&self, action: &ActionName) -> bool {
        self.handlers.get(action).is_some_and(|handlers| !handlers.is_empty())
    }

    pub(crate) fn on_request(
        &mut self,
        peer: PeerId,
        request: Request,
        wakes: &mut Wakes,
    ) -> Result<(), Unqueued> {
        let Request { call, action, payload, metadata, size, .. } = request;
        let handlers = self.handlers.get_mut(&action).ok_or(Unqueued::Gone)?;
        let ended = self.open.add(call, Bounds::OWN);
        let asked = Asked { peer, call, payload, metadata, ended };
        let queued = handlers.offer_first(asked, size, wakes);
        if queued.is_err() {
            self.on_over(call, wakes);
        }
        queued
    }

    /// A request is answered.
    pub(crate) fn forget(&mut self, call: CallId) {
        self.open.forget(&call);
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn on_over(&mut self, call: CallId, wakes: &mut Wakes) {
        self.open.end_one(&call, wakes);
    }

    pub(crate) fn end(self, wakes: &mut Wakes) {
        let Calls { handlers, open } = self;
        handlers.into_values().for_each(|handlers| handlers.end(wakes));
        open.end(wakes);
    }
}
