//! The encryption of session descriptions and candidates on relays.
//!
//! AES-256-GCM with a 16-byte IV: the IV's bytes in decimal joined by `,`, then `$`, then base64
//! of the ciphertext and its tag.
//!
//! spec: docs/protocol.md, section 1

use std::fmt;

use aes_gcm::aead::consts::U16;
use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::limits;
use crate::rng::Rng;
use crate::wire::ConnectionSecret;

type Cipher = AesGcm<Aes256, U16>;

const IV_BYTES: usize = 16;

/// The key of a room's signals, from its password (which may be empty) and its name.
#[derive(Clone)]
pub struct SignalKey(Box<Cipher>);

/// Why an envelope can't be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is not of the form that the protocol gives it.
    #[error("this is not an envelope")]
    Malformed,
    /// It was sealed with another key, which means another password, or was changed on its way.
    #[error("the envelope was sealed with another key")]
    WrongKey,
}

impl SignalKey {
    /// The key of a room.
    pub fn derive(password: &str, app_id: &str, room_id: &str) -> Self {
        let key = Sha256::digest(format!("{password}:{app_id}:{room_id}"));
        SignalKey(Box::new(Cipher::new(&key)))
    }

    /// The key of what is told over relays about a connection that stands.
    pub fn of_connection(secret: &ConnectionSecret) -> Self {
        let mut hash = Sha256::new_with_prefix(b"tristero connection ");
        hash.update(secret.0);
        SignalKey(Box::new(Cipher::new(&hash.finalize())))
    }

    /// Encrypts a text under a fresh IV.
    pub fn seal(&self, text: &str, rng: &mut Rng) -> String {
        self.seal_with_iv(text, rng.bytes())
    }

    /// Encrypts a text under this IV, which must never be used twice with a key.
    pub fn seal_with_iv(&self, text: &str, iv: [u8; IV_BYTES]) -> String {
        let sealed = self
            .0
            .encrypt(&Nonce::<U16>::from(iv), text.as_bytes())
            .expect("AES-GCM takes any text that fits into memory");
        let mut envelope = String::with_capacity(4 * IV_BYTES + sealed.len() / 3 * 4 + 4);
        for (index, byte) in iv.iter().enumerate() {
            if index > 0 {
                envelope.push(',');
            }
            envelope.push_str(&byte.to_string());
        }
        envelope.push('$');
        STANDARD.encode_string(&sealed, &mut envelope);
        envelope
    }

    /// Decrypts what [`seal`](Self::seal) made.
    pub fn open(&self, envelope: &str) -> Result<String, OpenError> {
        if envelope.len() > limits::SIGNAL_BYTES_MAX {
            return Err(OpenError::Malformed);
        }
        let (iv, sealed) = envelope.split_once('$').ok_or(OpenError::Malformed)?;
        let iv = parse_iv(iv).ok_or(OpenError::Malformed)?;
        let sealed = STANDARD.decode(sealed).map_err(|_| OpenError::Malformed)?;
        let text = self
            .0
            .decrypt(&Nonce::<U16>::from(iv), sealed.as_slice())
            .map_err(|_| OpenError::WrongKey)?;
        String::from_utf8(text).map_err(|_| OpenError::Malformed)
    }
}

impl fmt::Debug for SignalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignalKey(…)")
    }
}

fn parse_iv(text: &str) -> Option<[u8; IV_BYTES]> {
    let mut iv = [0; IV_BYTES];
    let mut numbers = text.split(',');
    for byte in &mut iv {
        *byte = numbers.next()?.parse().ok()?;
    }
    numbers.next().is_none().then_some(iv)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn what_was_sealed_opens_with_its_own_key_and_no_other() {
        let mut rng = Seed::from_number(1).rng("iv");
        let key = SignalKey::derive("secret", "app", "room");
        let envelope = key.seal("v=0 — grüße", &mut rng);
        assert_eq!(key.open(&envelope).as_deref(), Ok("v=0 — grüße"));
        let other = SignalKey::derive("other", "app", "room");
        assert_eq!(other.open(&envelope), Err(OpenError::WrongKey));
        assert_ne!(envelope, key.seal("v=0 — grüße", &mut rng), "every sealing has a new IV");
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        let key = SignalKey::derive("", "app", "room");
        let iv = "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15";
        let nonsense = [
            String::new(),
            "$".into(),
            iv.into(),
            format!("{iv},16$AAAA"),
            format!("{iv}$not base64"),
            "0,1,2$AAAA".into(),
            "256,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15$AAAA".into(),
        ];
        for envelope in nonsense {
            assert_eq!(key.open(&envelope), Err(OpenError::Malformed), "{envelope}");
        }
        assert_eq!(key.open(&format!("{iv}$")), Err(OpenError::WrongKey), "no room for a tag");
    }
}
