//! DTLS for str0m, set up once instead of once per connection.
//!
//! The provider that comes with str0m builds a new configuration for every connection, and each
//! one tests all its cryptography first: 2 ms of CPU for each pair of peers that connects, five
//! times as much as the rest of the connecting. This one builds it once.
//!
//! It also takes one packet at a time. str0m looks for more of SCTP whenever it is polled, also for
//! every single datagram of those that it has made already, and SCTP walks through all that is in
//! flight to find out. While DTLS does not take what SCTP has, str0m doesn't look.
//!
//! Who answers an offer knows which version both speak before it makes a connection, and who offers
//! does not. So `DtlsVersion::Auto` is more careful here than elsewhere: a client says hello in a way
//! that servers of either version take, and a server speaks 1.2. dimpl's server could tell by the
//! hello too. But it keeps all that comes until the hello is complete, and takes nothing any more
//! after 64 datagrams: those of another connection on the same path do, and those of a stranger who
//! forges the peer's address.
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
        let as_client = matches!(version, DtlsVersion::Auto)
            .then(|| (Arc::clone(&config), certificate.clone(), now));
        let dtls = match version {
            DtlsVersion::Dtls13 => dimpl::Dtls::new_13(config, certificate, now),
            // `DtlsVersion` may grow; 1.2 is what every browser speaks.
            _ => dimpl::Dtls::new_12(config, certificate, now),
        };
        Ok(Box::new(Instance { dtls, as_client, served: None, has_packet_out: false }))
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

/// A client of DTLS 1.3 that misses a part of the server's flight says which parts it has, and says
/// it again after this long: a quarter of the interval above, as dimpl does where nothing is missing
/// yet. Where something is, dimpl has it due again as soon as it is done. str0m does all that is due
/// before it returns, and would never return.
const ACK_PAUSE: Duration = Duration::from_millis(100);

/// So many flights are sent again, a server's answers to flights of the client that come again among
/// them, and each waits twice as long for the next: with the interval above for 50 s, or for 10 to 30 s
/// where the client hears nothing of a server. The clock of the first one starts with the answer and not
/// when ICE has found a path, so this must outlast every attempt to connect.
const FLIGHT_RETRIES: usize = 6;

struct Instance {
    dtls: dimpl::Dtls,
    /// What it is made of anew, for either version, if it is to begin.
    as_client: Option<(Arc<dimpl::Config>, DtlsCert, Instant)>,
    /// When it did all that was due, if nothing came since.
    served: Option<Instant>,
    /// Whether str0m has a packet that it was not polled for.
    has_packet_out: bool,
}

impl Instance {
    /// When to do again what is due by then, if it was done already.
    fn put_off(&self, by: Instant) -> Option<Instant> {
        let is_client_of_13 =
            self.dtls.is_active() && self.dtls.protocol_version() == Some(ProtocolVersion::DTLS1_3);
        let served = self.served.filter(|served| is_client_of_13 && by <= *served)?;
        Some(served + ACK_PAUSE)
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Instance(…)")
    }
}

impl DtlsInstance for Instance {
    fn set_active(&mut self, active: bool) {
        if let Some((config, certificate, now)) = self.as_client.take().filter(|_| active) {
            self.dtls = dimpl::Dtls::new_auto(config, certificate, now);
        }
        self.dtls.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.served = None;
        self.dtls.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.dtls.poll_output(buffer);
        // It polls here first thing when it is polled, and has handed on what it had by then.
        self.has_packet_out = matches!(output, DtlsOutput::Packet(_));
        match output {
            DtlsOutput::Timeout(at) => DtlsOutput::Timeout(self.put_off(at).unwrap_or(at)),
            output => output,
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        if self.put_off(now).is_some() {
            return Ok(());
        }
        self.served = Some(now);
        self.dtls.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        if self.has_packet_out {
            return Ok(0);
        }
        self.dtls.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.dtls.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.dtls.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.dtls.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.dtls.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.dtls.close()
    }
}
