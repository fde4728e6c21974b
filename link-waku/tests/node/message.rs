//! Messages on a stream, written apart from what is tested.

use std::io;

use bytes::Bytes;
use futures_util::io::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::swarm::Stream;
use unsigned_varint::{aio, encode};

pub async fn read(stream: &mut Stream) -> io::Result<Bytes> {
    let len = aio::read_u32(&mut *stream).await.map_err(io::Error::other)?;
    let mut message = Vec::new();
    stream.take(len.into()).read_to_end(&mut message).await?;
    Ok(message.into())
}

pub async fn write(stream: &mut Stream, message: &[u8]) -> io::Result<()> {
    let mut prefix = encode::usize_buffer();
    stream.write_all(encode::usize(message.len(), &mut prefix)).await?;
    stream.write_all(message).await
}

pub async fn write_last(stream: &mut Stream, message: &[u8]) -> io::Result<()> {
    write(stream, message).await?;
    stream.close().await
}

/// Announces a message of 1 GiB, and begins it.
pub async fn write_too_much(stream: &mut Stream) -> io::Result<()> {
    stream.write_all(&[0x80, 0x80, 0x80, 0x80, 0x04]).await?;
    let some = [0; 1024];
    loop {
        stream.write_all(&some).await?;
    }
}

pub async fn write_twice(stream: &mut Stream, message: &[u8]) -> io::Result<()> {
    write(stream, message).await?;
    write_last(stream, message).await
}
