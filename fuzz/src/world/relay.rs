//! A relay that speaks Trystero's own protocol, a tracker, and the links to both.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tristero_proto::LinkId;
use tristero_proto::signaling::LinkFrame;

use super::Who;
use crate::common::tracker::Tracker;

#[derive(Default)]
pub(crate) struct Relay {
    /// Every link that was dialled, also those that are gone.
    links: Vec<(Who, LinkId)>,
    subscriptions: BTreeMap<String, BTreeSet<(Who, LinkId)>>,
    tracker: Tracker,
    pub(crate) is_down: bool,
}

impl Relay {
    /// Every link of a node, also those that are gone.
    pub(crate) fn links(&self, who: Who) -> Vec<LinkId> {
        self.links.iter().filter(|(whose, _)| *whose == who).map(|(_, link)| *link).collect()
    }

    /// Who has subscribed a topic.
    pub(crate) fn subscribers(&self, topic: &str) -> Vec<(Who, LinkId)> {
        self.subscriptions.get(topic).into_iter().flatten().copied().collect()
    }

    /// A node dials; true if it gets a link.
    pub(super) fn on_dial(&mut self, who: Who, link: LinkId) -> bool {
        self.links.push((who, link));
        !self.is_down
    }

    /// Takes a frame, and gives those that follow from it. What is not of the protocol would be a
    /// node's fault.
    pub(super) fn on_frame(
        &mut self,
        who: Who,
        link: LinkId,
        frame: &LinkFrame,
    ) -> Vec<(Who, LinkId, String)> {
        let LinkFrame::Text(text) = frame else { unreachable!("this relay takes text") };
        let frame: Value = serde_json::from_str(text).expect("a node sends JSON");
        if frame["action"] == "announce" {
            return self.on_announce(who, link, &frame);
        }
        let text = |key: &str| frame[key].as_str().expect("a node sends texts").to_owned();
        let topic = text("topic");
        match &*text("type") {
            "subscribe" => {
                self.subscriptions.entry(topic).or_default().insert((who, link));
                Vec::new()
            }
            "unsubscribe" => {
                self.subscriptions.entry(topic).or_default().remove(&(who, link));
                Vec::new()
            }
            "publish" => {
                let message = delivery(&topic, &text("payload"));
                let subscribers = self.subscribers(&topic).into_iter();
                subscribers.map(|(to, link)| (to, link, message.clone())).collect()
            }
            other => unreachable!("no relay knows {other}"),
        }
    }

    fn on_announce(&mut self, who: Who, link: LinkId, frame: &Value) -> Vec<(Who, LinkId, String)> {
        if !frame["answer"].is_object() && !frame["offers"].is_array() {
            return Vec::new();
        }
        let passed = self.tracker.on_frame(who, link, frame).into_iter();
        passed.map(|(to, link, frame)| (to, link, frame.to_string())).collect()
    }

    pub(crate) fn forget(&mut self, who: Who, link: LinkId) {
        for subscribers in self.subscriptions.values_mut() {
            subscribers.remove(&(who, link));
        }
        self.tracker.forget(who, link);
    }
}

/// What a relay sends to those that have subscribed a topic.
pub(crate) fn delivery(topic: &str, payload: &str) -> String {
    json!({ "topic": topic, "payload": payload }).to_string()
}
