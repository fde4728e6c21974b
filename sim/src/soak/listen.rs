//! Hears what is logged on this thread as an ERROR.

use std::cell::RefCell;
use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

thread_local! {
    static ERROR: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs something while errors that it logs are heard. Nothing else that it logs is kept.
pub(crate) fn while_listening<T>(run: impl FnOnce() -> T) -> T {
    ERROR.set(None);
    tracing::dispatcher::with_default(&Dispatch::new(Listener), run)
}

/// The first error that was logged since this was asked last.
pub(crate) fn take_error() -> Option<String> {
    ERROR.take()
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_loud = LOUD.iter().any(|loud| metadata.target().starts_with(loud));
        *metadata.level() == Level::ERROR && !is_loud
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::ERROR)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(event.metadata().target().to_owned());
        event.record(&mut text);
        ERROR.with_borrow_mut(|error| _ = error.get_or_insert(text.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Crates that log as an error what a server or a peer says and may say, such as that it wants
/// credentials.
const LOUD: [&str; 4] = ["stun_proto", "stun_types", "turn_client_proto", "turn_server_proto"];

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a text does not fail.
        let _ = write!(self.0, " {field}={value:?}");
    }
}
