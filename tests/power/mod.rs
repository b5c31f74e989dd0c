//! Power cuts: what was not synced is lost, bytes and names; what was is not; and all of it comes back.

mod bytes;
mod control;
mod killed;
mod names;
mod postgres;
mod random;
mod rest;
mod sqlite;

use std::fs::File;
use std::path::PathBuf;

use crate::support::*;

/// A backing directory with a state directory, and a mount whose power goes when a program looks for
/// `CUT`.
struct Machine {
    backing: Backing,
    state: tempfile::TempDir,
    mount: Mount,
}

impl Machine {
    fn new(backing: Backing, model: &str) -> Machine {
        let state = tempfile::Builder::new().prefix("errorfs-kept-").tempdir().unwrap();
        Machine::with_state(backing, model, state)
    }

    fn with_state(backing: Backing, model: &str, state: tempfile::TempDir) -> Machine {
        let rule = "[[rule]]\nname = \"power\"\nselect = { path = \"CUT\", ops = [\"lookup\"] }\n\
            when = { every = 1 }\n[rule.fault.power_cut]\n";
        let setup = Mount::new(backing.path()).scenario(&format!("{rule}{model}")).seed(1);
        let setup = setup.args(["--allow-damage", "--state"]).args([state.path().join("state")]);
        let mount = setup.start();
        Machine { backing, state, mount }
    }

    fn join(&self, name: &str) -> PathBuf {
        self.mount.join(name)
    }

    /// The power goes.
    fn cut(&self) {
        let error = std::fs::symlink_metadata(self.join("CUT")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::IO.raw_os_error()));
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.join(name)).unwrap()
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.join(directory)).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }

    /// fsync(2) of a file or directory.
    fn sync(&self, name: &str) {
        File::open(self.join(name)).unwrap().sync_all().unwrap();
    }

    fn heal(&mut self) -> Ended {
        self.mount.stop();
        self.heal_state()
    }

    /// The same, of a mount that is gone already.
    fn heal_state(&self) -> Ended {
        Program::errorfs("heal").arg(self.state.path().join("state")).run()
    }
}
