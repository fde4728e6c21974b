//! What happened, in the words of people.

use indicatif::HumanBytes;
use tristero_tokio::signaling::RelayUrl;
use tristero_tokio::{
    ConnectionInfo, IceUrl, JoinFailure, PeerId, RelayState, RelayStatus, RequestError,
    ServerFailure, Time,
};

use super::files::News;
use super::text::printable;
use crate::words::milliseconds;

/// A wrong password shows in three ways on the wire, and is one thing to people.
pub(crate) fn join_failure(peer: &PeerId, failure: &JoinFailure) -> String {
    let peer = printable(peer.as_str());
    match failure {
        JoinFailure::OfferPassword | JoinFailure::AnswerPassword | JoinFailure::PasswordProof => {
            format!("{peer} and you have different passwords, so you don't meet")
        }
        failure => format!("{peer} could not join: {}", printable(&failure.to_string())),
    }
}

/// Somebody offers a file.
pub(crate) fn offer(title: &str, number: u64, name: &str, size: u64) -> String {
    format!("* {title} offers {name}, {}: /accept {number}", HumanBytes(size))
}

/// What became of an offer; as an error if nothing did.
pub(crate) fn news(news: &News) -> Result<String, String> {
    match news {
        News::Accepted { by, name } => Ok(format!("* {by} accepts {name}")),
        News::Refused { by, name, why } => {
            let why = match why {
                RequestError::Rejected(why) => why.clone(),
                why => why.to_string(),
            };
            Err(format!("{by} does not accept {name}: {}", printable(&why)))
        }
        News::Sent { to, name, result: Ok(()) } => Ok(format!("* {to} was sent {name}")),
        News::Sent { to, name, result: Err(why) } => {
            Err(format!("{to} was not sent {name}: {}", printable(why)))
        }
        News::Saved { of, result: Ok(path), .. } => {
            Ok(format!("* {of} sent {}", printable(&path.to_string_lossy())))
        }
        News::Saved { of, name, result: Err(why) } => {
            Err(format!("{name} of {of} is not saved: {}", printable(why)))
        }
    }
}

/// How somebody is connected.
pub(crate) fn connection(title: &str, connection: &ConnectionInfo) -> String {
    let mut line = format!("* {title}");
    if let Some(path) = connection.path {
        let (local, remote) = connection.candidate_kinds;
        let kind =
            if [local, remote].contains(&"relay") { "through a TURN server" } else { "direct" };
        line.push_str(&format!(": {kind}, UDP {} to {}", path.local, path.remote));
    }
    if let Some(rtt) = connection.rtt {
        line.push_str(&format!(", {} there and back", milliseconds(rtt)));
    }
    line
}

/// How a relay is doing.
pub(crate) fn relay(relay: &RelayStatus, now: Time) -> String {
    let RelayStatus { strategy, url, messages_in, messages_out, malformed, .. } = relay;
    let state = match &relay.state {
        RelayState::Connecting => "connecting".to_owned(),
        RelayState::Open if !relay.is_subscribed => "open, and subscribes nothing yet".to_owned(),
        RelayState::Open => "open".to_owned(),
        RelayState::BackingOff { until, .. } => {
            format!("out of reach, tried again in {:.1} s", until.since(now).as_secs_f64())
        }
        RelayState::Paused => "paused".to_owned(),
        RelayState::Retired { .. } => "it does not want us".to_owned(),
        _ => "in a state of its own".to_owned(),
    };
    let mut line = format!("* {strategy} {url}: {state}, {messages_in} in, {messages_out} out");
    if *malformed > 0 {
        line.push_str(&format!(", {malformed} malformed"));
    }
    if let Some(why) = &relay.last_error {
        line.push_str(&format!(", last error: {}", printable(why)));
    }
    line
}

/// A relay has something to say.
pub(crate) fn relay_notice(url: &RelayUrl, text: &str) -> String {
    format!("the relay {url} says: {}", printable(text))
}

/// A STUN or TURN server is of no help.
pub(crate) fn ice_server(url: &IceUrl, failure: &ServerFailure) -> String {
    format!("{url} is of no help: {}", printable(&failure.to_string()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tristero_tokio::proto::engine::Path;

    use super::*;

    #[test]
    fn a_connection_is_told_as_far_as_it_is_known() {
        let mut info = ConnectionInfo::default();
        assert_eq!(connection("Ann", &info), "* Ann");
        let (local, remote) = ("10.0.0.1:1".parse().unwrap(), "[2001:db8::1]:2".parse().unwrap());
        info.path = Some(Path { local, remote });
        info.candidate_kinds = ("host", "srflx");
        assert_eq!(connection("Ann", &info), "* Ann: direct, UDP 10.0.0.1:1 to [2001:db8::1]:2");
        info.candidate_kinds = ("host", "relay");
        info.rtt = Some(Duration::from_micros(1_250));
        let told = connection("Ann", &info);
        assert!(told.starts_with("* Ann: through a TURN server, UDP "), "{told}");
        assert!(told.ends_with(", 1.2 ms there and back"), "{told}");
    }

    #[test]
    fn no_stranger_s_reason_moves_the_cursor() {
        let why = RequestError::Rejected("no\u{1b}[2J\n".to_owned());
        let refused = News::Refused { by: "Ann".to_owned(), name: "a.bin".to_owned(), why };
        let told = news(&refused).unwrap_err();
        assert_eq!(told, r"Ann does not accept a.bin: no\u{1b}[2J\n");
    }
}
