//! A bounded number of open directories, so that most operations reach their parent directory
//! without walking a path.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use super::{NodeId, locked};

/// Far below the usual descriptor limit of 1024, large enough for the directories in use.
const DIRECTORIES_MAX: usize = 256;

/// Open directories (`O_PATH`) by node.
#[derive(Debug, Default)]
pub(super) struct DirectoryCache {
    open: Mutex<HashMap<NodeId, Arc<OwnedFd>>>,
}

impl DirectoryCache {
    /// The directory, if it is open.
    pub(super) fn get(&self, id: NodeId) -> Option<Arc<OwnedFd>> {
        locked(&self.open).get(&id).cloned()
    }

    /// Keeps a directory open. A full cache gives up half of what it has: which half does not
    /// matter, since whatever is in use comes back with its next use.
    pub(super) fn keep(&self, id: NodeId, directory: Arc<OwnedFd>) {
        let evicted = {
            let mut open = locked(&self.open);
            let evicted = if open.len() >= DIRECTORIES_MAX { halve(&mut open) } else { Vec::new() };
            open.insert(id, directory);
            evicted
        };
        drop(evicted); // closing is a system call: not under the lock
    }

    /// Nothing is where it was.
    pub(super) fn clear(&self) {
        let all = std::mem::take(&mut *locked(&self.open));
        drop(all);
    }

    /// The node is gone.
    pub(super) fn forget(&self, id: NodeId) {
        let directory = locked(&self.open).remove(&id);
        drop(directory);
    }
}

fn halve(open: &mut HashMap<NodeId, Arc<OwnedFd>>) -> Vec<Arc<OwnedFd>> {
    let half: Vec<NodeId> = open.keys().copied().take(DIRECTORIES_MAX / 2).collect();
    half.iter().filter_map(|id| open.remove(id)).collect()
}
