//! Nodes: who is who, what the kernel knows and forgets, and changes made behind the mount.

mod behind;
mod counts;
mod handles;
mod identity;
mod scale;
mod submounts;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Opens by path only: the kernel keeps the node and asks errorfs for nothing.
fn by_path(path: &Path) -> OwnedFd {
    rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty()).unwrap()
}

/// Makes the kernel forget names and nodes that nobody uses.
fn forget_nodes() {
    std::fs::write("/proc/sys/vm/drop_caches", "2").expect("only root can drop caches");
}

/// The error number of what failed.
fn errno<T>(result: std::io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

/// Opens below a directory.
fn open_in(directory: &OwnedFd, name: &str, flags: OFlags) -> std::io::Result<File> {
    Ok(rustix::fs::openat(directory, name, flags, Mode::empty())?.into())
}
