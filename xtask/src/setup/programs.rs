//! Programs of others that tests start: servers, and what makes networks, NATs, audio and video.

use std::ffi::OsStr;
use std::path::Path;

use super::Missing;
use super::apt::{self, on_path};
use crate::project::Project;

/// Makes sure that the server is there that a test's peers meet over.
pub(crate) fn redis_server(project: &Project) -> Result<(), Missing> {
    bring(project, &REDIS)
}

/// Makes sure that the TURN server is there.
pub(crate) fn coturn(project: &Project) -> Result<(), Missing> {
    bring(project, &COTURN)
}

/// Makes sure that what makes and checks audio and video is there.
pub(crate) fn ffmpeg(project: &Project) -> Result<(), Missing> {
    bring(project, &FFMPEG)
}

/// Makes sure that all is there that the NAT lab needs.
pub(crate) fn nat_lab(project: &Project) -> Result<(), Missing> {
    [COTURN, IPROUTE, NFTABLES, OPENSSL, PYTHON].iter().try_for_each(|tool| bring(project, tool))
}

/// A program, the package that brings it, and what people call it.
struct Tool {
    program: &'static str,
    package: &'static str,
    name: &'static str,
}

const REDIS: Tool = Tool { program: "redis-server", package: "redis-server", name: "Redis" };
const COTURN: Tool = Tool { program: "turnserver", package: "coturn", name: "coturn" };
const FFMPEG: Tool = Tool { program: "ffmpeg", package: "ffmpeg", name: "FFmpeg" };
const IPROUTE: Tool = Tool { program: "ip", package: "iproute2", name: "iproute2" };
const NFTABLES: Tool = Tool { program: "nft", package: "nftables", name: "nftables" };
const OPENSSL: Tool = Tool { program: "openssl", package: "openssl", name: "OpenSSL" };
const PYTHON: Tool = Tool { program: "python3", package: "python3-minimal", name: "Python" };

/// If apt may be used without a password, what is not there is installed.
fn bring(project: &Project, tool: &Tool) -> Result<(), Missing> {
    let is_there = on_path(OsStr::new(tool.program)).is_some()
        // Where only root looks.
        || Path::new("/usr/sbin").join(tool.program).is_file();
    if is_there {
        return Ok(());
    }
    apt::install(project, tool.package, tool.name, "")
}
