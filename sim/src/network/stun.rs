//! A STUN server: it tells who asks from where the question came.
//!
//! spec: RFC 8489 sections 5, 6.3.1 and 14.2

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

/// Where STUN servers listen: RFC 8489 section 18.6.
pub(super) const STUN_PORT: u16 = 3_478;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const MAGIC_COOKIE: [u8; 4] = 0x2112_A442_u32.to_be_bytes();
const HEADER_BYTES: usize = 20;

/// The answer to a binding request; `None` to anything else. The attributes of the request are not
/// looked at: a server without credentials needs none of them.
pub(super) fn answer(request: &[u8], from: SocketAddr) -> Option<Bytes> {
    let (header, attributes) = request.split_at_checked(HEADER_BYTES)?;
    let number = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let is_binding_request = number(0) == BINDING_REQUEST
        && usize::from(number(2)) == attributes.len()
        && header[4..8] == MAGIC_COOKIE;
    if !is_binding_request {
        return None;
    }
    let mask = &header[4..HEADER_BYTES];
    let mapped = xor_mapped_address(from, mask);
    let length = u16::try_from(mapped.len()).expect("an address is short");
    let parts: [&[u8]; 4] = [&BINDING_SUCCESS.to_be_bytes(), &length.to_be_bytes(), mask, &mapped];
    Some(parts.concat().into())
}

/// The attribute, with its type and length. `mask` is the cookie and the transaction's id.
fn xor_mapped_address(address: SocketAddr, mask: &[u8]) -> Vec<u8> {
    let (family, octets) = match address.ip() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let masked = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
    };
    let length = u16::try_from(4 + octets.len()).expect("an address is short");
    let mut attribute = [XOR_MAPPED_ADDRESS.to_be_bytes(), length.to_be_bytes()].concat();
    attribute.extend([0, family]);
    attribute.extend(masked(&address.port().to_be_bytes()));
    attribute.extend(masked(&octets));
    attribute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_comes_out() {
        // RFC 5769 section 2.2: 192.0.2.1:32853 and this transaction.
        let transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let request = [&[0, 1, 0, 0][..], &MAGIC_COOKIE, &transaction].concat();
        let answer = answer(&request, ([192, 0, 2, 1], 32_853).into()).unwrap();
        assert_eq!(answer[..4], [1, 1, 0, 12]);
        assert_eq!(answer[4..20], request[4..20]);
        assert_eq!(answer[20..], [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
    }

    #[test]
    fn only_binding_requests_are_answered() {
        let from = ([192, 0, 2, 1], 5_000).into();
        let request = [&[0, 1, 0, 0][..], &MAGIC_COOKIE, &[7; 12]].concat();
        assert!(answer(&request, from).is_some());
        for at in [0, 1, 3, 4] {
            let mut other = request.clone();
            other[at] ^= 0x11;
            assert_eq!(answer(&other, from), None, "byte {at}");
        }
        assert_eq!(answer(&request[..19], from), None);
        assert_eq!(answer(&[], from), None);
    }
}
