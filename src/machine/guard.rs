//! The guard of a mount: a process that outlives errorfs and removes the mount that it left dead.
//!
//! Both sides: `mount` spawns and dismisses it, `errorfs guard` is it. It waits for the end of its
//! standard input, which the death of errorfs brings about however it dies.

use std::io::{self, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::{Detach, Mount, UnmountError, absolute, mounts, remove};

/// What errorfs writes before it ends in order.
const DISMISSED: u8 = b'q';

/// The running guard of one mount. Dropping it undismissed makes it remove the mount.
#[derive(Debug)]
pub struct Guard {
    child: Child,
}

impl Guard {
    /// Starts the guard of what is mounted at `mountpoint` from device `dev` (major, minor). Call
    /// it once the mount is there, and after any fork: whoever holds a copy of the pipe keeps the
    /// guard waiting.
    pub fn spawn(mountpoint: &Path, dev: (u32, u32)) -> io::Result<Guard> {
        // Not the path of the program: that may have been replaced or removed since.
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("errorfs")
            .arg("guard")
            .arg("--")
            .arg(absolute(mountpoint)?)
            .arg(format!("{}:{}", dev.0, dev.1))
            // By which `ServerProcess` finds whose guard it is.
            .arg(std::process::id().to_string())
            .current_dir("/")
            // Whoever waits for the end of errorfs' output waits for errorfs, not for its guard.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of reach of the terminal's Ctrl-C and of a kill of errorfs' process group.
            .process_group(0);
        Ok(Guard { child: command.spawn()? })
    }

    /// The mount has been removed in order: ends the guard.
    pub fn dismiss(mut self) {
        if let Some(pipe) = &mut self.child.stdin {
            let _ = pipe.write_all(&[DISMISSED]);
        }
    }
}

impl Drop for Guard {
    /// Waits for the guard's work as long as it may take; a covered mount takes longer, without us.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// How a watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// errorfs removed its mount itself.
    Dismissed,
    /// errorfs died, and no mount of it was left.
    NothingLeft,
    /// errorfs died and left a mount, which is removed.
    Removed,
}

/// How long errorfs waits for its guard.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the guard waits for what somebody mounted over a dead mount to go.
const COVERED: Duration = Duration::from_secs(600);

/// The guard's own side: waits for the end of `lifeline` and removes the filesystem of this device
/// from wherever it is mounted by then. Signals that end a session do not end it before errorfs.
pub fn watch(
    mountpoint: &Path,
    dev: (u32, u32),
    mut lifeline: impl Read,
) -> Result<Watched, UnmountError> {
    let refused = |error: io::Error| UnmountError::Refused {
        path: mountpoint.to_owned(),
        reason: error.to_string(),
    };
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
        let noticed = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal, noticed).map_err(refused)?;
    }
    let mut said = Vec::new();
    // An error ends the wait like an end: the pipe is of no use any more.
    let _ = lifeline.read_to_end(&mut said);
    if said.contains(&DISMISSED) {
        return Ok(Watched::Dismissed);
    }
    let left = |mount: &Mount| mount.is_errorfs() && mount.device == dev;
    match mounts().map_err(refused)?.into_iter().find(left) {
        Some(mount) => remove_uncovered(&mount).map(|()| Watched::Removed),
        None => Ok(Watched::NothingLeft),
    }
}

fn remove_uncovered(mount: &Mount) -> Result<(), UnmountError> {
    let start = Instant::now();
    loop {
        match remove(mount, Detach::Lazily) {
            Err(UnmountError::Covered { .. }) if start.elapsed() < COVERED => {
                std::thread::sleep(Duration::from_secs(1));
            }
            ended => return ended,
        }
    }
}
