//! Relays by TLS: whose certificates are believed.

use super::common::{have_met, peer, peer_with, run, serve, until};
use crate::rooms::{Config, ExtraRoots, Options, Proxies, RoomEvent};
use tristero_relay::{Config as RelayConfig, Relay, Tls};

/// A relay with a certificate that it made itself, and that certificate.
async fn relay() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let mut config = RelayConfig::new("127.0.0.1:0".parse().unwrap());
    config.tls = Some(Tls::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap());
    let started = serve(async move {
        let relay = Relay::bind(config).await.unwrap();
        let url = relay.url();
        let _handle = relay.spawn();
        url
    });
    let url = started.await.unwrap();
    assert!(url.starts_with("wss://127.0.0.1:"), "{url}");
    (url, certificate)
}

#[test]
fn a_relay_is_believed_by_a_root_that_was_added() {
    run(async {
        let (url, certificate) = relay().await;
        let config = Config::new("app").relay(url);
        let join = || {
            let extra_roots = ExtraRoots::default().pem(certificate.as_bytes()).unwrap();
            let options = Options { extra_roots, proxies: Proxies::none(), ..Options::default() };
            peer_with(options).join(&config, "room").unwrap()
        };
        have_met(&join(), &join()).await;
    });
}

#[test]
fn a_relay_that_nobody_stands_for_is_refused() {
    run(async {
        let (url, _) = relay().await;
        let room = peer().join(&Config::new("app").relay(url), "room").unwrap();
        let why = until(&mut room.events(), |event| match event {
            RoomEvent::Relay(status) => status.last_error,
            _ => None,
        })
        .await;
        assert!(why.contains("certificate"), "{why}");
    });
}

#[test]
fn what_is_no_certificate_is_no_root() {
    run(async {
        for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = ExtraRoots::default().pem(pem.as_bytes()).unwrap_err();
            assert!(error.to_string().starts_with("this is no root certificate: "), "{error}");
        }
        assert!(ExtraRoots::default().der([0; 8]).is_err());
    });
}
