//! A relay session made of a topic codec.

use std::collections::VecDeque;

use crate::signaling::strategy::{
    Decoded, LinkTarget, Publication, RelaySession, SessionInput, SessionOutput, Subscription,
    TopicCodec,
};
use crate::time::{Deadline, Time};

/// Gives a [`TopicCodec`] the form of a [`RelaySession`].
#[derive(Debug)]
pub struct TopicSession<C> {
    codec: C,
    outputs: VecDeque<SessionOutput>,
}

impl<C: TopicCodec> TopicSession<C> {
    /// A session that speaks by this codec.
    pub fn new(codec: C) -> Self {
        TopicSession { codec, outputs: VecDeque::new() }
    }
}

impl<C: TopicCodec> RelaySession for TopicSession<C> {
    fn target(&self) -> LinkTarget {
        self.codec.target()
    }

    fn handle_input(&mut self, input: SessionInput<'_>, _now: Time) {
        let output = match input {
            SessionInput::Opened | SessionInput::WallClock(_) | SessionInput::Rest { .. } => return,
            // Only strategies that say so trade offers, and they are no topic codecs.
            SessionInput::Offer(_) => return,
            SessionInput::Closed => return self.outputs.clear(),
            SessionInput::Frame(frame) => match self.codec.decode(frame) {
                Ok(Decoded::Message { topic, body }) => SessionOutput::Message { topic, body },
                Ok(Decoded::Subscribed(topic)) => SessionOutput::Subscribed(topic),
                Ok(Decoded::Nothing) => return,
                Err(malformed) => SessionOutput::Malformed(malformed.0),
            },
            SessionInput::Subscribe(Subscription { topic, .. }) => {
                self.outputs.push_back(SessionOutput::Send(self.codec.subscribe(topic)));
                if self.codec.acknowledges_subscriptions() {
                    return;
                }
                SessionOutput::Subscribed(topic.clone())
            }
            SessionInput::Unsubscribe(Subscription { topic, .. }) => {
                SessionOutput::Send(self.codec.unsubscribe(topic))
            }
            SessionInput::Publish(Publication { topic, signal, .. }) => {
                SessionOutput::Send(self.codec.publish(topic, &signal.emit()))
            }
        };
        self.outputs.push_back(output);
    }

    fn handle_timeout(&mut self, _now: Time) {}

    fn poll_output(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        None
    }
}
