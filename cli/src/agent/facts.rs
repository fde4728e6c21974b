//! What is known of connections, as it is told.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tristero_tokio::ConnectionInfo;

/// The addresses by which a peer is connected. What is not known is `null`.
pub(crate) fn describe_pair(info: &ConnectionInfo) -> Value {
    let (local_kind, remote_kind) = info.candidate_kinds;
    let candidate = |kind: &str, address: Option<SocketAddr>| {
        json!({
            "type": (!kind.is_empty()).then_some(kind),
            "address": address.map(|address| address.ip().to_string()),
            "port": address.map(|address| address.port()),
            "protocol": address.map(|_| "udp"),
        })
    };
    json!({
        "local": candidate(local_kind, info.path.map(|path| path.local)),
        "remote": candidate(remote_kind, info.path.map(|path| path.remote)),
        "rtt": info.rtt.map(|rtt| rtt.as_secs_f64() * 1000.0),
        "dtls": null,
        "cipher": null,
        "iceRestarts": info.restarts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_a_connection_is_null() {
        let told = describe_pair(&ConnectionInfo::default());
        let nothing = json!({"type": null, "address": null, "port": null, "protocol": null});
        assert_eq!((&told["local"], &told["remote"]), (&nothing, &nothing));
        assert_eq!((&told["rtt"], &told["cipher"]), (&Value::Null, &Value::Null));
    }
}
