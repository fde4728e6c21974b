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

/// The text without the passwords of the URLs in it, which are for the relays only.
pub(crate) fn without_passwords(text: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str("://");
        let end = part.find(['/', '?', '#', '"', ' ']).unwrap_or(part.len());
        let (authority, rest) = part.split_at(end);
        match authority
            .rsplit_once('@')
            .and_then(|(who, host)| Some((who.split_once(':')?.0, host)))
        {
            Some((user, host)) => shown.extend([user, ":***@", host]),
            None => shown.push_str(authority),
        }
        shown.push_str(rest);
    }
    shown
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
    fn a_url_is_shown_without_its_password() {
        for (text, shown) in [
            ("ws://me:sesame@host:80/@x:y@z", "ws://me:***@host:80/@x:y@z"),
            ("\"http://:a@b@host\" and ws://c:d@e", "\"http://:***@host\" and ws://c:***@e"),
            ("ws://me@host:80/", "ws://me@host:80/"),
            ("ws://[::1]:80?a:b@c", "ws://[::1]:80?a:b@c"),
            ("no URL: a@b", "no URL: a@b"),
            ("", ""),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }

    #[test]
    fn payloads_that_are_no_text_are_described() {
        assert_eq!(describe(&serde_json::json!({"a": "\u{7}"}).into()), r#"{"a":"\u0007"}"#);
        assert_eq!(describe(&vec![0; 3].into()), "(3 bytes)");
    }
}
