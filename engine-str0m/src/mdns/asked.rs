//! Names of peers, and who waits for their addresses.

use std::collections::{BTreeMap, VecDeque};

use tristero_proto::ConnId;
use tristero_proto::engine::{EngineOutput, NetworkRequest};

use super::LocalName;
use crate::candidate::RemoteCandidate;
use crate::limits::NAMES_ASKED_MAX;

/// The names that are asked for at the moment, and the candidates that wait for each.
///
/// A name whose last connection ended stays until it is answered, so that connections that come and
/// go can't have more asked at once than [`NAMES_ASKED_MAX`].
#[derive(Debug, Default)]
pub(crate) struct AskedNames {
    waiting: BTreeMap<LocalName, Vec<Waiting>>,
}

type Waiting = (ConnId, RemoteCandidate<(LocalName, u16)>);

impl AskedNames {
    /// Asks for a name, unless that is being done; false if there are too many.
    pub(crate) fn ask(
        &mut self,
        conn: ConnId,
        candidate: RemoteCandidate<(LocalName, u16)>,
        outputs: &mut VecDeque<EngineOutput>,
    ) -> bool {
        let (name, _) = &candidate.address;
        if !self.waiting.contains_key(name) {
            if self.waiting.len() >= NAMES_ASKED_MAX {
                return false;
            }
            self.waiting.insert(name.clone(), Vec::new());
            let request = NetworkRequest::ResolveLocal { name: name.to_string() };
            outputs.push_back(EngineOutput::Network(request));
        }
        self.waiting.entry(name.clone()).or_default().push((conn, candidate));
        true
    }

    /// The candidates that waited for this name, which was asked for and is no longer.
    pub(crate) fn on_resolved(&mut self, name: &str) -> Vec<Waiting> {
        let name = LocalName::parse(name);
        name.and_then(|name| self.waiting.remove(&name)).unwrap_or_default()
    }

    /// A connection waits no longer.
    pub(crate) fn release(&mut self, conn: ConnId) {
        for waiting in self.waiting.values_mut() {
            waiting.retain(|(id, _)| *id != conn);
        }
    }
}
