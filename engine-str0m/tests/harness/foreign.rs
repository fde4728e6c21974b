//! A peer that is str0m alone, and so can do what our engine never does.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::config::Fingerprint;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, IceCreds, Input, Output, Rtc};
use tristero_proto::{ConnId, Time};

use super::World;

pub(crate) struct Foreign {
    pub(crate) rtc: Rtc,
    pub(crate) events: Vec<Event>,
    address: SocketAddr,
    zero: Instant,
    /// How much of what the world sent was looked at.
    seen: usize,
    pending: Option<SdpPendingOffer>,
}

impl Foreign {
    pub(crate) fn new(world: &World) -> Self {
        let zero = Instant::now();
        let address: SocketAddr = "10.0.1.1:4000".parse().unwrap();
        let mut rtc = Rtc::new(zero + world.now.since_epoch());
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        Foreign { rtc, events: Vec::new(), address, zero, seen: 0, pending: None }
    }

    /// Connects as the answerer of host 0.
    pub(crate) fn answer_to(world: &mut World, id: ConnId) -> Self {
        let mut foreign = Self::new(world);
        let offer = world.offer(0, id, super::trickle()).unwrap();
        let offer = SdpOffer::from_sdp_string(&offer).unwrap();
        let answer = foreign.rtc.sdp_api().accept_offer(offer).unwrap();
        world.accept(0, id, &answer.to_sdp_string());
        foreign
    }

    /// Connects as an answerer of host 0 that begins DTLS and waits for SCTP, as werift does.
    pub(crate) fn answer_like_werift(world: &mut World, id: ConnId) -> Self {
        let mut foreign = Self::new(world);
        let offer = world.offer(0, id, super::trickle()).unwrap();
        let value = |name| offer.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let creds = IceCreds {
            ufrag: value("a=ice-ufrag:").to_owned(),
            pass: value("a=ice-pwd:").to_owned(),
        };
        let bytes = value("a=fingerprint:sha-256 ").split(':');
        let bytes = bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        let candidate = format!("candidate:{}", value("a=candidate:"));
        foreign.rtc.add_remote_candidate(Candidate::from_sdp_string(&candidate).unwrap());
        let mut api = foreign.rtc.direct_api();
        api.set_ice_controlling(false);
        api.set_remote_ice_credentials(creds);
        api.set_remote_fingerprint(Fingerprint { hash_func: "sha-256".to_owned(), bytes });
        api.start_dtls(true).unwrap();
        api.start_sctp(false);
        let (creds, mine) = (api.local_ice_credentials(), api.local_dtls_fingerprint().to_string());
        let (ufrag, pass, mid) = (creds.ufrag, creds.pass, value("a=mid:"));
        let answer = format!(
            "v=0\r\no=- 85206206 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mid}\r\n\
             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
             a=candidate:1 1 udp 2116026367 10.0.1.1 4000 typ host generation 0\r\n\
             a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pass}\r\na=fingerprint:{mine}\r\n\
             a=setup:active\r\na=mid:{mid}\r\na=sctp-port:5000\r\na=max-message-size:65536\r\n"
        );
        world.accept(0, id, &answer);
        foreign
    }

    /// Offers channels with these labels to host 0.
    pub(crate) fn offer_to(world: &mut World, id: ConnId, labels: &[&str]) -> Self {
        let mut foreign = Self::new(world);
        let mut changes = foreign.rtc.sdp_api();
        for label in labels {
            changes.add_channel((*label).to_owned());
        }
        let (offer, pending) = changes.apply().unwrap();
        foreign.pending = Some(pending);
        let answer = world.answer(0, id, &offer.to_sdp_string());
        let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
        let pending = foreign.pending.take().unwrap();
        foreign.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        foreign
    }

    /// Opens another channel.
    pub(crate) fn open(&mut self, label: &str) {
        let mut changes = self.rtc.sdp_api();
        changes.add_channel(label.to_owned());
        assert!(changes.apply().is_none(), "a second channel is not negotiated");
    }

    /// The channel with this label, once it is open.
    pub(crate) fn channel(&self, label: &str) -> Option<ChannelId> {
        self.events.iter().find_map(|event| match event {
            Event::ChannelOpen(id, open) if open == label => Some(*id),
            _ => None,
        })
    }

    pub(crate) fn write(&mut self, label: &str, is_binary: bool, bytes: &[u8]) {
        let id = self.channel(label).unwrap();
        assert!(self.rtc.channel(id).unwrap().write(is_binary, bytes).unwrap());
    }

    pub(crate) fn run_until(&mut self, world: &mut World, is_done: impl Fn(&Self, &World) -> bool) {
        let end = world.now + Duration::from_secs(30);
        while !is_done(self, world) {
            assert!(world.now < end, "nothing more happened: {:?}", self.events);
            self.run_for(world, Duration::from_millis(10));
        }
    }

    pub(crate) fn run_for(&mut self, world: &mut World, time: Duration) {
        let end = world.now + time;
        while world.now < end {
            world.run_for(Duration::from_millis(5));
            self.take_what_was_sent(world);
            let now = self.instant(world.now);
            self.rtc.handle_input(Input::Timeout(now)).unwrap();
            self.drain(world);
        }
    }

    fn take_what_was_sent(&mut self, world: &mut World) {
        while let Some(sent) = world.sent.get(self.seen).cloned() {
            self.seen += 1;
            if sent.path.remote == self.address {
                let (source, destination) = (sent.path.local, sent.path.remote);
                let received = Receive::new(Protocol::Udp, source, destination, &sent.bytes);
                let input = Input::Receive(self.instant(world.now), received.unwrap());
                self.rtc.handle_input(input).unwrap();
                self.drain(world);
            }
        }
    }

    fn drain(&mut self, world: &mut World) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Event(event) => self.events.push(event),
                Output::Transmit(transmit) => {
                    world.arrive(0, self.address, &transmit.contents);
                }
            }
        }
    }

    fn instant(&self, time: Time) -> Instant {
        self.zero + time.since_epoch()
    }
}
