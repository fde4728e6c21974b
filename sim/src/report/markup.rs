//! HTML and SVG that is well formed by the way it is written: what is opened is closed, and what is
//! text is escaped.

use std::fmt::{self, Display, Write};

/// A text of elements.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Adds an element with what `content` adds.
    pub(super) fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, &dyn Display)],
        content: impl FnOnce(&mut Self),
    ) {
        self.begin(name, attributes);
        self.0.push('>');
        content(self);
        self.put(format_args!("</{name}>"));
    }

    /// Adds an element with nothing in it: in SVG any, in HTML one that never has anything in it.
    pub(super) fn empty(&mut self, name: &str, attributes: &[(&str, &dyn Display)]) {
        self.begin(name, attributes);
        self.0.push_str("/>");
    }

    /// Adds an element with a text.
    pub(super) fn words(
        &mut self,
        name: &str,
        attributes: &[(&str, &dyn Display)],
        text: impl Display,
    ) {
        self.element(name, attributes, |markup| markup.text(text));
    }

    /// Adds a text.
    pub(super) fn text(&mut self, text: impl Display) {
        write!(Escaped(&mut self.0), "{text}").expect("a String takes everything");
    }

    /// Adds what is markup already, and not from outside.
    pub(super) fn markup(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn begin(&mut self, name: &str, attributes: &[(&str, &dyn Display)]) {
        self.put(format_args!("<{name}"));
        for (attribute, value) in attributes {
            self.put(format_args!(" {attribute}=\""));
            self.text(value);
            self.0.push('"');
        }
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a String takes everything");
    }
}

/// Writes to a text what can be read as nothing but text, in an attribute too.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // No document may have the others, not even by number.
                '\n' | '\t' => self.0.push(letter),
                _ if letter.is_control() => self.0.push(char::REPLACEMENT_CHARACTER),
                _ => self.0.push(letter),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_text_stays_text() {
        let mut markup = Markup::default();
        markup.words("p", &[("title", &"\"><script>")], "a<b> & 'c'\0");
        let escaped =
            "<p title=\"&quot;&gt;&lt;script&gt;\">a&lt;b&gt; &amp; &#39;c&#39;\u{fffd}</p>";
        assert_eq!(markup.into_text(), escaped);
    }
}
