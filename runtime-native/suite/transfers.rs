//! Bytes from a reader to a reader.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::common::{Endless, bytes, config, have_met, met, peer, peer_with, run, soon, spawn};
use crate::rooms::{
    IncomingError, Options, Payload, RawAction, Room, SendError, SendFailure, TransferAction,
    TransferError, TransferFailure, Unread, save, send_file,
};
use futures_util::future::{Aborted, abortable};
use futures_util::io::{AsyncRead, AsyncReadExt, Cursor};
use serde_json::json;
use sha2::{Digest, Sha256};

/// More than a connection and both nodes hold at once.
const LARGE: usize = 6 * 1024 * 1024;

fn files(room: &Room) -> TransferAction {
    room.transfer_action("file").unwrap()
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A source that breaks after some bytes.
struct Broken(usize);

impl AsyncRead for Broken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let length = buffer.len().min(self.0);
        self.0 -= length;
        Poll::Ready(if length > 0 { Ok(length) } else { Err(io::Error::other("broken")) })
    }
}

#[test]
fn a_large_transfer_arrives_whole_while_it_is_read() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (from_a, mut at_b) = (files(&a), files(&b));
        let sent = bytes(LARGE);
        let expected = hash(&sent);
        let (told, progress) = std::sync::mpsc::channel();
        let sending = from_a
            .send_from(Cursor::new(sent))
            .to(b.self_id())
            .length(LARGE as u64)
            .metadata(json!({ "name": "large" }))
            .on_progress(move |_, fraction| told.send(fraction).unwrap());
        let sending = spawn(sending.into_future());
        let mut incoming = soon(at_b.recv()).await.unwrap();
        assert_eq!(incoming.peer, *a.self_id());
        assert_eq!(incoming.metadata, Some(json!({ "name": "large" })));
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 100_000];
        loop {
            let length = soon(incoming.read(&mut buffer)).await.unwrap();
            if length == 0 {
                break;
            }
            digest.update(&buffer[..length]);
        }
        assert_eq!(<[u8; 32]>::from(digest.finalize()), expected);
        assert!((incoming.progress() - 1.0).abs() < f64::EPSILON);
        let sent = soon(sending).await.unwrap().unwrap();
        assert_eq!((sent.delivered, sent.failed), (b.self_id().clone().into(), vec![]));
        let mut last = 0.0;
        while let Ok(fraction) = progress.try_recv() {
            assert!(fraction >= last);
            last = fraction;
        }
        assert!((last - 1.0).abs() < f64::EPSILON, "{last}");
    });
}

#[test]
fn the_progress_of_a_source_without_length_stays_below_one_to_the_end() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (from_a, mut at_b) = (files(&a), files(&b));
        let sending = spawn(from_a.send_from(Cursor::new(bytes(3_000_000))).into_future());
        let mut incoming = soon(at_b.recv()).await.unwrap();
        let (mut length, mut before_last) = (0, 0.0);
        while let Some(piece) = soon(incoming.piece()).await.unwrap() {
            length += piece.len();
            assert!(incoming.progress() < 1.0 || length == 3_000_000);
            before_last = incoming.progress();
        }
        assert_eq!(length, 3_000_000);
        assert!((before_last - 1.0).abs() < f64::EPSILON);
        soon(sending).await.unwrap().unwrap();
    });
}

#[test]
fn an_empty_transfer_is_a_transfer() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (from_a, mut at_b) = (files(&a), files(&b));
        soon(from_a.send_from(Cursor::new([])).metadata(json!("empty"))).await.unwrap();
        let mut incoming = soon(at_b.recv()).await.unwrap();
        assert_eq!(incoming.metadata, Some(json!("empty")));
        assert_eq!(soon(incoming.piece()).await, Ok(None));
    });
}

#[test]
fn what_is_sent_as_a_message_arrives_as_a_transfer_and_the_reverse() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (message, mut transfers): (RawAction, _) = (a.action("file").unwrap(), files(&b));
        soon(message.send(bytes(50_000))).await.unwrap();
        let mut incoming = soon(transfers.recv()).await.unwrap();
        let mut received = Vec::new();
        soon(incoming.read_to_end(&mut received)).await.unwrap();
        assert!(received == bytes(50_000));
        let mut messages = message;
        soon(transfers.send_from(Cursor::new(bytes(50_000)))).await.unwrap();
        let received = soon(messages.recv()).await.unwrap().unwrap();
        assert!(received.value == Payload::from(bytes(50_000)));
    });
}

#[test]
fn a_transfer_that_is_dropped_ends_for_its_receiver_and_the_next_one_arrives() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (from_a, mut at_b) = (files(&a), files(&b));
        let (sending, ending) = abortable(from_a.send_from(Endless).into_future());
        let sending = spawn(sending);
        let mut incoming = soon(at_b.recv()).await.unwrap();
        soon(incoming.piece()).await.unwrap();
        ending.abort();
        assert!(matches!(soon(sending).await, Ok(Err(Aborted))));
        soon(from_a.send_from(Cursor::new(bytes(1_000)))).await.unwrap();
        let mut next = soon(at_b.recv()).await.unwrap();
        assert!(soon(next.piece()).await.unwrap().unwrap() == bytes(1_000));
        drop(next);
        soon(a.leave()).await;
        let error = soon(async {
            loop {
                if let Err(error) = incoming.piece().await {
                    return error;
                }
            }
        });
        assert_eq!(error.await, IncomingError::Failed(TransferFailure::Left));
    });
}

#[test]
fn a_source_that_breaks_is_an_error_and_the_next_transfer_goes_on() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (from_a, mut at_b) = (files(&a), files(&b));
        let sent = soon(from_a.send_from(Broken(500_000))).await;
        assert!(matches!(sent, Err(TransferError::Read(_))), "{sent:?}");
        soon(from_a.send_from(Cursor::new(bytes(1_000))).metadata(json!(2))).await.unwrap();
        let second = soon(async {
            loop {
                let incoming = at_b.recv().await.unwrap();
                if incoming.metadata.is_some() {
                    return incoming;
                }
            }
        });
        let mut second = second.await;
        assert!(soon(second.piece()).await.unwrap().unwrap() == bytes(1_000));
    });
}

#[test]
fn a_target_that_leaves_fails_and_the_others_get_all() {
    run(async {
        let config = config().await;
        let (a, b) = met(&config).await;
        let c = peer().join(&config, "room").unwrap();
        have_met(&a, &c).await;
        let (from_a, mut at_b, mut at_c) = (files(&a), files(&b), files(&c));
        let sending = spawn(from_a.send_from(Cursor::new(bytes(LARGE))).into_future());
        let (mut at_b, first) =
            (soon(at_b.recv()).await.unwrap(), soon(at_c.recv()).await.unwrap());
        drop(first);
        let c_id = c.self_id().clone();
        soon(c.leave()).await;
        let mut received = Vec::new();
        soon(at_b.read_to_end(&mut received)).await.unwrap();
        assert!(hash(&received) == hash(&bytes(LARGE)));
        let sent = soon(sending).await.unwrap().unwrap();
        assert_eq!(sent.delivered, [b.self_id().clone()]);
        assert_eq!(sent.failed, [(c_id, SendFailure::Left)]);
    });
}

#[test]
fn sending_to_someone_who_leaves_is_an_error() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (from_a, mut at_b) = (files(&a), files(&b));
        let sending = spawn(from_a.send_from(Endless).to(b.self_id()).into_future());
        drop(soon(at_b.recv()).await.unwrap());
        drop(at_b);
        soon(b.leave()).await;
        let sent = soon(sending).await.unwrap();
        let Err(TransferError::Send(SendError::Undelivered(failed))) = sent else {
            panic!("{sent:?}");
        };
        assert_eq!(failed[0].1, SendFailure::Left);
    });
}

#[test]
fn a_reader_that_is_too_slow_loses_the_transfer_and_not_the_room() {
    run(async {
        let config = config().await;
        let a = peer().join(&config, "room").unwrap();
        let mut options = Options { unread: Unread::default(), ..Options::default() };
        options.unread.transfer_bytes = 1_000_000;
        let b = peer_with(options).join(&config, "room").unwrap();
        have_met(&a, &b).await;
        let (from_a, mut at_b) = (files(&a), files(&b));
        soon(from_a.send_from(Cursor::new(bytes(5_000_000)))).await.unwrap();
        let mut incoming = soon(at_b.recv()).await.unwrap();
        let mut received = Vec::new();
        let error = soon(incoming.read_to_end(&mut received)).await.unwrap_err();
        let inner = error.get_ref().unwrap().downcast_ref::<IncomingError>();
        assert_eq!(inner, Some(&IncomingError::TooSlow));
        assert!(received == bytes(5_000_000)[..received.len()], "there are no gaps");
        assert!(received.len() > 900_000 && received.len() <= 1_000_000, "{}", received.len());
        soon(from_a.send_from(Cursor::new(bytes(10)))).await.unwrap();
        let mut next = soon(at_b.recv()).await.unwrap();
        assert!(soon(next.piece()).await.unwrap().unwrap() == bytes(10));
    });
}

#[test]
fn a_transfer_ends_when_the_room_is_left() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (from_a, mut at_b) = (files(&a), files(&b));
        let sending = spawn(from_a.send_from(Endless).into_future());
        let mut incoming = soon(at_b.recv()).await.unwrap();
        soon(a.leave()).await;
        assert!(matches!(
            soon(sending).await.unwrap(),
            Err(TransferError::Send(SendError::RoomLeft | SendError::Invalid(_)))
        ));
        soon(b.leave()).await;
        let error = soon(async {
            loop {
                if let Err(error) = incoming.piece().await {
                    return error;
                }
            }
        });
        let error = error.await;
        let left = [IncomingError::RoomLeft, IncomingError::Failed(TransferFailure::Left)];
        assert!(left.contains(&error), "{error}");
        assert!(soon(at_b.recv()).await.is_none());
    });
}

#[test]
fn files_are_sent_and_saved() {
    run(async {
        let folder = std::env::temp_dir().join(format!("tristero-{}", peer().self_id()));
        std::fs::create_dir(&folder).unwrap();
        let (a, b) = met(&config().await).await;
        let (from_a, mut at_b) = (files(&a), files(&b));
        let original = folder.join("original");
        std::fs::write(&original, bytes(2_000_000)).unwrap();
        let sending = spawn(send_file(&from_a, &original).into_future());
        let incoming = soon(at_b.recv()).await.unwrap();
        assert_eq!(incoming.metadata, Some(json!({ "name": "original" })));
        let copy = folder.join("copy");
        assert_eq!(soon(save(incoming, &copy)).await.unwrap(), 2_000_000);
        assert!(std::fs::read(&copy).unwrap() == bytes(2_000_000));
        soon(sending).await.unwrap().unwrap();

        let sending = spawn(from_a.send_from(Endless).into_future());
        let incoming = soon(at_b.recv()).await.unwrap();
        let broken = folder.join("broken");
        let saving = spawn(save(incoming, broken.clone()));
        soon(a.leave()).await;
        let error = soon(saving).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(soon(sending).await.unwrap().is_err());
        let left_over: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
        assert_eq!(left_over.len(), 2, "what is not complete is not there: {left_over:?}");
        let missing = send_file(&from_a, folder.join("missing"));
        assert!(matches!(soon(missing).await, Err(TransferError::Read(_))));
        std::fs::remove_dir_all(&folder).unwrap();
    });
}
