//! How the suite runs on tokio.

use std::future::Future;
use std::sync::LazyLock;

use tokio::runtime::Runtime;

pub(crate) use tristero_tokio::{Tokio as Reactor, TokioTimer as Timer};

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime starts").block_on(future)
}

/// Enters a runtime that lives on threads of its own until the tests end.
#[allow(dead_code, reason = "not all tests do without async")]
pub(crate) fn entered() -> impl Sized {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime starts"));
    RUNTIME.enter()
}
