//! Texts that others wrote.

/// As many whole characters of a text as fit into this many bytes.
pub(crate) fn shortened(text: &str, bytes_max: usize) -> &str {
    let is_end = |end: &usize| text.is_char_boundary(*end);
    let end = (0..=bytes_max.min(text.len())).rev().find(is_end);
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_cut_in_two() {
        assert_eq!(shortened("grün", 3), "gr");
        assert_eq!(shortened("grün", 4), "grü");
        assert_eq!(shortened("grün", 99), "grün");
    }
}
