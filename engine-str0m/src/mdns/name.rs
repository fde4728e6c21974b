//! A name that stands for an address: a random UUID and `.local`.

use std::fmt;

/// A name that stands for an address of some machine, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LocalName(String);

impl LocalName {
    /// A name that nobody else has.
    ///
    /// spec: RFC 9562, section 5.4 (version 4 of UUIDs)
    pub(crate) fn random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let number = u128::from_be_bytes(bytes);
        LocalName(format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}{SUFFIX}",
            number >> 96,
            number >> 80 & 0xffff,
            number >> 64 & 0xffff,
            number >> 48 & 0xffff,
            number & 0xffff_ffff_ffff,
        ))
    }

    /// Reads a name; none unless it is a UUID and `.local`.
    ///
    /// The draft allows any one label. But every browser makes UUIDs, and whoever tells a candidate
    /// shall not have us look for the printer.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() != UUID_CHARS + SUFFIX.len() {
            return None;
        }
        let name = text.to_ascii_lowercase();
        let uuid = name.strip_suffix(SUFFIX)?;
        let is_uuid = uuid.bytes().enumerate().all(|(at, letter)| match at {
            8 | 13 | 18 | 23 => letter == b'-',
            _ => letter.is_ascii_hexdigit(),
        });
        is_uuid.then_some(LocalName(name))
    }
}

impl fmt::Display for LocalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const SUFFIX: &str = ".local";
const UUID_CHARS: usize = 36;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_uuid_below_local_is_a_name() {
        let name = "3f6c1a9e-70d4-4b52-9c1e-8f2a5d7b6c30.local";
        assert_eq!(LocalName::parse(name).unwrap().to_string(), name);
        assert_eq!(LocalName::parse(&name.to_uppercase()), LocalName::parse(name));
        for nonsense in [
            "",
            ".local",
            "printer.local",
            "3f6c1a9e-70d4-4b52-9c1e-8f2a5d7b6c30",
            "3f6c1a9e-70d4-4b52-9c1e-8f2a5d7b6c30.local.",
            "3f6c1a9e-70d4-4b52-9c1e-8f2a5d7b6c30.locas",
            "3f6c1a9e-70d4-4b52-9c1e-8f2a5d7b6c3g.local",
            "3f6c1a9e-70d4-4b52.9c1e-8f2a5d7b6c30.local",
            "a.f6c1a9e-70d4-4b52-9c1e-8f2a5d7b6c30.local",
            "3f6c1a9e-70d4-4b52-9c1e-8f2a5d7b6c3ä.local",
        ] {
            assert_eq!(LocalName::parse(nonsense), None, "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn what_is_drawn_is_read_back_and_is_a_uuid_of_version_4(bytes: [u8; 16]) {
            let name = LocalName::random(bytes);
            let text = name.to_string();
            prop_assert!(&text[14..15] == "4" && "89ab".contains(&text[19..20]), "{}", text);
            prop_assert_eq!(LocalName::parse(&text), Some(name));
        }
    }
}
