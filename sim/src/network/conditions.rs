//! What a path does to the datagrams that cross it.

use std::time::Duration;

use str0m_netem::{
    Bitrate, DataSize, GilbertElliot, LossModel, NetemConfig, Probability, RandomLoss,
};

/// What one direction between two hosts is like. The default carries everything in 20 ms.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Conditions {
    /// How long a datagram takes.
    pub latency: Duration,
    /// How much longer or shorter some take. None overtakes another for that.
    pub jitter: Duration,
    /// What gets lost.
    pub loss: Loss,
    /// How many of a hundred arrive twice.
    pub doubled_percent: f32,
    /// One in so many arrives with the one that was sent before it, and ahead of it: at once, if that
    /// one has arrived. None if 0.
    pub reordered_every: u32,
    /// How many bytes pass in a second, and how many may be on their way; no limit if `None`.
    pub rate: Option<(u64, usize)>,
    /// The largest datagram that passes, in bytes of UDP payload.
    pub mtu: usize,
}

/// What gets lost.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Loss {
    /// Nothing.
    None,
    /// So many of a hundred, each for itself.
    Random {
        /// From 0 to 100.
        percent: f32,
    },
    /// In bursts: a Gilbert–Elliott channel that is good for a while, then bad.
    Bursts {
        /// How many datagrams a good time lasts on average.
        good: f32,
        /// How many datagrams a bad time lasts on average.
        bad: f32,
        /// How many of a hundred are lost in a bad time.
        percent: f32,
    },
    /// Everything.
    All,
}

impl Default for Conditions {
    fn default() -> Self {
        Conditions {
            latency: Duration::from_millis(20),
            jitter: Duration::ZERO,
            loss: Loss::None,
            doubled_percent: 0.0,
            reordered_every: 0,
            rate: None,
            mtu: ETHERNET_MTU,
        }
    }
}

impl Conditions {
    /// A path that takes so long in each direction, and does nothing else.
    pub fn latency(latency: Duration) -> Self {
        Conditions { latency, ..Conditions::default() }
    }

    /// The same, with jitter.
    #[must_use]
    pub fn with_jitter(self, jitter: Duration) -> Self {
        Conditions { jitter, ..self }
    }

    /// The same, with this loss.
    #[must_use]
    pub fn with_loss(self, loss: Loss) -> Self {
        Conditions { loss, ..self }
    }

    /// The same, with so many of a hundred lost at random.
    #[must_use]
    pub fn with_random_loss(self, percent: f32) -> Self {
        self.with_loss(Loss::Random { percent })
    }

    /// The same, with so many of a hundred arriving twice.
    #[must_use]
    pub fn with_doubled(self, doubled_percent: f32) -> Self {
        Conditions { doubled_percent, ..self }
    }

    /// The same, with one in so many overtaking the one before it.
    #[must_use]
    pub fn with_reordered_every(self, reordered_every: u32) -> Self {
        Conditions { reordered_every, ..self }
    }

    /// The same, with a bottleneck of so many bytes in a second in which there may be so many.
    #[must_use]
    pub fn with_rate(self, bytes_per_second: u64, queue_bytes: usize) -> Self {
        Conditions { rate: Some((bytes_per_second, queue_bytes)), ..self }
    }

    /// The same, for datagrams of so many bytes at most.
    #[must_use]
    pub fn with_mtu(self, mtu: usize) -> Self {
        Conditions { mtu, ..self }
    }

    /// What `str0m-netem` calls this.
    pub(super) fn netem(self, seed: u64) -> NetemConfig {
        let percent = |percent: f32| Probability::new((percent / 100.0).clamp(0.0, 1.0));
        let loss = match self.loss {
            Loss::None => LossModel::None,
            Loss::Random { percent: lost } => RandomLoss::new(percent(lost)).into(),
            Loss::Bursts { good, bad, percent: lost } => GilbertElliot::new()
                .good_duration(good)
                .bad_duration(bad)
                .loss_in_bad(percent(lost))
                .into(),
            Loss::All => RandomLoss::new(Probability::ONE).into(),
        };
        let mut config = NetemConfig::new()
            .latency(self.latency)
            .jitter(self.jitter)
            .loss(loss)
            .duplicate(percent(self.doubled_percent))
            .seed(seed);
        if self.reordered_every > 0 {
            config = config.reorder_gap(self.reordered_every);
        }
        if let Some((rate, queue)) = self.rate {
            config = config.link(Bitrate::from(rate * 8), DataSize::from(queue));
        }
        config
    }
}

/// What an Ethernet frame holds, less the headers of IPv4 and UDP.
const ETHERNET_MTU: usize = 1_472;
