//! What kind of filesystem the backing directory is on, as far as it makes a difference.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FsWord, fstatfs};

use super::Answer;

/// Of statfs(2): those whose files another machine, or another program, may have to be asked about
/// when a descriptor is closed.
const ASKS_OTHERS: &[FsWord] = &[
    0x6969,      // NFS
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x0102_1997, // 9p
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
    0x6573_5546, // FUSE
];

/// `OVERLAYFS_SUPER_MAGIC`.
const OVERLAY: FsWord = 0x794c_7630;

/// Whether closing a descriptor there can tell nothing that was not told before.
pub(super) fn is_local(root: &OwnedFd) -> Answer<bool> {
    let kind = fstatfs(root)?.f_type;
    Ok(!ASKS_OTHERS.contains(&kind))
}

/// Filesystems that lie above one another there, ours not counted: overlays are stacked, and most
/// others are not.
pub(super) fn depth(root: &OwnedFd) -> u32 {
    match fstatfs(root) {
        Ok(stat) if stat.f_type == OVERLAY => 2,
        _ => 1,
    }
}

/// Whether two files of one inode number can be told apart by their time of birth.
static BIRTH_LASTS: AtomicBool = AtomicBool::new(true);

/// An overlay gives a file another time of birth when it is first written (it is copied up), and
/// keeps its number: there the time is no part of what a file is, for all mounts of this process.
pub(super) fn settle_identity(root: &OwnedFd) -> Answer<()> {
    if fstatfs(root)?.f_type == OVERLAY {
        BIRTH_LASTS.store(false, Ordering::Relaxed);
    }
    Ok(())
}

/// Whether the time of birth is part of what a file is.
pub(super) fn birth_lasts() -> bool {
    BIRTH_LASTS.load(Ordering::Relaxed)
}
