//! The medium below one file, and the table of all of them.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A file of the backing directory, whatever its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileKey {
    /// Device number.
    pub dev: u64,
    /// Inode number on that device.
    pub ino: u64,
}

/// All files with a memory. Survives that the kernel forgets a node.
#[derive(Debug, Default)]
pub struct Media {}

impl Media {
    /// The medium of a file, made on first use. Every caller gets the same one while it is in use
    /// or has something to remember.
    pub fn medium(&self, _key: FileKey) -> Arc<Medium> {
        unimplemented!()
    }

    /// The kernel forgot the node: drops the entry unless it has something to remember
    /// (an identity other than its present path's, overwritten bytes, birth through the mount).
    pub fn forget(&self, _key: FileKey) {}

    /// The last name and the last handle of the file are gone; its inode number may come again.
    pub fn removed(&self, _key: FileKey) {}

    /// The file or directory was created through the mount: it was not there at arming.
    pub fn born(&self, _key: FileKey) {}

    /// Whether it was created through the mount.
    pub fn is_born(&self, _key: FileKey) -> bool {
        false
    }

    /// Before a rename or link of what was there at arming: keeps the path that it had then.
    /// The first call for a key wins; born files have no origin.
    pub fn keep_origin(&self, _key: FileKey, _origin: &Path) {}

    /// The path at arming, where it differs from the present one. Also for directories.
    pub fn origin(&self, _key: FileKey) -> Option<Arc<Path>> {
        None
    }
}

/// The medium below one file.
#[derive(Debug, Default)]
pub struct Medium {}

impl Medium {
    /// The generations of a byte range, in order, without gaps: how often each byte has been
    /// overwritten since it was first stored.
    pub fn generations(&self, _range: Range<u64>) -> Vec<(Range<u64>, u32)> {
        unimplemented!()
    }

    /// `range` was written while the file had `size_before` bytes: what was stored there before is
    /// overwritten; what lies beyond is stored for the first time.
    pub fn written(&self, _range: Range<u64>, _size_before: u64) {}

    /// `range` was cut off, punched or zeroed while the file had `size_before` bytes.
    pub fn discarded(&self, _range: Range<u64>, _size_before: u64) {}
}
