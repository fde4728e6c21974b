//! The program as a process: its lines are waited for, never slept for.

#![allow(dead_code, reason = "each test program uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "it is for tests")]

pub(crate) mod coturn;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Far more than anything takes on an idle machine, for machines that are not idle.
const DEADLINE: Duration = Duration::from_secs(60);

/// The URL of a relay whose port was free a moment ago and refuses now.
pub(crate) fn dead() -> String {
    format!("ws://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

/// What the environment may tell the program.
const TOLD_BY: [&str; 10] = [
    "RUST_LOG",
    "TRISTERO_PASSWORD",
    "TRISTERO_STRATEGY",
    "TRISTERO_SUPABASE_KEY",
    "TRISTERO_ICE_SERVERS",
    "SSL_CERT_FILE",
    "ALL_PROXY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// A running `tristero`, which ends at the latest when this is dropped.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// What was printed so far, for whoever fails.
    transcript: Vec<String>,
}

/// How a program ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

/// The program, without what the environment would tell it.
pub(crate) fn tristero() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tristero"));
    for variable in TOLD_BY {
        command.env_remove(variable).env_remove(variable.to_lowercase());
    }
    command
}

/// Runs it with no input and waits for its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    let mut program = Program::start(tristero().args(arguments));
    program.close_stdin();
    program.ended()
}

/// Starts a chat in the lobby.
pub(crate) fn chat(relay: &Relay, extra: &[&str]) -> Program {
    let mut command = tristero();
    command.args(["chat", "lobby", "--app", "cli-tests", "--loopback", "--relay", &relay.url]);
    Program::start(command.args(extra))
}

/// The id of who chats, by what it says at the beginning.
pub(crate) fn self_id(program: &mut Program) -> String {
    let note = program.note_with("you are ");
    note.split(' ').nth(2).unwrap().to_owned()
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program was built for this test");
        Program {
            stdin: child.stdin.take(),
            stdout: read_lines(child.stdout.take().unwrap()),
            stderr: read_lines(child.stderr.take().unwrap()),
            child,
            transcript: Vec::new(),
        }
    }

    /// Writes a line to its stdin.
    pub(crate) fn say(&mut self, line: &str) {
        self.transcript.push(format!("> {line}"));
        let stdin = self.stdin.as_mut().expect("stdin was not closed");
        writeln!(stdin, "{line}").expect("the program reads its stdin");
    }

    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The next line of its stdout.
    pub(crate) fn line(&mut self) -> String {
        match self.stdout.recv_timeout(DEADLINE) {
            Ok(line) => {
                self.transcript.push(format!("< {line}"));
                line
            }
            Err(error) => self.fail(&format!("no line came: {error}")),
        }
    }

    /// The next line of its stdout that contains this.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        self.transcript.push(format!("waiting for {text:?}"));
        loop {
            let line = self.line();
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The next line of its stderr that contains this.
    pub(crate) fn note_with(&mut self, text: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.stderr.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => self.transcript.push(format!("! {line}")),
                Err(error) => self.fail(&format!("no note with {text:?} came: {error}")),
            }
        }
    }

    /// Asks it to end, as a service manager does.
    #[cfg(unix)]
    pub(crate) fn terminate(&mut self) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(status.success());
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(mut self) -> Ended {
        // Its output ends when it does, and the deadline is on that.
        let mut rest = |lines: fn(&Program) -> &Receiver<String>| {
            let mut read = Vec::new();
            loop {
                match lines(&self).recv_timeout(DEADLINE) {
                    Ok(line) => read.push(line),
                    Err(mpsc::RecvTimeoutError::Disconnected) => return read,
                    Err(mpsc::RecvTimeoutError::Timeout) => self.fail("it did not end"),
                }
            }
        };
        let stdout = rest(|program| &program.stdout);
        let stderr = rest(|program| &program.stderr);
        let status = self.child.wait().unwrap();
        Ended { status, stdout, stderr }
    }

    fn fail(&mut self, what: &str) -> ! {
        let stderr = self.stderr.try_iter().map(|line| format!("! {line}"));
        self.transcript.extend(stderr);
        panic!("{what}\n{}", self.transcript.join("\n"));
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already where the test came to its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A relay on a port of its own.
pub(crate) struct Relay {
    pub(crate) program: Program,
    pub(crate) url: String,
}

impl Relay {
    pub(crate) fn start() -> Self {
        Relay::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Relay::of(tristero().args(["relay", "--listen", "127.0.0.1:0"]).args(arguments))
    }

    /// The one that this command starts.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut program = Program::start(command);
        let line = program.line();
        let url = line.strip_prefix("listening on ").expect("the first line tells where");
        Relay { url: url.to_owned(), program }
    }
}

/// A `tristero agent`.
pub(crate) struct Agent {
    pub(crate) program: Program,
    pub(crate) self_id: String,
    ids: u64,
    events: Vec<Value>,
}

impl Agent {
    /// Starts one that can be reached on this machine, whatever networks it has.
    pub(crate) fn start() -> Self {
        Agent::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let program = Program::start(tristero().args(["agent", "--loopback"]).args(arguments));
        let mut agent = Agent { program, self_id: String::new(), ids: 0, events: Vec::new() };
        let ready = agent.next();
        assert_eq!(ready["event"], "ready", "{ready}");
        agent.self_id = ready["selfId"].as_str().unwrap().to_owned();
        agent
    }

    /// Gives a command and returns the reply to it.
    pub(crate) fn ask(&mut self, cmd: &str, mut fields: Value) -> Value {
        self.ids += 1;
        fields["cmd"] = cmd.into();
        fields["id"] = self.ids.into();
        self.program.say(&fields.to_string());
        self.wait_for("reply", &json!({"id": self.ids}))
    }

    /// Gives a command that has to succeed.
    pub(crate) fn must(&mut self, cmd: &str, fields: Value) -> Value {
        let reply = self.ask(cmd, fields);
        assert_eq!(reply["ok"], true, "{reply}");
        reply
    }

    /// Joins a room of an application by these names.
    pub(crate) fn join(&mut self, relay: &Relay, room: &str) {
        self.join_with(relay, room, json!({}));
    }

    /// Joins a room as these fields say.
    pub(crate) fn join_with(&mut self, relay: &Relay, room: &str, mut fields: Value) {
        fields["appId"] = "cli-tests".into();
        fields["roomId"] = room.into();
        fields["relayUrls"] = json!([relay.url]);
        self.must("join", fields);
    }

    /// Waits until it has met another in a room.
    pub(crate) fn meet(&mut self, other: &Agent, room: &str) {
        self.wait_for("peerJoin", &json!({"room": room, "peer": other.self_id}));
    }

    /// The first event of this name, past or to come, that has these fields.
    pub(crate) fn wait_for(&mut self, event: &str, fields: &Value) -> Value {
        if let Some(past) = self.past(event, fields).into_iter().next() {
            return past;
        }
        // Others may come all the time, and each is waited for by itself.
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            let next = self.next();
            if matches(&next, event, fields) {
                return next;
            }
        }
        self.program.fail(&format!("no {event} with {fields} came"));
    }

    /// The next event of this name that comes.
    pub(crate) fn wait_for_next(&mut self, event: &str) -> Value {
        loop {
            let next = self.next();
            if next["event"] == event {
                return next;
            }
        }
    }

    /// The events of this name so far that have these fields.
    pub(crate) fn past(&self, event: &str, fields: &Value) -> Vec<Value> {
        self.events.iter().filter(|past| matches(past, event, fields)).cloned().collect()
    }

    fn next(&mut self) -> Value {
        let line = self.program.line();
        let event: Value = serde_json::from_str(&line).expect("an event is JSON");
        assert!(event["t"].is_u64(), "{line}");
        self.events.push(event.clone());
        event
    }
}

/// Two agents that have met in a room.
pub(crate) fn pair(relay: &Relay, room: &str) -> (Agent, Agent) {
    let (mut left, mut right) = (Agent::start(), Agent::start());
    left.join(relay, room);
    right.join(relay, room);
    left.meet(&right, room);
    right.meet(&left, room);
    (left, right)
}

fn matches(candidate: &Value, event: &str, fields: &Value) -> bool {
    let fields = fields.as_object().unwrap();
    candidate["event"] == event && fields.iter().all(|(key, value)| candidate[key] == *value)
}

fn read_lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
