//! Types of the protocol to types of the filesystem, and back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{FileAttr, FileType, FopenFlags, INodeNo, RenameFlags, Request, TimeOrNow};

use crate::errno::Errno;
use crate::fs::{Attr, DataPath, FileHandle, FileKind, NodeId, Time, Timestamp};
use crate::op::{Caller, Op, OpKind};

/// An operation on no bytes.
pub(super) fn op(kind: OpKind, request: &Request) -> Op {
    op_on(kind, request, 0, 0)
}

/// An operation on bytes.
pub(super) fn op_on(kind: OpKind, request: &Request, offset: u64, len: u64) -> Op {
    let caller = Caller { pid: request.pid(), uid: request.uid(), gid: request.gid() };
    Op::new(kind, offset, len, caller)
}

/// A node as the protocol names it.
pub(super) fn node(ino: INodeNo) -> NodeId {
    NodeId(ino.0)
}

/// An open file as the protocol names it.
pub(super) fn handle(handle: fuser::FileHandle) -> FileHandle {
    FileHandle(handle.0)
}

/// An errno as the protocol carries it.
pub(super) fn errno(errno: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(errno.raw())
}

/// Attributes under the id that the kernel is to use.
pub(super) fn attributes(id: NodeId, attr: &Attr) -> FileAttr {
    FileAttr {
        ino: INodeNo(if id == NodeId::ROOT { attr.key.ino } else { id.0 }),
        size: attr.size,
        blocks: attr.blocks,
        atime: system_time(attr.atime),
        mtime: system_time(attr.mtime),
        ctime: system_time(attr.ctime),
        crtime: UNIX_EPOCH,
        kind: file_type(attr.kind),
        perm: attr.permissions,
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: attr.rdev,
        blksize: attr.blksize,
        flags: 0,
    }
}

/// What stands in a list without attributes: fuser 0.18 has one number for the entry and for the node
/// that the kernel is to connect with it. No file is as large as this, so that the kernel lists the
/// entry, connects nothing, and forgets the node once.
pub(super) fn listed(ino: u64, kind: FileKind) -> FileAttr {
    FileAttr {
        ino: INodeNo(ino),
        size: u64::MAX,
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: file_type(kind),
        perm: 0,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 0,
        flags: 0,
    }
}

/// A kind of file.
pub(super) fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::Regular => FileType::RegularFile,
        FileKind::Directory => FileType::Directory,
        FileKind::Symlink => FileType::Symlink,
        FileKind::Fifo => FileType::NamedPipe,
        FileKind::Socket => FileType::Socket,
        FileKind::Character => FileType::CharDevice,
        FileKind::Block => FileType::BlockDevice,
    }
}

fn system_time((seconds, nanoseconds): Time) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let start = if seconds < 0 { UNIX_EPOCH - whole } else { UNIX_EPOCH + whole };
    start + Duration::from_nanos(nanoseconds.into())
}

/// A time to set. Of times before 1970 fuser 0.18 makes a point as far from the epoch as seconds
/// and fraction together, although the fraction counts forward: told apart, they are as they came.
pub(super) fn timestamp(time: TimeOrNow) -> Timestamp {
    match time {
        TimeOrNow::Now => Timestamp::Now,
        TimeOrNow::SpecificTime(time) => Timestamp::At(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => (since.as_secs() as i64, since.subsec_nanos()),
            Err(before) => {
                let distance = before.duration();
                (-(distance.as_secs() as i64), distance.subsec_nanos())
            }
        }),
    }
}

/// Flags of renameat2(2).
pub(super) fn rename_flags(flags: RenameFlags) -> rustix::fs::RenameFlags {
    rustix::fs::RenameFlags::from_bits_retain(flags.bits())
}

/// How the kernel is to treat an open file that it asks us about; one that it moves the data of by
/// itself has a reply of its own.
pub(super) fn open_flags(path: &DataPath) -> FopenFlags {
    match path {
        DataPath::Cached | DataPath::Passthrough(_) => FopenFlags::empty(),
        DataPath::Direct => FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_PARALLEL_DIRECT_WRITES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As fuser 0.18 does.
    fn received((seconds, nanoseconds): Time) -> TimeOrNow {
        let distance = Duration::new(seconds.unsigned_abs(), nanoseconds);
        TimeOrNow::SpecificTime(match seconds < 0 {
            true => UNIX_EPOCH - distance,
            false => UNIX_EPOCH + distance,
        })
    }

    #[test]
    fn times_before_the_epoch_keep_their_fractions() {
        for time in [(0, 0), (5, 7), (-1, 0), (-1, 999_999_999), (-2, 250_000_000)] {
            assert_eq!(timestamp(received(time)), Timestamp::At(time));
        }
        let half_before = UNIX_EPOCH - Duration::from_millis(500);
        assert_eq!(system_time((-1, 500_000_000)), half_before);
    }
}
