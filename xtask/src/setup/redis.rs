//! The server that a test's peers meet over.

use std::ffi::OsStr;

use super::Missing;
use super::apt::{self, on_path};
use crate::project::Project;

/// Makes sure that `redis-server` is there. If apt may be used without a password, it is installed.
pub(crate) fn redis_server(project: &Project) -> Result<(), Missing> {
    if on_path(OsStr::new("redis-server")).is_some() {
        return Ok(());
    }
    apt::install(project, "redis-server", "Redis", "")
}
