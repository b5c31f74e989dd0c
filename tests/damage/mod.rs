//! Damage that is real, and what undoes it.

mod heal;
mod killed;
mod random;
mod refusals;
mod written;

use std::path::{Path, PathBuf};

use crate::support::*;
pub(crate) use random::operate;

/// A backing directory with a state directory beside it.
struct Kept {
    backing: Backing,
    state: tempfile::TempDir,
}

impl Kept {
    fn new(backing: Backing) -> Kept {
        let state = tempfile::Builder::new().prefix("errorfs-kept-").tempdir().unwrap();
        Kept { backing, state }
    }

    fn state(&self) -> PathBuf {
        self.state.path().join("state")
    }

    /// A mount that may damage.
    fn mount(&self, scenario: &str) -> Mount {
        self.setup(scenario).start()
    }

    fn setup(&self, scenario: &str) -> Setup {
        let setup = Mount::new(self.backing.path()).scenario(scenario).seed(1);
        setup.args(["--allow-damage", "--state"]).args([self.state()])
    }

    fn heal(&self) -> Ended {
        Program::errorfs("heal").arg(self.state()).run()
    }
}

/// Gives the files of a tree the times that those of another one have.
fn same_times(of: &Path, to: &Path) {
    let metadata = std::fs::symlink_metadata(of).unwrap();
    if metadata.is_dir() {
        for entry in std::fs::read_dir(of).unwrap() {
            let name = entry.unwrap().file_name();
            same_times(&of.join(&name), &to.join(&name));
        }
    }
    use std::os::unix::fs::MetadataExt as _;
    let time = |tv_sec, tv_nsec| rustix::fs::Timespec { tv_sec, tv_nsec };
    let times = rustix::fs::Timestamps {
        last_access: time(metadata.atime(), metadata.atime_nsec() as _),
        last_modification: time(metadata.mtime(), metadata.mtime_nsec() as _),
    };
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::utimensat(rustix::fs::CWD, to, &times, flags).unwrap();
}
