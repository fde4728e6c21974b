//! Messages on a stream: a length as varint, then that many bytes.

use std::io;

use bytes::Bytes;
use futures_util::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use unsigned_varint::{aio, encode};

/// The largest message in bytes, either way. Waku's own limit is 150 KB.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Reads the next message. The end of the stream is an error too. Memory grows with what has
/// arrived, not with the length that was announced.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    let len = aio::read_usize(&mut *stream).await.map_err(io::Error::other)?;
    if len > MESSAGE_BYTES_MAX {
        return Err(invalid(format!("a message of {len} bytes is too long")));
    }
    let mut message = Vec::new();
    let limit = u64::try_from(len).expect("no more than the limit");
    stream.take(limit).read_to_end(&mut message).await?;
    if message.len() < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(message.into())
}

/// Writes a message, and that it is the last.
pub(crate) async fn write_last(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &[u8],
) -> io::Result<()> {
    let mut prefix = encode::usize_buffer();
    stream.write_all(encode::usize(message.len(), &mut prefix)).await?;
    stream.write_all(message).await?;
    stream.close().await
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use futures_util::io::Cursor;

    use super::*;

    async fn read_all(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut stream = Cursor::new(bytes);
        let mut messages = Vec::new();
        while let Ok(message) = read(&mut stream).await {
            messages.push(message.to_vec());
        }
        messages
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        for len in [0, 1, 127, 128, 20_000, MESSAGE_BYTES_MAX] {
            let mut stream = Cursor::new(Vec::new());
            write_last(&mut stream, &vec![7; len]).await.unwrap();
            assert_eq!(read_all(&stream.into_inner()).await, [vec![7; len]], "{len}");
        }
    }

    #[tokio::test]
    async fn messages_follow_one_another() {
        assert_eq!(read_all(&[1, 5, 0, 2, 6, 7]).await, [vec![5], vec![], vec![6, 7]]);
    }

    #[tokio::test]
    async fn what_is_cut_short_is_no_message() {
        assert!(read_all(&[]).await.is_empty());
        assert!(read_all(&[0x80]).await.is_empty());
        assert!(read_all(&[3, 1, 2]).await.is_empty());
    }

    #[tokio::test]
    async fn what_is_longer_than_the_limit_is_no_message() {
        let mut prefix = encode::usize_buffer();
        let mut bytes = encode::usize(MESSAGE_BYTES_MAX + 1, &mut prefix).to_vec();
        bytes.resize(MESSAGE_BYTES_MAX + 100, 0);
        assert!(read_all(&bytes).await.is_empty());
        assert!(read_all(&[0xff; 20]).await.is_empty());
    }
}
