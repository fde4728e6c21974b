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
        Payload::Text(text) => printable(text).into_owned(),
        Payload::Json(value) => printable(&value.to_string()).into_owned(),
        Payload::Binary(bytes) => format!("({} bytes)", bytes.len()),
    }
}

/// Control characters, and the ones that end lines or turn the direction of writing.
fn is_unprintable(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

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
}
