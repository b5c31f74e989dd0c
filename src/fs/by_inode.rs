//! Files by their inode number alone, where the backing filesystem and our rights allow it: for
//! those whose known name is gone, and for those that the kernel remembers and we do not.
//!
//! Takes CAP_DAC_READ_SEARCH and a filesystem whose handles are an inode number and a generation
//! that may be left open (ext2, ext3, ext4 and their like); elsewhere such a file is stale.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, openat};

use super::stat::{Attr, stat_fd};
use crate::sys::file_handle::{FileHandle, handle_of, open_handle};

/// `FILEID_INO32_GEN`: an inode number and a generation, 32 bits each, of which 0 fits all.
const NUMBER_AND_GENERATION: i32 = 1;

/// The way from numbers to files.
#[derive(Debug)]
pub(super) struct ByInode {
    /// Any file there that is open in earnest: the kernel takes no `O_PATH` here.
    on: OwnedFd,
    device: u64,
}

impl ByInode {
    /// Tries it out on the root, whose number is known.
    pub(super) fn probe(root: &OwnedFd, attr: &Attr) -> Option<ByInode> {
        let handle = handle_of(root).ok()?;
        let number = u32::try_from(attr.key.ino).ok()?.to_ne_bytes();
        let usual = handle.kind == NUMBER_AND_GENERATION && handle.bytes.len() == 8;
        if !usual || handle.bytes[..4] != number {
            return None;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let on = openat(root, c".", flags, Mode::empty()).ok()?;
        let found = ByInode { on, device: attr.key.dev };
        let (_, same) = found.open(attr.key.ino)?;
        (same.key == attr.key).then_some(found)
    }

    /// The file that has this number on the root's device, if there is one.
    pub(super) fn open(&self, ino: u64) -> Option<(OwnedFd, Attr)> {
        let number = u32::try_from(ino).ok()?.to_ne_bytes();
        let bytes = [number, [0; 4]].concat();
        let handle = FileHandle { kind: NUMBER_AND_GENERATION, bytes };
        let flags = OFlags::PATH | OFlags::NOFOLLOW;
        let file = open_handle(&self.on, &handle, flags.bits() as i32).ok()?;
        let attr = stat_fd(&file).ok()?;
        (attr.key.dev == self.device && attr.key.ino == ino).then_some((file, attr))
    }
}
