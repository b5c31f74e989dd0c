//! The directory itself: whose it is, and that nobody else uses it now.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use serde::{Deserialize, Serialize};

use super::{Frame, Journal, Memory, MemoryLog, Record};

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
    path: PathBuf,
    /// Whose it is.
    pub belongs: Belongs,
    /// What is to be undone.
    pub journal: Journal,
    /// Where files are kept that have lost their names.
    pub attic: OwnedFd,
    /// What the next mount is to know.
    pub memory: MemoryLog,
    /// What the last mount knew.
    pub remembered: Memory,
    _lock: Arc<File>,
}

/// What the journal held when it was opened.
pub(super) type Records = Vec<(Record, Frame)>;

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
        let lock = lock(path)?;
        let file = path.join("backing.json");
        if !file.exists() {
            let text = serde_json::to_string(backing).expect("plain data");
            write_whole(&file, &text).map_err(|source| failed(&file, source))?;
        }
        let (_, state) = StateDir::locked(path, lock)?;
        if (state.belongs.dev, state.belongs.ino) != (backing.dev, backing.ino) {
            let (state, theirs) = (path.to_path_buf(), state.belongs.path);
            return Err(StateError::Foreign { state, theirs, wanted: backing.path.clone() });
        }
        Ok(state)
    }

    /// Opens a state directory that is there; gives what is to be undone, too.
    pub fn existing(path: &Path) -> Result<(Records, StateDir), StateError> {
        if !path.join("backing.json").exists() {
            return Err(StateError::NotOne(path.to_path_buf()));
        }
        StateDir::locked(path, lock(path)?)
    }

    fn locked(path: &Path, lock: Arc<File>) -> Result<(Records, StateDir), StateError> {
        let read = |name: &str| path.join(name);
        let file = read("backing.json");
        let text = std::fs::read(&file).map_err(|source| failed(&file, source))?;
        let belongs =
            serde_json::from_slice(&text).map_err(|source| failed(&file, source.into()))?;
        let file = read("undo");
        let (records, journal) = Journal::open(&file).map_err(|source| failed(&file, source))?;
        let attic = attic(&read("attic")).map_err(|source| failed(&read("attic"), source))?;
        let file = read("memory");
        let memory = MemoryLog::open(&file, Some(Arc::clone(&lock)))
            .map_err(|source| failed(&file, source))?;
        let (path, (remembered, memory)) = (path.to_path_buf(), memory);
        let state = StateDir { path, belongs, journal, attic, memory, remembered, _lock: lock };
        Ok((records, state))
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
    std::fs::write(&meanwhile, text)?;
    File::open(&meanwhile)?.sync_all()?;
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
        assert!(matches!(StateDir::existing(&state), Err(StateError::InUse(_))));
        drop(held);
        let foreign = StateDir::open(&state, &belongs(&other)).unwrap_err().to_string();
        let expected = format!("{} belongs to {}", state.display(), one.display());
        assert!(foreign.starts_with(&expected), "{foreign}");
        assert!(matches!(StateDir::existing(&one), Err(StateError::NotOne(_))));
        let (_, held) = StateDir::existing(&state).unwrap();
        assert!(held.backing().is_ok());
        std::fs::remove_dir(&one).unwrap();
        assert!(held.backing().is_err());
    }
}
