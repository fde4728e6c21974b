//! Sending one thing, to its end.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use serde_json::Value;
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{
    Node, PeerId, PeerIds, RoomKey, SendFailure, SendId, SendOptions, SendReport, Time,
};

use crate::desk::{Progress, SendStep};
use crate::engine::AnyEngine;
use crate::format::FormatError;
use crate::inbox::{Bounds, Inbox};
use crate::room::Room;

/// Why something was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The action's format has no form for the value.
    #[error("the value can't be sent: {0}")]
    Format(#[from] FormatError),
    /// It can't be sent at all.
    #[error(transparent)]
    Invalid(#[from] tristero_proto::SendError),
    /// Some of the peers that it was sent to by name did not get it.
    #[error("not sent to all: {}", describe(.0))]
    Undelivered(
        /// Who, and why.
        Vec<(PeerId, SendFailure)>,
    ),
    /// The room was left, or the node shut down, before all was handed over.
    #[error("the room was left before all was sent")]
    RoomLeft,
}

/// What became of something that was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// Peers that all of it was handed over for, in the order in which that was so; none if nobody
    /// else was in the room. Whether they read it is theirs to say, such as by the answer to a
    /// request.
    pub delivered: PeerIds,
    /// Members of the room that left, or could not take it, before they had all of it.
    pub failed: Vec<(PeerId, SendFailure)>,
}

pub(crate) type OnProgress = Box<dyn FnMut(&PeerId, f64) + Send>;

/// A message that is being put together; `.await` sends it. Made by
/// [`Sender::send`](crate::Sender::send).
#[must_use = "nothing is sent before this is awaited, detached, or made a future"]
pub struct SendBuilder {
    room: Room,
    action: ActionName,
    payload: Result<Payload, FormatError>,
    options: SendOptions,
    on_progress: Option<OnProgress>,
}

/// Something that is being sent: the future of a [`SendBuilder`].
///
/// It is sent whether this is polled or not, in the order in which the futures were made.
/// Dropping it aborts what is not handed over yet: whoever has not all of it gets none of it.
#[must_use = "dropping this aborts what is not handed over yet"]
pub struct Sending {
    is_targeted: bool,
    phase: Phase,
    on_progress: Option<OnProgress>,
}

enum Phase {
    Refused(SendError),
    /// It was over as soon as it had begun.
    Sent(SendReport),
    Begun(Begun),
    Over,
}

/// A call of the node that is under way, and ends with this.
pub(crate) struct Begun {
    /// It is not left while something of it is being sent.
    room: Room,
    send: SendId,
    steps: Inbox<SendStep>,
    progress: Option<Inbox<Progress>>,
    is_over: bool,
}

impl SendBuilder {
    pub(crate) fn new(
        room: Room,
        action: ActionName,
        payload: Result<Payload, FormatError>,
    ) -> Self {
        let options = SendOptions::default();
        SendBuilder { room, action, payload, options, on_progress: None }
    }

    /// Sends to this peer alone, or to one more. For a list, which may be empty, there is
    /// [`to_all`](Self::to_all).
    pub fn to(mut self, peer: &PeerId) -> Self {
        self.options.targets.get_or_insert_default().push(peer.clone());
        self
    }

    /// Sends to these peers, or to these too. To none of them is to nobody.
    pub fn to_all<'a>(mut self, peers: impl IntoIterator<Item = &'a PeerId>) -> Self {
        self.options.targets.get_or_insert_default().extend(peers.into_iter().cloned());
        self
    }

    /// Sends this JSON along: up to 65,433 bytes.
    pub fn metadata(mut self, metadata: impl Into<Value>) -> Self {
        self.options.metadata = Some(metadata.into());
        self
    }

    /// Calls this with how much was handed over for each target, from 0 to 1, while the future is
    /// polled.
    pub fn on_progress(mut self, on_progress: impl FnMut(&PeerId, f64) + Send + 'static) -> Self {
        self.options.progress = true;
        self.on_progress = Some(Box::new(on_progress));
        self
    }

    /// Sends, and does not wait for its end: who does not get it is not told, nor is progress. It
    /// is lost if the room is left before all is handed over.
    ///
    /// # Errors
    ///
    /// Fails if it can't be sent at all.
    pub fn detach(mut self) -> Result<(), SendError> {
        self.options.progress = false;
        let SendBuilder { room, action, payload, options, .. } = self;
        let payload = payload?;
        room.call(|state, key, now| state.node.send(key, &action, payload, &options, now))?;
        Ok(())
    }
}

impl IntoFuture for SendBuilder {
    type Output = Result<Sent, SendError>;
    type IntoFuture = Sending;

    fn into_future(self) -> Sending {
        let SendBuilder { room, action, payload, options, on_progress } = self;
        let is_targeted = options.targets.is_some();
        let phase = payload.map_err(SendError::from).and_then(|payload| {
            let send = |node: &mut Node<AnyEngine>, key, now| {
                node.send(key, &action, payload, &options, now)
            };
            let phase = if options.progress {
                Phase::Begun(Begun::begin(room, true, send)?)
            } else {
                Phase::begin(room, send)?
            };
            Ok(phase)
        });
        let phase = phase.unwrap_or_else(Phase::Refused);
        Sending { is_targeted, phase, on_progress }
    }
}

impl Future for Sending {
    type Output = Result<Sent, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Phase::Begun(begun) = &mut this.phase {
            let step = ready!(begun.poll_step(this.on_progress.as_mut(), cx));
            this.phase = Phase::Over;
            return Poll::Ready(Sent::new(step, this.is_targeted));
        }
        match std::mem::replace(&mut this.phase, Phase::Over) {
            Phase::Refused(error) => Poll::Ready(Err(error)),
            Phase::Sent(report) => {
                Poll::Ready(Sent::new(Some(SendStep::Sent(report)), this.is_targeted))
            }
            Phase::Begun(_) | Phase::Over => panic!("polled after it was over"),
        }
    }
}

impl Phase {
    /// Begins by a call of the node, without progress.
    fn begin(
        room: Room,
        call: impl FnOnce(
            &mut Node<AnyEngine>,
            RoomKey,
            Time,
        ) -> Result<SendId, tristero_proto::SendError>,
    ) -> Result<Phase, tristero_proto::SendError> {
        use tristero_proto::SendError::RoomGone;
        let (send, next) = room.call(|state, key, now| {
            let (node, _) = state.room(key).ok_or(RoomGone)?;
            let send = call(node, key, now)?;
            if let Some(report) = state.take_sent(key, send, now) {
                return Ok((send, Err(report)));
            }
            let (_, desk) = state.room(key).ok_or(RoomGone)?;
            Ok((send, Ok(desk.sends.add(send, Bounds::OWN))))
        })?;
        Ok(match next {
            Err(report) => Phase::Sent(report),
            Ok(steps) => Phase::Begun(Begun { room, send, steps, progress: None, is_over: false }),
        })
    }
}

impl Begun {
    /// Begins by a call of the node.
    pub(crate) fn begin(
        room: Room,
        wants_progress: bool,
        call: impl FnOnce(
            &mut Node<AnyEngine>,
            RoomKey,
            Time,
        ) -> Result<SendId, tristero_proto::SendError>,
    ) -> Result<Begun, tristero_proto::SendError> {
        let (send, steps, progress) = room.call(|state, key, now| {
            let gone = tristero_proto::SendError::RoomGone;
            let (node, desk) = state.room(key).ok_or(gone)?;
            let send = call(node, key, now)?;
            let steps = desk.sends.add(send, Bounds::OWN);
            let progress = wants_progress.then(|| desk.progress.add(send, Bounds::OWN));
            Ok((send, steps, progress))
        })?;
        Ok(Begun { room, send, steps, progress, is_over: false })
    }

    /// Adds to what is sent as a stream.
    pub(crate) fn feed(&self, bytes: Bytes) {
        self.room.call(|state, key, now| state.node.feed(key, self.send, bytes, now));
    }

    /// Nothing more is added to what is sent as a stream.
    pub(crate) fn finish(&self) {
        self.room.call(|state, key, now| state.node.finish(key, self.send, now));
    }

    /// The next step; `None` if the room was left.
    pub(crate) fn poll_step(
        &mut self,
        on_progress: Option<&mut OnProgress>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<SendStep>> {
        let step = self.steps.poll_next(cx);
        if let (Some(progress), Some(on_progress)) = (&self.progress, on_progress) {
            // Asked after the steps, so that all progress is told before the end.
            while let Poll::Ready(Some((peer, fraction))) = progress.poll_next(cx) {
                on_progress(&peer, fraction);
            }
        }
        self.is_over |= matches!(step, Poll::Ready(Some(SendStep::Sent(_)) | None));
        step
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.room.call(|state, key, now| {
            let Some((node, desk)) = state.room(key) else { return };
            desk.sends.forget(&self.send);
            desk.progress.forget(&self.send);
            node.abort(key, self.send, now);
        });
    }
}

impl Sent {
    /// What the last step says. Of what was sent to some by name, a failure is an error.
    pub(crate) fn new(last: Option<SendStep>, is_targeted: bool) -> Result<Sent, SendError> {
        let Some(SendStep::Sent(SendReport { delivered, failed })) = last else {
            return Err(SendError::RoomLeft);
        };
        if is_targeted && !failed.is_empty() {
            return Err(SendError::Undelivered(failed));
        }
        Ok(Sent { delivered, failed })
    }
}

impl fmt::Debug for SendBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SendBuilder { room, action, options, .. } = self;
        let mut debug = f.debug_struct("SendBuilder");
        debug.field("room", room).field("action", action).field("options", options);
        debug.finish_non_exhaustive()
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("is_targeted", &self.is_targeted).finish_non_exhaustive()
    }
}

fn describe(failed: &[(PeerId, SendFailure)]) -> String {
    let each = failed.iter().map(|(peer, failure)| format!("{peer}: {failure}"));
    each.collect::<Vec<_>>().join(", ")
}
