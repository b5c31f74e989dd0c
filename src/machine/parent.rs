//! The end of the process that started errorfs.

use std::io;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{PidfdFlags, getppid, pidfd_open};

/// Calls `gone` once when the parent process has ended. A process, not the thread that started us:
/// the death signal of prctl(2) would come with the end of the thread.
pub fn when_parent_ends(gone: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let Some(parent) = getppid() else {
        gone();
        return Ok(());
    };
    let parent = pidfd_open(parent, PidfdFlags::empty())?;
    let wait = move || {
        let mut ended = [PollFd::new(&parent, PollFlags::IN)];
        while poll(&mut ended, None).is_err() {}
        gone();
    };
    std::thread::Builder::new().name("parent".into()).spawn(wait)?;
    Ok(())
}
