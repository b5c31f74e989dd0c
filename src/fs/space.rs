//! What operations take of a space that is limited, what they give back, and what is told of it.

use super::attributes::Space;
use super::handles::OpenFile;
use super::stat::{Attr, FileKind, stat_fd};
use super::view::Subject;
use super::{Answer, Filesystem, Writing};
use crate::injector::Armed;
use crate::media::FileKey;
use crate::op::{Op, OpSet};

impl Filesystem {
    /// The plan in force, if it limits space.
    fn limiting(&self) -> Option<std::sync::Arc<Armed>> {
        let limits = |armed: &std::sync::Arc<Armed>| armed.limits_space() && !self.ledger.failed();
        self.injector.current().filter(limits)
    }

    /// The file whose length an operation is about, and the length that it has.
    pub(super) fn lengthened(&self, op: &Op, subject: Subject<'_>) -> Option<(FileKey, u64)> {
        op.length?;
        let node = match subject {
            Subject::Node(id) => self.node(id).ok()?,
            Subject::Open(handle) => self.open_files.get(handle).ok()?.node.clone(),
            _ => return None,
        };
        let attr = self.stat(&node).ok()?;
        (attr.kind == FileKind::Regular).then_some((node.key, attr.size))
    }

    /// Does what takes space, and counts what it has taken in the end.
    pub(super) fn counted<T>(
        &self,
        op: Op,
        subject: Subject<'_>,
        call: impl FnOnce(&Filesystem) -> Answer<T>,
    ) -> Answer<T> {
        let makes = OpSet::MAKING.contains(op.kind);
        let limiting = (makes || op.length.is_some()).then(|| self.limiting()).flatten();
        let Some(armed) = limiting else {
            return call(self);
        };
        let result = call(self);
        if makes && result.is_err() {
            armed.usage().unmake();
        }
        if let Some((key, len)) = self.lengthened(&op, subject) {
            armed.usage().settle(key, len);
        }
        result
    }

    /// A write of `len` bytes has ended.
    pub(super) fn wrote(
        &self,
        open: &OpenFile,
        op: Op,
        (len, how): (usize, Writing),
        written: &Answer<usize>,
    ) {
        let Some(armed) = self.limiting().filter(|_| !how.written_back) else {
            return;
        };
        let key = open.node.key;
        match written {
            Ok(count) if *count == len && !how.appends() => {
                armed.usage().reached(key, op.offset + len as u64);
            }
            _ => {
                let attr = stat_fd(&*open.file);
                let _ = attr.map(|attr| armed.usage().settle(key, attr.size));
            }
        }
    }

    /// A name is gone; its file has these attributes now.
    pub(super) fn freed(&self, attr: &Attr) {
        let Some(armed) = self.limiting() else { return };
        match attr.kind {
            FileKind::Regular if attr.nlink == 0 => armed.usage().remove(attr.key, attr.size),
            // A directory has one name, whatever filesystems say of its links.
            FileKind::Directory => armed.usage().unmake(),
            _ if attr.nlink == 0 => armed.usage().unmake(),
            _ => {}
        }
    }

    /// The kernel forgot the file.
    pub(super) fn forget_usage(&self, key: FileKey) {
        let _ = self.limiting().map(|armed| armed.usage().forget(key));
    }

    /// The state of the filesystem below, as far as rules let it be.
    pub(super) fn limited(&self, below: Space) -> Space {
        let now = self.armed_at.elapsed();
        let Some(room) = self.limiting().and_then(|armed| armed.room(now)) else {
            return below;
        };
        let units = |bytes: u64| bytes / below.f_frsize.max(1);
        let free = units(room.free);
        let (inodes, inodes_free) = room.inodes.unwrap_or((below.f_files, below.f_ffree));
        // Some filesystems tell 0 inodes: as many as one likes.
        let unlimited = below.f_files == 0;
        let least = |below: u64, limit: u64| if unlimited { limit } else { below.min(limit) };
        Space {
            f_blocks: below.f_blocks.min(units(room.capacity)),
            f_bfree: below.f_bfree.min(free),
            f_bavail: below.f_bavail.min(free),
            f_files: least(below.f_files, inodes),
            f_ffree: least(below.f_ffree, inodes_free),
            f_favail: least(below.f_favail, inodes_free),
            ..below
        }
    }
}
