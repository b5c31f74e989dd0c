//! Which process serves a mount of errorfs: the one that its guard watches over.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// The process that serves a mount. Its number is not given to another one while this exists.
#[derive(Debug)]
pub struct ServerProcess {
    pid: Pid,
    handle: OwnedFd,
}

impl ServerProcess {
    /// Who serves the mount of this device (major, minor). `None`: nobody does, or it cannot be told,
    /// as that process has no guard or is not to be seen from here.
    pub fn of(device: (u32, u32)) -> Option<ServerProcess> {
        let (guard, pid) = std::fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
            let pid = guarded(&process.path(), device)?;
            Some((process.path(), pid))
        })?;
        let pid = Pid::from_raw(pid)?;
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // It lived when it was opened, so that it is the one and not a later one of its number.
        (parent(&guard)? == pid.as_raw_nonzero().get()).then_some(ServerProcess { pid, handle })
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

/// The number of the process that this one guards the mount of that device for, if it does.
fn guarded(process: &Path, device: (u32, u32)) -> Option<i32> {
    let line = std::fs::read(process.join("cmdline")).ok()?;
    let words: Vec<_> = line.split(|byte| *byte == 0).collect();
    let [_, b"guard", b"--", _, guarded, server, ..] = words.as_slice() else { return None };
    let server = std::str::from_utf8(server).ok()?.parse().ok()?;
    let is_its = *guarded == format!("{}:{}", device.0, device.1).as_bytes();
    // A guard that has another parent by now has outlived whom it guards.
    (is_its && parent(process)? == server).then_some(server)
}

fn parent(process: &Path) -> Option<i32> {
    let status = std::fs::read_to_string(process.join("status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    parent?.trim().parse().ok()
}
