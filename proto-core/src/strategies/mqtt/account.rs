//! Who we are for a broker, out of its URL.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::signaling::RelayUrl;

/// A user name, and perhaps a password.
#[derive(PartialEq, Eq)]
pub(super) struct Account {
    pub(super) user: String,
    pub(super) password: Option<Vec<u8>>,
}

impl Account {
    /// Takes the account out of a URL. Gives the URL without it.
    pub(super) fn split(url: &RelayUrl) -> (Option<Self>, RelayUrl) {
        let Ok(mut parsed) = Url::parse(url.as_str()) else { return (None, url.clone()) };
        if parsed.username().is_empty() && parsed.password().is_none() {
            return (None, url.clone());
        }
        let account = Account {
            user: percent_decode_str(parsed.username()).decode_utf8_lossy().into_owned(),
            password: parsed.password().map(|text| percent_decode_str(text).collect()),
        };
        let is_bare = parsed.set_username("").and_then(|()| parsed.set_password(None)).is_ok();
        let bare = is_bare.then(|| RelayUrl::web_socket(parsed.as_str()).ok()).flatten();
        (Some(account), bare.expect("a WebSocket URL with an account is one without it too"))
    }
}

/// Without the password, which is not for logs, and without the name, which may be a token.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(url: &str) -> (Option<Account>, String) {
        let (account, bare) = Account::split(&RelayUrl::web_socket(url).unwrap());
        (account, bare.as_str().to_owned())
    }

    #[test]
    fn an_account_is_decoded_and_leaves_the_url() {
        let account = |user: &str, password: Option<&str>| {
            Some(Account { user: user.to_owned(), password: password.map(|text| text.into()) })
        };
        assert_eq!(split("wss://host/mqtt"), (None, "wss://host/mqtt".to_owned()));
        assert_eq!(
            split("wss://a%40b:c%3Ad@host:81/mqtt?x"),
            (account("a@b", Some("c:d")), "wss://host:81/mqtt?x".to_owned())
        );
        assert_eq!(split("ws://a@host"), (account("a", None), "ws://host/".to_owned()));
        assert_eq!(split("ws://:p@host"), (account("", Some("p")), "ws://host/".to_owned()));
        let (account, _) = split("ws://secret:secret@host");
        assert!(!format!("{account:?}").contains("secret"));
    }
}
