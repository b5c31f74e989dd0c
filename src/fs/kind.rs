//! What kind of filesystem the backing directory is on, as far as it makes a difference.

use std::os::fd::OwnedFd;

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
