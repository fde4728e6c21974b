//! An action of messages: what is sent under a name, and what tells of what comes.

use std::future::{pending, ready};

use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tristero_tokio::{Payload, Raw, RawAction, Received, Receiving, ReceivingStream, Room, Sender};

use super::account::Account;
use super::command::Manner;
use super::reply::Refusal;
use super::room::Teller;

/// What sends under one name.
pub(crate) type RawSender = Sender<Payload, Raw>;

/// See the [module](self). It may be sent on without being registered; what comes then waits.
pub(crate) struct Messages {
    sender: RawSender,
    account: Account,
    phase: Phase,
    /// Gives the listener what tells of messages that are arriving, once.
    progress: Option<mpsc::Sender<ReceivingStream>>,
}

enum Phase {
    Unregistered(RawAction, mpsc::Receiver<ReceivingStream>),
    /// A task tells of what comes.
    Registered,
}

impl Messages {
    pub(crate) fn open(room: &Room, name: &str, teller: Teller) -> Result<Self, Refusal> {
        let action: RawAction = room.action(name).map_err(Refusal::new)?;
        let (progress, streams) = mpsc::channel(1);
        Ok(Messages {
            sender: action.sender(),
            account: Account::new(name, teller),
            phase: Phase::Unregistered(action, streams),
            progress: Some(progress),
        })
    }

    pub(crate) fn sender(&self) -> RawSender {
        self.sender.clone()
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    /// Tells of what comes, from now on in this manner.
    pub(crate) fn register(
        &mut self,
        name: &str,
        manner: Manner,
        room: &Room,
        tasks: &TaskTracker,
    ) -> Result<(), Refusal> {
        if manner.progress
            && let Some(streams) = self.progress.take()
        {
            let stream = room.action(name).and_then(|action: RawAction| action.receiving());
            // There is room for the one stream, and a listener that is gone needs none.
            let _ = streams.try_send(stream.map_err(Refusal::new)?);
        }
        self.account.begin(manner);
        if let Phase::Unregistered(action, streams) =
            std::mem::replace(&mut self.phase, Phase::Registered)
        {
            tasks.spawn(listen(action, streams, self.account.clone()));
        }
        Ok(())
    }
}

/// Tells of what comes, until the room is left.
async fn listen(
    mut action: RawAction,
    mut streams: mpsc::Receiver<ReceivingStream>,
    account: Account,
) {
    let mut receiving = None;
    loop {
        tokio::select! {
            Some(stream) = streams.recv() => receiving = Some(stream),
            step = next_step(&mut receiving) => match step {
                Some(step) => tell_step(&account, step).await,
                None => receiving = None,
            },
            message = action.recv() => match message {
                Some(Ok(Received { peer, value, metadata, .. })) => {
                    // How it arrived was told before it, by the other stream.
                    while let Some(step) = step_now(&mut receiving).await {
                        tell_step(&account, step).await;
                    }
                    account.enter("message", &peer, &value, metadata).await;
                }
                Some(Err(_)) => {} // there is no payload that is not raw
                None => return,
            },
        }
    }
}

async fn tell_step(account: &Account, step: Receiving) {
    account.enter_progress(&step.peer, step.fraction, step.metadata.as_deref()).await;
}

/// The next step of messages that are arriving, if that is to be told.
async fn next_step(receiving: &mut Option<ReceivingStream>) -> Option<Receiving> {
    match receiving {
        Some(stream) => stream.recv().await,
        None => pending().await,
    }
}

/// As [`next_step`], if it is there already.
async fn step_now(receiving: &mut Option<ReceivingStream>) -> Option<Receiving> {
    tokio::select! {
        biased;
        step = next_step(receiving) => step,
        () = ready(()) => None,
    }
}
