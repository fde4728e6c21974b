//! Asking many peers the same.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use tristero_proto::wire::Payload;
use tristero_proto::{PeerId, RequestOptions};

use super::{RequestAction, RequestBuilder, RequestError, Requesting};
use crate::format::{Format, FormatError, Json};
use crate::send::OnProgress;

/// Requests that are being put together; `.await` sends them and waits for all answers,
/// [`start`](Self::start) gives them as they come. Made by [`RequestAction::request_many`].
#[must_use = "nothing is asked before this is started or awaited"]
pub struct RequestManyBuilder<Q, A, F = Json> {
    action: RequestAction<Q, A, F>,
    peers: Vec<PeerId>,
    payload: Result<Payload, FormatError>,
    timeout: Option<Duration>,
    metadata: Option<Value>,
    on_progress: Option<Arc<Mutex<OnProgress>>>,
}

/// The answers of many, as they come. A [`Stream`] that ends after the last one.
///
/// All were asked whether this is read or not. Dropping it aborts the requests that have no answer
/// yet.
#[must_use = "dropping this aborts the requests"]
pub struct Responses<A, F = Json>(FuturesUnordered<Labelled<A, F>>);

/// The answers of many, in the order in which they were asked: the future of a
/// [`RequestManyBuilder`].
///
/// All were asked whether this is polled or not. Dropping it aborts the requests that have no
/// answer yet.
#[must_use = "dropping this aborts the requests"]
pub struct RequestingMany<A, F = Json> {
    responses: Responses<A, F>,
    answered: Vec<Option<(PeerId, Result<A, RequestError>)>>,
}

/// One request, and whose place in the order it has.
struct Labelled<A, F> {
    index: usize,
    peer: PeerId,
    requesting: Requesting<A, F>,
}

impl<Q, A, F> RequestManyBuilder<Q, A, F> {
    pub(super) fn new(
        action: RequestAction<Q, A, F>,
        peers: Vec<PeerId>,
        payload: Result<Payload, FormatError>,
    ) -> Self {
        let (timeout, metadata, on_progress) = (None, None, None);
        RequestManyBuilder { action, peers, payload, timeout, metadata, on_progress }
    }

    /// Gives each answer this long to come, from when its question was handed over.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends this JSON along to each: some 65,000 bytes at most.
    pub fn metadata(mut self, metadata: impl Into<Value>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    /// Calls this with how much of the question was handed over for each peer, from 0 to 1, while
    /// answers are waited for.
    pub fn on_progress(mut self, on_progress: impl FnMut(&PeerId, f64) + Send + 'static) -> Self {
        self.on_progress = Some(Arc::new(Mutex::new(Box::new(on_progress))));
        self
    }

    /// Asks, and gives the answers as they come.
    pub fn start(mut self) -> Responses<A, F>
    where
        F: Format<A>,
    {
        let peers = std::mem::take(&mut self.peers).into_iter().enumerate();
        Responses(peers.map(|(index, peer)| self.ask(index, peer)).collect())
    }

    fn ask(&self, index: usize, peer: PeerId) -> Labelled<A, F>
    where
        F: Format<A>,
    {
        let mut options = RequestOptions::to(peer.clone());
        options.timeout = self.timeout;
        options.metadata.clone_from(&self.metadata);
        options.progress = self.on_progress.is_some();
        let on_progress = self.on_progress.clone().map(|shared| -> OnProgress {
            Box::new(move |peer, fraction| {
                // All are called by whoever polls, one after another.
                let mut on_progress = shared.lock().unwrap_or_else(PoisonError::into_inner);
                on_progress(peer, fraction);
            })
        });
        let (action, payload) = (self.action.clone(), self.payload.clone());
        let request = RequestBuilder { action, payload, options, on_progress };
        Labelled { index, peer, requesting: request.into_future() }
    }
}

impl<Q, A, F: Format<A>> IntoFuture for RequestManyBuilder<Q, A, F> {
    type Output = Vec<(PeerId, Result<A, RequestError>)>;
    type IntoFuture = RequestingMany<A, F>;

    fn into_future(self) -> RequestingMany<A, F> {
        let answered = self.peers.iter().map(|_| None).collect();
        RequestingMany { responses: self.start(), answered }
    }
}

impl<A, F: Format<A>> Responses<A, F> {
    /// The next answer, whoever's it is; `None` after the last one. Nothing is lost if its future
    /// is dropped.
    pub async fn recv(&mut self) -> Option<(PeerId, Result<A, RequestError>)> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    fn poll_labelled(&mut self, cx: &mut Context<'_>) -> Poll<Option<LabelledAnswer<A>>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

impl<A, F: Format<A>> Stream for Responses<A, F> {
    type Item = (PeerId, Result<A, RequestError>);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(ready!(self.poll_labelled(cx)).map(|(_, peer, answer)| (peer, answer)))
    }
}

// Nothing of it is ever pinned.
impl<A, F> Unpin for RequestingMany<A, F> {}

impl<A, F: Format<A>> Future for RequestingMany<A, F> {
    type Output = Vec<(PeerId, Result<A, RequestError>)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        while let Some((index, peer, answer)) = ready!(self.responses.poll_labelled(cx)) {
            self.answered[index] = Some((peer, answer));
        }
        let answered = std::mem::take(&mut self.answered).into_iter();
        Poll::Ready(answered.map(|answer| answer.expect("each was asked")).collect())
    }
}

type LabelledAnswer<A> = (usize, PeerId, Result<A, RequestError>);

impl<A, F: Format<A>> Future for Labelled<A, F> {
    type Output = LabelledAnswer<A>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.requesting).poll(cx));
        Poll::Ready((self.index, self.peer.clone(), answer))
    }
}

impl<Q, A, F> fmt::Debug for RequestManyBuilder<Q, A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RequestManyBuilder { action, peers, .. } = self;
        let mut debug = f.debug_struct("RequestManyBuilder");
        debug.field("action", action).field("peers", peers).finish_non_exhaustive()
    }
}

impl<A, F> fmt::Debug for Responses<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responses").field("open", &self.0.len()).finish()
    }
}

impl<A, F> fmt::Debug for RequestingMany<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestingMany").field(&self.responses).finish()
    }
}
