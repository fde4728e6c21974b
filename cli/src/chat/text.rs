//! Text of strangers on a terminal.

use std::borrow::Cow;

use tristero_tokio::Payload;

/// The text in one line that moves no cursor: control characters are shown as escapes.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_unprintable(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// A payload as a line.
pub(crate) fn describe(payload: &Payload) -> String {
    match payload {
        Payload::Text(text) => shown(text),
        Payload::Json(value) => shown(&value.to_string()),
        Payload::Binary(bytes) => format!("({} bytes)", bytes.len()),
    }
}

/// A text of a stranger as a line that is not endless.
pub(crate) fn shown(text: &str) -> String {
    let begin = cut_at(text, SHOWN_BYTES_MAX);
    if begin.len() == text.len() {
        return printable(text).into_owned();
    }
    format!("{}… (the beginning of {} bytes)", printable(begin), text.len())
}

/// As much of the beginning as has at most so many bytes.
pub(crate) fn cut_at(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.expect("0 is the beginning of any text")]
}

/// Characters that can't be seen, or change how others are.
pub(crate) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Control characters, and the ones that end lines or turn the direction of writing.
fn is_unprintable(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What is shown of one text: many screens, and less than what a terminal chokes on.
const SHOWN_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_can_neither_move_the_cursor_nor_begin_a_line() {
        assert_eq!(printable("a\u{1b}[2Jb\r\nc\u{202e}d"), r"a\u{1b}[2Jb\r\nc\u{202e}d");
        assert_eq!(printable("grüß dich 🦀"), "grüß dich 🦀");
    }

    #[test]
    fn payloads_that_are_no_text_are_described() {
        assert_eq!(describe(&serde_json::json!({"a": "\u{7}"}).into()), r#"{"a":"\u0007"}"#);
        assert_eq!(describe(&vec![0; 3].into()), "(3 bytes)");
    }

    #[test]
    fn an_endless_text_is_shown_in_part() {
        let line = describe(&"ü".repeat(100_000).into());
        assert!(line.len() < 66_000 && line.ends_with("ü… (the beginning of 200000 bytes)"));
        assert_eq!(cut_at("aü", 2), "a");
        assert_eq!(cut_at("aü", 3), "aü");
    }
}
