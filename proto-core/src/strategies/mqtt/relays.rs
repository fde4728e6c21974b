//! The brokers that Trystero uses by default: the first few of a list, the same for everyone.

use crate::signaling::RelayUrl;

/// How many are used.
pub(super) const REDUNDANCY: usize = 4;

/// Trystero's list, in its order.
const URLS: [&str; 5] = [
    "wss://test.mosquitto.org:8081/mqtt",
    "wss://broker.emqx.io:8084/mqtt",
    "wss://public:public@public.cloud.shiftr.io",
    "wss://broker-cn.emqx.io:8084/mqtt",
    "wss://broker.hivemq.com:8884/mqtt",
];

/// The list.
pub(super) fn all() -> Vec<RelayUrl> {
    let urls = URLS.into_iter();
    urls.map(|url| RelayUrl::web_socket(url).expect("the list holds URLs")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_are_those_of_javascript() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/wire/vectors.json")).unwrap();
        assert_eq!(vectors["relays"]["mqttDefaults"], serde_json::json!(URLS));
        assert_eq!(vectors["relays"]["mqttUsed"], serde_json::json!(URLS[..REDUNDANCY]));
        assert_eq!(all().len(), URLS.len());
    }
}
