//! What was measured of one pair, and the table of all.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// What was measured of one pair.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) bulk_mb_per_second: f64,
    /// Of both processes.
    pub(crate) bulk_cpu_seconds_per_gb: f64,
    pub(crate) messages_per_second: f64,
    pub(crate) message_cpu_micros: Option<f64>,
    pub(crate) ping_ms: Option<f64>,
    /// From `join` to the other's arrival, at the side that was there last.
    pub(crate) join_ms: Option<f64>,
    /// Of one process, the larger of the two.
    pub(crate) idle_mib: Option<f64>,
    /// Of that, what is not the program.
    pub(crate) idle_own_mib: Option<f64>,
    pub(crate) peak_mib: f64,
    /// What a file took, beyond that: more memory than when idle.
    pub(crate) file: Option<FileFigures>,
}

/// What was measured of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileFigures {
    pub(crate) mb_per_second: f64,
    /// Of the sender and of the receiver.
    pub(crate) more_mib: [f64; 2],
}

const MIB: f64 = 1024.0 * 1024.0;

impl Figures {
    /// What the two sides of a pair said.
    pub(crate) fn of(sent: &Value, received: &Value) -> Result<Self> {
        let number = |side: &Value, name: &str| {
            side[name].as_f64().with_context(|| format!("a peer did not say {name}"))
        };
        let both =
            |name: &str| Ok::<_, anyhow::Error>(number(sent, name)? + number(received, name)?);
        let larger =
            |name: &str| Ok::<_, anyhow::Error>(number(sent, name)?.max(number(received, name)?));
        Ok(Figures {
            name: sent["name"].as_str().unwrap_or_default().to_owned(),
            bulk_mb_per_second: number(sent, "bulkBytes")? / 1e6 / number(sent, "bulkSeconds")?,
            bulk_cpu_seconds_per_gb: both("bulkCpuSeconds")? * 1e9 / number(sent, "bulkBytes")?,
            messages_per_second: number(sent, "messages")? / number(sent, "messageSeconds")?,
            message_cpu_micros: Some(both("messageCpuSeconds")? * 1e6 / number(sent, "messages")?),
            ping_ms: sent["pingMs"].as_f64(),
            join_ms: match (sent["joinMs"].as_f64(), received["joinMs"].as_f64()) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            },
            idle_mib: Some(larger("idleKiB")? / 1024.0),
            idle_own_mib: Some(larger("idleOwnKiB")? / 1024.0),
            peak_mib: larger("peakKiB")? * 1024.0 / MIB,
            file: match sent["fileSeconds"].as_f64() {
                Some(seconds) => Some(FileFigures {
                    mb_per_second: number(sent, "fileBytes")? / 1e6 / seconds,
                    more_mib: [
                        number(sent, "fileKiB")? / 1024.0,
                        number(received, "fileKiB")? / 1024.0,
                    ],
                }),
                None => None,
            },
        })
    }

    /// What `interop/bench/pair.mjs` said.
    pub(crate) fn of_javascript(said: &Value) -> Result<Self> {
        let number = |path: &str| {
            said.pointer(path)
                .and_then(Value::as_f64)
                .with_context(|| format!("it did not say {path}"))
        };
        Ok(Figures {
            name: format!("npm, {}", said["peer"].as_str().unwrap_or_default()),
            bulk_mb_per_second: number("/bulk/bytesPerSecond")? / 1e6,
            bulk_cpu_seconds_per_gb: number("/bulk/cpuSecondsPerGB")?,
            messages_per_second: number("/small/perSecond")?,
            message_cpu_micros: None,
            ping_ms: Some(number("/ping/medianMs")?),
            join_ms: said.pointer("/join/medianMs").and_then(Value::as_f64),
            idle_mib: Some(number("/memory/idleRssBytes")? / MIB),
            idle_own_mib: None,
            peak_mib: number("/memory/peakRssBytes")? / MIB,
            file: None,
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "bulkMBPerSecond": self.bulk_mb_per_second,
            "bulkCpuSecondsPerGB": self.bulk_cpu_seconds_per_gb,
            "messagesPerSecond": self.messages_per_second,
            "cpuMicrosPerMessage": self.message_cpu_micros,
            "pingMs": self.ping_ms,
            "joinMs": self.join_ms,
            "idleMiB": self.idle_mib,
            "idleOwnMiB": self.idle_own_mib,
            "peakMiB": self.peak_mib,
            "fileMBPerSecond": self.file.map(|file| file.mb_per_second),
            "fileMoreMiB": self.file.map(|file| file.more_mib),
        })
    }
}

pub(crate) fn print(ours: &Figures, others: &[Figures]) {
    println!(
        "{:24} {:>10} {:>10} {:>12} {:>10} {:>9} {:>8} {:>9} {:>8} {:>9}",
        "",
        "bulk MB/s",
        "CPU s/GB",
        "messages/s",
        "CPU µs",
        "ping ms",
        "join ms",
        "idle MiB",
        "its own",
        "peak MiB"
    );
    let optional = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
    };
    for figures in [ours].into_iter().chain(others) {
        println!(
            "{:24} {:>10.1} {:>10.2} {:>12.0} {:>10} {:>9} {:>8} {:>9} {:>8} {:>9.1}",
            figures.name,
            figures.bulk_mb_per_second,
            figures.bulk_cpu_seconds_per_gb,
            figures.messages_per_second,
            optional(figures.message_cpu_micros, 2),
            optional(figures.ping_ms, 3),
            optional(figures.join_ms, 1),
            optional(figures.idle_mib, 1),
            optional(figures.idle_own_mib, 1),
            figures.peak_mib,
        );
    }
    if let Some(FileFigures { mb_per_second, more_mib: [sender, receiver] }) = ours.file {
        println!(
            "file to file: {mb_per_second:.1} MB/s, {sender:.1} MiB more at the sender, {receiver:.1} MiB more at the receiver"
        );
    }
    for other in others {
        println!(
            "ours / {:20} bulk {:.2}, CPU per byte {:.2}, messages {:.2}",
            other.name,
            ours.bulk_mb_per_second / other.bulk_mb_per_second,
            ours.bulk_cpu_seconds_per_gb / other.bulk_cpu_seconds_per_gb,
            ours.messages_per_second / other.messages_per_second,
        );
    }
}
