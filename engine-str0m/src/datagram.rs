//! What a datagram is, by its first bytes.
//!
//! spec: RFC 7983 section 7

/// Which end of a DTLS handshake sends such a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The one that began the handshake.
    Client,
    /// The one that answers it.
    Server,
    /// Both do.
    Either,
}

/// Whether a datagram is STUN.
pub(crate) fn is_stun(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| *first < 4)
}

/// Whether a datagram is DTLS.
pub(crate) fn is_dtls(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| (20..64).contains(first))
}

/// Whether a datagram is RTP or RTCP.
pub(crate) fn is_media(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| (128..192).contains(first))
}

/// The source of a packet of RTP; `None` for RTCP. What is too short to say it has source 0.
///
/// spec: RFC 3550 section 5.1; RFC 5761 section 4
pub(crate) fn source_of(media: &[u8]) -> Option<u32> {
    let payload_type = media.get(1)? & 0x7F;
    if (64..96).contains(&payload_type) {
        return None;
    }
    let source = media.get(8..12).and_then(|bytes| bytes.try_into().ok());
    Some(source.map_or(0, u32::from_be_bytes))
}

/// Which end of a handshake sends a DTLS datagram that begins like this.
///
/// A certificate is sent by both ends, but a server's follows its hello; and only a server's flight
/// begins with a change of cipher. That is how the DTLS of this engine packs its flights, and
/// only between two such engines does a path have more than one connection.
///
/// spec: RFC 6347 section 4.1 (record) and 4.2.2 (handshake)
pub(crate) fn handshake_sender(dtls: &[u8]) -> Sender {
    match (dtls.first(), dtls.get(RECORD_EPOCH), dtls.get(HANDSHAKE_TYPE)) {
        (Some(&HANDSHAKE), Some([0, 0]), Some(kind)) => match *kind {
            CLIENT_HELLO | CERTIFICATE | CERTIFICATE_VERIFY | CLIENT_KEY_EXCHANGE => Sender::Client,
            _ => Sender::Server,
        },
        (Some(&CHANGE_CIPHER_SPEC), _, _) => Sender::Server,
        _ => Sender::Either,
    }
}

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const RECORD_EPOCH: std::ops::Range<usize> = 3..5;
const HANDSHAKE_TYPE: usize = 13;
const CLIENT_HELLO: u8 = 1;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_VERIFY: u8 = 15;
const CLIENT_KEY_EXCHANGE: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(epoch: u8, kind: u8) -> Vec<u8> {
        let mut bytes = vec![HANDSHAKE, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 0, 0, 12];
        bytes.extend([kind; 12]);
        bytes
    }

    #[test]
    fn flights_are_told_by_what_they_begin_with() {
        for kind in [1, 11, 15, 16] {
            assert_eq!(handshake_sender(&handshake(0, kind)), Sender::Client, "{kind}");
        }
        for kind in [2, 3, 12, 13, 14] {
            assert_eq!(handshake_sender(&handshake(0, kind)), Sender::Server, "{kind}");
        }
        assert_eq!(handshake_sender(&[20; 14]), Sender::Server);
    }

    #[test]
    fn what_is_encrypted_or_no_handshake_may_come_from_either() {
        assert_eq!(handshake_sender(&handshake(1, 1)), Sender::Either);
        for bytes in [&[][..], &[22], &[22; 13], &[23; 100], &[21; 15]] {
            assert_eq!(handshake_sender(bytes), Sender::Either, "{bytes:?}");
        }
    }

    #[test]
    fn stun_and_dtls_are_told_from_the_rest() {
        assert!(is_stun(&[0, 1]) && !is_dtls(&[0, 1]));
        assert!(is_dtls(&[22]) && !is_stun(&[22]));
        assert!(is_media(&[128]) && is_media(&[191]) && !is_media(&[192]));
        for bytes in [&[][..], &[4], &[19], &[64], &[128]] {
            assert!(!is_stun(bytes) && !is_dtls(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn packets_of_media_say_their_source_and_reports_do_not() {
        let packet = [128, 96, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 9];
        assert_eq!(source_of(&packet), Some(0x0102_0304));
        assert_eq!(source_of(&[128, 0x80 | 96, 0, 1]), Some(0), "it is too short");
        for report in [200, 201, 205, 206, 207] {
            assert_eq!(source_of(&[128, report, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4]), None);
        }
        assert_eq!(source_of(&[128]), None);
    }
}
