//! Sending and saving files.

use std::ffi::OsString;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use serde_json::{Value, json};
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt as _, BufWriter};
use tokio_util::compat::TokioAsyncReadCompatExt as _;
use tristero::{Incoming, PeerId, Sent, TransferAction, TransferBuilder, TransferError};

/// Bytes that are written to a file at once, since each time takes a thread of its own.
const WRITE_BYTES: usize = 1024 * 1024;

/// Sends a file to everyone who is in the room now, or to some by [`SendFile::to`].
///
/// ```no_run
/// # async fn example(room: tristero_tokio::Room) -> Result<(), Box<dyn std::error::Error>> {
/// use tristero_tokio::{save, send_file};
///
/// let mut files = room.transfer_action("file")?;
/// send_file(&files, "holiday.jpg").on_progress(|peer, done| println!("{peer}: {done}")).await?;
///
/// while let Some(incoming) = files.recv().await {
///     let bytes = save(incoming, "received.jpg").await?;
/// }
/// # Ok(())
/// # }
/// ```
pub fn send_file(files: &TransferAction, path: impl Into<PathBuf>) -> SendFile {
    SendFile { path: path.into(), metadata: None, transfer: files.send_from(()) }
}

/// A file that is to be sent; `.await` sends it. Made by [`send_file`].
///
/// Dropping its future aborts it: whoever has not all of the file gets none of it.
#[must_use = "nothing is sent before this is awaited"]
pub struct SendFile {
    path: PathBuf,
    metadata: Option<Value>,
    transfer: TransferBuilder<()>,
}

impl SendFile {
    /// Sends to this peer alone, or to one more.
    pub fn to(mut self, peer: &PeerId) -> Self {
        self.transfer = self.transfer.to(peer);
        self
    }

    /// Sends to these peers, or to these too. To none of them is to nobody.
    pub fn to_all<'a>(mut self, peers: impl IntoIterator<Item = &'a PeerId>) -> Self {
        self.transfer = self.transfer.to_all(peers);
        self
    }

    /// Sends this JSON along, up to 65,433 bytes, instead of `{"name": …}` with the file's name.
    pub fn metadata(mut self, metadata: impl Into<Value>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    /// Calls this with how much was handed over for each target, from 0 to 1.
    pub fn on_progress(mut self, on_progress: impl FnMut(&PeerId, f64) + Send + 'static) -> Self {
        self.transfer = self.transfer.on_progress(on_progress);
        self
    }
}

impl IntoFuture for SendFile {
    type Output = Result<Sent, TransferError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let SendFile { path, metadata, transfer } = self;
        Box::pin(async move {
            let failed = |error| TransferError::Read(naming(&path, &error));
            let file = File::open(&path).await.map_err(failed)?;
            let facts = file.metadata().await.map_err(failed)?;
            if facts.is_dir() {
                return Err(failed(io::ErrorKind::IsADirectory.into()));
            }
            let length = facts.len();
            let name = path.file_name().map(|name| name.to_string_lossy());
            let metadata = metadata.unwrap_or_else(|| json!({ "name": name }));
            transfer.metadata(metadata).length(length).read_from(file.compat()).await
        })
    }
}

impl fmt::Debug for SendFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SendFile { path, transfer, .. } = self;
        f.debug_struct("SendFile").field("path", path).field("transfer", transfer).finish()
    }
}

/// Saves a transfer as a file, and says how many bytes it has. A file that is there already is
/// replaced.
///
/// The file is complete, or it is not there: until it is, it is written beside its place, with
/// `.part` after its name. That is removed after an error, and stays if the future is dropped.
///
/// What the sender calls a file is in the [metadata](Incoming::metadata), and is not to be trusted
/// as a path.
///
/// # Errors
///
/// Fails if the file can't be written, or the transfer does not get complete; then the error
/// carries an [`IncomingError`](tristero::IncomingError).
pub async fn save(mut incoming: Incoming, path: impl AsRef<Path>) -> io::Result<u64> {
    let path = path.as_ref();
    let mut part = OsString::from(path);
    part.push(".part");
    let written = write(&mut incoming, part.as_ref()).await;
    match written {
        Ok(bytes) => {
            let renamed = fs::rename(&part, path).await;
            renamed.map(|()| bytes).map_err(|error| naming(path, &error))
        }
        Err(error) => {
            // The first error tells more than one of this would.
            let _ = fs::remove_file(&part).await;
            Err(error)
        }
    }
}

/// An error that says which file it is about.
fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

async fn write(incoming: &mut Incoming, path: &Path) -> io::Result<u64> {
    let file = File::create(path).await.map_err(|error| naming(path, &error))?;
    let mut file = BufWriter::with_capacity(WRITE_BYTES, file);
    let mut written = 0;
    while let Some(piece) = incoming.piece().await? {
        file.write_all(&piece).await?;
        written += piece.len() as u64;
    }
    file.flush().await?;
    Ok(written)
}
