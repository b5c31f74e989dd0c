//! A layer over a directory of this private namespace that takes what is written, so that the
//! directory itself stays as it is; and one directory shown in the place of another.
//!
//! Only after [`enter_namespace`](super::enter_namespace): everything here is a mount, and mounts
//! made elsewhere would be everyone's.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, chownat, fchmod, futimens, mkdirat,
    open, openat,
};
use rustix::mount::{MountFlags, mount, mount_bind_recursive};

use crate::sys::process::Namespaces;

/// Where the layer keeps what was written, and where the kernel prepares it.
const PARTS: [&str; 2] = ["written", "work"];

/// From here on, what this namespace writes below the directory goes to memory and vanishes with the
/// namespace. What is mounted below the directory is hidden by the layer: make sure that nothing is.
pub fn discard_writes(directory: &Path, namespaces: Namespaces) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let lower = open(directory, flags, Mode::empty())?;
    let attributes = std::fs::metadata(directory)?;
    mount("errorfs", directory, "tmpfs", MountFlags::empty(), None)?;
    let memory = open(directory, flags, Mode::empty())?;
    let [upper, work] = PARTS.map(|name| part(memory.as_fd(), name));
    let (upper, work) = (upper?, work?);
    like(&upper, &attributes)?;
    // By descriptor: a path with a colon or a comma would have to be escaped, differently for each.
    let path = |fd: &OwnedFd| format!("/proc/self/fd/{}", fd.as_raw_fd());
    let (lower, upper, work) = (path(&lower), path(&upper), path(&work));
    let userxattr = if namespaces == Namespaces::UsersAndMounts { ",userxattr" } else { "" };
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work}{userxattr}");
    let options = CString::new(options).map_err(io::Error::other)?;
    Ok(mount("errorfs", directory, "overlay", MountFlags::empty(), options.as_c_str())?)
}

fn part(memory: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    mkdirat(&memory, name, Mode::RWXU)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(&memory, name, flags, Mode::empty())?)
}

/// The layer's root stands for the directory's: same owner, mode and times.
fn like(upper: &OwnedFd, attributes: &std::fs::Metadata) -> io::Result<()> {
    let owner = (Uid::from_raw(attributes.uid()), Gid::from_raw(attributes.gid()));
    // In a namespace with one user the owner may be somebody who does not exist there.
    let _ = chownat(upper, "", Some(owner.0), Some(owner.1), AtFlags::EMPTY_PATH);
    fchmod(upper, Mode::from_raw_mode(attributes.mode()))?;
    let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    let times = Timestamps {
        last_access: time(attributes.atime(), attributes.atime_nsec()),
        last_modification: time(attributes.mtime(), attributes.mtime_nsec()),
    };
    Ok(futimens(upper, &times)?)
}

/// Shows the directory `from` at `to`, to this namespace only.
pub fn show_at(from: &Path, to: &Path) -> io::Result<()> {
    File::open(from)?;
    Ok(mount_bind_recursive(from, to)?)
}
