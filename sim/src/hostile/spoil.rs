//! How something is spoiled: a little, so that it is nearly right, or for good.

use tristero_proto::Rng;

/// Other bytes in place of these.
pub(super) fn spoil_bytes(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut spoiled = bytes.to_vec();
    match rng.below(8) {
        0 => spoiled.truncate(place_in(bytes.len(), rng)),
        1 => spoiled.extend(noise(rng)),
        2 => spoiled = noise(rng),
        3 => {
            let (from, to) = range_in(bytes.len(), rng);
            spoiled.extend_from_slice(&bytes[from..to]);
        }
        4 => {
            let (from, to) = range_in(bytes.len(), rng);
            spoiled.drain(from..to);
        }
        5 => spoiled.resize(LARGE_BYTES, 0xFF),
        _ => {
            for _ in 0..=rng.below(4) {
                let place = place_in(bytes.len(), rng);
                if let Some(byte) = spoiled.get_mut(place) {
                    *byte ^= 1 << rng.below(8);
                }
            }
        }
    }
    spoiled
}

/// Another text in place of this one.
pub(super) fn spoil_text(text: &str, rng: &mut Rng) -> String {
    let chars: Vec<char> = text.chars().collect();
    match rng.below(8) {
        0 => chars[..place_in(chars.len(), rng)].iter().collect(),
        1 => {
            let (from, to) = range_in(chars.len(), rng);
            chars[..to].iter().chain(&chars[from..]).collect()
        }
        2 => {
            let (from, to) = range_in(chars.len(), rng);
            chars[..from].iter().chain(&chars[to..]).collect()
        }
        3 => spoil_line(text, rng),
        4 => spoil_number(text, rng),
        // Most of what is said is letters, and stays well formed if others are there.
        _ => {
            let mut chars = chars;
            for _ in 0..=rng.below(4) {
                let place = place_in(chars.len(), rng);
                let other = rng.alphanumeric(1).chars().next();
                if let (Some(char), Some(other)) = (chars.get_mut(place), other)
                    && char.is_alphanumeric()
                {
                    *char = other;
                }
            }
            chars.into_iter().collect()
        }
    }
}

/// The same without one of its lines, or with one more often.
fn spoil_line(text: &str, rng: &mut Rng) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (from, to) = (place_in(lines.len(), rng), place_in(lines.len(), rng));
    let taken = lines.get(from).copied();
    match (taken, rng.below(3)) {
        (Some(_), 0) => _ = lines.remove(from),
        (Some(line), 1) => {
            lines.splice(to..to, std::iter::repeat_n(line, REPEATED_LINES)).for_each(drop);
        }
        (Some(line), _) => lines.insert(to, line),
        (None, _) => {}
    }
    lines.concat()
}

/// The same with another number in place of one.
fn spoil_number(text: &str, rng: &mut Rng) -> String {
    let is_start = |(place, char): &(usize, char)| {
        char.is_ascii_digit() && !text[..*place].ends_with(|before: char| before.is_ascii_digit())
    };
    let starts: Vec<usize> = text.char_indices().filter(is_start).map(|(place, _)| place).collect();
    let Some(start) = starts.get(place_in(starts.len(), rng)) else { return text.to_owned() };
    let (before, number) = text.split_at(*start);
    let after = number.trim_start_matches(|char: char| char.is_ascii_digit());
    let other = NUMBERS[place_in(NUMBERS.len(), rng)];
    format!("{before}{other}{after}")
}

fn noise(rng: &mut Rng) -> Vec<u8> {
    let mut noise = vec![0; place_in(NOISE_BYTES_MAX, rng)];
    rng.fill(&mut noise);
    noise
}

/// A place in something of this length; 0 if it is empty.
fn place_in(length: usize, rng: &mut Rng) -> usize {
    usize::try_from(rng.below(length as u64)).expect("it is below a length")
}

fn range_in(length: usize, rng: &mut Rng) -> (usize, usize) {
    let (a, b) = (place_in(length, rng), place_in(length, rng));
    (a.min(b), a.max(b))
}

const NUMBERS: [&str; 6] = ["0", "1", "-1", "65536", "4294967296", "18446744073709551616"];

/// Enough to overflow what is meant for a few.
const REPEATED_LINES: usize = 300;

/// What a receiver takes at most in one message, by what it says in its description.
const LARGE_BYTES: usize = 65_536;

const NOISE_BYTES_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use tristero_proto::Seed;

    use super::*;

    #[test]
    fn anything_can_be_spoiled() {
        let mut rng = Seed::from_number(1).rng("spoil");
        for text in ["", "a", "ä€", "v=0\r\no=- 12 3\r\n", "{\"peerId\":\"1234\"}"] {
            for _ in 0..500 {
                spoil_text(text, &mut rng);
                spoil_bytes(text.as_bytes(), &mut rng);
            }
        }
    }

    #[test]
    fn a_number_is_replaced_as_a_whole() {
        let mut rng = Seed::from_number(1).rng("spoil");
        let spoiled = spoil_number("port 9000", &mut rng);
        assert!(NUMBERS.iter().any(|number| spoiled == format!("port {number}")), "{spoiled}");
    }
}
