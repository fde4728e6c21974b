//! What is done about lines of input.

use std::future::IntoFuture;
use std::path::PathBuf;
use std::time::Duration;

use indicatif::HumanBytes;
use tokio::task::JoinError;
use tokio::time::timeout;
use tristero_tokio::{PeerId, PingError, SendBuilder, SendError, Sent};

use super::{Conversation, Next};
use crate::chat::command::{HELP, Line};
use crate::chat::people::Unfound;
use crate::chat::text::printable;
use crate::chat::told;
use crate::exit::Failure;
use crate::words::milliseconds;

/// What the last lines get to be handed over after the end of stdin. A peer that takes longer is
/// as good as gone.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Pings that wait for their answers. A peer that does not answer is not asked for ever.
const PINGS_MAX: usize = 1024;

impl Conversation {
    pub(super) async fn on_line(&mut self, line: &[u8]) -> Result<Next, Failure> {
        match Line::parse(line) {
            Line::Nothing => {}
            Line::Say(words) => self.say(words),
            Line::Ping(who) => self.ping(who.as_deref()),
            Line::Who => self.show_who()?,
            Line::Relays => self.show_relays()?,
            Line::Send { file, to } => self.offer(file, to.as_deref()).await,
            Line::Accept(number) => {
                if let Err(why) = self.files.accept(number, &self.people) {
                    self.terminal.note(&why.to_string());
                }
            }
            Line::Help => HELP.iter().try_for_each(|line| self.terminal.show(line))?,
            Line::Quit => return Ok(Next::Leave),
            Line::Wrong(why) => self.terminal.note(&why),
        }
        Ok(Next::GoOn)
    }

    fn say(&mut self, words: String) {
        if self.people.present().next().is_none() {
            self.terminal.note("nobody is here to hear that");
            return;
        }
        let send = self.chat.send(words);
        self.hand_over(send);
    }

    fn ping(&mut self, who: Option<&str>) {
        let Some(peers) = self.meant(who) else { return };
        for peer in peers {
            if self.pinging.len() >= PINGS_MAX {
                self.terminal.note("too many pings were not answered yet");
                return;
            }
            let room = self.room.clone();
            self.pinging.spawn(async move {
                let pong = room.ping(&peer).await;
                (peer, pong)
            });
        }
    }

    pub(super) fn on_pong(
        &mut self,
        peer: &PeerId,
        pong: Result<Duration, PingError>,
    ) -> Result<(), Failure> {
        let title = self.people.title(peer);
        match pong {
            Ok(rtt) => {
                self.terminal.show(&format!("* {title} answers after {}", milliseconds(rtt)))
            }
            Err(error) => {
                self.terminal.note(&format!("{title} does not answer: {error}"));
                Ok(())
            }
        }
    }

    fn show_who(&self) -> Result<(), Failure> {
        let connections = self.room.peers();
        for peer in self.people.present() {
            let connection = connections.get(peer).cloned().unwrap_or_default();
            let line = told::connection(&self.people.full_title(peer), &connection);
            self.terminal.show(&line)?;
        }
        let own = match self.people.own_name() {
            Some(name) => format!("* you are {name} ({})", self.room.self_id()),
            None => format!("* you are {}", self.room.self_id()),
        };
        self.terminal.show(&own)
    }

    fn show_relays(&self) -> Result<(), Failure> {
        let now = self.room.node().now();
        self.room.relays().iter().try_for_each(|relay| self.terminal.show(&told::relay(relay, now)))
    }

    async fn offer(&mut self, file: PathBuf, to: Option<&str>) {
        let Some(peers) = self.meant(to) else { return };
        let note = match self.files.offer(file, &peers, &self.people).await {
            Ok((name, size)) => {
                let to = match &peers[..] {
                    [peer] => self.people.title(peer),
                    peers => format!("{} peers", peers.len()),
                };
                format!("offered {name}, {}, to {to}", HumanBytes(size))
            }
            Err(error) => printable(&error.to_string()).into_owned(),
        };
        self.terminal.note(&note);
    }

    /// Who is meant: one, or all. If it is nobody that is said.
    fn meant(&self, who: Option<&str>) -> Option<Vec<PeerId>> {
        let meant = match who {
            Some(who) => self.people.find(who).map(|peer| vec![peer]),
            None => Ok(self.people.present().cloned().collect()),
        };
        match meant {
            Ok(peers) if peers.is_empty() => self.terminal.note("nobody else is here"),
            Ok(peers) => return Some(peers),
            Err(unfound @ (Unfound::Nobody(_) | Unfound::Several(_))) => {
                self.terminal.note(&unfound.to_string());
            }
        }
        None
    }

    /// Sends now, so that lines keep their order, and waits elsewhere.
    pub(super) fn hand_over(&mut self, send: SendBuilder) {
        self.sending.spawn(send.into_future());
    }

    pub(super) fn report(&self, sent: Result<Result<Sent, SendError>, JoinError>) {
        match sent {
            Ok(Ok(sent)) => {
                for (peer, failure) in &sent.failed {
                    let title = self.people.title(peer);
                    self.terminal.note(&format!("not sent to {title}: {failure}"));
                }
            }
            Ok(Err(error)) => {
                self.terminal.note(&format!("not sent: {}", printable(&error.to_string())));
            }
            Err(error) => self.terminal.note(&format!("not sent: {error}")),
        }
    }

    /// Hands over what was said, and gives up on the rest.
    pub(super) async fn finish(mut self) {
        let handed_over = async {
            while let Some(sent) = self.sending.join_next().await {
                self.report(sent);
            }
        };
        if timeout(LAST_LINES, handed_over).await.is_err() {
            self.terminal.note("not everybody got the last lines");
        }
        self.files.stop().await;
    }
}
