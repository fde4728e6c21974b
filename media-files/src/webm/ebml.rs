//! Elements of EBML (RFC 8794, sections 4 to 6): an id, a size, and a body.

use std::io::{self, Read};

use crate::bytes;
use crate::error::ReadError;

/// What every file of EBML begins with: the id of its header.
pub(crate) const MAGIC: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];

/// What stands before the body of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: u32,
    /// Of the body; `None` if it is not known, so that it ends where its parent does or where an
    /// element begins that can't be in it.
    pub(super) size: Option<u64>,
}

/// The next element's; `None` at the end, which may be within it.
pub(super) fn header(from: &mut impl Read) -> Result<Option<Header>, ReadError> {
    let Some((id, _)) = number(from, 4)? else { return Ok(None) };
    let Some((size, bits)) = number(from, 8)? else { return Ok(None) };
    let size = size & ((1 << bits) - 1);
    let is_known = size != (1 << bits) - 1;
    let id = u32::try_from(id).expect("of four bytes");
    Ok(Some(Header { id, size: is_known.then_some(size) }))
}

/// A number as sizes are written, without the bit that tells its length.
pub(super) fn vint(from: &mut impl Read) -> Result<Option<u64>, ReadError> {
    Ok(number(from, 8)?.map(|(number, bits)| number & ((1 << bits) - 1)))
}

/// Reads over that many bytes; `false` if there are less.
pub(super) fn skip(from: &mut impl Read, size: u64) -> io::Result<bool> {
    Ok(io::copy(&mut from.take(size), &mut io::sink())? == size)
}

/// The elements in a body. What is damaged among them ends them with an error.
pub(super) fn children(mut body: &[u8]) -> impl Iterator<Item = Result<(u32, &[u8]), ReadError>> {
    std::iter::from_fn(move || {
        if body.is_empty() {
            return None;
        }
        let child = child(&mut body);
        if child.is_err() {
            body = &[];
        }
        Some(child)
    })
}

/// The body of the first child with that id.
pub(super) fn find(body: &[u8], id: u32) -> Result<Option<&[u8]>, ReadError> {
    for child in children(body) {
        let (its_id, its_body) = child?;
        if its_id == id {
            return Ok(Some(its_body));
        }
    }
    Ok(None)
}

/// The number that a body is, of up to eight bytes.
pub(super) fn unsigned(body: &[u8]) -> Result<u64, ReadError> {
    if body.len() > 8 {
        return Err(ReadError::Damaged("a number has more than eight bytes"));
    }
    Ok(body.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// Writes an element.
pub(super) fn put(to: &mut Vec<u8>, id: u32, body: &[u8]) {
    put_id(to, id);
    put_size(to, body.len() as u64);
    to.extend_from_slice(body);
}

/// Writes what stands before a body of that size.
pub(super) fn put_head(to: &mut Vec<u8>, id: u32, size: u64) {
    put_id(to, id);
    put_size(to, size);
}

/// Writes a number in as many bytes as it needs.
pub(super) fn put_unsigned(to: &mut Vec<u8>, id: u32, number: u64) {
    let bytes = number.to_be_bytes();
    let unused = (number.leading_zeros() / 8).min(7) as usize;
    put(to, id, &bytes[unused..]);
}

/// Writes an element whose body is what is written to the buffer given.
pub(super) fn put_master(to: &mut Vec<u8>, id: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    fill(&mut body);
    put(to, id, &body);
}

/// Writes an element without a body that is told in eight bytes, which is what
/// [`size_of_eight`] may replace.
pub(super) fn put_open(to: &mut Vec<u8>, id: u32) {
    put_id(to, id);
    to.extend_from_slice(&UNKNOWN_SIZE);
}

/// A size in eight bytes.
pub(super) fn size_of_eight(size: u64) -> [u8; 8] {
    (size | 1 << 56).to_be_bytes()
}

/// Writes an element of nothing that takes that many bytes altogether, from 2 to 128.
pub(super) fn put_void(to: &mut Vec<u8>, bytes: usize) {
    put(to, super::id::VOID, &vec![0; bytes.saturating_sub(2).min(126)]);
}

pub(super) fn put_id(to: &mut Vec<u8>, id: u32) {
    let unused = (id.leading_zeros() / 8).min(3) as usize;
    to.extend_from_slice(&id.to_be_bytes()[unused..]);
}

const UNKNOWN_SIZE: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/// A size of seven bits for each of its bytes, where all of them set would say that none is known.
fn put_size(to: &mut Vec<u8>, size: u64) {
    let bytes = (1..8).find(|bytes| size < (1 << (7 * bytes)) - 1).unwrap_or(8);
    let marked = size | 1 << (7 * bytes);
    to.extend_from_slice(&marked.to_be_bytes()[8 - bytes..]);
}

/// A number whose leading zeros say how long it is, with the bit that ends them, and how many bits
/// are below that one. `None` at the end.
fn number(from: &mut impl Read, most: u32) -> Result<Option<(u64, u32)>, ReadError> {
    let mut first = [0];
    if !bytes::fill(from, &mut first)? {
        return Ok(None);
    }
    let length = first[0].leading_zeros() + 1;
    if length > most {
        return Err(ReadError::Damaged("an id or a size of an element is too long"));
    }
    let mut rest = [0; 7];
    let rest = &mut rest[..length as usize - 1];
    if !bytes::fill(from, rest)? {
        return Ok(None);
    }
    let number =
        rest.iter().fold(u64::from(first[0]), |number, byte| number << 8 | u64::from(*byte));
    Ok(Some((number, 7 * length)))
}

fn child<'a>(body: &mut &'a [u8]) -> Result<(u32, &'a [u8]), ReadError> {
    const ENDS: ReadError = ReadError::Damaged("an element is longer than the one that it is in");
    let Header { id, size } = header(body)?.ok_or(ENDS)?;
    let size = size.ok_or(ReadError::Damaged("an element has no size"))?;
    let size = usize::try_from(size).ok().filter(|size| *size <= body.len()).ok_or(ENDS)?;
    let (its_body, rest) = body.split_at(size);
    *body = rest;
    Ok((id, its_body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_were_written() {
        for size in [0, 1, 126, 127, 128, 16_382, 16_383, 2_097_151, u64::from(u32::MAX)] {
            let mut bytes = Vec::new();
            put_id(&mut bytes, 0xec);
            put_size(&mut bytes, size);
            let read = header(&mut &bytes[..]).expect("sound").expect("there");
            assert_eq!(read, Header { id: 0xec, size: Some(size) }, "{bytes:02x?}");
        }
        let mut open = Vec::new();
        put_open(&mut open, 0x1853_8067);
        let read = header(&mut &open[..]).expect("sound").expect("there");
        assert_eq!(read, Header { id: 0x1853_8067, size: None });
        open.truncate(4);
        open.extend_from_slice(&size_of_eight(77));
        let read = header(&mut &open[..]).expect("sound").expect("there");
        assert_eq!(read.size, Some(77));
    }

    #[test]
    fn a_child_that_is_longer_than_its_parent_is_an_error() {
        let mut body = Vec::new();
        put_unsigned(&mut body, 0xd7, 300);
        assert_eq!(
            find(&body, 0xd7).expect("sound").map(|body| unsigned(body).expect("two")),
            Some(300)
        );
        body.pop();
        assert!(find(&body, 0xd7).is_err());
        assert!(find(&[0], 0xd7).is_err());
    }
}
