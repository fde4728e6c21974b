//! DTLS without cryptography: flights that get lost and repeated, and records that only their own
//! connection takes, at a fortieth of the cost.
//!
//! A simulation is about what networks do to peers. Real DTLS takes nine tenths of the time that
//! connecting costs, and draws its keys from the operating system, so that no run could be repeated.
//! This provider keeps what the rest of a connection depends on: who begins, a certificate that
//! matches the fingerprint of the description, that a lost flight is sent again, that a record of
//! another connection is ignored, the size of a record, and keys for media that both ends have alike.
//! It keeps no secret and proves nothing:
//! it is for simulators alone.
//!
//! The nonces of a connection come from [`fastrand`], which the world sets before a peer's turn.
//!
//! spec: RFC 6347 sections 4.1 and 4.2 for the form of records and flights

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::config::{CryptoProvider, DtlsCert, DtlsVersion, KeyingMaterial};
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{
    DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion, SrtpProfile,
};

/// The cryptography of a simulated engine: the usual one, but for DTLS.
pub(crate) fn crypto_provider() -> Arc<CryptoProvider> {
    let usual = tristero_str0m::Config::default().crypto;
    Arc::new(CryptoProvider { dtls_provider: &NullDtls, ..(*usual).clone() })
}

#[derive(Debug)]
struct NullDtls;

impl DtlsProvider for NullDtls {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        let name = fastrand::u128(..).to_be_bytes();
        Some(DtlsCert { certificate: name.to_vec(), private_key: Vec::new() })
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        _: DtlsVersion,
        _: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        Ok(Box::new(Instance {
            certificate: certificate.certificate.clone(),
            nonce: fastrand::u64(..),
            now,
            is_active: false,
            phase: Phase::Waiting,
            repeat: None,
            said: VecDeque::new(),
        }))
    }
}

/// One end of a connection.
#[derive(Debug)]
struct Instance {
    certificate: Vec<u8>,
    nonce: u64,
    now: Instant,
    is_active: bool,
    phase: Phase,
    /// When the last flight is sent again, and how long after it was sent last.
    repeat: Option<(Instant, Duration)>,
    said: VecDeque<Said>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing was sent nor heard.
    Waiting,
    /// The client has said hello.
    Greeting,
    /// The server has answered a client, with this key, and does not know that it was heard.
    Answering(u64),
    /// Both know the key.
    Connected(u64),
    Closed,
}

#[derive(Debug)]
enum Said {
    Packet(Vec<u8>),
    PeerCertificate(Vec<u8>),
    /// What both know, for the keys of media.
    Keys(u64),
    Connected,
    Received(Vec<u8>),
    CloseNotify,
}

impl Instance {
    fn on_client_hello(&mut self, theirs: u64, certificate: &[u8]) {
        let key = self.nonce ^ theirs;
        match self.phase {
            Phase::Waiting => {
                self.said.push_back(Said::PeerCertificate(certificate.to_vec()));
                self.phase = Phase::Answering(key);
                self.send_flight();
            }
            Phase::Answering(known) if known == key => self.send_flight(),
            Phase::Greeting | Phase::Answering(_) | Phase::Connected(_) | Phase::Closed => {}
        }
    }

    fn on_server_hello(&mut self, theirs: u64, key: u64, certificate: &[u8]) {
        if key != self.nonce ^ theirs {
            return;
        }
        match self.phase {
            Phase::Greeting => {
                self.said.push_back(Said::PeerCertificate(certificate.to_vec()));
                self.connect(key);
                self.send_handshake(CLIENT_FINISHED, key);
            }
            // What ended the handshake was lost.
            Phase::Connected(known) if known == key => self.send_handshake(CLIENT_FINISHED, key),
            Phase::Waiting | Phase::Answering(_) | Phase::Connected(_) | Phase::Closed => {}
        }
    }

    fn on_client_finished(&mut self, key: u64) {
        if self.phase == Phase::Answering(key) {
            self.connect(key);
        }
    }

    fn on_record(&mut self, kind: u8, key: u64, payload: &[u8]) {
        // A record that overtook what ended the handshake proves as much.
        self.on_client_finished(key);
        if self.phase != Phase::Connected(key) {
            return;
        }
        if kind == ALERT {
            self.phase = Phase::Closed;
            self.said.push_back(Said::CloseNotify);
        } else {
            self.said.push_back(Said::Received(payload.to_vec()));
        }
    }

    fn connect(&mut self, key: u64) {
        self.phase = Phase::Connected(key);
        self.repeat = None;
        self.said.push_back(Said::Keys(key));
        self.said.push_back(Said::Connected);
    }

    /// Sends what the handshake is waiting for an answer to.
    fn send_flight(&mut self) {
        match self.phase {
            Phase::Greeting => self.send_handshake(CLIENT_HELLO, 0),
            Phase::Answering(key) => self.send_handshake(SERVER_HELLO, key),
            Phase::Waiting | Phase::Connected(_) | Phase::Closed => return,
        }
        let (_, pause) = self.repeat.unwrap_or((self.now, FLIGHT_START_RTO));
        self.repeat = Some((self.now + pause, pause));
    }

    fn send_handshake(&mut self, kind: u8, key: u64) {
        let mut body = vec![kind];
        body.extend(self.nonce.to_be_bytes());
        body.extend(key.to_be_bytes());
        body.extend(&self.certificate);
        self.send(HANDSHAKE, 0, &body);
    }

    fn send(&mut self, kind: u8, epoch: u8, body: &[u8]) {
        let mut packet = vec![kind, 254, 253, 0, epoch];
        packet.resize(RECORD_HEADER_BYTES, 0);
        packet.extend(body);
        self.said.push_back(Said::Packet(packet));
    }

    fn send_record(&mut self, kind: u8, key: u64, payload: &[u8]) {
        let mut body = key.to_be_bytes().to_vec();
        body.extend(payload);
        body.extend([0; TAG_BYTES]);
        self.send(kind, 1, &body);
    }
}

impl DtlsInstance for Instance {
    fn set_active(&mut self, active: bool) {
        self.is_active = active;
        if active && self.phase == Phase::Waiting {
            self.phase = Phase::Greeting;
            self.send_flight();
        }
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        let (Some(kind), Some(body)) = (packet.first(), packet.get(RECORD_HEADER_BYTES..)) else {
            return Ok(());
        };
        match (*kind, body) {
            (HANDSHAKE, [kind, rest @ ..]) => {
                let Some((theirs, rest)) = split_number(rest) else { return Ok(()) };
                let Some((key, certificate)) = split_number(rest) else { return Ok(()) };
                match *kind {
                    CLIENT_HELLO => self.on_client_hello(theirs, certificate),
                    SERVER_HELLO => self.on_server_hello(theirs, key, certificate),
                    CLIENT_FINISHED => self.on_client_finished(key),
                    _no_message_of_ours => {}
                }
            }
            (APPLICATION_DATA | ALERT, body) => {
                if let Some((key, rest)) = split_number(body)
                    && let Some(length) = rest.len().checked_sub(TAG_BYTES)
                {
                    self.on_record(*kind, key, &rest[..length]);
                }
            }
            _no_record_of_ours => {}
        }
        Ok(())
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let mut copy = |bytes: &[u8]| {
            buffer[..bytes.len()].copy_from_slice(bytes);
            bytes.len()
        };
        match self.said.pop_front() {
            Some(Said::Packet(packet)) => {
                let length = copy(&packet);
                DtlsOutput::Packet(&buffer[..length])
            }
            Some(Said::PeerCertificate(certificate)) => {
                let length = copy(&certificate);
                DtlsOutput::PeerCert(&buffer[..length])
            }
            Some(Said::Keys(key)) => {
                let material = key.to_be_bytes().repeat(KEY_BYTES / 8);
                DtlsOutput::KeyingMaterial(
                    KeyingMaterial::new(&material),
                    SrtpProfile::AEAD_AES_128_GCM,
                )
            }
            Some(Said::Connected) => DtlsOutput::Connected,
            Some(Said::Received(bytes)) => {
                let length = copy(&bytes);
                DtlsOutput::ApplicationData(&buffer[..length])
            }
            Some(Said::CloseNotify) => DtlsOutput::CloseNotify,
            None => DtlsOutput::Timeout(self.repeat.map_or(self.now + NEVER, |(at, _)| at)),
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.now = now;
        if let Some((at, pause)) = self.repeat.filter(|(at, _)| *at <= now) {
            self.repeat = Some((at, pause * 2));
            self.send_flight();
        }
        Ok(())
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        let Phase::Connected(key) = self.phase else { return Ok(0) };
        self.send_record(APPLICATION_DATA, key, data);
        Ok(data.len())
    }

    fn is_active(&self) -> bool {
        self.is_active
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        matches!(self.phase, Phase::Connected(_)).then_some(ProtocolVersion::DTLS1_2)
    }

    fn is_closing(&self) -> bool {
        self.phase == Phase::Closed
    }

    fn is_closed(&self) -> bool {
        self.phase == Phase::Closed && self.said.is_empty()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        if let Phase::Connected(key) = self.phase {
            self.send_record(ALERT, key, &[]);
        }
        self.phase = Phase::Closed;
        self.repeat = None;
        Ok(())
    }
}

fn split_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// What a client's last flight begins with: its key exchange.
const CLIENT_FINISHED: u8 = 16;
const RECORD_HEADER_BYTES: usize = 13;
/// With the key in front, as long as the nonce and the tag of AES-GCM.
const TAG_BYTES: usize = 16;

/// A key of 16 bytes and a salt of 12 for each side (RFC 7714, section 12).
const KEY_BYTES: usize = 56;

/// As in the real engine.
const FLIGHT_START_RTO: Duration = Duration::from_millis(400);

/// What a timer is set to when there is none.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    /// Moves packets between two ends until there are none; those at `lost` places go missing.
    fn exchange(ends: &mut [Box<dyn DtlsInstance>; 2], lost: &[usize]) -> Vec<(usize, String)> {
        let (mut buffer, mut said, mut sent) = ([0; 2000], Vec::new(), 0);
        loop {
            let mut is_quiet = true;
            for end in 0..2 {
                loop {
                    match ends[end].poll_output(&mut buffer) {
                        DtlsOutput::Packet(packet) => {
                            is_quiet = false;
                            let packet = packet.to_vec();
                            if !lost.contains(&sent) {
                                ends[1 - end].handle_packet(&packet).unwrap();
                            }
                            sent += 1;
                        }
                        DtlsOutput::Timeout(_) => break,
                        DtlsOutput::ApplicationData(bytes) => {
                            said.push((end, format!("{bytes:?}")));
                        }
                        output => said.push((end, format!("{output:?}"))),
                    }
                }
            }
            if is_quiet {
                return said;
            }
        }
    }

    fn two_ends(now: Instant) -> [Box<dyn DtlsInstance>; 2] {
        let certificate = NullDtls.generate_certificate().unwrap();
        [true, false].map(|is_active| {
            let mut end = NullDtls.new_dtls(&certificate, now, DtlsVersion::Dtls12, None).unwrap();
            end.set_active(is_active);
            end
        })
    }

    fn has_connected(said: &[(usize, String)], end: usize) -> bool {
        said.contains(&(end, "Connected".to_owned()))
    }

    #[test]
    fn two_ends_connect_and_talk() {
        let mut ends = two_ends(Instant::now());
        let said = exchange(&mut ends, &[]);
        assert!(has_connected(&said, 0) && has_connected(&said, 1), "{said:?}");
        let keys = said.iter().filter(|(_, what)| what.starts_with("KeyingMaterial"));
        assert_eq!(keys.count(), 2, "{said:?}");
        assert_eq!(ends[0].send_application_data(&[7; 3]).unwrap(), 3);
        assert_eq!(exchange(&mut ends, &[]), [(1, "[7, 7, 7]".to_owned())]);
        ends[1].close().unwrap();
        assert_eq!(exchange(&mut ends, &[]), [(0, "CloseNotify".to_owned())]);
        assert!(ends[0].is_closed() && ends[1].is_closed());
    }

    #[test]
    fn a_flight_that_was_lost_is_sent_again() {
        for lost in 0..3 {
            let mut now = Instant::now();
            let mut ends = two_ends(now);
            let mut said = exchange(&mut ends, &[lost]);
            for _ in 0..3 {
                now += Duration::from_secs(1);
                ends.iter_mut().for_each(|end| end.handle_timeout(now).unwrap());
                said.extend(exchange(&mut ends, &[]));
            }
            let connects = said.iter().filter(|(_, what)| what == "Connected").count();
            assert_eq!(connects, 2, "packet {lost} was lost: {said:?}");
        }
    }

    #[test]
    fn records_of_another_connection_are_ignored() {
        let now = Instant::now();
        let (mut ends, mut others) = (two_ends(now), two_ends(now));
        exchange(&mut ends, &[]);
        exchange(&mut others, &[]);
        ends[0].send_application_data(b"hello").unwrap();
        let mut buffer = [0; 2000];
        let DtlsOutput::Packet(packet) = ends[0].poll_output(&mut buffer) else { panic!() };
        others[1].handle_packet(packet).unwrap();
        assert_eq!(exchange(&mut others, &[]), []);
    }
}
