//! What becomes of commands.

use std::future::Future;
use std::pin::Pin;

use super::command::Caller;
use super::events::{Events, Fields};

/// Why a command was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Refusal {
    why: String,
    /// Which kind of failure it is, for programs.
    kind: Option<&'static str>,
}

impl Refusal {
    #[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
    pub(crate) fn new(why: impl ToString) -> Self {
        Refusal { why: why.to_string(), kind: None }
    }

    pub(crate) fn of_kind(self, kind: &'static str) -> Self {
        Refusal { kind: Some(kind), ..self }
    }
}

/// What a command came to.
pub(crate) type Outcome = Result<Fields, Refusal>;

/// A command that has begun.
pub(crate) enum Begun {
    Done(Fields),
    /// Its end is still to be waited for.
    Running(Pin<Box<dyn Future<Output = Outcome> + Send>>),
}

/// Answers a command: with an id always, without one if it failed.
pub(crate) async fn answer(events: &Events, caller: Caller, outcome: Outcome) {
    let Caller { id, cmd } = caller;
    let fields = Fields::new().with_option("id", id.clone()).with_option("cmd", cmd);
    match (id, outcome) {
        (Some(_), Ok(result)) => {
            events.tell("reply", fields.with("ok", true).with_all(result)).await;
        }
        (Some(_), Err(refusal)) => {
            let fields = fields.with("ok", false).with("error", refusal.to_string());
            events.tell("reply", fields.with_option("kind", refusal.kind)).await;
        }
        (None, Ok(_)) => {}
        (None, Err(refusal)) => {
            let fields = fields.with("error", refusal.to_string());
            events.tell("error", fields.with_option("kind", refusal.kind)).await;
        }
    }
}
