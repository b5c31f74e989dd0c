//! Ends a mount that hangs, so that it cannot hang the test run: kills errorfs, which makes the
//! kernel answer everything that waits, then takes the mount away.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Barks once, unless it is dropped in time.
#[derive(Debug)]
pub(crate) struct Watchdog {
    _alive: Sender<()>,
}

impl Watchdog {
    pub(crate) fn over(pid: u32, mountpoint: &Path, limit: Duration) -> Watchdog {
        let (alive, dropped) = channel::<()>();
        let mountpoint = mountpoint.to_path_buf();
        std::thread::spawn(move || {
            if dropped.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                eprintln!("watchdog: {} is still there after {limit:?}", mountpoint.display());
                abort(pid, &mountpoint);
            }
        });
        Watchdog { _alive: alive }
    }
}

/// Ends a mount and its errorfs by force.
pub(crate) fn abort(pid: u32, mountpoint: &Path) {
    if let Some(minor) = minor_of(mountpoint) {
        let _ = std::fs::write(format!("/sys/fs/fuse/connections/{minor}/abort"), "1");
    }
    if let Some(pid) = Pid::from_raw(pid as i32) {
        let _ = kill_process(pid, Signal::KILL);
    }
    take_away(mountpoint);
}

/// Unmounts, however dead the mount is.
pub(crate) fn take_away(mountpoint: &Path) {
    use rustix::mount::{UnmountFlags, unmount};
    let flags = UnmountFlags::FORCE | UnmountFlags::DETACH;
    if minor_of(mountpoint).is_some() && unmount(mountpoint, flags).is_err() {
        let _ = std::process::Command::new("fusermount3").arg("-uz").arg(mountpoint).status();
    }
}

/// The number of the connection mounted there, without touching the mount.
pub(crate) fn minor_of(mountpoint: &Path) -> Option<u32> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let device = fields.nth(2)?;
        let place = PathBuf::from(fields.nth(1)?);
        let minor = device.split(':').nth(1)?.parse().ok();
        minor.filter(|_| place == mountpoint && line.contains(" fuse"))
    })
}
