//! TURN: which servers give us an address, and what the others say.

use tokio::time::{Instant, timeout_at};
use tristero_tokio::{IceFinding, IceProbe, IceUrl, ServerFailure};

use super::facts::{Allocation, TurnFact};

/// Waits until all servers that `probe` asks have said yes or no, and no longer than to the deadline.
pub(super) async fn examine(
    mut probe: IceProbe,
    servers: Vec<IceUrl>,
    begun: Instant,
    deadline: Instant,
) -> Vec<TurnFact> {
    let mut said: Vec<Option<Result<Allocation, ServerFailure>>> = vec![None; servers.len()];
    let listen = async {
        while said.iter().any(Option::is_none) {
            let (url, allocation) = match probe.recv().await {
                IceFinding::Relayed { url, relayed } => {
                    (url, Ok(Allocation { relayed, took: begun.elapsed() }))
                }
                IceFinding::Failed { url, failure } => (url, Err(failure)),
                // What it sees is what STUN tells too.
                _ => continue,
            };
            for (_, said) in servers.iter().zip(&mut said).filter(|(server, _)| **server == url) {
                said.get_or_insert_with(|| allocation.clone());
            }
        }
    };
    // Whoever has said nothing then is silent.
    let _ = timeout_at(deadline, listen).await;
    let seconds = deadline.duration_since(begun).as_secs_f64();
    let silence = || ServerFailure::Unreachable(format!("no answer within {seconds:.1} s"));
    let facts = servers
        .into_iter()
        .zip(said)
        .map(|(url, said)| TurnFact { url, allocation: said.unwrap_or_else(|| Err(silence())) });
    facts.collect()
}

/// What a refusal means, as far as it has a remedy (RFC 8656, section 18; RFC 8489, section 14.8).
pub(super) fn meaning(code: u16) -> Option<&'static str> {
    match code {
        300 => Some("it sends us to another server"),
        401 | 431 | 441 => Some("the user name or the password is wrong"),
        403 => Some("it forbids this"),
        437 => Some("it knows another allocation of the same socket"),
        438 => Some("it does not take its own nonce"),
        440 => Some("it has no such address family"),
        442 => Some("it relays no UDP"),
        486 => Some("this user has as many allocations as it may have"),
        500 | 508 => Some("it has no room, now"),
        _ => None,
    }
}
