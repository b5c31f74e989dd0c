//! The directory itself: whose it is, and that nobody else uses it now.

use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::ops::{Deref, Range};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use serde::{Deserialize, Serialize};

use super::{Journal, Memory, MemoryLog, Records};

/// The backing directory that a state directory belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Belongs {
    /// Absolute, without symbolic links.
    pub path: PathBuf,
    /// Number of the device that it is on.
    pub dev: u64,
    /// Its inode number there.
    pub ino: u64,
}

/// How long a mount that has been taken away may take to let go of its state.
const ENDING: Duration = Duration::from_secs(2);

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A mount or a `heal` has it.
    #[error("{} is in use by a mount, or by another `errorfs heal`; unmount first", .0.display())]
    InUse(PathBuf),
    /// It was made for another directory.
    #[error(
        "{} belongs to {}, not to {}; give every backing directory a state directory of its own",
        state.display(), theirs.display(), wanted.display()
    )]
    Foreign {
        /// The state directory.
        state: PathBuf,
        /// Whose it is.
        theirs: PathBuf,
        /// Whose it should be.
        wanted: PathBuf,
    },
    /// Nobody made it.
    #[error("{} is no state directory of errorfs: it has no `backing.json`", .0.display())]
    NotOne(PathBuf),
    /// Bytes of its journal cannot be read.
    #[error(
        "the journal {state}/undo is damaged from byte {at} on; `errorfs heal {state}` undoes what can \
         be read of it, and a new state directory takes its place", state = path.display()
    )]
    Damaged {
        /// The state directory.
        path: PathBuf,
        /// Where the damage begins.
        at: u64,
    },
    /// Anybody could have written into it.
    #[error("everybody can write into {}; chmod o-w", .0.display())]
    Shared(PathBuf),
    /// What it belongs to is not there any more.
    #[error("{} is not the directory that it was when the state was made", .0.display())]
    Replaced(PathBuf),
    /// The system says no.
    #[error("{}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A state directory that is ours for as long as this lives.
#[derive(Debug)]
pub struct StateDir {
    undo: Undo,
    /// What the next mount is to know.
    pub memory: MemoryLog,
    /// What the last mount knew.
    pub remembered: Memory,
}

/// What undoes damage: the part of a state directory that `errorfs heal` takes.
#[derive(Debug)]
pub struct Undo {
    path: PathBuf,
    /// Whose it is.
    pub belongs: Belongs,
    /// What is to be undone.
    pub journal: Journal,
    /// Bytes of the journal that cannot be read.
    pub unreadable: Vec<Range<u64>>,
    /// Where files are kept that have lost their names.
    pub attic: OwnedFd,
    lock: Arc<File>,
}

impl Belongs {
    /// The identity of an open backing directory.
    pub fn to(path: &Path, root: &OwnedFd) -> io::Result<Belongs> {
        let stat = rustix::fs::fstat(root)?;
        Ok(Belongs { path: path.to_path_buf(), dev: stat.st_dev, ino: stat.st_ino })
    }
}

impl StateDir {
    /// Opens the state directory of a backing directory, or makes it.
    pub fn open(path: &Path, backing: &Belongs) -> Result<StateDir, StateError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| failed(path, source))?;
        let mode = path.metadata().map_err(|source| failed(path, source))?.mode();
        if mode & 0o002 != 0 {
            return Err(StateError::Shared(path.to_path_buf()));
        }
        let lock = lock(path)?;
        let file = path.join("backing.json");
        if !file.exists() {
            let journal = path.join("undo");
            Journal::make(&journal).map_err(|source| failed(&journal, source))?;
            let text = serde_json::to_string(backing).expect("plain data");
            write_whole(&file, &text).map_err(|source| failed(&file, source))?;
        }
        let (_, undo) = Undo::locked(path, lock)?;
        if (undo.belongs.dev, undo.belongs.ino) != (backing.dev, backing.ino) {
            let (state, theirs) = (path.to_path_buf(), undo.belongs.path);
            return Err(StateError::Foreign { state, theirs, wanted: backing.path.clone() });
        }
        if let Some(Range { start, .. }) = undo.unreadable.first() {
            return Err(StateError::Damaged { path: path.to_path_buf(), at: *start });
        }
        let file = path.join("memory");
        let (remembered, memory) = MemoryLog::open(&file, Some(Arc::clone(&undo.lock)))
            .map_err(|source| failed(&file, source))?;
        Ok(StateDir { undo, memory, remembered })
    }
}

impl Deref for StateDir {
    type Target = Undo;

    fn deref(&self) -> &Undo {
        &self.undo
    }
}

impl Undo {
    /// Opens what a state directory that is there can undo, and says what that is.
    pub fn open(path: &Path) -> Result<(Records, Undo), StateError> {
        if !path.join("backing.json").exists() {
            return Err(StateError::NotOne(path.to_path_buf()));
        }
        Undo::locked(path, lock(path)?)
    }

    fn locked(path: &Path, lock: Arc<File>) -> Result<(Records, Undo), StateError> {
        let (file, undo) = (path.join("backing.json"), path.join("undo"));
        let text = std::fs::read(&file).map_err(|source| failed(&file, source))?;
        let belongs =
            serde_json::from_slice(&text).map_err(|source| failed(&file, source.into()))?;
        let (records, unreadable, journal) =
            Journal::open(&undo).map_err(|source| failed(&undo, source))?;
        let kept = path.join("attic");
        let attic = attic(&kept).map_err(|source| failed(&kept, source))?;
        let path = path.to_path_buf();
        Ok((records, Undo { path, belongs, journal, unreadable, attic, lock }))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The backing directory, if it is the one that it was.
    pub fn backing(&self) -> Result<OwnedFd, StateError> {
        let path = &self.belongs.path;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty());
        let root = root.map_err(|errno| failed(path, errno.into()))?;
        let found = Belongs::to(path, &root).map_err(|source| failed(path, source))?;
        match found == self.belongs {
            true => Ok(root),
            false => Err(StateError::Replaced(path.clone())),
        }
    }
}

/// It holds as long as the file is open, whatever becomes of the process.
fn lock(path: &Path) -> Result<Arc<File>, StateError> {
    let file = path.join("lock");
    let mut options = File::options();
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    let lock = options.open(&file).map_err(|source| failed(&file, source))?;
    let start = Instant::now();
    loop {
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Arc::new(lock)),
            // A mount that was taken away just now has a ledger to end.
            Err(rustix::io::Errno::WOULDBLOCK) if start.elapsed() < ENDING => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(StateError::InUse(path.to_path_buf()));
            }
            Err(errno) => return Err(failed(&file, errno.into())),
        }
    }
}

fn attic(path: &Path) -> io::Result<OwnedFd> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// There is all of it, or nothing.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let meanwhile = file.with_extension("new");
    let mut options = File::options();
    let mut open = options.write(true).create(true).truncate(true).mode(0o600).open(&meanwhile)?;
    open.write_all(text.as_bytes())?;
    open.sync_all()?;
    std::fs::rename(&meanwhile, file)
}

fn failed(path: &Path, source: io::Error) -> StateError {
    StateError::Failed { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn belongs(path: &Path) -> Belongs {
        let root = rustix::fs::open(path, OFlags::PATH, Mode::empty()).unwrap();
        Belongs::to(path, &root).unwrap()
    }

    #[test]
    fn a_state_directory_is_one_backing_directorys_and_one_users_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (directory.path().join("one"), directory.path().join("other"));
        std::fs::create_dir(&one).unwrap();
        std::fs::create_dir(&other).unwrap();
        let state = directory.path().join("a/state");
        let held = StateDir::open(&state, &belongs(&one)).unwrap();
        let again = StateDir::open(&state, &belongs(&one)).unwrap_err();
        assert!(matches!(again, StateError::InUse(_)), "{again}");
        assert!(matches!(Undo::open(&state), Err(StateError::InUse(_))));
        drop(held);
        let foreign = StateDir::open(&state, &belongs(&other)).unwrap_err().to_string();
        let expected = format!("{} belongs to {}", state.display(), one.display());
        assert!(foreign.starts_with(&expected), "{foreign}");
        assert!(matches!(Undo::open(&one), Err(StateError::NotOne(_))));
        let (_, held) = Undo::open(&state).unwrap();
        assert!(held.backing().is_ok());
        std::fs::remove_dir(&one).unwrap();
        assert!(held.backing().is_err());
    }
}
