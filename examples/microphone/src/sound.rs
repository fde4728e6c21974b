//! The microphone and the speaker of this machine, at 48,000 samples a second of one channel.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{BufferSize, Stream, StreamConfig, SupportedStreamConfig};
use tokio::sync::mpsc;
use tristero_tokio::PeerTrackId;

/// Samples a second; what Opus works at inside.
pub const RATE: u32 = 48_000;
/// A voice begins when so much of it waits, 60 ms, so that it does not break off at each delay.
const DELAY_SAMPLES: usize = 2_880;
/// What waits beyond this, 300 ms, is left out: clocks differ, and talk that is late is none.
const WAITING_SAMPLES_MAX: usize = 14_400;

/// Begins to record. What nobody takes in time is lost.
pub fn record(to: mpsc::Sender<Vec<f32>>) -> Result<Stream> {
    let device = cpal::default_host().default_input_device().context("no device records")?;
    let config = with_our_rate(&device.default_input_config()?);
    let channels = usize::from(config.channels.max(1));
    let take = move |samples: &[f32], _: &_| {
        let mixed = samples.chunks_exact(channels).map(|all| all.iter().sum::<f32>());
        to.try_send(mixed.map(|sum| sum / channels as f32).collect()).ok();
    };
    let stream = device.build_input_stream(config, take, |error| eprintln!("{error}"), None)?;
    stream.play()?;
    Ok(stream)
}

/// Begins to play what is heard.
pub fn play(voices: Voices) -> Result<Stream> {
    let device = cpal::default_host().default_output_device().context("no device plays")?;
    let config = with_our_rate(&device.default_output_config()?);
    let channels = usize::from(config.channels.max(1));
    let give = move |samples: &mut [f32], _: &_| voices.mix(samples, channels);
    let stream = device.build_output_stream(config, give, |error| eprintln!("{error}"), None)?;
    stream.play()?;
    Ok(stream)
}

fn with_our_rate(config: &SupportedStreamConfig) -> StreamConfig {
    let (channels, buffer_size) = (config.channels(), BufferSize::Default);
    StreamConfig { channels, sample_rate: RATE, buffer_size }
}

/// What is to be played of all who speak; clones are handles of the same.
#[derive(Clone, Default)]
pub struct Voices(Arc<Mutex<BTreeMap<PeerTrackId, Voice>>>);

#[derive(Default)]
struct Voice {
    waiting: VecDeque<f32>,
    is_playing: bool,
}

impl Voices {
    /// Plays this after what was heard of the same voice.
    pub fn hear(&self, track: PeerTrackId, samples: &[f32]) {
        let mut voices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        voices.entry(track).or_default().hear(samples);
    }

    /// A voice has ended.
    pub fn end(&self, track: PeerTrackId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&track);
    }

    fn mix(&self, samples: &mut [f32], channels: usize) {
        let mut voices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for all in samples.chunks_mut(channels) {
            let sum: f32 = voices.values_mut().map(Voice::next).sum();
            all.fill(sum.clamp(-1.0, 1.0));
        }
    }
}

impl Voice {
    fn hear(&mut self, samples: &[f32]) {
        self.waiting.extend(samples);
        self.waiting.drain(..self.waiting.len().saturating_sub(WAITING_SAMPLES_MAX));
        self.is_playing |= self.waiting.len() >= DELAY_SAMPLES;
    }

    /// Silence, while too little waits.
    fn next(&mut self) -> f32 {
        if !self.is_playing {
            return 0.0;
        }
        self.is_playing = self.waiting.len() > 1;
        self.waiting.pop_front().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_begins_when_enough_waits_and_keeps_what_is_new() {
        let mut voice = Voice::default();
        voice.hear(&[0.5; DELAY_SAMPLES - 1]);
        assert_eq!(voice.next(), 0.0);
        voice.hear(&[0.25]);
        assert_eq!((voice.next(), voice.waiting.len()), (0.5, DELAY_SAMPLES - 1));
        voice.hear(&[0.125; WAITING_SAMPLES_MAX]);
        assert_eq!((voice.next(), voice.waiting.len()), (0.125, WAITING_SAMPLES_MAX - 1));
        (1..WAITING_SAMPLES_MAX).for_each(|_| assert_eq!(voice.next(), 0.125));
        assert_eq!((voice.next(), voice.is_playing), (0.0, false));
    }
}
