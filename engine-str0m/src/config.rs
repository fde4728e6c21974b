//! What can be set about an engine.

use std::sync::Arc;
use std::time::Duration;

use str0m::RtcConfig;
use str0m::bwe::Bitrate;
use str0m::config::{CryptoProvider, DtlsVersion};
use str0m::rtp::Extension;
use tristero_proto::media::{MediaConfig, Medium};

use crate::dtls::crypto_provider;
use crate::limits::{
    BUFFERED_BYTES_MAX, CHECK_INTERVAL, CHECKS_MAX, DATAGRAM_BYTES, DATAGRAM_BYTES_MAX,
    MESSAGE_BYTES_MAX, SILENCE_MAX,
};
use crate::media::formats;

/// What can be set about an engine. The default is right for the open Internet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// An open connection on which nothing was heard for this long is closed; 9 s. An idle peer is
    /// heard every 2.5 s.
    pub silence_max: Duration,
    /// The cryptography under DTLS, SCTP and STUN. Simulators bring a cheap one; nothing else on
    /// a network does.
    pub crypto: Arc<CryptoProvider>,
}

impl Default for Config {
    fn default() -> Self {
        Config { silence_max: SILENCE_MAX, crypto: Arc::new(crypto_provider()) }
    }
}

impl Config {
    /// What every connection of an engine begins with: one certificate, and all formats that can be
    /// agreed on later.
    ///
    /// # Panics
    ///
    /// Panics if the cryptography can't make a certificate, which takes an operating system without
    /// randomness.
    pub(crate) fn rtc_config(&self) -> RtcConfig {
        let certificate =
            self.crypto.dtls_provider.generate_certificate().expect("there is randomness");
        let mut config = RtcConfig::new()
            .clear_codecs()
            .clear_extension_map()
            .set_crypto_provider(Arc::clone(&self.crypto))
            .set_dtls_cert(certificate)
            .set_mtu(DATAGRAM_BYTES..=DATAGRAM_BYTES_MAX)
            .set_sctp_max_message_size(MESSAGE_BYTES_MAX)
            .set_sctp_max_buffered_amount(BUFFERED_BYTES_MAX)
            .set_snap_enabled(true)
            .set_dtls_version(DtlsVersion::Auto);
        formats::configure(config.codec_config());
        for (extension, id) in [
            (Extension::AbsoluteSendTime, 2),
            (Extension::TransportSequenceNumber, 3),
            (Extension::RtpMid, 4),
        ] {
            config.extension_map().set(id, extension);
        }
        config.set_max_stun_rto(CHECK_INTERVAL);
        config.set_max_stun_retransmits(CHECKS_MAX);
        config
    }
}

/// The same for a connection that carries media like this.
pub(crate) fn with_media(config: RtcConfig, media: &MediaConfig) -> RtcConfig {
    let config = config.set_rtp_mode(media.medium == Medium::Packets);
    if media.estimates_bandwidth {
        config.enable_bwe(Some(Bitrate::kbps(BITRATE_AT_FIRST_KBPS)))
    } else {
        config
    }
}

/// What a path is taken to bear before anything is known of it; as in browsers.
const BITRATE_AT_FIRST_KBPS: u64 = 300;
