//! `tristero relay` as a server of many.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use common::{Relay, pair, run};

#[test]
fn peers_meet_at_a_relay_of_many_threads() {
    let relay = Relay::start_with(&["--threads", "3"]);
    pair(&relay, "many-threads");
}

#[test]
fn a_relay_without_threads_is_none() {
    let ended = run(&["relay", "--listen", "127.0.0.1:0", "--threads", "0"]);
    assert_eq!(ended.status.code(), Some(2), "{:?}", ended.stderr);
}

#[cfg(unix)]
mod unix {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::process::Command;
    use std::time::Duration;

    use super::common::Relay;

    /// A relay that is out of files answers never.
    const DEADLINE: Duration = Duration::from_secs(30);

    #[test]
    fn a_relay_takes_more_clients_than_its_shell_would_allow_files() {
        const FILES: usize = 32;
        let script = format!("ulimit -S -n {FILES} && exec \"$0\" relay --listen 127.0.0.1:0");
        let mut command = Command::new("sh");
        let relay = Relay::of(command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_tristero")));
        let address = relay.url.strip_prefix("ws://").unwrap();
        let clients: Vec<TcpStream> = (0..2 * FILES).map(|_| open(address)).collect();
        assert_eq!(clients.len(), 2 * FILES);
    }

    /// A WebSocket that the relay has taken.
    fn open(address: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = "GET / HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\n\
            Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101");
        stream
    }
}
