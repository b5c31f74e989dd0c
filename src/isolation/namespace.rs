//! Enters a private mount namespace: what is mounted there, nobody else sees, and it vanishes with
//! the last process in it.

use std::fmt;
use std::fs;
use std::io;

use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{getegid, geteuid};

use crate::sys::process::{Namespaces, unshare};

/// Why there is no private namespace for this process.
#[derive(Debug, thiserror::Error)]
#[error("no private namespace: {step}: {source}{hint}")]
pub struct NamespaceError {
    step: Step,
    source: io::Error,
    hint: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Unshare,
    Map,
    Private,
    Loopback,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Unshare => "the kernel does not give one",
            Step::Map => "this user cannot be mapped into it",
            Step::Private => "its mounts cannot be made private",
            Step::Loopback => "its loopback interface cannot be used",
        })
    }
}

impl Step {
    pub(super) fn failed(self, namespaces: Namespaces, source: io::Error) -> NamespaceError {
        let hint = match source.kind() {
            io::ErrorKind::PermissionDenied if namespaces == Namespaces::UsersAndMounts => {
                "; this user is not privileged, and user namespaces are probably restricted"
            }
            io::ErrorKind::StorageFull => "; user.max_user_namespaces is used up, or 0",
            _ => "",
        };
        let step = self;
        NamespaceError { step, source, hint }
    }
}

/// Moves this process, which must have one thread, into a private mount namespace: with the
/// privileges it has, or else in a user namespace where it keeps its own user and group.
pub fn enter_namespace() -> Result<Namespaces, NamespaceError> {
    match enter_mount_namespace() {
        Err(error) if error.source.kind() == io::ErrorKind::PermissionDenied => {
            enter_user_namespace().map(|()| Namespaces::UsersAndMounts)
        }
        other => other.map(|()| Namespaces::Mounts),
    }
}

/// As [`enter_namespace`], with privileges only.
pub fn enter_mount_namespace() -> Result<(), NamespaceError> {
    let namespaces = Namespaces::Mounts;
    unshare(namespaces).map_err(|error| Step::Unshare.failed(namespaces, error))?;
    make_private(namespaces)
}

/// As [`enter_namespace`], in a user namespace only.
pub fn enter_user_namespace() -> Result<(), NamespaceError> {
    // Afterwards they read as nobody's until the maps are written.
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let namespaces = Namespaces::UsersAndMounts;
    unshare(namespaces).map_err(|error| Step::Unshare.failed(namespaces, error))?;
    let write = |file: &str, text: String| {
        fs::write(format!("/proc/self/{file}"), text)
            .map_err(|error| Step::Map.failed(namespaces, error))
    };
    write("setgroups", "deny".into())?;
    write("uid_map", format!("{uid} {uid} 1"))?;
    write("gid_map", format!("{gid} {gid} 1"))?;
    make_private(namespaces)
}

/// Nothing that is mounted from here on goes to other namespaces, and nothing comes from them.
pub(super) fn make_private(namespaces: Namespaces) -> Result<(), NamespaceError> {
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", flags).map_err(|errno| Step::Private.failed(namespaces, errno.into()))
}
