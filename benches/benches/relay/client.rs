//! A client of a relay, which does as little as it can: what is measured is the other side.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// One WebSocket.
pub(crate) struct Client {
    socket: TcpStream,
    /// The beginning of a frame whose end has not come.
    begun: Vec<u8>,
}

impl Client {
    /// Connects, and waits until the relay has taken it.
    pub(crate) fn connect(address: SocketAddr, token: Token, registry: &Registry) -> Result<Self> {
        let mut socket = std::net::TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.write_all(REQUEST)?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0; 256];
            let count = socket.read(&mut byte)?;
            ensure!(count > 0, "the relay hung up");
            answer.extend_from_slice(&byte[..count]);
        }
        ensure!(answer.starts_with(b"HTTP/1.1 101"), "the relay refused a client");
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        registry.register(&mut socket, token, Interest::READABLE)?;
        Ok(Client { socket, begun: Vec::new() })
    }

    /// Sends a frame that [`frame`] made. There is always room: little is under way.
    pub(crate) fn send(&mut self, frame: &[u8]) -> Result<()> {
        let count = self.socket.write(frame).context("the relay does not read")?;
        ensure!(count == frame.len(), "the relay does not read");
        Ok(())
    }

    /// Reads all that there is, and gives each message to `on_text`. Pings are answered.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        mut on_text: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        loop {
            let count = match self.socket.read(buffer) {
                Ok(0) => bail!("the relay hung up"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            self.begun.extend_from_slice(&buffer[..count]);
            let mut read = 0;
            while let Some((opcode, payload, length)) = split(&self.begun[read..]) {
                match opcode {
                    TEXT => on_text(payload)?,
                    PING => write_pong(&mut self.socket)?,
                    opcode => bail!("the relay sent a frame of type {opcode}"),
                }
                read += length;
            }
            self.begun.drain(..read);
            if self.begun.is_empty() {
                self.begun = Vec::new();
            }
            if count < buffer.len() {
                // mio tells of what comes from now on.
                return Ok(());
            }
        }
    }
}

/// A text as a client's frame.
// spec: RFC 6455, section 5.2
pub(crate) fn frame(text: &str) -> Vec<u8> {
    masked(TEXT, text.as_bytes())
}

fn write_pong(socket: &mut TcpStream) -> io::Result<()> {
    socket.write_all(&masked(PONG, &[]))
}

fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length),
        _ => {
            let length = u16::try_from(payload.len()).expect("messages here are small");
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The type and the payload of the frame that the bytes begin with, and its length.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (first, second) = (bytes.first()?, *bytes.get(1)?);
    let (begin, length) = match second {
        126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into()),
        length => (2, usize::from(length)),
    };
    Some((first & 0x0f, bytes.get(begin..begin + length)?, begin + length))
}

const TEXT: u8 = 1;
const PING: u8 = 9;
const PONG: u8 = 10;
const MASK: [u8; 4] = [0x1d, 0x7a, 0xc4, 0x93];
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
