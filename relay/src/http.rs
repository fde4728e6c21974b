//! The HTTP part of a socket's life: one request, answered with text or with an upgrade.
//!
//! Any path may become a WebSocket. Plain requests get `/health`, `/metrics` or a sentence about
//! what this port is, and are not kept alive: one deadline covers all that happens here.

use std::{convert::Infallible, io, sync::Mutex};

use bytes::Bytes;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, UPGRADE},
    server::conn::http1,
    service::service_fn,
    upgrade::{OnUpgrade, Parts},
};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tungstenite::handshake::server::create_response_with_body;

use crate::{
    Stats, metrics,
    shared::{Shared, Slot},
};

/// A stream that has become a WebSocket.
pub(crate) struct Opened<S> {
    pub(crate) stream: S,
    /// What the client sent right behind its request.
    pub(crate) already_read: Bytes,
    pub(crate) slot: Slot,
}

/// Answers the one request of a stream; `None` if it was not for a WebSocket.
pub(crate) async fn negotiate<S>(stream: S, shared: &Shared) -> io::Result<Option<Opened<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pending: Mutex<Option<Pending>> = Mutex::new(None);
    let service = service_fn(|request| {
        let response = match answer(request, shared) {
            Answer::Plain(mut response) => {
                // Said here: hyper's own switch would also spoil the header of an upgrade.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                response
            }
            Answer::Upgrade(response, upgrade) => {
                *pending.lock().expect("nothing panics while it holds this lock") = Some(upgrade);
                response
            }
        };
        std::future::ready(Ok::<_, Infallible>(response))
    });
    http1::Builder::new()
        .max_buf_size(REQUEST_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await
        .map_err(io::Error::other)?;

    let pending = pending.into_inner().expect("nothing panics while it holds this lock");
    let Some(Pending { on_upgrade, slot }) = pending else { return Ok(None) };
    let Parts { io, read_buf, .. } = on_upgrade
        .await
        .map_err(io::Error::other)?
        .downcast::<TokioIo<S>>()
        .expect("the connection was made of this type of stream");
    // A copy, because even an empty slice would keep hyper's whole buffer.
    let already_read = Bytes::copy_from_slice(&read_buf);
    Ok(Some(Opened { stream: io.into_inner(), already_read, slot }))
}

enum Answer {
    Plain(Response<String>),
    Upgrade(Response<String>, Pending),
}

/// An upgrade that was agreed to and waits for its response to be written.
struct Pending {
    on_upgrade: OnUpgrade,
    slot: Slot,
}

fn answer(request: Request<Incoming>, shared: &Shared) -> Answer {
    if request.headers().contains_key(UPGRADE) {
        return upgrade(request, shared);
    }
    Answer::Plain(match (request.uri().path(), request.method()) {
        ("/health", &Method::GET | &Method::HEAD) => health(shared),
        ("/metrics", &Method::GET | &Method::HEAD) => metrics(shared),
        ("/health" | "/metrics", _) => method_not_allowed(),
        _ => upgrade_required(),
    })
}

fn upgrade(mut request: Request<Incoming>, shared: &Shared) -> Answer {
    let response = match create_response_with_body(&request, String::new) {
        Ok(response) => response,
        Err(error) => {
            let reason = format!("This is not a WebSocket request: {error}.\n");
            return Answer::Plain(text(StatusCode::BAD_REQUEST, reason));
        }
    };
    let Some(slot) = shared.take_slot() else {
        shared.meters.refused_full.count();
        return Answer::Plain(full());
    };
    Answer::Upgrade(response, Pending { on_upgrade: hyper::upgrade::on(&mut request), slot })
}

fn health(shared: &Shared) -> Response<String> {
    #[derive(Serialize)]
    struct Health {
        status: &'static str,
        version: &'static str,
        #[serde(flatten)]
        stats: Stats,
    }

    let health = Health {
        status: if shared.is_full() { "full" } else { "ok" },
        version: env!("CARGO_PKG_VERSION"),
        stats: shared.stats(),
    };
    let body = serde_json::to_string(&health).expect("numbers and strings always serialize");
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn metrics(shared: &Shared) -> Response<String> {
    let body = metrics::emit(&shared.stats(), shared.limits.connections_max);
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
    response
}

fn method_not_allowed() -> Response<String> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Use GET.\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn upgrade_required() -> Response<String> {
    let mut response = text(
        StatusCode::UPGRADE_REQUIRED,
        "This is a relay for Trystero's ws-relay strategy. Connect to it with a WebSocket, \
         at any path; /health and /metrics tell how it is doing.\n",
    );
    // RFC 9110 section 15.5.22
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}

fn full() -> Response<String> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "This relay is full.\n");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("30"));
    response
}

fn text(status: StatusCode, body: impl Into<String>) -> Response<String> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// Browsers with many cookies send several KiB of headers; hyper allows no less than 8 KiB.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
