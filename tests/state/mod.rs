//! What a mount with `--state` leaves to the next one: after the end, after `kill -9`.

mod damage;
mod losses;
mod random;
mod stale;

use std::path::PathBuf;

use rustix::process::Signal;

use crate::support::*;

/// A backing directory that is mounted again and again with the same state directory.
struct Remembering {
    backing: Backing,
    state: tempfile::TempDir,
    scenario: String,
    seed: Option<u64>,
}

/// How a mount ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Unmounted,
    Killed,
}

const ENDS: [End; 2] = [End::Unmounted, End::Killed];

impl Remembering {
    fn new(backing: Backing, scenario: &str) -> Remembering {
        let state = tempfile::Builder::new().prefix("errorfs-kept-").tempdir().unwrap();
        Remembering { backing, state, scenario: scenario.into(), seed: Some(1) }
    }

    fn state(&self) -> PathBuf {
        self.state.path().join("state")
    }

    fn mount(&self) -> Mount {
        let setup = Mount::new(self.backing.path()).scenario(&self.scenario);
        let setup = setup.args(["--state"]).args([self.state()]);
        match self.seed {
            Some(seed) => setup.seed(seed).start(),
            None => setup.start(),
        }
    }

    /// The same mount once more.
    fn again(&self, mut mount: Mount, end: End) -> Mount {
        match end {
            End::Unmounted => mount.stop(),
            End::Killed => {
                mount.signal(Signal::KILL);
                mount.wait();
            }
        }
        drop(mount); // once it is gone from the system's names
        self.mount()
    }
}
