//! errorfs' side of the keeper: starts it, passes signals on, learns how the command ended.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::io::FdFlags;
use rustix::process::{Resource, Rlimit, getpgrp, getrlimit, setrlimit, umask};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

use super::keeper::{ENDING, is_ignored};
use super::{Ended, adopt_orphans, kill_descendants};

/// A command that runs under a keeper. Dropping it kills all of it.
#[derive(Debug)]
pub struct Enclosure {
    keeper: Child,
    lines: BufReader<UnixStream>,
}

/// What this process was given by its own parent, and changes for itself only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The file mode creation mask.
    pub umask: u32,
    /// How many files may be open; `None`: any number.
    pub open_files: Option<u64>,
}

impl Surroundings {
    /// As they are now.
    pub fn of_this_process() -> Surroundings {
        let mask = umask(Mode::empty());
        umask(mask);
        Surroundings { umask: mask.bits(), open_files: getrlimit(Resource::Nofile).current }
    }

    /// Makes them this process' own again, as far as it is allowed to.
    pub fn restore(self) {
        umask(Mode::from_bits_truncate(self.umask));
        let limit = getrlimit(Resource::Nofile);
        let current = self.open_files;
        let _ = setrlimit(Resource::Nofile, Rlimit { current, ..limit });
    }
}

/// What is to run, and how.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// Program and arguments.
    pub command: &'a [OsString],
    /// Where it starts, if that must be entered anew.
    pub cwd: Option<&'a Path>,
    /// What it finds.
    pub surroundings: Surroundings,
    /// Variables of its environment, and those that it is not to have.
    pub environment: &'a [(&'a str, Option<&'a Path>)],
}

impl Enclosure {
    /// Runs a command under a keeper, and from then on passes on the signals that ask this process
    /// to end.
    pub fn spawn(start: &Start<'_>) -> io::Result<Enclosure> {
        // Should the keeper be killed, what it kept is ours to kill.
        adopt_orphans()?;
        let (ours, theirs) = UnixStream::pair()?;
        rustix::io::fcntl_setfd(&theirs, FdFlags::empty())?;
        let mut keeper = Command::new("/proc/self/exe");
        keeper
            .arg0("errorfs")
            .arg("keeper")
            .arg(format!("--connection={}", theirs.as_raw_fd()))
            .arg(format!("--group={}", getpgrp().as_raw_nonzero()))
            // Out of reach of whatever kills our process group; the command stays in reach.
            .process_group(0);
        keeper.arg(format!("--umask={}", start.surroundings.umask));
        if let Some(limit) = start.surroundings.open_files {
            keeper.arg(format!("--open-files={limit}"));
        }
        if let Some(cwd) = start.cwd {
            keeper.arg("--cwd").arg(cwd);
        }
        for (name, value) in start.environment {
            match value {
                Some(value) => keeper.env(name, value),
                None => keeper.env_remove(name),
            };
        }
        let keeper = keeper.arg("--").args(start.command).spawn()?;
        forward_signals(ours.try_clone()?)?;
        let lines = BufReader::new(ours);
        Ok(Enclosure { keeper, lines })
    }

    /// Waits for the end of the command. An error if its keeper was killed, and so all of it.
    pub fn wait(&mut self) -> io::Result<Ended> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        line.trim_end().parse().map_err(|()| {
            kill_descendants(Some(Duration::from_secs(5)), |_, _| ());
            io::Error::other("the keeper of the command was killed, and the command with it")
        })
    }

    /// Waits until the processes that the command left are killed too. Whether they are: one that
    /// waits for an answer of errorfs can end only with the mount.
    pub fn wait_for_rest(&mut self, within: Duration) -> bool {
        let stream = self.lines.get_mut();
        if stream.set_read_timeout(Some(within)).is_err() {
            return false;
        }
        matches!(stream.read(&mut [0]), Ok(0))
    }
}

impl Drop for Enclosure {
    fn drop(&mut self) {
        // The keeper takes this for the end of errorfs.
        let _ = self.lines.get_ref().shutdown(std::net::Shutdown::Both);
        let _ = self.keeper.wait();
    }
}

/// Passes on what somebody sent to this process alone. What the kernel sent (Ctrl-C, the end of the
/// terminal) the command got itself, as it is in the same process group.
fn forward_signals(mut keeper: UnixStream) -> io::Result<()> {
    let wanted = ENDING.into_iter().filter(|signal| !is_ignored(*signal));
    let mut signals = SignalsInfo::<WithOrigin>::new(wanted)?;
    thread::Builder::new().name("errorfs-signals".into()).spawn(move || {
        for origin in signals.forever() {
            let number = u8::try_from(origin.signal).unwrap_or(0);
            if origin.cause != Cause::Kernel && keeper.write_all(&[number]).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
