//! Whom errorfs may kill, and killing: by a descriptor of the process, so that nobody else is hit who
//! was given the same number meanwhile.

use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

/// A process that is to be killed.
#[derive(Debug)]
pub(super) struct Victim {
    process: OwnedFd,
}

/// Why a caller is not killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Spared {
    #[error("the caller is in a process namespace that errorfs does not see")]
    Unseen,
    #[error("the kernel itself asked")]
    Kernel,
    #[error("the caller is process 1")]
    First,
    #[error("the caller is errorfs or one of those that started it")]
    Ours,
    #[error("the caller is gone")]
    Gone,
}

/// What proc says of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Status {
    process: i32,
    parent: i32,
}

impl Victim {
    /// The process of a thread that waits for an answer, if it may be killed.
    pub(super) fn of(thread: u32) -> Result<Victim, Spared> {
        let thread = i32::try_from(thread).ok().filter(|thread| *thread > 0);
        let thread = thread.ok_or(Spared::Unseen)?;
        if !is_our_proc() {
            return Err(Spared::Unseen);
        }
        let Status { process, parent } = status(thread).ok_or(Spared::Gone)?;
        may_be_killed(process, parent)?;
        let pid = Pid::from_raw(process).ok_or(Spared::Unseen)?;
        let descriptor = pidfd_open(pid, PidfdFlags::empty()).map_err(|_| Spared::Gone)?;
        // The thread waits for us: as long as it is there, the descriptor is that of its process.
        match status(thread).is_some_and(|status| status.process == process) {
            true => Ok(Victim { process: descriptor }),
            false => Err(Spared::Gone),
        }
    }

    /// Sends SIGKILL. One that is gone is no error: that is what was wanted.
    pub(super) fn kill(&self) {
        if let Err(error) = pidfd_send_signal(&self.process, Signal::KILL) {
            tracing::warn!("the caller could not be killed: {error}");
        }
    }
}

fn may_be_killed(process: i32, parent: i32) -> Result<(), Spared> {
    /// The parent of all threads of the kernel, where these can be seen.
    const KTHREADD: i32 = 2;
    if process == 1 {
        return Err(Spared::First);
    }
    if (process == KTHREADD || parent == KTHREADD) && is_kernel_thread(process) {
        return Err(Spared::Kernel);
    }
    let mut ours = getpid().as_raw_nonzero().get();
    loop {
        match ours {
            ours if ours == process => return Err(Spared::Ours),
            0 | 1 => return Ok(()),
            _ => ours = status(ours).map_or(0, |status| status.parent),
        }
    }
}

/// Whether proc is that of the namespace in which we have our number.
fn is_our_proc() -> bool {
    let link = std::fs::read_link("/proc/self").ok();
    link.is_some_and(|link| link.as_os_str() == getpid().as_raw_nonzero().to_string().as_str())
}

/// Threads of the kernel have no memory of their own.
fn is_kernel_thread(process: i32) -> bool {
    let maps = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    !maps.lines().any(|line| line.starts_with("VmSize:"))
}

fn status(thread: i32) -> Option<Status> {
    let text = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let number = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|line| line.trim().parse().ok())
    };
    Some(Status { process: number("Tgid:")?, parent: number("PPid:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errorfs_and_those_that_started_it_are_spared() {
        let me = std::process::id();
        assert_eq!(Victim::of(me).unwrap_err(), Spared::Ours);
        let parent = std::os::unix::process::parent_id();
        assert!(matches!(
            Victim::of(parent).unwrap_err(),
            Spared::Ours | Spared::First | Spared::Unseen
        ));
        assert_eq!(Victim::of(0).unwrap_err(), Spared::Unseen);
        assert_eq!(Victim::of(u32::MAX).unwrap_err(), Spared::Unseen);
    }

    #[test]
    fn the_first_process_is_spared() {
        assert_eq!(Victim::of(1).unwrap_err(), Spared::First);
    }

    #[test]
    fn a_child_is_killed() {
        use std::os::unix::process::ExitStatusExt;
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        Victim::of(child.id()).unwrap().kill();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert_eq!(Victim::of(child.id()).unwrap_err(), Spared::Gone);
    }
}
