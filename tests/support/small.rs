//! A small filesystem to fill up.

use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags};

/// A small filesystem of our own to go wrong: a tmpfs, gone when dropped.
pub(crate) struct Small {
    scratch: tempfile::TempDir,
}

impl Small {
    /// With room for so many bytes.
    pub(crate) fn new(bytes: u64) -> Small {
        let scratch = tempfile::tempdir().unwrap();
        let options = std::ffi::CString::new(format!("size={bytes}")).unwrap();
        let at = scratch.path();
        rustix::mount::mount("small", at, "tmpfs", MountFlags::empty(), &*options).unwrap();
        Small { scratch }
    }

    pub(crate) fn path(&self) -> &Path {
        self.scratch.path()
    }

    pub(crate) fn make_read_only(&self) {
        let flags = MountFlags::RDONLY;
        rustix::mount::mount_remount(self.path(), flags, c"").unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        rustix::mount::unmount(self.path(), UnmountFlags::DETACH).unwrap();
    }
}
