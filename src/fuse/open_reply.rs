//! Replies to `open` and `create` that name a backing file.
//!
//! fuser 0.18 can name none in its reply to `create`, and in that to `open` only by calls that are
//! unsafe; so these two replies are written here, as `linux/fuse.h` has them.

use std::time::Duration;

use crate::fs::{Attr, Backing, Entry, FileHandle, NodeId};

/// `FOPEN_NOFLUSH`, `FOPEN_PASSTHROUGH`.
const NOFLUSH: u32 = 1 << 5;
const PASSTHROUGH: u32 = 1 << 7;

/// What a reply says of a file that was opened by way of a backing file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Through {
    pub(super) handle: FileHandle,
    /// The number of the backing file.
    pub(super) backing: u32,
    /// Closing a descriptor need not be told.
    pub(super) closes_quietly: bool,
}

impl Through {
    /// `struct fuse_open_out`.
    fn append_to(self, bytes: &mut Vec<u8>) {
        let flags = PASSTHROUGH | if self.closes_quietly { NOFLUSH } else { 0 };
        bytes.extend(self.handle.0.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(self.backing.to_ne_bytes());
    }
}

/// The reply to `open`.
pub(super) fn opened(unique: u64, through: Through) -> Vec<u8> {
    let mut body = Vec::with_capacity(16);
    through.append_to(&mut body);
    framed(unique, &body)
}

/// The reply to `create`. `ttls`: how long the kernel may remember the name, and the attributes.
pub(super) fn created(
    unique: u64,
    ttls: (Duration, Duration),
    entry: &Entry,
    through: Through,
) -> Vec<u8> {
    let mut body = Vec::with_capacity(144);
    let (name, attributes) = ttls;
    for word in [entry.id.0, entry.attr.generation, name.as_secs(), attributes.as_secs()] {
        body.extend(word.to_ne_bytes());
    }
    let nanos = [name.subsec_nanos(), attributes.subsec_nanos()];
    body.extend(nanos.map(u32::to_ne_bytes).concat());
    append_attributes(entry.id.0, &entry.attr, &mut body);
    through.append_to(&mut body);
    framed(unique, &body)
}

/// `struct fuse_attr` of a regular file.
fn append_attributes(ino: u64, attr: &Attr, bytes: &mut Vec<u8>) {
    const REGULAR: u32 = 0o100_000;
    for word in [ino, attr.size, attr.blocks] {
        bytes.extend(word.to_ne_bytes());
    }
    let times = [attr.atime, attr.mtime, attr.ctime];
    times.iter().for_each(|(seconds, _)| bytes.extend(seconds.to_ne_bytes()));
    times.iter().for_each(|(_, nanos)| bytes.extend(nanos.to_ne_bytes()));
    let mode = REGULAR | u32::from(attr.permissions);
    let flags = 0;
    for word in [mode, attr.nlink, attr.uid, attr.gid, attr.rdev, attr.blksize, flags] {
        bytes.extend(word.to_ne_bytes());
    }
}

/// With its `struct fuse_out_header`.
fn framed(unique: u64, body: &[u8]) -> Vec<u8> {
    const HEADER: usize = 16;
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend(((HEADER + body.len()) as u32).to_ne_bytes());
    bytes.extend(0i32.to_ne_bytes());
    bytes.extend(unique.to_ne_bytes());
    bytes.extend(body);
    bytes
}

/// The notice by which the kernel forgets what it knows of a file's attributes, and nothing else:
/// from now on they may change without a request.
pub(super) fn attributes_forgotten(id: NodeId) -> Vec<u8> {
    /// `FUSE_NOTIFY_INVAL_INODE`, in the place of an errno; such messages have no number.
    const INVALIDATE: i32 = 2;
    const NO_DATA: i64 = -1;
    let mut bytes = Vec::with_capacity(40);
    bytes.extend(40u32.to_ne_bytes());
    bytes.extend(INVALIDATE.to_ne_bytes());
    bytes.extend(0u64.to_ne_bytes());
    bytes.extend(id.0.to_ne_bytes());
    bytes.extend(NO_DATA.to_ne_bytes());
    bytes.extend(0i64.to_ne_bytes());
    bytes
}

/// Sends it in the place of fuser's reply, which is not to be sent any more. Forgetting that one
/// leaves a reference to the device behind: it stays open until the process ends, which does no harm
/// once the mount is gone.
pub(super) fn send(backing: &Backing, bytes: &[u8], instead_of: impl Sized) {
    tell(backing, bytes);
    std::mem::forget(instead_of);
}

/// Writes to the device of the mount. What is not taken is of no use to anybody any more: the caller
/// is gone, or the mount is.
pub(super) fn tell(backing: &Backing, bytes: &[u8]) {
    let Some(device) = backing.device() else { return };
    if let Err(errno) = rustix::io::write(&*device, bytes) {
        tracing::debug!("the kernel did not take a message: {errno}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_to_open_is_a_header_a_handle_flags_and_the_backing_file() {
        let through = Through { handle: FileHandle(7), backing: 9, closes_quietly: true };
        let bytes = opened(3, through);
        let (header, body) =
            ([32u32, 0].map(u32::to_ne_bytes), [0x80u32 | 0x20, 9].map(u32::to_ne_bytes));
        let numbers = [3u64, 7].map(u64::to_ne_bytes);
        assert_eq!(bytes, [header.concat(), numbers.concat(), body.concat()].concat());
    }
}
