//! How often a connection waits for the other side before it is open, and how much is sent for it.
//!
//! `docs/performance.md` has the same as a table, and says what each round trip is for.

#![allow(clippy::unwrap_used)]

mod harness;

use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::{World, trickle};
use str0m::config::{DtlsCert, DtlsVersion};
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{DtlsInstance, DtlsProvider};
use tristero_proto::ConnId;
use tristero_proto::engine::Engine;
use tristero_str0m::{Config, CryptoProvider};

const OFFERER: (usize, ConnId) = (0, ConnId::from_number(1));
const ANSWERER: (usize, ConnId) = (1, ConnId::from_number(2));

/// Short enough that nothing is sent again before it can be answered.
const ONE_WAY: Duration = Duration::from_millis(20);
/// What may be waited for beside the other side: one ICE check leaves 5 ms after another.
const OWN_TIME_MAX: Duration = Duration::from_millis(10);

/// What both sides can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Abilities {
    dtls_13: bool,
    snap: bool,
}

/// What it took until a connection was open, from the moment at which both had both descriptions.
#[derive(Debug, PartialEq, Eq)]
struct Opening {
    version: &'static str,
    /// How often something crossed the path, one way, before the answerer had it open.
    answerer: u32,
    /// And before the offerer had.
    offerer: u32,
    /// Datagrams of ICE of both sides, up to then.
    stun: usize,
    /// And all others.
    dtls: usize,
}

#[test]
fn a_connection_opens_in_as_few_round_trips_as_its_two_ends_can() {
    let [neither, snap, dtls_13, both] =
        [(false, false), (false, true), (true, false), (true, true)]
            .map(|(dtls_13, snap)| open(Abilities { dtls_13, snap }));
    let [v12, v13] = ["DTLS 1.2", "DTLS 1.3"];
    assert_eq!(
        [neither, snap, dtls_13, both],
        [
            Opening { version: v12, answerer: 11, offerer: 12, stun: 6, dtls: 10 },
            Opening { version: v12, answerer: 7, offerer: 8, stun: 6, dtls: 6 },
            Opening { version: v13, answerer: 9, offerer: 10, stun: 6, dtls: 10 },
            Opening { version: v13, answerer: 5, offerer: 6, stun: 6, dtls: 6 },
        ]
    );
}

fn open(abilities: Abilities) -> Opening {
    let mut world = World::with_config(2, &config(abilities));
    world.latency = ONE_WAY;
    (0..2).for_each(|host| world.add_address(host));
    let offer = world.offer(OFFERER.0, OFFERER.1, trickle()).unwrap();
    let answer = world.answer(ANSWERER.0, ANSWERER.1, &as_of(abilities, &offer));
    assert_eq!(answer.contains("a=sctp-init:"), abilities.snap);
    world.accept(OFFERER.0, OFFERER.1, &answer);
    let start = world.now;
    let until_open = |world: &mut World, end| {
        world.run_until(|world| world.is_open(end));
        one_ways(world.now.since(start))
    };
    let answerer = until_open(&mut world, ANSWERER);
    let offerer = until_open(&mut world, OFFERER);
    let stun = world.sent.iter().filter(|sent| sent.bytes[0] < 4).count();
    let info = world.hosts[0].engine.connection_info(OFFERER.1).unwrap();
    let dtls = world.sent.len() - stun;
    world.assert_delivers(OFFERER, ANSWERER, b"there");
    world.assert_delivers(ANSWERER, OFFERER, b"and back");
    let version = info.dtls_version.unwrap();
    Opening { version, answerer, offerer, stun, dtls }
}

/// How many ways one after another take so long. What is not the path's is next to nothing: nobody
/// sleeps.
fn one_ways(time: Duration) -> u32 {
    let count = time.as_nanos() / ONE_WAY.as_nanos();
    let count = u32::try_from(count).unwrap();
    assert!(time - ONE_WAY * count < OWN_TIME_MAX, "{time:?}");
    count
}

/// An offer of who can do no more than that.
fn as_of(abilities: Abilities, offer: &str) -> String {
    let lines = offer.split_inclusive('\n');
    lines.filter(|line| abilities.snap || !line.starts_with("a=sctp-init:")).collect()
}

fn config(abilities: Abilities) -> Config {
    let mut config = Config::default();
    if !abilities.dtls_13 {
        let crypto = CryptoProvider { dtls_provider: &Dtls12, ..(*config.crypto).clone() };
        config.crypto = Arc::new(crypto);
    }
    config
}

/// DTLS that knows no version but 1.2.
#[derive(Debug)]
struct Dtls12;

impl DtlsProvider for Dtls12 {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        Config::default().crypto.dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        _: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let provider = Config::default().crypto.dtls_provider;
        provider.new_dtls(certificate, now, DtlsVersion::Dtls12, mtu)
    }
}
