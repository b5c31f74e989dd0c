//! Which process serves a mount of errorfs: the one that its guard watches over.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::Mount;

/// The process that serves a mount. Its number is not given to another one while this exists.
#[derive(Debug)]
pub struct ServerProcess {
    pid: Pid,
    handle: OwnedFd,
}

impl ServerProcess {
    /// Who serves this mount. `None`: nobody does, or it cannot be told, as that process has no guard
    /// or is not to be seen from here.
    pub fn of(mount: &Mount) -> Option<ServerProcess> {
        let processes = std::fs::read_dir("/proc").ok()?.flatten();
        let guards = processes.filter_map(|process| Guarding::of(process.path(), mount));
        // The device's number may have been that of a mount before, whose errorfs is about to end.
        let guard = guards.max_by_key(|guard| (guard.is_there, guard.since))?;
        let pid = Pid::from_raw(guard.server)?;
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // It lived when it was opened, so that it is the one and not a later one of its number.
        (guard.stat()?.0 == guard.server).then_some(ServerProcess { pid, handle })
    }

    /// Its number.
    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Waits for its end no longer than this; whether it has ended.
    pub fn ends_within(&self, patience: Duration) -> io::Result<bool> {
        let mut ended = [PollFd::new(&self.handle, PollFlags::IN)];
        let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
        Ok(poll(&mut ended, Some(&patience))? > 0)
    }
}

/// A process that guards what is or was mounted from a device, while whom it guards lives.
struct Guarding {
    process: PathBuf,
    server: i32,
    /// Whether it was mounted where the mount is.
    is_there: bool,
    /// When it began, in ticks of the kernel's clock.
    since: u64,
}

impl Guarding {
    fn of(process: PathBuf, mount: &Mount) -> Option<Guarding> {
        let line = std::fs::read(process.join("cmdline")).ok()?;
        let words: Vec<_> = line.split(|byte| *byte == 0).collect();
        let [_, b"guard", b"--", place, device, server, ..] = *words.as_slice() else {
            return None;
        };
        let is_its = device == format!("{}:{}", mount.device.0, mount.device.1).as_bytes();
        let server = std::str::from_utf8(server).ok()?.parse().ok()?;
        let is_there = place == mount.mountpoint.as_os_str().as_bytes();
        let guard = Guarding { process, server, is_there, since: 0 };
        let (parent, since) = guard.stat()?;
        // A guard that has another parent by now has outlived whom it guards.
        (is_its && parent == server).then_some(Guarding { since, ..guard })
    }

    /// Its parent, and when it began: fields 4 and 22 of proc_pid_stat(5).
    fn stat(&self) -> Option<(i32, u64)> {
        let stat = std::fs::read_to_string(self.process.join("stat")).ok()?;
        // The name before them may hold anything.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        Some((fields.nth(1)?.parse().ok()?, fields.nth(17)?.parse().ok()?))
    }
}
