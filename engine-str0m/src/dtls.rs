//! DTLS for str0m, set up once instead of once per connection.
//!
//! The provider that comes with str0m builds a new configuration for every connection, and each
//! one tests all its cryptography first: 2 ms of CPU for each pair of peers that connects, five
//! times as much as the rest of the connecting. This one builds it once.
//!
//! Keys and certificates are drawn from the operating system by aws-lc, not from the engine's
//! seed: a secret that lives for the whole process deserves the best source there is.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use str0m::config::{CryptoProvider, DtlsCert, DtlsVersion};
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion};

use crate::limits::DATAGRAM_BYTES;

/// The cryptography that comes with str0m, but for DTLS.
pub(crate) fn crypto_provider() -> CryptoProvider {
    CryptoProvider { dtls_provider: &CachedDtls, ..str0m::crypto::from_feature_flags() }
}

#[derive(Debug)]
struct CachedDtls;

impl DtlsProvider for CachedDtls {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        str0m::crypto::from_feature_flags().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let mtu = mtu.unwrap_or(DATAGRAM_BYTES);
        let config =
            if mtu == DATAGRAM_BYTES { Arc::clone(&CONFIG) } else { Arc::new(configure(mtu)?) };
        let certificate = certificate.clone();
        let dtls = match version {
            DtlsVersion::Dtls13 => dimpl::Dtls::new_13(config, certificate, now),
            DtlsVersion::Auto => dimpl::Dtls::new_auto(config, certificate, now),
            // `DtlsVersion` may grow; 1.2 is what every browser speaks.
            _ => dimpl::Dtls::new_12(config, certificate, now),
        };
        Ok(Box::new(Instance(dtls)))
    }
}

/// The configuration of every connection of the process.
static CONFIG: LazyLock<Arc<dimpl::Config>> = LazyLock::new(|| {
    Arc::new(configure(DATAGRAM_BYTES).expect("constants and built-in cryptography make a config"))
});

fn configure(mtu: usize) -> Result<dimpl::Config, CryptoError> {
    dimpl::Config::builder()
        .mtu(mtu)
        // A cookie proves that an address is not forged, and costs a round trip. ICE did that.
        .use_server_cookie(false)
        .flight_start_rto(FLIGHT_START_RTO)
        .flight_retries(FLIGHT_RETRIES)
        .build()
        .map_err(|error| CryptoError::Other(format!("DTLS configuration: {error}")))
}

/// A lost flight is sent again after this long, then after twice as long, and so on. RFC 6347
/// says one second and browsers 50 ms; this exceeds most round trips and hardly delays a join.
const FLIGHT_START_RTO: Duration = Duration::from_millis(400);

/// With the interval above, flights are repeated for 50 s. The clock of the first one starts with
/// the answer and not when ICE has found a path, so this must outlast every attempt to connect.
const FLIGHT_RETRIES: usize = 6;

struct Instance(dimpl::Dtls);

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Instance(…)")
    }
}

impl DtlsInstance for Instance {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        self.0.poll_output(buffer)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}
