//! A peer of str0m alone, in the way of its own examples: one socket that blocks, one datagram for each
//! system call, its default of 128 KiB in flight. The messages are those of the others.

use std::io::{self, BufRead as _, ErrorKind, Write as _};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value};
use str0m::change::{SdpAnswer, SdpOffer};
use str0m::channel::ChannelId;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tristero_benches::{peak_kib, process_cpu};

use crate::{Arguments, note_idle, note_pings};

/// What Trystero sends a payload in.
const CHUNK_BYTES: usize = 16 * 1024;
const TEXT_BYTES: usize = 100;
const ACKNOWLEDGEMENT: &[u8] = b"done";
const PING: &[u8] = b"ping";
const PONG: &[u8] = b"pong";
/// The sockets have the buffers of ours.
const SOCKET_BUFFER_BYTES: usize = 2 * 1024 * 1024;

struct Raw {
    rtc: Rtc,
    socket: UdpSocket,
    channel: Option<ChannelId>,
    received: u64,
    messages: u64,
    is_acknowledged: bool,
    /// Pings that are not answered yet.
    pings: u64,
    pongs: u64,
    is_over: bool,
    buffer: Vec<u8>,
}

pub(crate) fn send(arguments: &Arguments) -> Result<()> {
    let mut raw = Raw::new()?;
    let mut changes = raw.rtc.sdp_api();
    changes.add_channel("data".to_owned());
    let (offer, pending) = changes.apply().context("there is something to offer")?;
    println!("{}", serde_json::to_string(&offer.to_sdp_string())?);
    let answer = SdpAnswer::from_sdp_string(&read_line()?)?;
    raw.rtc.sdp_api().accept_answer(pending, answer)?;
    raw.open()?;
    let mut said = Map::new();
    said.insert("name".into(), "str0m alone".into());
    note_idle(&mut said);

    let (began, before) = (Instant::now(), process_cpu());
    raw.write_all(arguments.bulk.div_ceil(CHUNK_BYTES as u64), CHUNK_BYTES)?;
    said.insert("bulkBytes".into(), arguments.bulk.into());
    said.insert("bulkSeconds".into(), began.elapsed().as_secs_f64().into());
    said.insert("bulkCpuSeconds".into(), (process_cpu() - before).as_secs_f64().into());

    let (began, before) = (Instant::now(), process_cpu());
    raw.write_all(arguments.messages, TEXT_BYTES)?;
    said.insert("messages".into(), arguments.messages.into());
    said.insert("messageSeconds".into(), began.elapsed().as_secs_f64().into());
    said.insert("messageCpuSeconds".into(), (process_cpu() - before).as_secs_f64().into());

    let times = (0..arguments.pings).map(|_| raw.ping()).collect::<Result<_>>()?;
    note_pings(&mut said, times);
    raw.close(said)
}

pub(crate) fn receive(arguments: &Arguments) -> Result<()> {
    let mut raw = Raw::new()?;
    let offer = SdpOffer::from_sdp_string(&read_line()?)?;
    let answer = raw.rtc.sdp_api().accept_offer(offer)?;
    println!("{}", serde_json::to_string(&answer.to_sdp_string())?);
    raw.open()?;
    let mut said = Map::new();
    note_idle(&mut said);
    let before = process_cpu();
    raw.read_all(arguments.bulk.div_ceil(CHUNK_BYTES as u64))?;
    said.insert("bulkCpuSeconds".into(), (process_cpu() - before).as_secs_f64().into());
    let before = process_cpu();
    raw.read_all(arguments.messages)?;
    said.insert("messageCpuSeconds".into(), (process_cpu() - before).as_secs_f64().into());
    while !raw.is_over {
        raw.turn()?;
        raw.drain()?;
        for _ in 0..std::mem::take(&mut raw.pings) {
            raw.write(PONG)?;
        }
    }
    print_figures(said)
}

impl Raw {
    fn new() -> Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
        socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
        socket.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        let socket: UdpSocket = socket.into();
        let mut rtc = RtcConfig::new().clear_codecs().build(Instant::now());
        rtc.add_local_candidate(Candidate::host(socket.local_addr()?, "udp")?);
        Ok(Raw {
            rtc,
            socket,
            channel: None,
            received: 0,
            messages: 0,
            is_acknowledged: false,
            pings: 0,
            pongs: 0,
            is_over: false,
            buffer: vec![0; 2_000],
        })
    }

    fn open(&mut self) -> Result<()> {
        while self.channel.is_none() {
            self.turn()?;
        }
        Ok(())
    }

    /// Writes messages as there is room, until the other side has all.
    fn write_all(&mut self, count: u64, bytes: usize) -> Result<()> {
        let id = self.channel.context("it is open")?;
        let message = vec![7; bytes];
        let mut left = count;
        self.is_acknowledged = false;
        while !self.is_acknowledged {
            while left > 0 && self.rtc.channel(id).context("it is open")?.write(true, &message)? {
                left -= 1;
                self.drain()?;
            }
            self.turn()?;
        }
        Ok(())
    }

    fn read_all(&mut self, count: u64) -> Result<()> {
        self.messages = 0;
        while self.messages < count {
            self.turn()?;
        }
        self.write(ACKNOWLEDGEMENT)
    }

    /// How long the other side takes to answer.
    fn ping(&mut self) -> Result<Duration> {
        let (began, before) = (Instant::now(), self.pongs);
        self.write(PING)?;
        while self.pongs == before {
            self.turn()?;
            self.drain()?;
        }
        Ok(began.elapsed())
    }

    /// Writes a message for which there is room.
    fn write(&mut self, message: &[u8]) -> Result<()> {
        let id = self.channel.context("it is open")?;
        ensure!(self.rtc.channel(id).context("it is open")?.write(true, message)?, "full");
        self.drain()?;
        Ok(())
    }

    fn close(mut self, said: Map<String, Value>) -> Result<()> {
        self.rtc.close()?;
        self.drain()?;
        print_figures(said)
    }

    /// Sends what there is to send; says until when to wait.
    fn drain(&mut self) -> Result<Instant> {
        loop {
            let output = match self.rtc.poll_output() {
                Ok(output) => output,
                // The other side has closed, and it would have liked to answer.
                Err(_) if self.is_over => return Ok(Instant::now()),
                Err(error) => bail!(error),
            };
            match output {
                Output::Timeout(at) => return Ok(at),
                Output::Transmit(transmit) => {
                    self.socket.send_to(&transmit.contents, transmit.destination)?;
                }
                Output::Event(Event::ChannelOpen(id, _)) => self.channel = Some(id),
                Output::Event(Event::ChannelData(data)) if data.data == ACKNOWLEDGEMENT => {
                    self.is_acknowledged = true;
                }
                Output::Event(Event::ChannelData(data)) if data.data == PING => self.pings += 1,
                Output::Event(Event::ChannelData(data)) if data.data == PONG => self.pongs += 1,
                Output::Event(Event::ChannelData(data)) => {
                    self.received += data.data.len() as u64;
                    self.messages += 1;
                }
                Output::Event(Event::Closed) => self.is_over = true,
                Output::Event(_) => {}
            }
        }
    }

    /// Waits for a datagram or a timeout.
    fn turn(&mut self) -> Result<()> {
        let at = self.drain()?;
        if self.is_over {
            return Ok(());
        }
        let pause = at.saturating_duration_since(Instant::now()).max(Duration::from_micros(1));
        self.socket.set_read_timeout(Some(pause))?;
        let local = self.socket.local_addr()?;
        let input = match self.socket.recv_from(&mut self.buffer) {
            Ok((length, remote)) => {
                let bytes = &self.buffer[..length];
                Input::Receive(Instant::now(), Receive::new(Protocol::Udp, remote, local, bytes)?)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Input::Timeout(Instant::now())
            }
            Err(error) => bail!(error),
        };
        Ok(self.rtc.handle_input(input)?)
    }
}

fn read_line() -> Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

fn print_figures(mut said: Map<String, Value>) -> Result<()> {
    said.insert("peakKiB".into(), peak_kib().into());
    Ok(writeln!(io::stdout(), "{}", Value::Object(said))?)
}
