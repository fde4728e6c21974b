//! What a line of input means.
//!
//! A line is said, unless it begins with `/`: then it is a command. `//` begins a line that is
//! said and begins with one `/`.

use std::path::PathBuf;

use super::text::printable;

/// What is to be done about a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Nothing was written.
    Nothing,
    Say(String),
    /// One who is called so, or all.
    Ping(Option<String>),
    Who,
    Relays,
    Send {
        file: PathBuf,
        /// One who is called so, or all.
        to: Option<String>,
    },
    /// The offer of this number, or the only one.
    Accept(Option<u64>),
    Help,
    Quit,
    /// It is no command; why.
    Wrong(String),
}

/// What commands there are.
pub(crate) const HELP: [&str; 9] = [
    "/ping [NAME]       measures how far away somebody is, or everybody",
    "/who               says who is here, and how they are connected",
    "/relays            says how the relays are doing",
    "/send FILE [NAME]  offers a file to somebody, or to everybody; \"in quotes\" if it has spaces",
    "/accept [NUMBER]   takes a file that is offered",
    "/quit              leaves; so does the end of input, after files that are under way",
    "/help              says this",
    "//…                says a line that begins with one /",
    "NAME is what somebody is called, or the beginning of an id.",
];

impl Line {
    /// Reads a line, which need not be UTF-8.
    pub(crate) fn parse(line: &[u8]) -> Self {
        let line = String::from_utf8_lossy(line);
        let Some(command) = line.strip_prefix('/') else {
            return if line.is_empty() { Line::Nothing } else { Line::Say(line.into_owned()) };
        };
        if command.starts_with('/') {
            return Line::Say(command.to_owned());
        }
        let (name, rest) = split_word(command);
        let rest = rest.trim();
        match (name, rest) {
            ("ping", "") => Line::Ping(None),
            ("ping", name) => Line::Ping(Some(name.to_owned())),
            ("send", rest) => send(rest),
            ("accept", "") => Line::Accept(None),
            ("accept", number) => match number.parse() {
                Ok(number) => Line::Accept(Some(number)),
                Err(_) => Line::Wrong("/accept takes the number of an offer".to_owned()),
            },
            ("who", "") => Line::Who,
            ("relays", "") => Line::Relays,
            ("help", "") => Line::Help,
            ("quit", "") => Line::Quit,
            ("who" | "relays" | "help" | "quit", _) => {
                Line::Wrong(format!("/{name} takes nothing else"))
            }
            _ => {
                let name = printable(name);
                Line::Wrong(format!("there is no /{name}; /help says what there is"))
            }
        }
    }
}

fn send(rest: &str) -> Line {
    let (file, to) = match rest.strip_prefix('"') {
        Some(quoted) => match quoted.split_once('"') {
            Some(parts) => parts,
            None => return Line::Wrong("the file's name has no second quote".to_owned()),
        },
        None => split_word(rest),
    };
    if file.is_empty() {
        return Line::Wrong("/send takes a file, and perhaps a name".to_owned());
    }
    let to = to.trim();
    Line::Send { file: file.into(), to: (!to.is_empty()).then(|| to.to_owned()) }
}

/// The first word, and what follows.
fn split_word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Line {
        Line::parse(line.as_bytes())
    }

    fn send(file: &str, to: Option<&str>) -> Line {
        Line::Send { file: file.into(), to: to.map(str::to_owned) }
    }

    #[test]
    fn what_is_no_command_is_said() {
        for said in ["hello", " /who", "1/2", "grüß dich"] {
            assert_eq!(parse(said), Line::Say(said.to_owned()));
        }
        assert_eq!(parse("//who"), Line::Say("/who".to_owned()));
        assert_eq!(Line::parse(b"a\xff"), Line::Say("a\u{fffd}".to_owned()));
        assert_eq!(parse(""), Line::Nothing);
    }

    #[test]
    fn commands_take_what_they_need() {
        assert_eq!(parse("/ping"), Line::Ping(None));
        assert_eq!(parse("/ping  Ann "), Line::Ping(Some("Ann".to_owned())));
        assert_eq!(parse("/accept"), Line::Accept(None));
        assert_eq!(parse("/accept 3"), Line::Accept(Some(3)));
        assert_eq!(
            [parse("/who"), parse("/relays"), parse("/help"), parse("/quit")],
            [Line::Who, Line::Relays, Line::Help, Line::Quit]
        );
        assert_eq!(parse("/send a.bin"), send("a.bin", None));
        assert_eq!(parse("/send a.bin Ann"), send("a.bin", Some("Ann")));
        assert_eq!(parse("/send \"a b.bin\" Ann"), send("a b.bin", Some("Ann")));
        assert_eq!(parse(r#"/send "C:\a b""#), send(r"C:\a b", None));
    }

    #[test]
    fn mistakes_are_not_said_to_everyone() {
        for wrong in [
            "/",
            "/ who",
            "/dance",
            "/who me",
            "/relays x",
            "/accept all",
            "/send",
            "/send \"a",
            "/accept -1",
        ] {
            assert!(matches!(parse(wrong), Line::Wrong(_)), "{wrong}");
        }
        let Line::Wrong(why) = parse("/\u{1b}[2J") else { panic!("it is no command") };
        assert!(!why.contains('\u{1b}'), "{why}");
    }
}
