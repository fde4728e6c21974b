//! What the relay counts.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::wire::Wrong;

/// The relay at one moment; the body of `/health` is this and a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// WebSockets open now.
    pub connections: usize,
    /// Topics that have a subscriber now.
    pub topics: usize,
    /// What happened since the relay started.
    pub counters: Counters,
}

/// Declares each counter once: as a number in [`Counters`], as its live [`Meter`] in [`Meters`],
/// and as a sentence for `/metrics`.
macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Events since the relay started.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Counters {
            /// Each counter: its name, the sentence that describes it, and its number.
            pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), concat!($($doc),+), self.$name),)+].into_iter()
            }
        }

        /// The counters while they count.
        #[derive(Debug, Default)]
        pub(crate) struct Meters {
            $(pub(crate) $name: Meter,)+
        }

        impl Meters {
            pub(crate) fn read(&self) -> Counters {
                Counters { $($name: self.$name.read(),)+ }
            }
        }
    };
}

counters! {
    /// Sockets accepted, whatever became of them.
    accepted,
    /// Sockets that became a WebSocket.
    opened,
    /// WebSockets refused because as many as allowed were open.
    refused_full,
    /// Sockets that ended, or ran out of time, during the TLS or HTTP handshake.
    failed_handshake,

    /// Messages published.
    published,
    /// Messages queued for a subscriber, counted for each.
    delivered,
    /// Messages that a subscriber does not get because it did not keep up, counted for each.
    dropped,
    /// Bytes read from clients, those of TLS and of the handshakes not counted.
    received_bytes,
    /// Bytes of the messages in `delivered`, as frames.
    delivered_bytes,

    /// Messages ignored because they were not a JSON object.
    ignored_malformed,
    /// Messages ignored because of their type.
    ignored_unknown_type,
    /// Messages ignored because they lacked a topic or a payload.
    ignored_incomplete,
    /// Messages ignored because of a topic longer than allowed.
    ignored_topic_too_long,
    /// Messages ignored because they were binary.
    ignored_binary,
    /// Subscriptions ignored because the connection, or the relay, had as many topics as allowed.
    ignored_too_many_topics,

    /// Clients cut because they did not read what was sent to them.
    cut_slow,
    /// Clients cut because they sent no sign of life.
    cut_silent,
    /// Clients cut because they sent a message longer than allowed.
    cut_oversized,
    /// Clients cut because they broke the WebSocket protocol.
    cut_protocol,
}

impl Meters {
    pub(crate) fn ignored(&self, wrong: Wrong) {
        match wrong {
            Wrong::Malformed => self.ignored_malformed.count(),
            Wrong::UnknownType => self.ignored_unknown_type.count(),
            Wrong::Incomplete => self.ignored_incomplete.count(),
            Wrong::TopicTooLong => self.ignored_topic_too_long.count(),
        }
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Meter(AtomicU64);

impl Meter {
    pub(crate) fn count(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, events: u64) {
        // No other memory depends on the number.
        self.0.fetch_add(events, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
