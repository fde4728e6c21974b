//! The relays that Trystero uses by default: for each application some of a list, chosen by its
//! id, so that the load is spread and both sides choose the same.

use crate::signaling::RelayUrl;

/// How many are used.
pub(super) const REDUNDANCY: usize = 5;

/// Trystero's list, in its order.
const URLS: [&str; 28] = [
    "wss://basspistol.org",
    "wss://bucket.coracle.social",
    "wss://chorus.pjv.me",
    "wss://koru.bitcointxoko.org",
    "wss://nos.lol",
    "wss://nostr-01.uid.ovh",
    "wss://nostr-01.yakihonne.com",
    "wss://nostr-relay.corb.net",
    "wss://nostr.data.haus",
    "wss://nostr.islandarea.net",
    "wss://nostr.sathoarder.com",
    "wss://nostr.tegila.com.br",
    "wss://nostr.vulpem.com",
    "wss://purplerelay.com",
    "wss://relay-can.zombi.cloudrodion.com",
    "wss://relay-rpi.edufeed.org",
    "wss://relay.agorist.space",
    "wss://relay.artio.inf.unibe.ch",
    "wss://relay.mostr.pub",
    "wss://relay.mostro.network",
    "wss://relay.sigit.io",
    "wss://relay02.lnfi.network",
    "wss://schnorr.me",
    "wss://social.amanah.eblessing.co",
    "wss://staging.yabu.me",
    "wss://strfry.shock.network",
    "wss://top.testrelay.top",
    "wss://yabu.me/v2",
];

/// The list in the order of an application.
pub(super) fn of_app(app_id: &str) -> Vec<RelayUrl> {
    let shuffled = shuffled(&URLS, seed_of(app_id)).into_iter();
    shuffled.map(|url| RelayUrl::web_socket(url).expect("the list holds URLs")).collect()
}

/// The sum of a text's UTF-16 code units.
fn seed_of(app_id: &str) -> u64 {
    app_id.encode_utf16().map(u64::from).sum()
}

/// A Fisher–Yates shuffle by the digits of sines. `libm` gives the same ones on every platform.
fn shuffled<T: Copy>(items: &[T], mut seed: u64) -> Vec<T> {
    let mut shuffled = items.to_vec();
    for last in (0..shuffled.len()).rev() {
        shuffled.swap(last, below(last + 1, seed));
        seed += 1;
    }
    shuffled
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "JavaScript has nothing but doubles, and lists are short"
)]
fn below(bound: usize, seed: u64) -> usize {
    let digits = libm::sin(seed as f64) * 10_000.0;
    let fraction = digits - libm::floor(digits);
    libm::floor(fraction * bound as f64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_relays_are_chosen_as_in_javascript() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/wire/vectors.json")).unwrap();
        let relays = &vectors["relays"];
        assert_eq!(relays["nostrDefaultRelayUrls"], serde_json::json!(URLS));
        for case in relays["nostrShuffled"].as_array().unwrap() {
            let app_id = case["appId"].as_str().unwrap();
            assert_eq!(case["seed"], seed_of(app_id));
            let first: Vec<_> = shuffled(&URLS, seed_of(app_id)).into_iter().take(5).collect();
            assert_eq!(case["first5"], serde_json::json!(first), "{app_id}");
            let ten: Vec<u32> = (0..10).collect();
            let ten = shuffled(&ten, seed_of(app_id));
            assert_eq!(case["shuffledIndexesOf10"], serde_json::json!(ten), "{app_id}");
        }
    }
}
