//! Open files and directories by the number that the kernel was given for them.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use super::{Backing, Node, Uses, reading, writing};
use crate::errno::Errno;

/// The number of an open file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileHandle(pub u64);

/// How the data of an open file travels (design section 6; README, caches).
#[derive(Clone, Debug)]
pub enum DataPath {
    /// The kernel moves it between the caller and this backing file: no read or write comes to us.
    Passthrough(Arc<Backing>),
    /// Through the kernel's page cache: what it caches stays true.
    Cached,
    /// Each read(2) and write(2) comes to us; mmap alone still uses the page cache.
    Direct,
}

impl DataPath {
    /// Whether the kernel may move or keep data without asking us.
    pub fn hides(&self) -> bool {
        !matches!(self, DataPath::Direct)
    }
}

/// An open file.
#[derive(Debug)]
pub struct OpenFile {
    /// Which file.
    pub node: Arc<Node>,
    /// The backing file; never `O_APPEND`, never `O_DIRECT`.
    pub file: Arc<OwnedFd>,
    /// How its data travels.
    pub path: DataPath,
    /// What it may be used for.
    pub uses: Uses,
    /// How many failures to write back its users know of.
    pub errors_known: AtomicU64,
    /// Whether a descriptor of it was closed, and none was used since.
    pub closed: AtomicBool,
}

impl OpenFile {
    /// Somebody has a descriptor of it still.
    pub(super) fn used(&self) {
        if self.closed.load(Ordering::Relaxed) {
            self.closed.store(false, Ordering::Release);
        }
    }
}

/// Numbers and what they stand for.
#[derive(Debug)]
pub(super) struct Handles<T> {
    next: AtomicU64,
    open: RwLock<HashMap<u64, Arc<T>>>,
    /// What was open when the power went: for nobody's use.
    dead: RwLock<HashMap<u64, Arc<T>>>,
}

impl<T> Default for Handles<T> {
    fn default() -> Handles<T> {
        Handles { next: AtomicU64::new(1), open: RwLock::default(), dead: RwLock::default() }
    }
}

impl<T> Handles<T> {
    /// A number for something that was just opened.
    pub(super) fn add(&self, opened: Arc<T>) -> FileHandle {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        writing(&self.open).insert(handle, opened);
        FileHandle(handle)
    }

    /// What the number stands for.
    pub(super) fn get(&self, handle: FileHandle) -> Result<Arc<T>, Errno> {
        let open = reading(&self.open);
        open.get(&handle.0).cloned().ok_or(Errno::EBADF)
    }

    /// All that is open.
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        reading(&self.open).values().cloned().collect()
    }

    /// Whether anything of that kind is open.
    pub(super) fn any(&self, kind: impl Fn(&T) -> bool) -> bool {
        reading(&self.open).values().any(|open| kind(open))
    }

    /// The kernel is done with it; it is closed when its last operation is.
    pub(super) fn remove(&self, handle: FileHandle) -> Option<Arc<T>> {
        let dead = || writing(&self.dead).remove(&handle.0);
        let open = writing(&self.open).remove(&handle.0);
        open.or_else(dead)
    }

    /// Nothing is open any more.
    pub(super) fn end_all(&self) {
        let ended = std::mem::take(&mut *writing(&self.open));
        writing(&self.dead).extend(ended);
    }

    /// What was open under a handle when the power went.
    pub(super) fn dead(&self, handle: FileHandle) -> Option<Arc<T>> {
        reading(&self.dead).get(&handle.0).cloned()
    }
}
