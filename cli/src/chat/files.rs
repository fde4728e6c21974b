//! Files: offered first, and sent only to who accepts.
//!
//! An offer is a request, whose answer is a ticket of the one who accepts. The file is a transfer
//! with that ticket, and what comes without one that was given is dropped. An offer stands for as
//! long as both are in the room.

mod event;
mod open_offers;

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, IntoFuture, ready};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::debug;
use tristero_tokio::{
    ActionError, Incoming, PeerId, Request, RequestAction, RequestError, Requests, Responder, Room,
    SendError, TransferAction, TransferError, send_file,
};

use self::event::ASKING_MAX;
pub(crate) use self::event::{FileEvent, News, OfferError};
pub(crate) use self::open_offers::NoOffer;
use self::open_offers::{Open, OpenOffers};
use super::file_name::safe_file_name;
use super::people::People;
use super::saving::save;
use super::terminal::Terminal;

/// How long a file may take to begin after it was accepted: its sender was there to offer it.
const BEGIN_MAX: Duration = Duration::from_secs(30);

/// The action that files are offered on.
const OFFER_ACTION: &str = "file offer";
/// The action that files are sent on.
const FILE_ACTION: &str = "file";

/// What is asked: whether this file is wanted.
#[derive(Debug, Serialize, Deserialize)]
struct Offer {
    /// What it is called where it comes from.
    name: String,
    /// In bytes.
    size: u64,
}

/// What is answered by who wants it, and comes with the file.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Ticket {
    /// The number of the offer, at the one who got it.
    ticket: u64,
}

/// See the [module](self).
pub(crate) struct Files {
    folder: PathBuf,
    terminal: Terminal,
    offering: RequestAction<Offer, Ticket>,
    offered: Requests<Offer, Ticket>,
    transfers: TransferAction,
    open: OpenOffers<Responder<Ticket>>,
    /// Who has a ticket and is about to send.
    awaited: BTreeMap<(PeerId, u64), oneshot::Sender<Incoming>>,
    /// Offers of ours that stand.
    asking: JoinSet<(Asked, Result<Ticket, RequestError>)>,
    moving: JoinSet<News>,
    /// What happened and was not told.
    untold: VecDeque<FileEvent>,
}

/// An offer of ours, to one peer.
struct Asked {
    peer: PeerId,
    /// What the peer is called.
    title: String,
    file: PathBuf,
    name: String,
    size: u64,
}

impl Files {
    /// Accepted files are saved in this folder.
    pub(crate) fn new(
        room: &Room,
        folder: PathBuf,
        terminal: Terminal,
    ) -> Result<Self, ActionError> {
        let offering: RequestAction<Offer, Ticket> = room.request_action(OFFER_ACTION)?;
        Ok(Files {
            folder,
            terminal,
            offered: offering.requests(),
            offering,
            transfers: room.transfer_action(FILE_ACTION)?,
            open: OpenOffers::new(),
            awaited: BTreeMap::new(),
            asking: JoinSet::new(),
            moving: JoinSet::new(),
            untold: VecDeque::new(),
        })
    }

    /// Offers a file to these, and says what it is called and how large it is.
    pub(crate) async fn offer(
        &mut self,
        file: PathBuf,
        peers: &[PeerId],
        people: &People,
    ) -> Result<(String, u64), OfferError> {
        if self.asking.len() + peers.len() > ASKING_MAX {
            return Err(OfferError::TooMany);
        }
        let metadata = match tokio::fs::metadata(&file).await {
            Ok(metadata) => metadata,
            Err(why) => return Err(OfferError::Unreadable { file, why }),
        };
        let name = match file.file_name() {
            Some(name) if metadata.is_file() => name.to_string_lossy().into_owned(),
            Some(_) | None => return Err(OfferError::NoFile(file)),
        };
        let size = metadata.len();
        for peer in peers {
            let offer = Offer { name: name.clone(), size };
            let asking = self.offering.request(peer, offer).into_future();
            let (title, name) = (people.title(peer), safe_file_name(&name));
            let asked = Asked { peer: peer.clone(), title, file: file.clone(), name, size };
            self.asking.spawn(async move { (asked, asking.await) });
        }
        Ok((safe_file_name(&name), size))
    }

    /// Accepts the offer of this number, or the only one.
    pub(crate) fn accept(&mut self, number: Option<u64>, people: &People) -> Result<(), NoOffer> {
        let (ticket, open) = self.open.take(number)?;
        let Open { peer, name, size, responder } = open;
        let (begin, begun) = oneshot::channel();
        self.awaited.insert((peer.clone(), ticket), begin);
        let bar = self.terminal.bar(name.clone(), size);
        let (folder, of) = (self.folder.clone(), people.title(&peer));
        self.moving.spawn(async move {
            let coming = begin_coming(responder, Ticket { ticket }, begun);
            let result = match coming.await {
                Ok(incoming) => {
                    let saved = save(incoming, &folder, &name, size, |bytes| bar.set(bytes)).await;
                    saved.map_err(|error| error.to_string())
                }
                Err(why) => Err(why),
            };
            News::Saved { of, name, result }
        });
        Ok(())
    }

    /// The next thing that happens; `None` once the room was left. Nothing is lost if the future
    /// is dropped.
    pub(crate) async fn next(&mut self) -> Option<FileEvent> {
        loop {
            if let Some(event) = self.untold.pop_front() {
                return Some(event);
            }
            tokio::select! {
                asked = self.offered.recv() => {
                    if let Ok((request, responder)) = asked? {
                        self.on_offered(request, responder);
                    }
                }
                incoming = self.transfers.recv() => self.on_incoming(incoming?),
                Some(answered) = self.asking.join_next() => {
                    let (asked, answer) = answered.expect(UNHARMED);
                    self.on_answered(asked, answer);
                }
                Some(moved) = self.moving.join_next() => {
                    self.untold.push_back(FileEvent::News(moved.expect(UNHARMED)));
                }
            }
        }
    }

    /// Somebody has left; what they sent before is there by now.
    pub(crate) async fn leave(&mut self, peer: &PeerId) {
        while let Some(incoming) = now(self.transfers.recv()).await.flatten() {
            self.on_incoming(incoming);
        }
        while let Some(asked) = now(self.offered.recv()).await.flatten() {
            if let Ok((request, responder)) = asked {
                self.on_offered(request, responder);
            }
        }
        self.open.forget(peer);
        self.awaited.retain(|(of, _), _| of != peer);
        self.untold.retain(|event| !event.is_offer_of(peer));
    }

    /// Whether a file is under way.
    pub(crate) fn is_moving(&self) -> bool {
        !self.moving.is_empty()
    }

    /// Gives up on everything. Nothing is left of what is not complete.
    pub(crate) async fn stop(mut self) {
        self.asking.shutdown().await;
        self.moving.shutdown().await;
    }

    fn on_offered(&mut self, request: Request<Offer>, responder: Responder<Ticket>) {
        let Request { peer, value: Offer { name, size }, .. } = request;
        let name = safe_file_name(&name);
        let open = Open { peer: peer.clone(), name: name.clone(), size, responder };
        match self.open.add(open) {
            Ok(number) => self.untold.push_back(FileEvent::Offered { peer, number, name, size }),
            Err(Open { responder, .. }) => {
                // Whether the other learns of it is the other's matter.
                tokio::spawn(responder.reject(TOO_MANY));
            }
        }
    }

    fn on_incoming(&mut self, incoming: Incoming) {
        let ticket =
            incoming.metadata.clone().and_then(|ticket| serde_json::from_value(ticket).ok());
        let key = ticket.map(|Ticket { ticket }| (incoming.peer.clone(), ticket));
        match key.and_then(|key| self.awaited.remove(&key)) {
            // Who has given up on it drops it.
            Some(begin) => drop(begin.send(incoming)),
            None => debug!(peer = %incoming.peer, "dropped a file that was not accepted"),
        }
    }

    fn on_answered(&mut self, asked: Asked, answer: Result<Ticket, RequestError>) {
        let (by, name) = (asked.title.clone(), asked.name.clone());
        let news = match answer {
            Ok(ticket) => {
                self.begin_sending(asked, ticket);
                News::Accepted { by, name }
            }
            Err(why) => News::Refused { by, name, why },
        };
        self.untold.push_back(FileEvent::News(news));
    }

    fn begin_sending(&mut self, asked: Asked, ticket: Ticket) {
        let Asked { peer, title: to, file, name, size } = asked;
        let bar = self.terminal.bar(name.clone(), size);
        let sending = send_file(&self.transfers, file)
            .to(&peer)
            .metadata(json!(ticket))
            .on_progress(move |_, fraction| bar.set_fraction(fraction))
            .into_future();
        self.moving.spawn(async move {
            let result = sending.await.map(drop).map_err(|error| why_unsent(&error));
            News::Sent { to, name, result }
        });
    }
}

/// Hands out a ticket, and waits for what comes with it.
async fn begin_coming(
    responder: Responder<Ticket>,
    ticket: Ticket,
    begun: oneshot::Receiver<Incoming>,
) -> Result<Incoming, String> {
    responder.respond(ticket).await.map_err(|error| error.to_string())?;
    match timeout(BEGIN_MAX, begun).await {
        Ok(Ok(incoming)) => Ok(incoming),
        Ok(Err(_dropped)) => Err("its sender left".to_owned()),
        Err(_elapsed) => Err("it did not come".to_owned()),
    }
}

/// Of what went to one peer, who is known.
fn why_unsent(error: &TransferError) -> String {
    match error {
        TransferError::Send(SendError::Undelivered(failed)) if failed.len() == 1 => {
            failed[0].1.to_string()
        }
        error => error.to_string(),
    }
}

/// What a future has to give at once.
async fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        value = future => Some(value),
        () = ready(()) => None,
    }
}

/// What is told to somebody who offers too much.
const TOO_MANY: &str = "too many files are offered already";

/// Of tasks that are waited for.
const UNHARMED: &str = "it neither panics nor is cancelled before the end";
