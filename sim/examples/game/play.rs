//! The game: players walk about a field, and each keeps a board of where everybody stands.
//!
//! It is written against `tristero` alone and takes its timer as a function, so it runs on any
//! runtime. On tokio: `play(room, tokio::time::sleep, walk, board, Rule::MoreSteps).await`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tristero::{Action, ActionError, PeerId, Room, RoomEvent, SendError};

/// Where a player stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// How many steps it took to get there.
    pub(crate) steps: u32,
    /// So far to the right.
    pub(crate) x: i32,
    /// So far up.
    pub(crate) y: i32,
}

/// Where everybody stands.
pub(crate) type Board = BTreeMap<PeerId, Place>;

/// A board that somebody else may look at, such as what draws it.
pub(crate) type SharedBoard = Arc<Mutex<Board>>;

/// Which of two places of one player is taken to be the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The one with more steps.
    MoreSteps,
    /// The one that was heard of last, which is wrong: a third player may tell of a place that its
    /// owner has left since, and told us so.
    LastHeard,
}

/// Plays until the room is left: walks these steps, one with each tick, then stands.
pub(crate) async fn play<S: Future<Output = ()>>(
    room: Room,
    sleep: impl Fn(Duration) -> S,
    walk: impl IntoIterator<Item = (i32, i32)>,
    board: SharedBoard,
    rule: Rule,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut player = Player::new(room, board, rule)?;
    let mut walk = walk.into_iter();
    player.stand(Place { steps: 0, x: 0, y: 0 })?;
    loop {
        player.greet()?;
        player.listen();
        if let Some((right, up)) = walk.next() {
            let Place { steps, x, y } = player.place;
            player.stand(Place { steps: steps + 1, x: x + right, y: y + up })?;
        }
        sleep(TICK).await;
    }
}

struct Player {
    room: Room,
    events: tristero::RoomEvents,
    /// Where its sender stands now.
    places: Action<Place>,
    /// What its sender knows of everybody, for those who are new.
    boards: Action<Board>,
    board: SharedBoard,
    place: Place,
    rule: Rule,
}

impl Player {
    fn new(room: Room, board: SharedBoard, rule: Rule) -> Result<Self, ActionError> {
        Ok(Player {
            events: room.events(),
            places: room.action("place")?,
            boards: room.action("board")?,
            place: Place { steps: 0, x: 0, y: 0 },
            room,
            board,
            rule,
        })
    }

    /// Goes to a place and tells everybody.
    fn stand(&mut self, place: Place) -> Result<(), SendError> {
        self.place = place;
        self.put(self.room.self_id().clone(), place);
        self.places.send(place).detach()
    }

    /// Tells those who are new where everybody stands, so that they need not wait for each to move.
    fn greet(&mut self) -> Result<(), SendError> {
        while let Some(event) = self.events.try_recv() {
            if let RoomEvent::PeerJoined { peer } = event {
                let board = self.board.lock().unwrap_or_else(PoisonError::into_inner).clone();
                self.boards.send(board).to(&peer).detach()?;
            }
        }
        Ok(())
    }

    /// Reads what came since the last tick. Between two actions, and between two peers, there is
    /// no order.
    fn listen(&mut self) {
        while let Some(received) = self.places.try_recv() {
            if let Ok(received) = received {
                self.put(received.peer, received.value);
            }
        }
        while let Some(received) = self.boards.try_recv() {
            for (player, place) in received.map(|received| received.value).unwrap_or_default() {
                self.put(player, place);
            }
        }
    }

    fn put(&self, player: PeerId, place: Place) {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        match board.entry(player) {
            Entry::Vacant(free) => _ = free.insert(place),
            Entry::Occupied(mut taken) => {
                let is_right = match self.rule {
                    Rule::MoreSteps => place.steps > taken.get().steps,
                    Rule::LastHeard => true,
                };
                if is_right {
                    taken.insert(place);
                }
            }
        }
    }
}

/// How often everybody acts.
const TICK: Duration = Duration::from_millis(50);
