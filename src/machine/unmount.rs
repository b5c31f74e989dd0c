//! Removes mounts of errorfs, also dead ones, and nothing else.
//!
//! Tries umount2(2) first and `fusermount3` where that needs privileges that this process has not.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use super::{Mount, find, mount_at, mounts};

/// Why a mount was not removed.
#[derive(Debug, thiserror::Error)]
pub enum UnmountError {
    /// There is nothing to remove.
    #[error("{}: nothing is mounted there", path.display())]
    NotMounted {
        /// The path as it was given.
        path: PathBuf,
    },
    /// It is somebody else's.
    #[error("{}: a mount of type {fstype}, not of errorfs: left alone", path.display())]
    NotErrorfs {
        /// The path as it was given.
        path: PathBuf,
        /// What is mounted there.
        fstype: String,
    },
    /// It is in use.
    #[error(
        "{}: in use{}; end that, or detach it now and let it go when it is free: --lazy",
        path.display(), by(holders)
    )]
    Busy {
        /// The mountpoint.
        path: PathBuf,
        /// Processes that have something open there, as `pid (name)`.
        holders: Vec<String>,
    },
    /// Something else is mounted over it.
    #[error("{}: something else is mounted over it; unmount that first", path.display())]
    Covered {
        /// The mountpoint.
        path: PathBuf,
    },
    /// The system does not let this user do it.
    #[error("{}: {reason}", path.display())]
    Refused {
        /// The mountpoint.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
}

fn by(holders: &[String]) -> String {
    match holders {
        [] => String::new(),
        holders => format!(" by {}", holders.join(", ")),
    }
}

/// How a mount is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detach {
    /// Only if nobody uses it.
    IfUnused,
    /// From sight at once; it ends when nobody uses it any more.
    Lazily,
}

/// Removes what errorfs mounted at this path, dead or alive.
pub fn unmount(path: &Path, detach: Detach) -> Result<(), UnmountError> {
    let refused = |error: io::Error| UnmountError::Refused {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    match find(path).map_err(refused)? {
        None => Err(UnmountError::NotMounted { path: path.into() }),
        Some(mount) if !mount.is_errorfs() => {
            Err(UnmountError::NotErrorfs { path: path.to_owned(), fstype: mount.fstype })
        }
        Some(mount) => remove_at(&mount.mountpoint, detach),
    }
}

/// Removes this mount, wherever it has been moved to meanwhile; nothing is an error if it is gone.
/// What somebody else mounted over it stays.
pub fn remove(mount: &Mount, detach: Detach) -> Result<(), UnmountError> {
    let unlisted = |error: io::Error| UnmountError::Refused {
        path: mount.mountpoint.clone(),
        reason: error.to_string(),
    };
    for place in places_of(mount.device).map_err(unlisted)? {
        if mount_at(&place).map_err(unlisted)?.is_some_and(|top| top.device != mount.device) {
            return Err(UnmountError::Covered { path: place });
        }
        remove_at(&place, detach)?;
    }
    Ok(())
}

/// Where the filesystem of this device is mounted, the last one first.
fn places_of(device: (u32, u32)) -> io::Result<Vec<PathBuf>> {
    let ours = |mount: &Mount| mount.device == device && mount.is_errorfs();
    Ok(mounts()?.into_iter().rev().filter(ours).map(|mount| mount.mountpoint).collect())
}

fn remove_at(path: &Path, detach: Detach) -> Result<(), UnmountError> {
    let flags = match detach {
        Detach::IfUnused => UnmountFlags::NOFOLLOW,
        Detach::Lazily => UnmountFlags::NOFOLLOW | UnmountFlags::DETACH,
    };
    match rustix::mount::unmount(path, flags) {
        Ok(()) => Ok(()),
        Err(Errno::PERM) => with_helper(path, detach),
        Err(Errno::BUSY) => Err(busy(path)),
        Err(Errno::INVAL) => Err(UnmountError::NotMounted { path: path.to_owned() }),
        Err(errno) => {
            Err(UnmountError::Refused { path: path.to_owned(), reason: errno.to_string() })
        }
    }
}

fn with_helper(path: &Path, detach: Detach) -> Result<(), UnmountError> {
    let option = match detach {
        Detach::IfUnused => "-u",
        Detach::Lazily => "-uz",
    };
    let refused = |reason: String| UnmountError::Refused { path: path.to_owned(), reason };
    for helper in ["fusermount3", "fusermount"] {
        let mut command = Command::new(helper);
        match command.arg(option).arg("--").arg(path).output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refused(format!("{helper}: {error}"))),
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(match said.contains("busy") {
                    true => busy(path),
                    false => refused(said.trim().to_owned()),
                });
            }
        }
    }
    let reason = "only root may remove it here, as there is no fusermount3: install fuse3";
    Err(refused(reason.to_owned()))
}

fn busy(path: &Path) -> UnmountError {
    UnmountError::Busy { path: path.to_owned(), holders: holders(path) }
}

/// Who has a directory or file below this path, at most five. Only what the kernel lists: nothing
/// is opened, so that a dead mount does not matter.
fn holders(path: &Path) -> Vec<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let processes = processes.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name();
        name.as_bytes().iter().all(u8::is_ascii_digit) && holds(&entry.path(), path)
    });
    let named = processes.map(|entry| {
        let comm = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        format!("{} ({})", entry.file_name().display(), comm.trim_end())
    });
    named.take(5).collect()
}

fn holds(process: &Path, path: &Path) -> bool {
    let fds = std::fs::read_dir(process.join("fd"));
    let fds = fds.into_iter().flatten().filter_map(Result::ok);
    let links = ["cwd", "root", "exe"].map(|name| process.join(name));
    let mut links = links.into_iter().chain(fds.map(|entry| entry.path()));
    links.any(|link| std::fs::read_link(link).is_ok_and(|target| target.starts_with(path)))
}
