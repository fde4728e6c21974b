//! The browser that the interop tests drive.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::Missing;
use super::apt::{self, on_path};
use crate::project::Project;

/// Where Chromium is. If it is nowhere and apt may be used without a password, it is installed.
pub(crate) fn chromium(project: &Project) -> Result<PathBuf, Missing> {
    if let Some(path) = find() {
        return Ok(path);
    }
    apt::install(project, "chromium", "Chromium", ", or name it in CHROMIUM")?;
    find().ok_or_else(|| Missing::new("apt-get installed Chromium, but nothing to start came"))
}

fn find() -> Option<PathBuf> {
    let named = env::var_os("CHROMIUM");
    named.iter().map(OsString::as_os_str).chain(NAMES.map(OsStr::new)).find_map(on_path)
}

/// What Chromium is called on different systems. The last is for a `PATH` without it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "/usr/bin/chromium"];
