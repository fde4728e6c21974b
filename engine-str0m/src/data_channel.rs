//! The one data channel of a connection: which it is, and whether it takes more.
//!
//! The offerer opens it, the answerer waits for the first one labelled `data`. Any other is closed
//! and counted.

use str0m::channel::ChannelId;

/// The label of the channel that Trystero uses.
///
/// spec: docs/protocol.md, section 3
pub(crate) const LABEL: &str = "data";

/// Where the channel stands.
#[derive(Debug)]
pub(crate) enum DataChannel {
    /// It is not open yet. `ours` is the one we opened, if it was on us to do so.
    Awaited { ours: Option<ChannelId> },
    /// We opened it, and the other side uses it; its acknowledgement comes later, and until then
    /// nothing can be sent (RFC 8832 section 6 allows both).
    Early { id: ChannelId, flow: Flow },
    /// It takes messages.
    Open { id: ChannelId, flow: Flow },
}

/// Whether a channel takes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Free,
    /// Somebody was sent away, and is to be called once no more than this is in flight.
    Full {
        low: usize,
    },
}

/// What the opening of a channel means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// The connection is open.
    Opened,
    /// It was open already and can be sent on now; `is_awaited` if somebody was sent away.
    Completed { is_awaited: bool },
    /// It is not the channel that counts.
    Surplus,
}

/// What a message means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is one of ours.
    Message,
    /// It is one of ours, and says that the connection is open.
    OpensChannel,
    /// It came over another channel.
    Surplus,
}

impl DataChannel {
    pub(crate) fn on_open(&mut self, opened: ChannelId, label: &str) -> Opening {
        match *self {
            DataChannel::Awaited { ours } if is_the_one(ours, opened, label) => {
                *self = DataChannel::Open { id: opened, flow: Flow::Free };
                Opening::Opened
            }
            DataChannel::Early { id, flow } if id == opened => {
                *self = DataChannel::Open { id, flow: Flow::Free };
                Opening::Completed { is_awaited: flow != Flow::Free }
            }
            DataChannel::Awaited { .. } | DataChannel::Early { .. } | DataChannel::Open { .. } => {
                Opening::Surplus
            }
        }
    }

    pub(crate) fn on_message(&mut self, channel: ChannelId) -> Arrival {
        match *self {
            DataChannel::Awaited { ours } if ours == Some(channel) => {
                *self = DataChannel::Early { id: channel, flow: Flow::Free };
                Arrival::OpensChannel
            }
            DataChannel::Early { id, .. } | DataChannel::Open { id, .. } if id == channel => {
                Arrival::Message
            }
            DataChannel::Awaited { .. } | DataChannel::Early { .. } | DataChannel::Open { .. } => {
                Arrival::Surplus
            }
        }
    }

    /// Whether this is the channel that counts.
    pub(crate) fn is(&self, channel: ChannelId) -> bool {
        match *self {
            DataChannel::Awaited { ours } => ours == Some(channel),
            DataChannel::Early { id, .. } | DataChannel::Open { id, .. } => id == channel,
        }
    }

    /// The channel that counts, once the connection is open.
    pub(crate) fn id(&self) -> Option<ChannelId> {
        match *self {
            DataChannel::Awaited { .. } => None,
            DataChannel::Early { id, .. } | DataChannel::Open { id, .. } => Some(id),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        !matches!(self, DataChannel::Awaited { .. })
    }

    /// Whether somebody was sent away and not called yet.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, DataChannel::Open { flow: Flow::Full { .. }, .. })
    }

    /// The channel to write to, unless somebody was sent away and not called yet.
    pub(crate) fn writable(&self) -> Option<ChannelId> {
        match *self {
            DataChannel::Open { id, flow: Flow::Free } => Some(id),
            DataChannel::Open { flow: Flow::Full { .. }, .. }
            | DataChannel::Early { .. }
            | DataChannel::Awaited { .. } => None,
        }
    }

    /// Notes that a message was sent away, and is to be called once no more than this is in
    /// flight.
    pub(crate) fn fill(&mut self, low: usize) {
        if let DataChannel::Early { flow, .. } | DataChannel::Open { flow, .. } = self
            && *flow == Flow::Free
        {
            *flow = Flow::Full { low };
        }
    }

    /// Whether whoever was sent away can be called, now that so much is in flight.
    pub(crate) fn drain(&mut self, in_flight: usize) -> bool {
        match self {
            DataChannel::Open { flow, .. } => {
                let is_low = matches!(*flow, Flow::Full { low } if in_flight <= low);
                if is_low {
                    *flow = Flow::Free;
                }
                is_low
            }
            DataChannel::Awaited { .. } | DataChannel::Early { .. } => false,
        }
    }
}

fn is_the_one(ours: Option<ChannelId>, opened: ChannelId, label: &str) -> bool {
    match ours {
        Some(ours) => ours == opened,
        None => label == LABEL,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]
    use std::time::Instant;

    use str0m::Rtc;

    use super::*;

    /// Two channels; only str0m can name them.
    fn ids() -> (ChannelId, ChannelId) {
        let mut rtc = Rtc::new(Instant::now());
        let mut changes = rtc.sdp_api();
        (changes.add_channel(String::new()), changes.add_channel(String::new()))
    }

    #[test]
    fn an_offerers_channel_is_the_one_it_opened_whatever_others_are_called() {
        let (ours, other) = ids();
        let mut channel = DataChannel::Awaited { ours: Some(ours) };
        assert_eq!(channel.on_open(other, LABEL), Opening::Surplus);
        assert_eq!(channel.on_message(other), Arrival::Surplus);
        assert!(!channel.is_open());
        assert_eq!(channel.on_open(ours, LABEL), Opening::Opened);
        assert_eq!(channel.on_message(ours), Arrival::Message);
        assert_eq!(channel.writable(), Some(ours));
    }

    #[test]
    fn an_answerers_channel_is_the_first_with_the_right_label() {
        let (first, second) = ids();
        let mut channel = DataChannel::Awaited { ours: None };
        assert_eq!(channel.on_message(first), Arrival::Surplus);
        assert_eq!(channel.on_open(first, "chat"), Opening::Surplus);
        assert_eq!(channel.on_open(second, LABEL), Opening::Opened);
        assert_eq!(channel.on_open(first, LABEL), Opening::Surplus);
        assert!(channel.is(second) && !channel.is(first));
    }

    #[test]
    fn a_message_before_the_acknowledgement_opens_the_channel_but_nothing_can_be_sent_yet() {
        let (ours, _) = ids();
        let mut channel = DataChannel::Awaited { ours: Some(ours) };
        assert_eq!(channel.on_message(ours), Arrival::OpensChannel);
        assert_eq!(channel.on_message(ours), Arrival::Message);
        assert!(channel.is_open());
        assert_eq!(channel.writable(), None);
        channel.fill(10);
        assert!(!channel.drain(0), "it is the acknowledgement that is waited for");
        assert_eq!(channel.on_open(ours, LABEL), Opening::Completed { is_awaited: true });
        assert_eq!(channel.writable(), Some(ours));
    }

    #[test]
    fn whoever_was_sent_away_is_called_once_and_when_its_message_fits() {
        let (ours, _) = ids();
        let mut channel = DataChannel::Awaited { ours: Some(ours) };
        channel.on_open(ours, LABEL);
        assert!(!channel.drain(0), "nobody was sent away");
        channel.fill(0);
        channel.fill(10);
        assert!(!channel.drain(1), "the first one that was sent away counts");
        assert!(channel.drain(0));
        assert!(!channel.drain(0));
    }
}
