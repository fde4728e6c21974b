//! What the arguments are made of.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use tristero_tokio::Codec;

pub(super) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let seconds = seconds.filter(|seconds| *seconds <= SECONDS_MAX);
    seconds.ok_or_else(|| "this takes a number of seconds, such as 15 or 0.5".to_owned())
}

/// What somebody may be kept waiting by a relay that does not answer.
pub(super) fn parse_patience(text: &str) -> Result<Duration, String> {
    let patience = parse_seconds(text)?;
    match patience <= PATIENCE_MAX {
        true => Ok(patience),
        false => Err(format!("{} seconds are the most", PATIENCE_MAX.as_secs())),
    }
}

/// A codec, by its name.
pub(super) fn parse_codec(text: &str) -> Result<Codec, String> {
    let known = || Codec::ALL.map(Codec::name).join(", ").to_lowercase();
    Codec::from_name(text).ok_or_else(|| format!("this takes one of {}", known()))
}

/// Of the addresses of a name the loopback ones come first, as the ones that show nobody more than
/// was meant, and IPv4 before IPv6, which a machine may have in its tables only.
pub(super) fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let expected = "this takes an address and a port, such as 127.0.0.1:8080 or [::]:8080";
    let is_complete = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if !is_complete {
        return Err(expected.to_owned());
    }
    let addresses = text.to_socket_addrs().map_err(|error| format!("{error}; {expected}"))?;
    let order = |address: &SocketAddr| (!address.ip().is_loopback(), address.is_ipv6());
    addresses.min_by_key(order).ok_or_else(|| format!("the name has no address; {expected}"))
}

/// A limit of 0 would leave nothing to be served.
pub(super) fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// Relays that are slower are of no use for meeting.
const PATIENCE_MAX: Duration = Duration::from_secs(10);

/// A year: far beyond any use, and far from what clocks can't add.
const SECONDS_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_have_a_fraction_and_must_make_sense() {
        assert_eq!(parse_seconds("15"), Ok(Duration::from_secs(15)));
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["-1", "NaN", "inf", "1e300", "soon", ""] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_relay_listens_on_an_address_or_a_name() {
        for (text, expected) in [("127.0.0.1:80", "127.0.0.1:80"), ("[::]:0", "[::]:0")] {
            assert_eq!(parse_listen(text).unwrap().to_string(), expected);
        }
        assert!(parse_listen("localhost:0").unwrap().ip().is_loopback());
        for wrong in ["8080", "localhost", "127.0.0.1", "::1", "127.0.0.1:http", ""] {
            assert!(parse_listen(wrong).unwrap_err().contains("127.0.0.1:8080"), "{wrong}");
        }
    }
}
