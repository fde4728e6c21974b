//! ICE credentials: who a STUN request is for, and the key that proves it.
//!
//! The user name fragment is ours to choose, so it begins with the connection's number: a request
//! finds its connection among thousands without a search. What follows is random, because RFC 8445
//! section 5.3 asks for 24 bits of it and for 128 bits in the password.

use std::fmt;

use str0m::IceCreds;
use tristero_proto::{ConnId, Rng};

/// An ICE password. It proves that a STUN message comes from the peer, so no log shows it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(pub(crate) String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Our half of the ICE credentials of one connection.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) ufrag: String,
    pub(crate) password: Password,
}

impl Credentials {
    /// Draws credentials for a connection.
    pub(crate) fn generate(conn: ConnId, rng: &mut Rng) -> Self {
        let mut ufrag = emit_base62(conn.number());
        ufrag.push_str(&rng.alphanumeric(UFRAG_RANDOM_CHARS));
        Credentials { ufrag, password: Password(rng.alphanumeric(PASSWORD_CHARS)) }
    }

    /// A description of ours with these in the place of those that str0m drew.
    pub(crate) fn replace_in(&self, sdp: &str, drawn: &IceCreds) -> String {
        sdp.replace(
            &format!("a=ice-ufrag:{}\r\n", drawn.ufrag),
            &format!("a=ice-ufrag:{}\r\n", self.ufrag),
        )
        .replace(
            &format!("a=ice-pwd:{}\r\n", drawn.pass),
            &format!("a=ice-pwd:{}\r\n", self.password.0),
        )
        .replace(&format!(" ufrag {}\r\n", drawn.ufrag), &format!(" ufrag {}\r\n", self.ufrag))
    }

    /// The same as str0m wants them.
    pub(crate) fn to_str0m(&self) -> IceCreds {
        IceCreds { ufrag: self.ufrag.clone(), pass: self.password.0.clone() }
    }
}

/// The connection that a user name fragment speaks of, if it is one of ours. Compare the whole
/// fragment with the connection's own before believing it.
pub(crate) fn conn_of(ufrag: &str) -> Option<ConnId> {
    let digits = ufrag.len().checked_sub(UFRAG_RANDOM_CHARS)?;
    parse_base62(ufrag.as_bytes().get(..digits)?).map(ConnId::from_number)
}

fn emit_base62(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = usize::try_from(number % 62).expect("below 62");
        digits.push(BASE62[digit]);
        number /= 62;
        if number == 0 {
            break;
        }
    }
    digits.iter().rev().map(|digit| char::from(*digit)).collect()
}

fn parse_base62(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = BASE62.iter().position(|known| known == byte)?;
        number.checked_mul(62)?.checked_add(u64::try_from(digit).ok()?)
    })
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 35 bits of randomness; and never fewer than the 4 characters that a fragment needs.
const UFRAG_RANDOM_CHARS: usize = 6;
/// 142 bits of randomness; at least 22 characters are needed.
const PASSWORD_CHARS: usize = 24;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tristero_proto::Seed;

    use super::*;

    proptest! {
        #[test]
        fn the_connection_is_read_back_from_its_fragment(number: u64) {
            let mut rng = Seed::from_number(1).rng("test");
            let credentials = Credentials::generate(ConnId::from_number(number), &mut rng);
            prop_assert_eq!(conn_of(&credentials.ufrag), Some(ConnId::from_number(number)));
        }

        #[test]
        fn any_text_is_read_without_harm(text: String) {
            let _ = conn_of(&text);
        }
    }

    #[test]
    fn fragments_that_are_not_ours_name_nothing() {
        for ufrag in ["", "1274", "abcdef", "+/abcdef", "ä1abcdef", "zzzzzzzzzzzzzzzzzzzzabcdef"] {
            assert_eq!(conn_of(ufrag), None, "{ufrag}");
        }
        assert_eq!(conn_of("Zabcdef"), Some(ConnId::from_number(35)));
    }

    #[test]
    fn credentials_are_as_long_as_ice_asks_for_and_differ() {
        let mut rng = Seed::from_number(1).rng("test");
        let a = Credentials::generate(ConnId::from_number(0), &mut rng);
        let b = Credentials::generate(ConnId::from_number(0), &mut rng);
        assert!(a.ufrag.len() >= 4 && a.password.0.len() >= 22);
        assert_ne!(a.ufrag, b.ufrag);
        assert_ne!(a.password, b.password);
        assert!(!format!("{a:?}").contains(&a.password.0), "it is not for logs");
    }
}
