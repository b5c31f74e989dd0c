//! Processes and network of one's own: who is in here sees no other process, listens on ports that
//! nobody else has, and dies with the first process of it, whatever it does.

use std::io;
use std::process::Command;

use rustix::mount::{MountFlags, mount};

use super::NamespaceError;
use super::namespace::{Step, make_private};
use crate::sys::network::loopback_up;
use crate::sys::process::{Namespaces, die_with_unseen_parent, unshare};

/// Moves this process, which must have one thread, into a network of its own, whose loopback works,
/// and into mounts of its own; its next child will be the first process of processes of their own.
pub fn seclude() -> Result<(), NamespaceError> {
    let namespaces = Namespaces::MountsProcessesAndNetwork;
    unshare(namespaces).map_err(|error| Step::Unshare.failed(namespaces, error))?;
    make_private(namespaces)?;
    loopback_up().map_err(|error| Step::Loopback.failed(namespaces, error))
}

/// Runs the first process of the secluded ones to its end, which is the end of all of them. Its
/// status.
pub fn first(mut command: Command) -> io::Result<i32> {
    die_with_unseen_parent(&mut command);
    Ok(command.spawn()?.wait()?.code().unwrap_or(-1))
}

/// Shows the processes of here at `/proc`. In the first process.
pub fn show_processes() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount("proc", "/proc", "proc", flags, None)?)
}
