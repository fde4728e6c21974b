//! The demo's page, served to a browser on this machine.
//!
//! All files are read at the beginning, so that a request can ask for nothing else.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::debug;

/// Connections at once. A browser opens six; others wait.
const CONNECTIONS_MAX: usize = 64;
/// A browser sends its request at once; a connection without one is not worth a place.
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// How long accepting pauses when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What there is to be served, by path.
#[derive(Debug)]
pub(crate) struct Site {
    pages: BTreeMap<String, Page>,
}

#[derive(Debug)]
struct Page {
    content_type: &'static str,
    content: Bytes,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SiteError {
    /// It was not built.
    #[error(
        "there is no page in {}: build it first, by `cargo xtask web` (it needs npm), or say \
         where it is by --web-dir", .folder.display()
    )]
    NotBuilt {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A file of it can't be read.
    #[error("the page can't be read: {0}")]
    Io(#[from] io::Error),
}

impl Site {
    /// Reads the files of a folder; `index.html` is also the page at `/`.
    pub(crate) fn read(folder: &Path) -> Result<Self, SiteError> {
        if !folder.join("index.html").is_file() {
            return Err(SiteError::NotBuilt { folder: folder.to_owned() });
        }
        let mut site = Site { pages: BTreeMap::new() };
        for entry in folder.read_dir()? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if path.is_file() {
                site.add(&format!("/{name}"), std::fs::read(&path)?);
            }
        }
        let index = site.pages["/index.html"].content.clone();
        site.pages.insert("/".to_owned(), Page { content_type: HTML, content: index });
        Ok(site)
    }

    /// Adds a page; the end of its name tells what it is.
    pub(crate) fn add(&mut self, path: &str, content: impl Into<Bytes>) {
        let content_type = content_type(path);
        self.pages.insert(path.to_owned(), Page { content_type, content: content.into() });
    }

    /// Serves whoever connects, for ever.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let site = Arc::new(self);
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let place = places.clone().acquire_owned().await.expect("it is never closed");
            match listener.accept().await {
                Ok((stream, _)) => {
                    let site = site.clone();
                    tokio::spawn(async move {
                        site.serve_connection(stream).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    debug!(%error, "a browser's connection was not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn serve_connection(&self, stream: TcpStream) {
        let service = service_fn(|request: Request<Incoming>| {
            let response = self.answer(request.method(), request.uri().path());
            std::future::ready(Ok::<_, Infallible>(response))
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(REQUEST_MAX)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = served.await {
            debug!(%error, "a browser's connection has ended");
        }
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        if !matches!(*method, Method::GET | Method::HEAD) {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let headers = response.headers_mut();
        // The next demo may have another page at this address.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        match self.pages.get(path) {
            Some(page) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
                *response.body_mut() = Full::new(page.content.clone());
            }
            None => *response.status_mut() = StatusCode::NOT_FOUND,
        }
        response
    }
}

/// Takes a port of the loopback address; 0 is any free one.
pub(crate) async fn listen(port: u16) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => HTML,
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        _ => "application/octet-stream",
    }
}

const HTML: &str = "text/html; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        let mut site = Site { pages: BTreeMap::new() };
        site.add("/app.js", "script");
        site
    }

    #[test]
    fn a_page_is_served_with_its_type() {
        let response = site().answer(&Method::GET, "/app.js");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/javascript; charset=utf-8");
    }

    #[test]
    fn nothing_else_is_served() {
        for path in ["/", "/../Cargo.toml", "/nothing", ""] {
            assert_eq!(site().answer(&Method::GET, path).status(), StatusCode::NOT_FOUND);
        }
        let posted = site().answer(&Method::POST, "/app.js");
        assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn a_page_that_was_not_built_says_how_to_build_it() {
        let error = Site::read(Path::new("no/such/folder")).unwrap_err();
        assert!(error.to_string().contains("`cargo xtask web`"), "{error}");
    }
}
