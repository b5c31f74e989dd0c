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

use rustix::io::FdFlags;
use rustix::process::getpgrp;
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

impl Enclosure {
    /// Runs `command` (program and arguments) under a keeper, in `cwd` if that must be entered
    /// anew, and from then on passes on the signals that ask this process to end.
    pub fn spawn(command: &[OsString], cwd: Option<&Path>) -> io::Result<Enclosure> {
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
        if let Some(cwd) = cwd {
            keeper.arg("--cwd").arg(cwd);
        }
        let keeper = keeper.arg("--").args(command).spawn()?;
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
    thread::Builder::new()
        .name("errorfs-signals".into())
        .spawn(move || {
            for origin in signals.forever() {
                let number = u8::try_from(origin.signal).unwrap_or(0);
                if origin.cause != Cause::Kernel && keeper.write_all(&[number]).is_err() {
                    return;
                }
            }
        })?;
    Ok(())
}
