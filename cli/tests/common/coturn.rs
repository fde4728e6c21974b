//! coturn, the STUN and TURN server of Debian, on the loopback.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Program;

/// Who may use it.
pub(crate) const CREDENTIALS: &str = "me,sesame";

/// A server with two addresses and ports each, as RFC 5780 wants it, which ends with the test.
pub(crate) struct Coturn {
    _program: Program,
    pub(crate) port: u16,
    pub(crate) tls_port: u16,
    /// Signed by itself, for 127.0.0.1.
    pub(crate) certificate: PathBuf,
}

impl Coturn {
    /// Starts one for the test of this name.
    pub(crate) fn start(test: &str) -> Self {
        let is_there = Command::new("turnserver").arg("--version").output().is_ok();
        assert!(is_there, "turnserver is not there: `cargo xtask setup` installs coturn");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        std::fs::create_dir_all(&folder).unwrap();
        let (certificate, key) = (folder.join("turn.pem"), folder.join("turn.key"));
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();

        let [port, other_port, tls_port, other_tls_port] = free_ports();
        let mut command = Command::new("turnserver");
        command.current_dir(&folder);
        command.args(["-n", "--no-cli", "--log-file", "stdout", "--simple-log", "--verbose"]);
        command.args(["--userdb", "turn.db", "--pidfile", "turn.pid"]);
        command.args(["--lt-cred-mech", "--realm", "test", "--user", "me:sesame"]);
        command.args(["--listening-ip", "127.0.0.1", "--listening-ip", "127.0.0.2"]);
        // It lets nobody reach loopback addresses else, and wants a password for that.
        command.args(["--relay-ip", "127.0.0.1", "--allow-loopback-peers", "--cli-password", "x"]);
        for (option, port) in [
            ("--listening-port", port),
            ("--alt-listening-port", other_port),
            ("--tls-listening-port", tls_port),
            ("--alt-tls-listening-port", other_tls_port),
        ] {
            command.arg(option).arg(port.to_string());
        }
        command.arg("--cert").arg(&certificate).arg("--pkey").arg(&key);
        let mut program = Program::start(&mut command);
        program.line_with("Total General servers");
        Coturn { _program: program, port, tls_port, certificate }
    }
}

/// Ports that were free a moment ago.
fn free_ports() -> [u16; 4] {
    let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
