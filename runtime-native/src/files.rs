//! Sending and saving files.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::future::{Future, IntoFuture};
use std::io::{self, Read as _, Write as _};
use std::marker::PhantomData;
use std::mem;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use futures_util::io::AsyncRead;
use futures_util::stream::{TryStreamExt as _, try_unfold};
use serde_json::{Value, json};
use tristero::{Incoming, PeerId, Sent, TransferAction, TransferBuilder, TransferError};

use crate::reactor::Reactor;

/// Bytes that are read from a file or written to it at once, since each time takes a thread that may
/// block.
const PIECE_BYTES: usize = 1024 * 1024;

/// Sends a file to everyone who is in the room now, or to some by [`SendFile::to`].
///
/// ```no_run
/// # async fn example<R: tristero_native::Reactor>(room: tristero::Room) -> Result<(), Box<dyn std::error::Error>> {
/// use tristero_native::{save, send_file};
///
/// let mut files = room.transfer_action("file")?;
/// send_file::<R>(&files, "holiday.jpg").on_progress(|peer, done| println!("{peer}: {done}")).await?;
///
/// while let Some(incoming) = files.recv().await {
///     let bytes = save::<R>(incoming, "received.jpg").await?;
/// }
/// # Ok(())
/// # }
/// ```
pub fn send_file<R: Reactor>(files: &TransferAction, path: impl Into<PathBuf>) -> SendFile<R> {
    let (transfer, reactor) = (files.send_from(()), PhantomData);
    SendFile { path: path.into(), metadata: None, transfer, reactor }
}

/// A file that is to be sent; `.await` sends it. Made by [`send_file`].
///
/// Dropping its future aborts it: whoever has not all of the file gets none of it.
#[must_use = "nothing is sent before this is awaited"]
pub struct SendFile<R> {
    path: PathBuf,
    metadata: Option<Value>,
    transfer: TransferBuilder<()>,
    reactor: PhantomData<R>,
}

impl<R> SendFile<R> {
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

impl<R: Reactor> IntoFuture for SendFile<R> {
    type Output = Result<Sent, TransferError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let SendFile { path, metadata, transfer, .. } = self;
        Box::pin(async move {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let opened = R::unblock(move || open(&path)).await;
            let (file, length) = opened.map_err(TransferError::Read)?;
            let metadata = metadata.unwrap_or_else(|| json!({ "name": name }));
            transfer.metadata(metadata).length(length).read_from(reader::<R>(file)).await
        })
    }
}

/// Opens a file, and says how long it is.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let failed = |error| naming(path, &error);
    let file = File::open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    if facts.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    Ok((file, facts.len()))
}

fn reader<R: Reactor>(file: File) -> impl AsyncRead + Send + Unpin {
    let pieces = try_unfold(file, async |mut file| {
        R::unblock(move || {
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
            Ok((!piece.is_empty()).then_some((piece, file)))
        })
        .await
    });
    Box::pin(pieces).into_async_read()
}

impl<R> fmt::Debug for SendFile<R> {
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
pub async fn save<R: Reactor>(mut incoming: Incoming, path: impl AsRef<Path>) -> io::Result<u64> {
    let path = path.as_ref().to_owned();
    let mut part = OsString::from(&path);
    part.push(".part");
    let part = PathBuf::from(part);
    let written = write::<R>(&mut incoming, part.clone()).await;
    R::unblock(move || match written {
        Ok(bytes) => {
            let renamed = fs::rename(&part, &path);
            renamed.map(|()| bytes).map_err(|error| naming(&path, &error))
        }
        Err(error) => {
            // The first error tells more than one of this would.
            let _ = fs::remove_file(&part);
            Err(error)
        }
    })
    .await
}

/// An error that says which file it is about.
fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

async fn write<R: Reactor>(incoming: &mut Incoming, path: PathBuf) -> io::Result<u64> {
    let create = move || File::create(&path).map_err(|error| naming(&path, &error));
    let mut file = R::unblock(create).await?;
    let (mut written, mut waiting) = (0, Vec::new());
    while let Some(piece) = incoming.piece().await? {
        written += piece.len() as u64;
        waiting.extend_from_slice(&piece);
        if waiting.len() >= PIECE_BYTES {
            file = append::<R>(file, mem::take(&mut waiting)).await?;
        }
    }
    append::<R>(file, waiting).await?;
    Ok(written)
}

async fn append<R: Reactor>(mut file: File, bytes: Vec<u8>) -> io::Result<File> {
    R::unblock(move || file.write_all(&bytes).map(|()| file)).await
}
