//! Saving a file that arrives.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncWriteExt as _, BufWriter};
use tristero_tokio::{Incoming, IncomingError};

use super::file_name::numbered;

/// Bytes that are written at once, since each time takes a thread of its own.
const WRITE_BYTES: usize = 1024 * 1024;

/// Names that are tried. Who has so many files of one name has a script for it, and can move them.
const NUMBER_MAX: u32 = 10_000;

/// Why a file was not saved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SaveError {
    #[error("it can't be written: {0}")]
    Write(#[from] io::Error),
    #[error(transparent)]
    Incoming(#[from] IncomingError),
    #[error("it is larger than what was offered")]
    TooLarge,
    #[error("it is smaller than what was offered")]
    TooSmall,
    #[error("{NUMBER_MAX} files have its name already")]
    NoName,
}

/// Saves a file of this size in a folder, by this name or one beside it, and says where. What is
/// there already is left alone, and nothing is left if it does not come as it was offered.
///
/// The name has to be [safe](super::file_name).
pub(crate) async fn save(
    mut incoming: Incoming,
    folder: &Path,
    name: &str,
    size: u64,
    mut on_bytes: impl FnMut(u64),
) -> Result<PathBuf, SaveError> {
    tokio::fs::create_dir_all(folder).await?;
    let (file, partial) = create(folder, name).await?;
    let mut file = BufWriter::with_capacity(WRITE_BYTES, file);
    let mut written = 0;
    while let Some(piece) = incoming.piece().await? {
        written += piece.len() as u64;
        if written > size {
            return Err(SaveError::TooLarge);
        }
        file.write_all(&piece).await?;
        on_bytes(written);
    }
    if written < size {
        return Err(SaveError::TooSmall);
    }
    file.flush().await?;
    Ok(partial.keep())
}

/// A file that is not complete, and is removed with this.
struct Partial(Option<PathBuf>);

impl Partial {
    fn keep(mut self) -> PathBuf {
        self.0.take().expect("it is there until it is kept")
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Why it is not complete tells more than this would.
            let _ = fs::remove_file(path);
        }
    }
}

async fn create(folder: &Path, name: &str) -> Result<(File, Partial), SaveError> {
    for number in 1..=NUMBER_MAX {
        let path = folder.join(numbered(name, number));
        // It neither replaces what is there nor follows a link.
        match OpenOptions::new().write(true).create_new(true).open(&path).await {
            Ok(file) => return Ok((file, Partial(Some(path)))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(SaveError::NoName)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test alone, empty.
    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("tristero-cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[tokio::test]
    async fn a_name_that_is_taken_gets_a_number() {
        let folder = folder("taken");
        fs::write(folder.join("a.txt"), "mine").unwrap();
        let (_file, partial) = create(&folder, "a.txt").await.unwrap();
        assert_eq!(partial.keep(), folder.join("a (2).txt"));
        let (_file, partial) = create(&folder, "a.txt").await.unwrap();
        assert_eq!(partial.keep(), folder.join("a (3).txt"));
        assert_eq!(fs::read(folder.join("a.txt")).unwrap(), b"mine");
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_not_complete_is_removed() {
        let folder = folder("partial");
        let (file, partial) = create(&folder, "a.txt").await.unwrap();
        assert!(folder.join("a.txt").exists());
        drop((file, partial));
        assert!(!folder.join("a.txt").exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_link_is_not_followed() {
        let folder = folder("link");
        let target = folder.join("target");
        std::os::unix::fs::symlink(&target, folder.join("a.txt")).unwrap();
        let (_file, partial) = create(&folder, "a.txt").await.unwrap();
        assert_eq!(partial.keep(), folder.join("a (2).txt"));
        assert!(!target.exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
