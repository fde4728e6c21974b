//! HTTP proxies on the way to relays: which one there is, and how it is asked to connect.
//!
//! spec: RFC 9110, section 9.3.6, "CONNECT"

use std::fmt;
use std::io;
use std::sync::Arc;

use futures_util::io::{AsyncReadExt as _, AsyncWriteExt as _};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use crate::links::Network;
use crate::reactor::Reactor;
use crate::stream::{self, ByteStream};

/// The longest answer of a proxy, in bytes.
const ANSWER_BYTES_MAX: usize = 8 * 1024;
/// The most headers of such an answer.
const ANSWER_HEADERS_MAX: usize = 64;

/// Which proxies WebSockets are opened through.
///
/// By default the environment says so, as it does to curl: `https_proxy` for `wss:` relays,
/// `http_proxy` for `ws:` ones, `all_proxy` for both where these are not set, and `no_proxy` for
/// hosts that are reached without one. Each may be written in upper case too. Relays on this machine
/// are no exception, unless `no_proxy` names them.
///
/// A proxy is an `http://` or `https://` URL; a user and a password in it are sent to the proxy. It
/// has to allow the method `CONNECT`.
#[derive(Clone)]
pub struct Proxies(Arc<Matcher>);

impl Proxies {
    /// No proxies, whatever the environment says.
    pub fn none() -> Self {
        Proxies::from_variables(|_| None)
    }

    /// The proxies that these variables name, by what each has as its value.
    pub fn from_variables(value: impl Fn(&str) -> Option<String>) -> Self {
        // A web server's children get a request's header `Proxy` in this variable.
        let is_cgi = value("REQUEST_METHOD").is_some();
        let value = |name: &str| {
            let lower = value(name).filter(|value| !value.is_empty());
            let upper = || {
                let is_forgeable = is_cgi && name == "http_proxy";
                value(&name.to_uppercase()).filter(|_| !is_forgeable)
            };
            lower.or_else(upper).unwrap_or_default()
        };
        let matcher = Matcher::builder()
            .all(value("all_proxy"))
            .http(value("http_proxy"))
            .https(value("https_proxy"))
            .no(value("no_proxy"));
        Proxies(Arc::new(matcher.build()))
    }

    fn between(&self, host: &str, port: u16, is_secure: bool) -> Option<Intercept> {
        let scheme = if is_secure { "https" } else { "http" };
        let uri = format!("{scheme}://{}/", target(host, port)).parse().ok()?;
        self.0.intercept(&uri)
    }
}

impl Default for Proxies {
    fn default() -> Self {
        Proxies::from_variables(|name| std::env::var(name).ok())
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It leaves out passwords.
        f.debug_tuple("Proxies").field(&self.0).finish()
    }
}

/// Connects to a host, through the proxy that there is for it. An address of IPv6 may be in
/// brackets.
pub(crate) async fn connect<R: Reactor>(
    host: &str,
    port: u16,
    is_secure: bool,
    network: &Network,
) -> io::Result<Box<dyn ByteStream>> {
    match network.proxies.between(host, port, is_secure) {
        None => stream::connect::<R>(host, port, &network.gone).await,
        Some(proxy) => tunnel::<R>(&proxy, &target(host, port), network)
            .await
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", named(&proxy)))),
    }
}

/// A host and a port as HTTP has them.
fn target(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn named(proxy: &Intercept) -> String {
    let authority = proxy.uri().authority().map_or("", |authority| authority.as_str());
    format!("the proxy {authority}")
}

async fn tunnel<R: Reactor>(
    proxy: &Intercept,
    target: &str,
    network: &Network,
) -> io::Result<Box<dyn ByteStream>> {
    let uri = proxy.uri();
    let host = uri.host().unwrap_or_default();
    let (default_port, is_secure) = match uri.scheme_str() {
        Some("http") => (80, false),
        Some("https") => (443, true),
        _ => {
            let why = "it is not of a kind that is supported: http:// or https://";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
    };
    let port = uri.port_u16().unwrap_or(default_port);
    let mut stream = stream::connect::<R>(host, port, &network.gone).await?;
    if is_secure {
        stream = stream::secure(stream, host, &network.tls).await?;
    }
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(credentials) = proxy.basic_auth() {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(credentials.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    stream.flush().await?;
    match read_status(&mut stream).await? {
        200..300 => Ok(stream),
        407 if proxy.basic_auth().is_some() => {
            Err(io::Error::other("it does not take the user or the password (407)"))
        }
        407 => Err(io::Error::other("it wants a user and a password in its URL (407)")),
        status => Err(io::Error::other(format!("it does not connect to {target} ({status})"))),
    }
}

/// Reads a proxy's answer, which is all that it may say now.
async fn read_status(stream: &mut Box<dyn ByteStream>) -> io::Result<u16> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut buffer = [0; ANSWER_BYTES_MAX];
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..]).await?;
        length += read;
        if read == 0 {
            let is_long = length == ANSWER_BYTES_MAX;
            let why = if is_long { "its answer is too long" } else { "it hung up" };
            return Err(invalid(why.to_owned()));
        }
        let mut headers = [httparse::EMPTY_HEADER; ANSWER_HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&buffer[..length]);
        match parsed.map_err(|error| invalid(format!("it does not speak HTTP: {error}")))? {
            httparse::Status::Partial => {}
            // Neither WebSocket nor TLS begins with the server.
            httparse::Status::Complete(head) if head < length => {
                return Err(invalid("it said more than it was asked".to_owned()));
            }
            httparse::Status::Complete(_) => return Ok(response.code.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(variables: &[(&str, &str)], host: &str, is_secure: bool) -> Option<String> {
        let value = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let proxy = Proxies::from_variables(value).between(host, 1, is_secure)?;
        Some(proxy.uri().host().unwrap().to_owned())
    }

    #[test]
    fn variables_mean_what_they_mean_to_curl() {
        let both = [("http_proxy", "http://h"), ("HTTPS_PROXY", "http://s")];
        assert_eq!(proxy(&both, "relay.example", false).as_deref(), Some("h"));
        assert_eq!(proxy(&both, "relay.example", true).as_deref(), Some("s"));
        assert_eq!(proxy(&[("ALL_PROXY", "a:1")], "127.0.0.1", true).as_deref(), Some("a"));
        assert_eq!(proxy(&[], "relay.example", true), None);
        let cases = [("http_proxy", "http://lower"), ("HTTP_PROXY", "http://upper")];
        assert_eq!(proxy(&cases, "relay.example", false).as_deref(), Some("lower"));
    }

    #[test]
    fn hosts_are_excepted_by_name_by_network_and_all_at_once() {
        for no_proxy in ["relay.example", ".example", "10.0.0.1, relay.example", "*"] {
            let variables = [("all_proxy", "http://a"), ("no_proxy", no_proxy)];
            assert_eq!(proxy(&variables, "relay.example", true), None, "{no_proxy}");
        }
        let network = [("all_proxy", "http://a"), ("no_proxy", "127.0.0.0/8,::1")];
        assert_eq!(proxy(&network, "127.0.0.1", false), None);
        assert_eq!(proxy(&network, "[::1]", false), None);
        assert_eq!(proxy(&network, "::1", false), None);
        assert_eq!(proxy(&network, "2001:db8::1", false).as_deref(), Some("a"));
        assert_eq!(proxy(&network, "notrelay.example", false).as_deref(), Some("a"));
    }

    #[test]
    fn a_request_s_header_is_no_proxy() {
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://evil")];
        assert_eq!(proxy(&cgi, "relay.example", false), None);
    }

    #[test]
    fn a_proxy_s_password_is_not_shown() {
        let value = |name: &str| (name == "all_proxy").then(|| "http://me:sesame@a".to_owned());
        assert!(!format!("{:?}", Proxies::from_variables(value)).contains("sesame"));
    }
}
