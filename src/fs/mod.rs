//! The passthrough: what each operation does to the backing directory, and the one seam
//! ([`Filesystem::around`]) at which decisions of the injector are acted upon.
//!
//! No type of the kernel's protocol crosses this border; errors are [`crate::errno::Errno`].

mod astray;
mod attributes;
mod backing;
mod by_inode;
mod cached_pages;
mod changing;
mod control;
mod copying;
mod corruption;
mod credentials;
mod data;
mod delivery;
mod directories;
mod directory_cache;
mod durations;
mod events;
mod filesystem;
mod flights;
mod handles;
mod harm;
mod inject;
mod introductions;
mod killed;
mod kind;
mod locate;
mod losses;
mod memory;
mod missing;
mod mistold;
mod names;
mod node;
mod node_table;
mod numbers;
mod overwrites;
mod page_fills;
mod pending;
mod power;
mod rearm;
mod remember;
mod revive;
mod space;
mod stat;
mod survey;
mod sync;
mod timer;
mod traced;
mod tree;
mod uses;
mod victim;
mod view;
mod who;
mod write_back;
mod xattrs;

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use attributes::{Changes, Space, Timestamp};
pub use backing::Backing;
pub use changing::Kernel;
pub use control::Controlled;
pub use copying::write_fully;
pub use corruption::region_line;
pub use data::{Opened, Writing, length_of_allocation, read_fully};
pub use directories::{DirEntry, DirHandle, Listing, Portion};
pub use durations::{BOUNDS, Distribution};
pub use filesystem::{Filesystem, Settings};
pub use flights::Operations;
pub use handles::{DataPath, FileHandle, OpenFile};
pub use introductions::Introduced;
pub use mistold::Telling;
pub use names::{Entry, NewMode};
pub use node::{Node, NodeId};
pub use pending::{Pending, Waits};
pub use power::CutError;
pub use stat::{Attr, FileKind, Memory, Time};
pub use survey::{Survey, SurveyError, survey};
pub use timer::{Owed, Timer};
pub use tree::{Tree, attributes, identify, is_there, times};
pub use uses::Uses;
pub use view::Subject;
use view::View;

/// What an operation answers: a value, or the errno that the caller gets.
pub type Answer<T> = Result<T, crate::errno::Errno>;

/// Takes a lock. A panic elsewhere ends the process (see `cli::process`), so that none is poisoned.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a lock to read.
fn reading<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a lock to write.
fn writing<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
