//! Codecs as descriptions tell them apart, and the numbers that packets name them by.
//!
//! A payload type means one thing on a whole connection: in every section, in both directions, and
//! to str0m for ever. So there is one table of them. Whoever names a format first decides, and what
//! contradicts it later is left out of the section that says it.

use str0m::format::{Codec as Str0mCodec, CodecConfig, FormatParams};
use str0m::media::Frequency;
use tristero_proto::media::{Codec, MediaKind};

/// A codec with what both sides have to agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Format {
    Opus,
    G722,
    Pcmu,
    Pcma,
    Vp8,
    /// Profile 0.
    Vp9,
    /// With packetization mode 1: frames larger than a packet can't be sent without.
    H264(Profile),
    /// Profile 0, tier 0.
    Av1,
}

/// A profile of H.264, as RFC 6184, section 8.1, reads `profile-level-id`. The level is no matter:
/// both sides may differ in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    High,
}

impl Format {
    /// All of them; those of one codec in the order in which they are preferred.
    pub(crate) const ALL: [Format; 11] = [
        Format::Opus,
        Format::G722,
        Format::Pcmu,
        Format::Pcma,
        Format::Vp8,
        Format::Vp9,
        Format::H264(Profile::ConstrainedBaseline),
        Format::H264(Profile::Baseline),
        Format::H264(Profile::Main),
        Format::H264(Profile::High),
        Format::Av1,
    ];

    /// Reads `a=rtpmap` and the `a=fmtp` that belongs to it; `None` if it is none that we know.
    pub(crate) fn parse(rtpmap: &str, fmtp: &str) -> Option<Self> {
        let mut fields = rtpmap.split('/');
        let codec = Codec::from_name(fields.next()?)?;
        let is_clock = fields.next() == Some(rtp_clock_rate(codec));
        let is_mono = matches!(fields.next(), None | Some("1"));
        let parameter = |name: &str| {
            let mut parameters = fmtp.split(';').filter_map(|field| field.trim().split_once('='));
            parameters
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim())
        };
        let is_zero = |name| parameter(name).is_none_or(|value| value == "0");
        let is_as_ours = match codec {
            Codec::Opus => rtpmap.ends_with("/2"),
            Codec::Vp9 => is_zero("profile-id"),
            Codec::Av1 => is_zero("profile") && is_zero("tier"),
            Codec::H264 => parameter("packetization-mode") == Some("1"),
            _ => is_mono,
        };
        let format = match codec {
            Codec::Opus => Format::Opus,
            Codec::Pcmu => Format::Pcmu,
            Codec::Pcma => Format::Pcma,
            Codec::G722 => Format::G722,
            Codec::Vp8 => Format::Vp8,
            Codec::Vp9 => Format::Vp9,
            // What says nothing of its profile is baseline (RFC 6184, section 8.1).
            Codec::H264 => Format::H264(Profile::parse(parameter("profile-level-id"))?),
            Codec::Av1 => Format::Av1,
            _ => return None,
        };
        (is_clock && is_as_ours).then_some(format)
    }

    /// What a payload type below 35 means without being said.
    ///
    /// spec: RFC 3551, section 6
    pub(crate) fn of_static(number: u8) -> Option<Self> {
        match number {
            0 => Some(Format::Pcmu),
            8 => Some(Format::Pcma),
            9 => Some(Format::G722),
            _ => None,
        }
    }

    pub(crate) const fn codec(self) -> Codec {
        match self {
            Format::Opus => Codec::Opus,
            Format::G722 => Codec::G722,
            Format::Pcmu => Codec::Pcmu,
            Format::Pcma => Codec::Pcma,
            Format::Vp8 => Codec::Vp8,
            Format::Vp9 => Codec::Vp9,
            Format::H264(_) => Codec::H264,
            Format::Av1 => Codec::Av1,
        }
    }

    pub(crate) const fn kind(self) -> MediaKind {
        self.codec().kind()
    }

    /// The value of `a=rtpmap` behind the number.
    pub(crate) fn rtpmap(self) -> String {
        let codec = self.codec();
        let channels = if codec == Codec::Opus { "/2" } else { "" };
        format!("{}/{}{channels}", codec.name(), rtp_clock_rate(codec))
    }

    /// The value of `a=fmtp` behind the number, if it has one. str0m has exactly these, so that none
    /// is ever taken for another.
    pub(crate) fn fmtp(self) -> Option<String> {
        match self {
            Format::Opus => Some("minptime=10;useinbandfec=1".to_owned()),
            Format::Vp9 => Some("profile-id=0".to_owned()),
            Format::H264(profile) => Some(format!(
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={:06x}",
                profile.level_id()
            )),
            Format::G722 | Format::Pcmu | Format::Pcma | Format::Vp8 | Format::Av1 => None,
        }
    }

    /// The numbers that Chromium gives it, and those of its retransmissions.
    const fn usual_numbers(self) -> (u8, Option<u8>) {
        match self {
            Format::Opus => (111, None),
            Format::G722 => (9, None),
            Format::Pcmu => (0, None),
            Format::Pcma => (8, None),
            Format::Vp8 => (96, Some(97)),
            Format::Vp9 => (98, Some(99)),
            Format::H264(Profile::ConstrainedBaseline) => (108, Some(109)),
            Format::H264(Profile::Baseline) => (127, Some(121)),
            Format::H264(Profile::Main) => (123, Some(119)),
            Format::H264(Profile::High) => (114, Some(115)),
            Format::Av1 => (45, Some(46)),
        }
    }

    fn to_str0m(self) -> (Str0mCodec, Frequency, Option<u8>, FormatParams) {
        let none = FormatParams::default();
        let ninety = Frequency::NINETY_KHZ;
        match self {
            Format::Opus => {
                let format = FormatParams {
                    min_p_time: Some(10),
                    use_inband_fec: Some(true),
                    ..FormatParams::default()
                };
                (Str0mCodec::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2), format)
            }
            Format::G722 => (Str0mCodec::G722, Frequency::SIXTEEN_KHZ, None, none),
            Format::Pcmu => (Str0mCodec::PCMU, Frequency::EIGHT_KHZ, None, none),
            Format::Pcma => (Str0mCodec::PCMA, Frequency::EIGHT_KHZ, None, none),
            Format::Vp8 => (Str0mCodec::Vp8, ninety, None, none),
            Format::Vp9 => {
                let format = FormatParams { profile_id: Some(0), ..FormatParams::default() };
                (Str0mCodec::Vp9, ninety, None, format)
            }
            Format::H264(profile) => {
                let format = FormatParams {
                    level_asymmetry_allowed: Some(true),
                    packetization_mode: Some(1),
                    profile_level_id: Some(profile.level_id()),
                    ..FormatParams::default()
                };
                (Str0mCodec::H264, ninety, None, format)
            }
            Format::Av1 => (Str0mCodec::Av1, ninety, None, none),
        }
    }
}

impl Profile {
    fn parse(level_id: Option<&str>) -> Option<Self> {
        let Some(digits) = level_id else { return Some(Profile::Baseline) };
        let id = u32::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 6)?;
        let [_, profile, limits, _level] = id.to_be_bytes();
        match (profile, limits) {
            (0x42, limits) if limits & 0x40 != 0 => Some(Profile::ConstrainedBaseline),
            (0x42, _) => Some(Profile::Baseline),
            (0x4D, limits) if limits & 0x80 != 0 => Some(Profile::ConstrainedBaseline),
            (0x4D, _) => Some(Profile::Main),
            (0x64, 0) => Some(Profile::High),
            _ => None,
        }
    }

    /// At level 3.1, as browsers say.
    const fn level_id(self) -> u32 {
        match self {
            Profile::ConstrainedBaseline => 0x42_E01F,
            Profile::Baseline => 0x42_001F,
            Profile::Main => 0x4D_001F,
            Profile::High => 0x64_001F,
        }
    }
}

/// G.722 counts half of its samples (RFC 3551, section 4.5.2).
const fn rtp_clock_rate(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "48000",
        Codec::Pcmu | Codec::Pcma | Codec::G722 => "8000",
        _ => "90000",
    }
}

/// Gives str0m all formats, so that it has exactly one for each.
pub(crate) fn configure(config: &mut CodecConfig) {
    for format in Format::ALL {
        let (number, repair) = format.usual_numbers();
        let (codec, clock_rate, channels, params) = format.to_str0m();
        config.add_config(
            number.into(),
            repair.map(Into::into),
            codec,
            clock_rate,
            channels,
            params,
        );
    }
}

/// A format under its number, and under that of its retransmissions if there are any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbered {
    pub(crate) format: Format,
    pub(crate) number: u8,
    pub(crate) repair: Option<u8>,
}

impl Numbered {
    /// Whether both mean the same by the same number.
    pub(crate) fn is_same(&self, other: &Numbered) -> bool {
        (self.format, self.number) == (other.format, other.number)
    }
}

/// The payload types of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct PayloadTypes {
    /// Those that were agreed on, at most one for each format.
    known: Vec<Numbered>,
    /// A bit for each number that the other side ever gave a meaning.
    mentioned: u128,
}

impl PayloadTypes {
    /// Notes that the other side uses a number, for whatever.
    pub(crate) fn mention(&mut self, number: u8) {
        self.mentioned |= bit(number);
    }

    /// Takes what the other side says of a format; `None` if it contradicts what is known. The
    /// retransmissions are left out if only they do.
    pub(crate) fn adopt(&mut self, said: Numbered) -> Option<Numbered> {
        if self.numbered(said.format).is_some() {
            return self.confirm(said);
        }
        let is_free = |number: &u8| is_usable(*number) && self.used() & bit(*number) == 0;
        let repair = said.repair.filter(|number| is_free(number) && *number != said.number);
        if !is_free(&said.number) {
            return None;
        }
        let known = Numbered { repair, ..said };
        self.known.push(known);
        Some(known)
    }

    /// The same of a format that has to be known already.
    pub(crate) fn confirm(&self, said: Numbered) -> Option<Numbered> {
        let known = self.numbered(said.format).filter(|known| known.number == said.number)?;
        Some(Numbered {
            repair: known.repair.filter(|number| said.repair == Some(*number)),
            ..known
        })
    }

    /// What a format is called in an offer of ours: as it is known, or else as nothing else is.
    pub(crate) fn proposed(&self, formats: &[Format]) -> Vec<Numbered> {
        let mut used = self.used() | self.mentioned;
        let mut free = |usual: u8| {
            let mut numbers = [usual].into_iter().chain(96..=127).chain(35..=63);
            let number = numbers.find(|number| used & bit(*number) == 0)?;
            used |= bit(number);
            Some(number)
        };
        let number = |format: &Format| {
            if let Some(known) = self.numbered(*format) {
                return Some(known);
            }
            let (number, repair) = format.usual_numbers();
            let number = free(number)?;
            Some(Numbered { format: *format, number, repair: repair.and_then(&mut free) })
        };
        formats.iter().filter_map(number).collect()
    }

    /// All that are agreed on for this kind.
    pub(crate) fn of_kind(&self, kind: MediaKind) -> impl Iterator<Item = &Numbered> {
        self.known.iter().filter(move |known| known.format.kind() == kind)
    }

    fn numbered(&self, format: Format) -> Option<Numbered> {
        self.known.iter().find(|known| known.format == format).copied()
    }

    fn used(&self) -> u128 {
        let numbers = self.known.iter().flat_map(|known| [Some(known.number), known.repair]);
        numbers.flatten().fold(0, |used, number| used | bit(number))
    }
}

const fn bit(number: u8) -> u128 {
    if number < 128 { 1 << number } else { 0 }
}

/// RTCP on the same path looks like the numbers from 64 to 95.
///
/// spec: RFC 5761, section 4
const fn is_usable(number: u8) -> bool {
    number < 64 || number > 95 && number < 128
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_of_browsers_are_read() {
        let baseline = Some(Format::H264(Profile::Baseline));
        for (rtpmap, fmtp, format) in [
            ("opus/48000/2", "minptime=10;useinbandfec=1", Some(Format::Opus)),
            ("OPUS/48000/2", "", Some(Format::Opus)),
            ("opus/48000", "", None),
            ("G722/8000", "", Some(Format::G722)),
            ("G722/16000", "", None),
            ("PCMU/8000/1", "", Some(Format::Pcmu)),
            ("PCMA/8000", "", Some(Format::Pcma)),
            ("PCMU/8000/2", "", None),
            ("VP8/90000", "max-fs=12288;max-fr=60", Some(Format::Vp8)),
            ("VP9/90000", "profile-id=0", Some(Format::Vp9)),
            ("VP9/90000", "", Some(Format::Vp9)),
            ("VP9/90000", "profile-id=2", None),
            ("AV1/90000", "level-idx=5;profile=0;tier=0", Some(Format::Av1)),
            ("AV1/90000", "level-idx=5;profile=1;tier=0", None),
            ("H264/90000", "level-asymmetry-allowed=1;packetization-mode=1", baseline),
            ("H264/90000", "packetization-mode=1;profile-level-id=42001f", baseline),
            ("H264/90000", "packetization-mode=0;profile-level-id=42e01f", None),
            ("H264/90000", "packetization-mode=1;profile-level-id=f4001f", None),
            ("H264/90000", "packetization-mode=1;profile-level-id=+42001", None),
            ("H265/90000", "", None),
            ("rtx/90000", "apt=96", None),
            ("red/48000/2", "111/111", None),
            ("", "", None),
        ] {
            assert_eq!(Format::parse(rtpmap, fmtp), format, "{rtpmap} {fmtp}");
        }
    }

    #[test]
    fn what_we_say_of_a_format_is_read_as_that_format() {
        for format in Format::ALL {
            let fmtp = format.fmtp().unwrap_or_default();
            assert_eq!(Format::parse(&format.rtpmap(), &fmtp), Some(format));
        }
    }

    fn numbered(format: Format, number: u8, repair: Option<u8>) -> Numbered {
        Numbered { format, number, repair }
    }

    #[test]
    fn a_number_means_what_it_meant_first() {
        let mut types = PayloadTypes::default();
        let vp8 = numbered(Format::Vp8, 120, Some(124));
        assert_eq!(types.adopt(vp8), Some(vp8));
        assert_eq!(types.adopt(numbered(Format::Vp8, 96, None)), None);
        assert_eq!(types.adopt(numbered(Format::Vp9, 120, None)), None);
        assert_eq!(types.adopt(numbered(Format::Vp9, 124, None)), None);
        let without = numbered(Format::Vp8, 120, None);
        assert_eq!(types.adopt(numbered(Format::Vp8, 120, Some(99))), Some(without));
        assert_eq!(types.adopt(vp8), Some(vp8));
        let vp9 = numbered(Format::Vp9, 121, Some(124));
        assert_eq!(types.adopt(vp9), Some(numbered(Format::Vp9, 121, None)));
        assert_eq!(types.adopt(numbered(Format::Av1, 72, None)), None, "it looks like RTCP");
        assert_eq!(types.adopt(numbered(Format::Av1, 200, None)), None);
    }

    #[test]
    fn what_we_propose_collides_with_nothing_that_was_said() {
        let mut types = PayloadTypes::default();
        assert_eq!(types.proposed(&[Format::Vp8]), [numbered(Format::Vp8, 96, Some(97))]);
        types.mention(96);
        types.adopt(numbered(Format::Opus, 97, None));
        let proposed = types.proposed(&Format::ALL);
        assert_eq!(proposed.len(), Format::ALL.len());
        let mut numbers: Vec<u8> =
            proposed.iter().flat_map(|n| [Some(n.number), n.repair]).flatten().collect();
        assert!(!numbers.contains(&96));
        assert_eq!(proposed[0], numbered(Format::Opus, 97, None));
        numbers.sort_unstable();
        let count = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
        (0..128).for_each(|number| types.mention(number));
        assert_eq!(types.proposed(&Format::ALL).len(), 1, "there is nothing left");
    }
}
