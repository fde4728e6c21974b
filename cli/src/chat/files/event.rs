//! What happens to files, as it is told.

use std::io;
use std::path::PathBuf;

use tristero_tokio::{PeerId, RequestError};

/// Offers of ours that nobody has answered yet, one for each who gets it. More are not made.
pub(super) const ASKING_MAX: usize = 1024;

/// What happens. Names of files are safe to be shown.
#[derive(Debug)]
pub(crate) enum FileEvent {
    /// Somebody offers a file.
    Offered { peer: PeerId, number: u64, name: String, size: u64 },
    /// Something became of an offer.
    News(News),
}

/// What became of an offer. Who may have left by now is called as when it began.
#[derive(Debug)]
pub(crate) enum News {
    /// Somebody accepts a file, and it is on its way.
    Accepted { by: String, name: String },
    /// Somebody does not accept a file.
    Refused { by: String, name: String, why: RequestError },
    /// A file was sent, or not.
    Sent { to: String, name: String, result: Result<(), String> },
    /// A file that was accepted has come and is saved here, or not.
    Saved { of: String, name: String, result: Result<PathBuf, String> },
}

/// Why a file can't be offered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OfferError {
    #[error("{} can't be read: {why}", .file.display())]
    Unreadable { file: PathBuf, why: io::Error },
    #[error("{} is no file", .0.display())]
    NoFile(PathBuf),
    #[error("{ASKING_MAX} offers of yours were not answered yet")]
    TooMany,
}

impl FileEvent {
    pub(super) fn is_offer_of(&self, gone: &PeerId) -> bool {
        matches!(self, FileEvent::Offered { peer, .. } if peer == gone)
    }
}
