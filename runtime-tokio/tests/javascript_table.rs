//! The page for those who come from JavaScript leaves nothing out, and its links lead somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Each function, option and callback of `@trystero-p2p/core` 0.25.4, as its `types.d.mts` and
/// `utils.d.mts` declare them, by the section of the page that has to tell of it.
const WORDS: &[(&str, &str)] = &[
    // JoinRoomConfig with its parts, what single strategies add to it, JoinRoomCallbacks with what
    // they are given
    (
        "Joining",
        "joinRoom selfId
        appId password passive relayConfig trickleIce rtcConfig rtcPolyfill turnConfig
        _test_only_mdnsHostFallbackToLoopback _test_only_sharedPeerIdleMs
        manualReconnection warnOnRelayFailure urls redundancy
        supabaseKey firebaseApp firebasePath
        username credential credentialType
        onJoinError error roomId peerId
        onPeerHandshake send receive isInitiator data metadata handshakeTimeoutMs",
    ),
    // Room
    ("The room", "makeAction onPeerJoin onPeerLeave getPeers ping isPassive leave"),
    // MessageActionConfig, MessageAction, SendOptions, MessageContext, DataPayload
    (
        "Messages",
        "kind message send target metadata onProgress signal
        onMessage peerId onReceiveProgress
        DataPayload JsonValue Blob ArrayBuffer ArrayBufferView",
    ),
    // RequestActionConfig, RequestAction, RequestOptions, RequestManyOptions, RequestContext,
    // PeerResult, and the kinds of errors
    (
        "Requests",
        "kind request target metadata timeoutMs onProgress signal
        requestMany targets onResult PeerResult peerId status value error
        fulfilled timeout disconnected rejected aborted
        onRequest onReceiveProgress",
    ),
    // Room, AddMediaOptions, RemoveMediaOptions
    (
        "Media",
        "addStream removeStream addTrack removeTrack replaceTrack target metadata
        onPeerStream onPeerTrack",
    ),
    (
        "Relays",
        "getRelaySockets pauseRelayReconnection resumeRelayReconnection createWsRelayServer",
    ),
    // StrategyAdapter, TopicStrategyAdapter with what they are given and give, inner types, and what
    // else the package exports
    (
        "Strategies of one's own",
        "createStrategy init subscribe announce deactivate
        createTopicStrategy subscribeTopic publishTopic unpublishTopic
        topic msg signalPeer kind rootTopic selfTopic
        getOffers OfferRecord peer offer claim reclaim
        PeerHandle PeerHandlers SignalPeer Signal SocketClient MediaIdentityCache SharedMediaPeer
        steadyAnnounceIntervalMs reannounceOnDisconnect stopAnnouncing nextAnnounceMs
        all createRelayManager decodeBytes encodeBytes entries fromJson genId getRelays hashWith
        keys libName makeSocket sha1 socketGetter strToNum toHex toJson values",
    ),
];

#[test]
fn the_page_tells_of_every_word_of_the_javascript_api() {
    let page = page();
    let sections = sections(&page);
    for (section, words) in WORDS {
        let text = sections.get(section).unwrap_or_else(|| panic!("there is no section {section}"));
        let told = javascript(text);
        let missing: Vec<_> =
            words.split_whitespace().filter(|word| !told.contains(word)).collect();
        assert!(missing.is_empty(), "{section} does not tell of {missing:?}");
    }
}

#[test]
fn every_row_has_a_counterpart_or_says_that_it_comes_later() {
    for row in page().lines().filter(|line| line.starts_with("| ")) {
        let counterpart = row.split('|').nth(2).unwrap_or_default().trim();
        assert!(!counterpart.is_empty(), "{row}");
    }
}

#[test]
fn every_link_leads_to_a_file_that_has_what_it_names() {
    let page = page();
    let (text, definitions) = page.split_once("\n[`").expect("links are defined at the end");
    let definitions: BTreeMap<&str, &str> = definitions
        .lines()
        .filter_map(|line| line.trim_start_matches("[`").split_once("`]: "))
        .collect();
    for (name, target) in &definitions {
        assert!(text.contains(&format!("[`{name}`]")), "nothing links to {name}");
        if target.starts_with("https://") {
            continue;
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(target);
        let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{target}: {error}"));
        let item = name.rsplit("::").next().unwrap_or(name);
        assert!(identifiers(&source).contains(item), "{target} has no {item}");
    }
    for linked in text.split("[`").skip(1).filter_map(|rest| rest.split_once("`]")) {
        assert!(definitions.contains_key(linked.0), "the link {} is not defined", linked.0);
    }
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/from-javascript.md");
    fs::read_to_string(path).expect("the page is there")
}

/// The text under each heading.
fn sections(page: &str) -> BTreeMap<&str, &str> {
    page.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect()
}

/// The identifiers that a section shows as JavaScript: of a table those in the first column.
fn javascript(section: &str) -> BTreeSet<&str> {
    let shown = section.lines().filter_map(|line| match line.strip_prefix('|') {
        Some(row) => row.split('|').next(),
        None => Some(line),
    });
    let code = shown.flat_map(|text| text.split('`').skip(1).step_by(2));
    code.flat_map(identifiers).collect()
}

fn identifiers(text: &str) -> BTreeSet<&str> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_').collect()
}
