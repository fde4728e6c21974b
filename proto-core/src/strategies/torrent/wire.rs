//! What is said to trackers, and what they say.

use serde::{Deserialize, Serialize};

use crate::crypto::Topic;
use crate::ids::PeerId;
use crate::wire::OfferId;

/// What a client sends, with its fields in Trystero's order.
#[derive(Debug, Serialize)]
pub(super) struct Request<'a> {
    action: &'static str,
    info_hash: &'a str,
    peer_id: &'a str,
    #[serde(flatten)]
    body: Body<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Body<'a> {
    Announce {
        /// What is left to be downloaded; nothing makes a seeder, which gets offers and makes none.
        #[serde(skip_serializing_if = "Option::is_none")]
        left: Option<u8>,
        numwant: usize,
        offers: Vec<Offer<'a>>,
    },
    Answer {
        answer: Description<'a>,
        offer_id: &'a str,
        to_peer_id: &'a str,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Offer<'a> {
    offer_id: &'a str,
    offer: Description<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Description<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sdp: &'a str,
}

/// What a tracker sends; everything in it may be missing.
#[derive(Debug, Deserialize)]
pub(super) struct Response {
    pub(super) info_hash: Option<String>,
    pub(super) peer_id: Option<String>,
    pub(super) offer_id: Option<String>,
    pub(super) offer: Option<Received>,
    pub(super) answer: Option<Received>,
    pub(super) interval: Option<f64>,
    #[serde(rename = "failure reason")]
    pub(super) failure: Option<String>,
    #[serde(rename = "warning message")]
    pub(super) warning: Option<String>,
}

/// A description; JavaScript may send an answer without any.
#[derive(Debug, Deserialize)]
pub(super) struct Received {
    pub(super) sdp: Option<String>,
}

/// The torrent that stands for a room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InfoHash(String);

impl InfoHash {
    /// The length that trackers expect, in bytes.
    const LENGTH: usize = 20;

    pub(super) fn of(root: &Topic) -> Self {
        let digits = Topic::hash(root.as_str());
        InfoHash(digits.as_str().chars().take(Self::LENGTH).collect())
    }

    pub(super) fn from_wire(text: String) -> Self {
        InfoHash(text)
    }
}

impl<'a> Request<'a> {
    pub(super) fn new(info_hash: &'a InfoHash, from: &'a PeerId, body: Body<'a>) -> Self {
        Request { action: "announce", info_hash: &info_hash.0, peer_id: from.as_str(), body }
    }

    pub(super) fn emit(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }
}

impl<'a> Body<'a> {
    /// How many others are to get an offer.
    const OTHERS_WANTED: usize = 3;

    pub(super) fn announce(offers: &'a [(OfferId, String)], is_dormant: bool) -> Self {
        let offer = |(id, sealed): &'a (OfferId, String)| Offer {
            offer_id: id.as_str(),
            offer: Description { kind: "offer", sdp: sealed },
        };
        Body::Announce {
            left: is_dormant.then_some(0),
            numwant: Self::OTHERS_WANTED,
            offers: offers.iter().map(offer).collect(),
        }
    }

    pub(super) fn answer(to: &'a PeerId, offer_id: &'a OfferId, sealed: &'a str) -> Self {
        Body::Answer {
            answer: Description { kind: "answer", sdp: sealed },
            offer_id: offer_id.as_str(),
            to_peer_id: to.as_str(),
        }
    }
}
