//! What makes networks and NATs, and the TURN server in them.

use std::ffi::OsStr;

use super::Missing;
use super::apt::{self, on_path};
use crate::project::Project;

/// Makes sure that `turnserver` is there. If apt may be used without a password, it is installed.
pub(crate) fn coturn(project: &Project) -> Result<(), Missing> {
    bring(project, &TOOLS[0])
}

/// Makes sure that all is there that the NAT lab needs.
pub(crate) fn nat_lab(project: &Project) -> Result<(), Missing> {
    TOOLS.iter().try_for_each(|tool| bring(project, tool))
}

/// A program, the package that brings it, and what people call it.
struct Tool {
    program: &'static str,
    package: &'static str,
    name: &'static str,
}

const TOOLS: [Tool; 5] = [
    Tool { program: "turnserver", package: "coturn", name: "coturn" },
    Tool { program: "ip", package: "iproute2", name: "iproute2" },
    Tool { program: "nft", package: "nftables", name: "nftables" },
    Tool { program: "openssl", package: "openssl", name: "OpenSSL" },
    Tool { program: "python3", package: "python3-minimal", name: "Python" },
];

fn bring(project: &Project, tool: &Tool) -> Result<(), Missing> {
    let is_there = on_path(OsStr::new(tool.program)).is_some()
        // Where only root looks.
        || std::path::Path::new("/usr/sbin").join(tool.program).is_file();
    if is_there {
        return Ok(());
    }
    apt::install(project, tool.package, tool.name, "")
}
