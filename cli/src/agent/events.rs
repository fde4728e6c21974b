//! What an agent says: one JSON object a line on stdout.
//!
//! A thread writes them, so that a reader that is slow holds up those who have something to say,
//! within the bound of a queue, and not the node.

use std::io::{self, Write};
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use tokio::sync::mpsc;

/// Lines that wait to be written. Whoever has more to say waits; progress is left out.
const WAITING_MAX: usize = 4096;

/// Milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// The members of a JSON object, in the order in which they are told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn new() -> Self {
        Fields::default()
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves it out if there is none.
    pub(crate) fn with_option(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(crate) fn with_all(mut self, fields: Fields) -> Self {
        self.0.extend(fields.0);
        self
    }
}

impl From<Fields> for Value {
    fn from(fields: Fields) -> Value {
        Value::Object(fields.0)
    }
}

/// Where events are told. Clones tell to the same reader.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    lines: mpsc::Sender<Message>,
}

#[derive(Debug)]
enum Message {
    Line(String),
    End,
}

/// The thread that writes.
#[derive(Debug)]
pub(crate) struct Writer(JoinHandle<io::Result<()>>);

impl Events {
    /// Begins to write to stdout.
    pub(crate) fn to_stdout() -> (Events, Writer) {
        let (lines, waiting) = mpsc::channel(WAITING_MAX);
        let writer = thread::spawn(move || write_lines(io::stdout().lock(), waiting));
        (Events { lines }, Writer(writer))
    }

    /// Tells an event. It is lost if nobody reads any more.
    pub(crate) async fn tell(&self, event: &str, fields: Fields) {
        // Then everything ends soon: see `unread`.
        let _ = self.lines.send(Message::Line(line(event, fields))).await;
    }

    /// Tells an event unless too many wait.
    pub(crate) fn try_tell(&self, event: &str, fields: Fields) {
        let _ = self.lines.try_send(Message::Line(line(event, fields)));
    }

    /// Resolves when nobody reads any more.
    pub(crate) async fn unread(&self) {
        self.lines.closed().await;
    }

    /// Waits until everything that was told is written; what is told later is lost. It is no
    /// error if nobody reads any more.
    pub(crate) async fn finish(self, writer: Writer) -> io::Result<()> {
        // It ends by itself after this message, or has ended before.
        let _ = self.lines.send(Message::End).await;
        let written = tokio::task::spawn_blocking(|| writer.0.join()).await;
        let written = written.expect("waiting is not cancelled").expect("writing never panics");
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }
}

fn line(event: &str, fields: Fields) -> String {
    let head = Fields::new().with("event", event).with("t", unix_ms());
    Value::from(head.with_all(fields)).to_string()
}

/// Writes until the end, or until it can't.
fn write_lines(mut out: impl Write, mut lines: mpsc::Receiver<Message>) -> io::Result<()> {
    while let Some(Message::Line(mut line)) = lines.blocking_recv() {
        line.push('\n');
        out.write_all(line.as_bytes())?;
        out.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_tells_its_name_and_time_first() {
        let fields = Fields::new().with("room", "r").with_option("metadata", None::<Value>);
        let line = line("left", fields);
        assert!(line.starts_with(r#"{"event":"left","t":"#), "{line}");
        assert!(line.ends_with(r#","room":"r"}"#), "{line}");
    }

    #[test]
    fn null_is_told_and_nothing_is_not() {
        let fields = Fields::new()
            .with_option("null", Some(Value::Null))
            .with_option("nothing", None::<Value>);
        assert_eq!(Value::from(fields).to_string(), r#"{"null":null}"#);
    }
}
