//! Messages of the database's protocol, to and from text.
//!
//! A message is a JSON object with a layer (`t`), `c` for the connection and `d` for the data.
//! One that is longer than a frame may be is sent in parts: a frame with their number alone, then
//! the parts.

use serde_json::{Value, json};

use crate::signaling::{LinkFrame, Malformed};

/// The longest part that is sent, in bytes, as Firebase's own clients have it.
const PART_BYTES_MAX: usize = 16_384;
/// The longest message that is taken in parts, in bytes. A room's whole node may come as one. A
/// longer one is dropped.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The longest path of a change, in bytes: a database has 32 levels, with keys of 768 bytes. One at
/// a longer path is malformed.
const PATH_BYTES_MAX: usize = 32 * (768 + 1);
/// Nodes that one merge may change, each of which has a path of its own then. Of more, those are
/// taken whose keys come last: they are the newest.
const CHANGES_PER_MERGE_MAX: usize = 1_024;
/// The longest frame that may tell the number of parts, in bytes, as Firebase's clients have it.
const COUNT_BYTES_MAX: usize = 6;

/// What the server says.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// It is ready for requests.
    Hello,
    /// Another host has the database.
    Redirect(String),
    /// It ends the connection, and why.
    Shutdown(String),
    /// Something went wrong, or is worth a word.
    Notice(String),
    /// A request was answered.
    Answer {
        /// Its number.
        request: u64,
        /// What became of it, unless it is done: the status, and more words if there are any.
        error: Option<String>,
    },
    /// Nodes have these values now; `null` is no node. Paths are relative to nothing.
    Changed(Vec<(String, Value)>),
    /// A listen has ended against our will.
    Revoked(String),
    /// The token is not valid any more, and why.
    SignedOut(String),
    /// Nothing that matters to us.
    Other,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Request {
    /// Sign in with a token.
    Auth(String),
    /// Tell all that is at a path, and what changes there.
    Listen(String),
    /// No more of that.
    Unlisten(String),
    /// Set a node.
    Put(String, Value),
    /// Remove a node once the connection ends.
    RemoveOnDisconnect(String),
}

impl Said {
    pub(super) fn parse(text: &str) -> Result<Said, Malformed> {
        let mut message: Value = serde_json::from_str(text)
            .map_err(|_| Malformed("a database sends JSON, or the number of a message's parts"))?;
        let content = take(&mut message, "d");
        match message["t"].as_str() {
            Some("c") => Ok(Said::control(&content)),
            Some("d") => Said::data(content),
            Some(_) => Ok(Said::Other),
            None => Err(Malformed("a database's message names its layer")),
        }
    }

    fn control(content: &Value) -> Said {
        let said = || words(&content["d"]);
        match content["t"].as_str() {
            Some("h") => Said::Hello,
            Some("r") => Said::Redirect(said()),
            Some("s") => Said::Shutdown(said()),
            Some("e") => Said::Notice(said()),
            _ => Said::Other,
        }
    }

    fn data(mut content: Value) -> Result<Said, Malformed> {
        let mut body = take(&mut content, "b");
        if let Some(request) = content["r"].as_u64() {
            return Ok(Said::Answer { request, error: error_of(&body) });
        }
        let path = body["p"].as_str().filter(|path| path.len() <= PATH_BYTES_MAX);
        let path = path.map(str::to_owned);
        let named = path.ok_or(Malformed("what changes in a database has a path"));
        Ok(match content["a"].as_str() {
            Some("d") => Said::Changed(vec![(named?, take(&mut body, "d"))]),
            Some("m") => {
                let (path, changes) = (named?, take(&mut body, "d"));
                let Value::Object(changes) = changes else {
                    return Err(Malformed("merged nodes are an object"));
                };
                let is_short = |name: &str| path.len() + name.len() < PATH_BYTES_MAX;
                let mut changes: Vec<(String, Value)> =
                    changes.into_iter().filter(|(name, _)| is_short(name)).collect();
                changes.sort_by(|(one, _), (other, _)| one.cmp(other));
                changes.drain(..changes.len().saturating_sub(CHANGES_PER_MERGE_MAX));
                let under = |(name, value)| (format!("{path}/{name}"), value);
                Said::Changed(changes.into_iter().map(under).collect())
            }
            Some("c") => Said::Revoked(named?),
            Some("ac") => Said::SignedOut(error_of(&body).unwrap_or_default()),
            Some("sd") => Said::Notice(words(&body["msg"])),
            Some(_) => Said::Other,
            None => return Err(Malformed("a database says what it does")),
        })
    }
}

/// A member of what should be an object; `null` if it isn't one or hasn't it.
fn take(value: &mut Value, key: &str) -> Value {
    value.get_mut(key).map(Value::take).unwrap_or_default()
}

/// What went wrong, in the words of a reply.
fn error_of(body: &Value) -> Option<String> {
    let status = body["s"].as_str().unwrap_or("no status");
    let more = body["d"].as_str().map(|more| format!(" ({more})")).unwrap_or_default();
    (status != "ok").then(|| format!("{status}{more}"))
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Request {
    /// Writes the request with its number, as Firebase's own clients write it.
    pub(super) fn emit(&self, number: u64) -> Vec<LinkFrame> {
        let (action, body) = match self {
            Request::Auth(token) => ("auth", json!({ "cred": token })),
            Request::Listen(path) => ("q", json!({ "p": path, "h": "" })),
            Request::Unlisten(path) => ("n", json!({ "p": path })),
            Request::Put(path, value) => ("p", json!({ "p": path, "d": value })),
            Request::RemoveOnDisconnect(path) => ("o", json!({ "p": path, "d": null })),
        };
        in_parts(&json!({ "t": "d", "d": { "r": number, "a": action, "b": body } }).to_string())
    }
}

/// A message as one frame, or as several with their number before them.
fn in_parts(text: &str) -> Vec<LinkFrame> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let part = crate::text::shortened(rest, PART_BYTES_MAX);
        rest = &rest[part.len()..];
        parts.push(LinkFrame::Text(part.to_owned()));
    }
    if parts.len() > 1 {
        parts.insert(0, LinkFrame::Text(parts.len().to_string()));
    }
    parts
}

/// Puts messages together that come in parts.
#[derive(Debug, Default)]
pub(super) enum Parts {
    /// The next frame is a message, or tells the number of its parts.
    #[default]
    None,
    /// Parts are missing.
    Some { left: u32, text: String },
    /// The message is too long, and these are to be passed over.
    TooMany { left: u32 },
}

impl Parts {
    /// Takes a frame. Gives a message if it is complete.
    pub(super) fn join(&mut self, frame: String) -> Result<Option<String>, Malformed> {
        let (left, text) = match std::mem::take(self) {
            Parts::None => {
                let count = (frame.len() <= COUNT_BYTES_MAX).then(|| frame.parse::<u32>().ok());
                let Some(left) = count.flatten() else { return Ok(Some(frame)) };
                if left > 0 {
                    *self = Parts::Some { left, text: String::new() };
                }
                return Ok(None);
            }
            Parts::Some { left, mut text } => {
                text.push_str(&frame);
                (left - 1, text)
            }
            Parts::TooMany { left } => {
                if left > 1 {
                    *self = Parts::TooMany { left: left - 1 };
                }
                return Ok(None);
            }
        };
        if left == 0 {
            return Ok(Some(text));
        }
        if text.len() > MESSAGE_BYTES_MAX {
            *self = Parts::TooMany { left };
            return Err(Malformed("a database's message is too long"));
        }
        *self = Parts::Some { left, text };
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(frame: &LinkFrame) -> &str {
        match frame {
            LinkFrame::Text(text) => text,
            LinkFrame::Binary(_) => unreachable!("this strategy writes text"),
        }
    }

    #[test]
    fn long_messages_travel_in_parts_and_are_whole_again() {
        let value = Value::from("ü".repeat(20_000));
        let frames = Request::Put("/a".to_owned(), value).emit(7);
        assert_eq!(frames.len(), 4);
        assert_eq!(text(&frames[0]), "3");
        assert!(frames.iter().all(|frame| frame.len() <= PART_BYTES_MAX));
        let mut parts = Parts::default();
        let mut joined = frames.iter().map(|frame| parts.join(text(frame).to_owned()).unwrap());
        let whole = joined.find_map(|whole| whole).unwrap();
        assert!(
            whole.starts_with(r#"{"t":"d","d":{"r":7,"a":"p","b":{"p":"/a","d":"üü"#),
            "{whole:.99}"
        );
        assert!(whole.ends_with(r#"ü"}}}"#));
    }

    #[test]
    fn a_part_may_look_like_a_number_and_nothing_counts_as_no_message() {
        let mut parts = Parts::default();
        assert_eq!(parts.join("0".into()), Ok(None));
        assert_eq!(parts.join("2".into()), Ok(None));
        assert_eq!(parts.join("1".into()), Ok(None));
        assert_eq!(parts.join("2".into()), Ok(Some("12".into())));
        assert_eq!(parts.join("{}".into()), Ok(Some("{}".into())));
    }

    #[test]
    fn what_is_too_long_is_passed_over_to_its_end() {
        let mut parts = Parts::default();
        let long = "x".repeat(MESSAGE_BYTES_MAX + 1);
        assert_eq!(parts.join("3".into()), Ok(None));
        assert!(parts.join(long).is_err());
        assert_eq!(parts.join("x".into()), Ok(None));
        assert_eq!(parts.join("x".into()), Ok(None));
        assert_eq!(parts.join("{}".into()), Ok(Some("{}".into())));
    }

    #[test]
    fn a_merge_does_not_multiply_its_path() {
        let merge = |path: &str, names: usize| {
            let names = (0..names).map(|name| (format!("{name:05}"), json!(1)));
            let changes = Value::Object(names.collect());
            let body = json!({ "p": path, "d": changes });
            Said::parse(&json!({ "t": "d", "d": { "a": "m", "b": body } }).to_string())
        };
        let Ok(Said::Changed(changes)) = merge("a", 5_000) else { panic!("it is a merge") };
        assert_eq!(changes.len(), CHANGES_PER_MERGE_MAX);
        assert_eq!(changes.last().unwrap().0, "a/04999");
        assert!(merge(&"a".repeat(PATH_BYTES_MAX + 1), 5_000).is_err());
        let Ok(Said::Changed(changes)) = merge(&"a".repeat(PATH_BYTES_MAX), 5_000) else {
            panic!()
        };
        assert_eq!(changes, []);
    }

    #[test]
    fn the_server_is_understood() {
        let parse = |text: &str| Said::parse(text);
        let changed = |path: &str, value| Ok(Said::Changed(vec![(path.to_owned(), value)]));
        assert_eq!(parse(r#"{"t":"c","d":{"t":"h","d":{}}}"#), Ok(Said::Hello));
        assert_eq!(
            parse(r#"{"t":"c","d":{"t":"r","d":"a.b"}}"#),
            Ok(Said::Redirect("a.b".to_owned()))
        );
        assert_eq!(
            parse(r#"{"t":"d","d":{"r":3,"b":{"s":"ok","d":""}}}"#),
            Ok(Said::Answer { request: 3, error: None })
        );
        assert_eq!(
            parse(r#"{"t":"d","d":{"r":3,"b":{"s":"permission_denied","d":"No"}}}"#),
            Ok(Said::Answer { request: 3, error: Some("permission_denied (No)".to_owned()) })
        );
        assert_eq!(parse(r#"{"t":"d","d":{"a":"d","b":{"p":"a","d":1}}}"#), changed("a", json!(1)));
        assert_eq!(
            parse(r#"{"t":"d","d":{"a":"m","b":{"p":"a","d":{"b/c":1}}}}"#),
            changed("a/b/c", json!(1))
        );
        for broken in ["", "[]", "{}", r#"{"t":"d"}"#, r#"{"t":"d","d":{"a":"d","b":{}}}"#] {
            assert!(parse(broken).is_err(), "{broken}");
        }
    }
}
