//! What the outside world did that was dropped.

/// Counts of what was dropped since the engine was made.
///
/// None of it is an error: the network carries strangers' datagrams, and peers have candidates and
/// channels that are of no use here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Datagrams that belong to no connection.
    pub stranger_datagrams: u64,
    /// STUN messages that name a connection and whose key is wrong.
    pub forged_datagrams: u64,
    /// Datagrams from a connection's own path that str0m could make nothing of.
    pub refused_datagrams: u64,
    /// STUN messages over more paths, or with more addresses of ours, than a connection may have.
    pub surplus_paths: u64,
    /// Remote candidates that are names, and not names that hide an address of a machine
    /// (`….local`); they are not asked for.
    pub name_candidates: u64,
    /// Remote candidates that are malformed or of no use: TCP, another component, another ICE
    /// generation, addresses that no datagram can be sent to.
    pub unusable_candidates: u64,
    /// Remote candidates beyond what one connection may have.
    pub surplus_candidates: u64,
    /// Text messages on the data channel; Trystero sends binary ones only.
    pub text_messages: u64,
    /// Packets of audio and video, and frames made of them, that nobody had announced.
    pub surplus_media: u64,
    /// Frames that could not be put together, or not taken apart.
    pub unusable_media: u64,
    /// Data channels that a peer opened beside the one that counts, and that were closed.
    pub surplus_channels: u64,
}
