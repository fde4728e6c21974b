//! The strategies by name: the one place of the program that knows which there are, and what can be
//! set about them.
//!
//! The chat and the agent say in their own ways how peers are to meet; both come down to
//! [`Meeting`]s. A setting that a strategy does not have is refused by whoever reads it. Keys and
//! passwords are never printed: not by `Debug`, and not in errors.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use tristero_tokio::signaling::{InvalidRelayUrl, RelayUrl, Strategy};
use tristero_tokio::strategies::{Firebase, Mqtt, Nostr, Supabase, Torrent, WsRelay};
use tristero_tokio::{Dialers, RelayConfig};

/// A way to meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum StrategyName {
    #[default]
    Ws,
    Nostr,
    Mqtt,
    Torrent,
    Supabase,
    Firebase,
    Ipfs,
}

/// A name that no strategy has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no strategy {0:?}; there are {list}", list = StrategyName::list())]
pub(crate) struct UnknownStrategy(String);

/// Where to meet, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meeting {
    pub(crate) strategy: StrategyName,
    /// The relays as they were written; those that the strategy chooses if there are none.
    pub(crate) urls: Vec<String>,
    pub(crate) settings: Settings,
}

/// What may be set about strategies.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// How many relays are used of those that a strategy chooses.
    pub(crate) redundancy: Option<usize>,
    pub(crate) supabase_key: Option<String>,
    pub(crate) firebase_path: Option<String>,
}

/// Why there is nowhere to meet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NowhereToMeet {
    #[error(transparent)]
    Url(#[from] InvalidRelayUrl),
    #[error("the strategy {0} has no relays of its own: name some, by --relay or in relayUrls")]
    NoRelays(StrategyName),
    #[error(
        "the strategy {0} meets at a project: name its URL, as the application's id, by --relay, or \
         in relayUrls"
    )]
    NoProject(StrategyName),
    #[error(
        "the strategy supabase needs the project's key: in TRISTERO_SUPABASE_KEY, by \
         --supabase-key, or as relayConfig.supabaseKey"
    )]
    NoSupabaseKey,
    #[cfg(not(feature = "ipfs"))]
    #[error("this build has no strategy ipfs: build tristero-cli with --features ipfs")]
    NoIpfs,
}

/// What supplies the links of strategies that do not run over WebSockets.
pub(crate) fn dialers() -> Dialers {
    let dialers = Dialers::default();
    #[cfg(feature = "ipfs")]
    let dialers =
        dialers.with("/", tristero_waku::WakuDialer::new(tristero_tokio::WebSockets::default()));
    dialers
}

impl StrategyName {
    pub(crate) const ALL: [StrategyName; 7] = [
        StrategyName::Ws,
        StrategyName::Nostr,
        StrategyName::Mqtt,
        StrategyName::Torrent,
        StrategyName::Supabase,
        StrategyName::Firebase,
        StrategyName::Ipfs,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            StrategyName::Ws => "ws",
            StrategyName::Nostr => "nostr",
            StrategyName::Mqtt => "mqtt",
            StrategyName::Torrent => "torrent",
            StrategyName::Supabase => "supabase",
            StrategyName::Firebase => "firebase",
            StrategyName::Ipfs => "ipfs",
        }
    }

    /// What is missing where no relay is named.
    fn without_relays(self) -> NowhereToMeet {
        match self {
            StrategyName::Supabase | StrategyName::Firebase => NowhereToMeet::NoProject(self),
            StrategyName::Ws
            | StrategyName::Nostr
            | StrategyName::Mqtt
            | StrategyName::Torrent
            | StrategyName::Ipfs => NowhereToMeet::NoRelays(self),
        }
    }

    fn list() -> String {
        StrategyName::ALL.map(StrategyName::as_str).join(", ")
    }
}

impl fmt::Display for StrategyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StrategyName {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        let known = StrategyName::ALL.into_iter().find(|name| name.as_str() == text);
        // A URL that stands here by mistake may hold a password.
        known.ok_or_else(|| UnknownStrategy(RelayUrl::custom(text).to_string()))
    }
}

impl TryFrom<String> for StrategyName {
    type Error = UnknownStrategy;

    fn try_from(text: String) -> Result<Self, UnknownStrategy> {
        text.parse()
    }
}

impl fmt::Debug for Settings {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { redundancy, supabase_key, firebase_path } = self;
        f.debug_struct("Settings")
            .field("redundancy", redundancy)
            .field("supabase_key", &supabase_key.as_ref().map(|_| "…"))
            .field("firebase_path", firebase_path)
            .finish()
    }
}

impl Meeting {
    /// Reads `NAME`, or `NAME=URL,URL`.
    pub(crate) fn parse(text: &str, settings: &Settings) -> Result<Self, UnknownStrategy> {
        let (name, urls) = text.split_once('=').unwrap_or((text, ""));
        let urls = urls.split(',').map(str::trim).filter(|url| !url.is_empty());
        Ok(Meeting {
            strategy: name.parse()?,
            urls: urls.map(str::to_owned).collect(),
            settings: settings.clone(),
        })
    }

    /// The relays for an application: those that are named, or those that all would choose.
    pub(crate) fn relays(&self, app_id: &str) -> Result<Vec<RelayConfig>, NowhereToMeet> {
        let mut relays = self.relays_to_choose_from(app_id)?;
        relays.truncate(self.chosen()?);
        Ok(relays)
    }

    /// The relays that are named, or all that an application may choose from. It chooses the first
    /// of them.
    pub(crate) fn relays_to_choose_from(
        &self,
        app_id: &str,
    ) -> Result<Vec<RelayConfig>, NowhereToMeet> {
        let strategy = self.build()?;
        let urls = if self.urls.is_empty() {
            strategy.default_relays(app_id)
        } else {
            self.urls.iter().map(|url| strategy.relay_url(url)).collect::<Result<_, _>>()?
        };
        if urls.is_empty() {
            return Err(self.strategy.without_relays());
        }
        let relay = |url| RelayConfig { strategy: strategy.clone(), url };
        Ok(urls.into_iter().map(relay).collect())
    }

    /// How many of those are used. All are that are named.
    pub(crate) fn chosen(&self) -> Result<usize, NowhereToMeet> {
        if !self.urls.is_empty() {
            return Ok(usize::MAX);
        }
        let redundancy = self.settings.redundancy;
        Ok(redundancy.unwrap_or(self.build()?.redundancy()).max(1))
    }

    fn build(&self) -> Result<Arc<dyn Strategy>, NowhereToMeet> {
        let Settings { supabase_key, firebase_path, .. } = &self.settings;
        let strategy: Arc<dyn Strategy> = match self.strategy {
            StrategyName::Ws => Arc::new(WsRelay),
            StrategyName::Nostr => Arc::new(Nostr),
            StrategyName::Mqtt => Arc::new(Mqtt),
            StrategyName::Torrent => Arc::new(Torrent),
            StrategyName::Supabase => {
                let key = supabase_key.as_ref().ok_or(NowhereToMeet::NoSupabaseKey)?;
                Arc::new(Supabase::new(key))
            }
            StrategyName::Firebase => match firebase_path {
                Some(path) => Arc::new(Firebase::default().path(path)),
                None => Arc::new(Firebase::default()),
            },
            #[cfg(feature = "ipfs")]
            StrategyName::Ipfs => Arc::new(tristero_tokio::strategies::Ipfs),
            #[cfg(not(feature = "ipfs"))]
            StrategyName::Ipfs => return Err(NowhereToMeet::NoIpfs),
        };
        Ok(strategy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Meeting {
        Meeting::parse(text, &Settings::default()).unwrap()
    }

    #[test]
    fn every_name_is_read_as_it_is_written() {
        for name in StrategyName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
    }

    #[test]
    fn an_unknown_name_is_told_what_there_is_and_no_more_than_the_name() {
        let error = Meeting::parse("matt=wss://me:sesame@host", &Settings::default()).unwrap_err();
        let expected = "there is no strategy \"matt\"; \
                        there are ws, nostr, mqtt, torrent, supabase, firebase, ipfs";
        assert_eq!(error.to_string(), expected);
        let error = Meeting::parse("wss://me:sesame@host", &Settings::default()).unwrap_err();
        assert!(!error.to_string().contains("sesame"), "{error}");
    }

    #[test]
    fn relays_stand_behind_the_name() {
        assert_eq!((parse("nostr").strategy, parse("nostr").urls.len()), (StrategyName::Nostr, 0));
        let two = parse("mqtt=wss://a/x?y=z, wss://b");
        assert_eq!(
            (two.strategy, &*two.urls),
            (StrategyName::Mqtt, &["wss://a/x?y=z".to_owned(), "wss://b".to_owned()][..])
        );
    }

    #[test]
    fn relays_that_are_named_are_all_used_and_of_others_some() {
        let urls = |text: &str, redundancy| {
            let settings = Settings { redundancy, ..Settings::default() };
            Meeting::parse(text, &settings).unwrap().relays("app").map(|relays| relays.len())
        };
        assert_eq!(urls("ws=ws://a,ws://b", Some(1)), Ok(2));
        assert_eq!(urls("nostr", None), Ok(5));
        assert_eq!(urls("nostr", Some(2)), Ok(2));
        assert_eq!(urls("ws", None), Err(NowhereToMeet::NoRelays(StrategyName::Ws)));
        assert_eq!(urls("firebase", None), Err(NowhereToMeet::NoProject(StrategyName::Firebase)));
        assert_eq!(urls("firebase=https://x.firebaseio.com", None), Ok(1));
        assert!(matches!(urls("nostr=http://x", None), Err(NowhereToMeet::Url(_))));
    }

    #[test]
    fn a_project_of_supabase_has_a_key_that_its_relay_does_not_show() {
        let mut meeting = parse("supabase=https://x.supabase.co");
        assert_eq!(meeting.relays("app").unwrap_err(), NowhereToMeet::NoSupabaseKey);
        meeting.settings.supabase_key = Some("sesame".to_owned());
        let relays = meeting.relays("app").unwrap();
        assert!(!format!("{relays:?} {}", relays[0].url).contains("sesame"), "{relays:?}");
    }

    #[test]
    fn a_key_is_not_shown() {
        let settings = Settings { supabase_key: Some("sesame".to_owned()), ..Settings::default() };
        assert!(!format!("{settings:?}").contains("sesame"));
    }
}
