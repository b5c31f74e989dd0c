//! Processes: leaving namespaces, dying with a parent, descriptors that a parent handed down.
//!
//! Only what needs `unsafe`; when to do it is the business of `isolation` and `machine`.
#![expect(unsafe_code, reason = "this is the place for it")]

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use rustix::thread::UnshareFlags;

/// What a process can leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespaces {
    /// The mounts of everyone else. Needs CAP_SYS_ADMIN.
    Mounts,
    /// The users and the mounts of everyone else. Needs nothing where the system allows it.
    UsersAndMounts,
    /// The mounts, the processes and the network of everyone else; of processes, its children do.
    /// Needs CAP_SYS_ADMIN.
    MountsProcessesAndNetwork,
}

/// Leaves namespaces. Must be called while the process has one thread: the kernel would refuse
/// (users) or move the calling thread alone (mounts), so that more than one is an error here.
pub fn unshare(namespaces: Namespaces) -> io::Result<()> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        let message = "namespaces must be left before any thread is started";
        return Err(io::Error::other(message));
    }
    let flags = match namespaces {
        Namespaces::Mounts => UnshareFlags::NEWNS,
        Namespaces::UsersAndMounts => UnshareFlags::NEWUSER | UnshareFlags::NEWNS,
        Namespaces::MountsProcessesAndNetwork => {
            UnshareFlags::NEWNS | UnshareFlags::NEWPID | UnshareFlags::NEWNET
        }
    };
    // SAFETY: unsafe only because of `UnshareFlags::FILES`, which is in none of these sets.
    unsafe { rustix::thread::unshare_unsafe(flags) }?;
    Ok(())
}

/// Lets the command be killed when the thread that spawns it ends, however that happens.
pub fn die_with_parent(command: &mut Command) {
    let parent = rustix::process::getpid();
    let prepare = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have died before the line above.
        if getppid() == Some(parent) {
            Ok(())
        } else {
            Err(io::Error::from(rustix::io::Errno::SRCH))
        }
    };
    // SAFETY: between fork and exec this makes two system calls and touches no memory but its own.
    unsafe { command.pre_exec(prepare) };
}

/// The same for a command in processes of its own, which cannot see who its parent is: if that dies
/// before this is done, it is for whoever watches over the parent to end it.
pub fn die_with_unseen_parent(command: &mut Command) {
    let prepare = || Ok(set_parent_process_death_signal(Some(Signal::KILL))?);
    // SAFETY: between fork and exec this makes one system call and touches no memory but its own.
    unsafe { command.pre_exec(prepare) };
}

/// Takes a descriptor that the parent process left open for this one, and keeps it from children.
/// An error if there is none. Not for the standard streams, nor twice for one number.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: a system call on a number; harmless if nothing is open there.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if number <= 2 || flags < 0 {
        return Err(io::Error::from(rustix::io::Errno::BADF));
    }
    // SAFETY: it is open, and by this function's contract nobody else in this process owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    Ok(fd)
}

/// Closes everything that a parent process left open except the standard streams. Must be called
/// before this process has opened anything itself.
pub fn close_inherited() {
    // SAFETY: by the contract nothing in this process owns a descriptor above 2 yet. Kernels
    // before 5.9 refuse, and the descriptors stay open, as without this call.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
}
