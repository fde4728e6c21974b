//! Descriptions from anywhere, put to a session and to str0m: what is promised of them, for tests that
//! make many.
//!
//! An input is a text of several parts with a zero byte between them. Each is an exchange: the first
//! letter says which, what follows are sections of the other side. What it lacks of the data channel is
//! put in front, so that whatever is changed anywhere is mostly about media.

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use str0m::change::SdpOffer;
use str0m::{Rtc, RtcConfig};
use tristero_proto::TrackId;
use tristero_proto::media::{MediaConfig, MediaKind, Msid, SentTrack};

use super::parse::{TheirDescription, TheirSection};
use super::section::{Half, Section};
use super::session::Session;
use crate::config::Config;
use crate::epoch::Epoch;

/// One end of a connection that nobody is at the other end of.
struct Trial {
    rtc: Rtc,
    session: Session,
    draft: Option<Session>,
    drawn: u32,
}

/// Runs the exchanges of one input.
///
/// # Panics
///
/// Panics where a promise is broken: something of ours can't be read, or str0m does not take what it
/// is told.
#[allow(clippy::disallowed_methods, reason = "str0m wants some moment, whichever it is")]
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    static CONFIG: OnceLock<RtcConfig> = OnceLock::new();
    let config = CONFIG.get_or_init(|| Config::default().rtc_config()).clone();
    let epoch = Epoch::new(std::time::Instant::now());
    let media = Arc::new(MediaConfig::default());
    let mut trial = Trial {
        rtc: config.build(epoch.instant(tristero_proto::Time::ZERO)),
        session: Session::of_data_alone(media, true),
        draft: None,
        drawn: 0,
    };
    for part in text.split('\0').take(PARTS_MAX) {
        let mut letters = part.chars();
        let first = letters.next();
        trial.exchange(first.unwrap_or('o'), letters.as_str());
    }
}

impl Trial {
    fn exchange(&mut self, first: char, sections: &str) {
        match first {
            't' => self.propose(sections.len()),
            'r' => self.roll_back(),
            'a' => self.conclude(sections),
            _ => self.answer(sections),
        }
    }

    /// Offers tracks, as many as a number has bits.
    fn propose(&mut self, number: usize) {
        self.roll_back();
        let tracks: Vec<SentTrack> =
            (0..4).filter(|bit| number >> bit & 1 == 1).map(track).collect();
        let drawn = &mut self.drawn;
        let draft = self.session.proposing(Some(&tracks), &mut || {
            *drawn += 1;
            *drawn
        });
        check(&draft, &draft.emit(&described(""), Half::Offer));
        self.draft = Some(draft);
    }

    fn roll_back(&mut self) {
        if let Some(draft) = self.draft.take() {
            self.session.give_up(&draft);
        }
    }

    fn answer(&mut self, sections: &str) {
        let Ok(offer) = TheirDescription::parse(&described(sections)) else { return };
        let Ok(next) = self.session.answering(&offer, true) else { return };
        let answer = next.emit(&described(""), Half::Answer);
        let read = check(&next, &answer);
        assert_eq!(read.sections.len(), offer.sections.len(), "each is answered");
        self.take(next);
        self.roll_back();
    }

    fn conclude(&mut self, sections: &str) {
        let Some(draft) = self.draft.take() else { return };
        let answer = TheirDescription::parse(&described(sections));
        match answer.map(|answer| draft.concluding(&answer, true)) {
            Ok(Ok(next)) => self.take(next),
            Ok(Err(_)) | Err(_) => self.session.give_up(&draft),
        }
    }

    /// Tells str0m.
    fn take(&mut self, next: Session) {
        let (sections, bundled) = next.compose();
        let Ok(data) = TheirDescription::parse(&described("")) else { unreachable!("it is ours") };
        let composed = format!("{}{sections}", data.data.emit(&bundled));
        let offer = SdpOffer::from_sdp_string(&composed).expect("str0m reads what we compose");
        let taken = self.rtc.sdp_api().accept_offer(offer);
        taken.unwrap_or_else(|error| panic!("str0m takes what we compose: {error}\n{composed}"));
        self.session = next;
    }
}

/// Reads a description of ours.
fn check(session: &Session, described: &str) -> TheirDescription {
    let read = TheirDescription::parse(described).expect("what we say can be read");
    for (ours, said) in session.sections.iter().zip(&read.sections) {
        match (ours, said) {
            (Section::Data, TheirSection::Data) => {}
            (Section::Media(ours), TheirSection::Media(said)) => {
                assert_eq!(ours.mid, said.mid);
                assert_eq!(Some(ours.kind), said.kind, "it is in the bundle");
                // Where it has none, one of theirs stands for it, without what made it another.
                let has_formats = !ours.formats.is_empty();
                assert!(!has_formats || ours.formats == said.formats, "its formats are told");
            }
            (Section::Refused { mid, .. }, TheirSection::Media(said)) => {
                assert_eq!((mid, said.kind), (&said.mid, None), "it is in no bundle");
            }
            (ours, said) => panic!("the sections are others: {ours:?} {said:?}"),
        }
    }
    read
}

fn track(number: usize) -> SentTrack {
    SentTrack {
        track: TrackId::from_number(number as u64),
        kind: if number.is_multiple_of(2) { MediaKind::Video } else { MediaKind::Audio },
        msid: Msid { stream: "s".to_owned(), track: number.to_string() },
        codecs: Vec::new(),
    }
}

/// A description with a data channel and these sections, all in one bundle.
fn described(sections: &str) -> String {
    let mut mids = String::new();
    for mid in sections.lines().filter_map(|line| line.strip_prefix("a=mid:")) {
        write!(mids, " {mid}").expect("strings take all that is written");
    }
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE data{mids}\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
         a=ice-ufrag:EsAw\r\na=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y\r\n\
         a=fingerprint:sha-256 {}\r\na=setup:active\r\na=mid:data\r\n\
         a=sctp-port:5000\r\n{sections}",
        ["AB"; 32].join(":")
    )
}

const PARTS_MAX: usize = 16;

/// Inputs that mean something.
pub fn seeds() -> Vec<Vec<u8>> {
    let of = |sdp: &str| {
        let at = sdp.find("m=audio").unwrap_or_default();
        sdp[at..].replace('\n', "\r\n")
    };
    let (adds, answers) = (of(CHROMIUM_ADDS), of(CHROMIUM_ANSWERS));
    let removes = adds.replace("a=sendrecv", "a=recvonly");
    let again = removes.clone() + &adds.replace("a=mid:", "a=mid:2");
    let swapped = adds.clone() + &adds.replace("a=mid:", "a=mid:3").replace("VP8", "VP9");
    let parts: [&[String]; 5] = [
        &[format!("o{adds}"), format!("o{removes}"), format!("o{again}")],
        &[format!("o{adds}"), "t123".to_owned(), format!("a{answers}"), "t".to_owned()],
        &["t1".to_owned(), "r".to_owned(), "t12".to_owned(), format!("o{adds}")],
        &[format!("o{swapped}"), format!("o{swapped}"), "t1234567".to_owned()],
        &[
            format!("o{adds}"),
            format!("o{}", adds.replace("video 9", "video 0")),
            format!("o{again}"),
        ],
    ];
    parts.iter().map(|parts| parts.join("\0").into_bytes()).collect()
}

/// What Chromium 148 says when a page adds a camera and a microphone.
const CHROMIUM_ADDS: &str = include_str!("../../tests/sdp/chromium-adds.txt");
/// What it answers two tracks of ours then.
const CHROMIUM_ANSWERS: &str = include_str!("../../tests/sdp/chromium-answers.txt");

#[cfg(test)]
mod tests {
    use tristero_proto::{Rng, Seed};

    use super::*;

    fn below(rng: &mut Rng, bound: usize) -> usize {
        usize::try_from(rng.below(bound as u64)).unwrap()
    }

    /// The same with some lines left out, doubled, changed or moved.
    fn mutated(input: &str, rng: &mut Rng) -> String {
        let mut lines: Vec<String> = input.split_inclusive('\n').map(str::to_owned).collect();
        for _ in 0..=below(rng, 6) {
            let (at, other) = (below(rng, lines.len()), below(rng, lines.len()));
            match below(rng, 7) {
                0 if lines.len() > 1 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[other].clone()),
                2 => lines[at] = lines[other].clone(),
                3 => lines.swap(at, other),
                4 => {
                    let digit =
                        |rng: &mut Rng| char::from(b'0' + u8::try_from(below(rng, 10)).unwrap());
                    let (from, to) = (digit(rng), digit(rng));
                    lines[at] = lines[at].replace(from, &to.to_string());
                }
                5 => {
                    let kind = ["sendrecv", "sendonly", "recvonly", "inactive"][below(rng, 4)];
                    lines[at] = format!("a={kind}\r\n");
                }
                _ => {
                    let mid = ["0", "1", "2", "o1", "o2", "a1", "data", "30"][below(rng, 8)];
                    lines[at] = format!("a=mid:{mid}\r\n");
                }
            }
        }
        lines.concat()
    }

    #[test]
    fn whatever_is_described_str0m_takes_what_we_make_of_it() {
        let mut rng = Seed::from_number(1).rng("test");
        for seed in seeds() {
            run(&seed);
            let text = String::from_utf8(seed).unwrap();
            for _ in 0..300 {
                run(mutated(&text, &mut rng).as_bytes());
            }
        }
    }
}
