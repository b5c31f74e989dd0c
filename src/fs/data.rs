//! Operations on the bytes of files. Short counts and errors of the backing file pass unchanged.

use std::ffi::OsStr;
use std::io::IoSlice;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::{FallocateFlags, OFlags, SeekFrom};
use rustix::io::ReadWriteFlags;

use super::cached_pages::PAGE;
use super::credentials::AsCaller;
use super::handles::{DataPath, OpenFile};
use super::losses::Losses;
use super::stat::{Attr, stat_fd};
use super::{Answer, Entry, FileHandle, Filesystem, NewMode, Node, NodeId, Uses, locked};
use crate::errno::Errno;
use crate::injector::DataAccess;
use crate::op::{Caller, Op, OpKind};
use crate::plan::bytes_of;
use crate::sys::descriptor::{SYNCED, close};

/// Flags of open(2) that are ours to handle: what must exist the kernel has seen to; appending is
/// done request by request, as the flag may change while the file is open; and alignment is not
/// asked of us by callers whose memory is not ours. That it is no symlink the kernel knows; the way
/// to the backing file leads through one of its own.
const NOT_PASSED_ON: OFlags = OFlags::CREATE
    .union(OFlags::EXCL)
    .union(OFlags::NOCTTY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::TRUNC)
    .union(OFlags::APPEND)
    .union(OFlags::DIRECT);

/// A file that was just opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Its number.
    pub handle: FileHandle,
    /// How its data is to travel.
    pub path: DataPath,
    /// Nothing comes of asking us when a descriptor is closed: no rule looks, and a local filesystem
    /// has nothing to say then.
    pub closes_quietly: bool,
}

/// How the data of a file should travel, whoever has it open already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Passthrough,
    Cached,
    Direct,
}

/// How a write came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writing {
    /// The flags that the file has now, as of open(2).
    pub flags: i32,
    /// The kernel writes pages of its cache, not what one write(2) gave it.
    pub written_back: bool,
    /// Whoever writes may not leave set-id bits, the kernel says, if it says such things.
    pub takes_set_id: bool,
}

impl Writing {
    /// Whether what is written goes to the end of the file, wherever that is by then.
    pub(super) fn appends(self) -> bool {
        appends(self.flags) && !self.written_back
    }
}

impl Filesystem {
    /// `open`.
    pub fn open(&self, id: NodeId, flags: i32) -> Answer<Opened> {
        let node = self.node(id)?;
        let (file, attr) = match self.reopen_known(&node, backing_flags(flags)) {
            // A file that may only be appended to can be opened in no other way.
            Err(Errno::EPERM) if appends(flags) => {
                self.reopen_known(&node, backing_flags(flags) | OFlags::APPEND)?
            }
            opened => opened?,
        };
        self.refuse_direct(&node, &file, &attr, flags)?;
        Ok(self.opened(node, file, &attr, flags))
    }

    /// `create`: makes a file and opens it.
    pub fn create(
        &self,
        parent: NodeId,
        name: &OsStr,
        mode: NewMode,
        flags: i32,
        by: Caller,
    ) -> Answer<(Entry, Opened)> {
        let parent = self.node(parent)?;
        let exclusive = OFlags::from_bits_retain(flags as u32) & OFlags::EXCL;
        let wanted = backing_flags(flags) | exclusive;
        let (file, attr) = self.create_file(&parent, name, mode, wanted, by)?;
        let mut entry = self.known(&attr, &parent, name)?;
        let node = self.node(entry.id)?;
        self.refuse_direct(&node, &file, &attr, flags)?;
        let opened = self.opened(node.clone(), file, &attr, flags);
        entry.attr.memory = self.memory(&node);
        Ok((entry, opened))
    }

    fn opened(&self, node: Arc<Node>, file: OwnedFd, attr: &Attr, flags: i32) -> Opened {
        let file = Arc::new(file);
        let uses = Uses::of(flags);
        let names = self.names.load(Ordering::Acquire);
        let wanted = self.wanted(&node, attr, uses.writes);
        node.opened(&file);
        let path = node.settle(wanted, uses, || self.backings.hand_over(&file));
        let through = matches!(path, DataPath::Passthrough(_));
        if through && wanted != Wanted::Passthrough {
            self.tell_pending(&node);
        }
        let closes_quietly = through && self.armed_for(OpKind::Flush).is_none();
        let errors_known = self.errors_known(&node).into();
        let (path_kept, closed) = (path.clone(), false.into());
        let open = OpenFile { node, file, path: path_kept, uses, errors_known, closed };
        let open = Arc::new(open);
        let handle = self.open_files.add(open.clone());
        if self.names.load(Ordering::Acquire) != names {
            self.tell_pending(&open.node); // whoever renamed it meanwhile did not find it open
        }
        Opened { handle, path, closes_quietly }
    }

    /// Freshly written bytes may be damaged as they are stored, which a page cache would hide from
    /// whoever wrote them: writers of such files are not cached.
    fn wanted(&self, node: &Arc<Node>, attr: &Attr, writes: bool) -> Wanted {
        if self.uncached {
            return Wanted::Direct;
        }
        match self.access(node) {
            DataAccess::Untouched if self.may_hand_over(attr) => Wanted::Passthrough,
            DataAccess::Untouched | DataAccess::Watched => Wanted::Cached,
            DataAccess::Sticky if !writes => Wanted::Cached,
            DataAccess::Sticky | DataAccess::Counted => Wanted::Direct,
        }
    }

    /// The stored bytes of an open file; shorter only at its end.
    pub(super) fn read_stored(&self, open: &OpenFile, offset: u64, len: usize) -> Answer<Vec<u8>> {
        read_fully(&open.file, offset, len)
    }

    /// Only files of the root's own mount: of another, which may be open to less (read-only), the
    /// kernel would use the one that was opened first for all names of a file. And only where
    /// closing tells nothing: the kernel writes through a file of its own, of which we would sync
    /// and close another.
    fn may_hand_over(&self, attr: &Attr) -> bool {
        self.local && self.backings.are_used() && attr.mount == self.mount
    }

    /// A file that the kernel opens by itself for direct I/O must be one that can be: errorfs
    /// leaves the flag out, and would not notice.
    fn refuse_direct(
        &self,
        node: &Arc<Node>,
        file: &OwnedFd,
        attr: &Attr,
        flags: i32,
    ) -> Answer<()> {
        let direct = OFlags::from_bits_retain(flags as u32) & OFlags::DIRECT;
        if direct.is_empty() || self.wanted(node, attr, false) != Wanted::Passthrough {
            return Ok(());
        }
        let own = rustix::fs::fcntl_getfl(file)?;
        rustix::fs::fcntl_setfl(file, own | direct)?;
        Ok(rustix::fs::fcntl_setfl(file, own)?)
    }

    /// Writes to an open file. What is appended overwrites nothing, wherever the end of the file is
    /// by then. Pages of a mapping are written back to where they are, whatever the file's flags
    /// say, and take no set-id bits.
    pub(super) fn write_stored(
        &self,
        open: &OpenFile,
        op: Op,
        data: &[u8],
        how: Writing,
        losses: &mut Losses,
    ) -> Answer<usize> {
        let buffer = [IoSlice::new(data)];
        let takes_set_id = how.takes_set_id || !self.is_told_of_set_id();
        let _caller = match takes_set_id && !how.written_back {
            true => self.as_writer(&open.file, op.caller)?,
            false => None,
        };
        let op = Op { len: data.len() as u64, ..op };
        self.before_change(open, bytes_of(&op));
        let under_way = self.begin_write(open, op, how, losses);
        if how.appends() {
            let end = ReadWriteFlags::APPEND;
            let written = rustix::io::pwritev2(&*open.file, &buffer, op.offset, end);
            self.end_write(open, under_way, written.unwrap_or(0), data, losses);
            self.note_held(&open.node, &losses.noted(pages_of(&op)));
            self.stored(open, op, &data[..written?], losses);
            self.after_writing(&open.node, op.offset..op.offset + written? as u64, how);
            return Ok(written?);
        }
        let before =
            |range: Range<u64>| Ok((self.before_end(&open.node, op, range.clone())?, range));
        let gets = under_way.gets(bytes_of(&op));
        let overwrites = self.begin_overwrite(open, &gets);
        let before: Answer<Vec<_>> = gets.into_iter().map(before).collect();
        let written = before
            .and_then(|before| Ok((before, rustix::io::pwritev(&*open.file, &buffer, op.offset)?)));
        let count = written.as_ref().map_or(0, |(_, count)| *count);
        let medium = self.end_overwrite(overwrites, op.offset + count as u64);
        self.end_write(open, under_way, count, data, losses);
        self.note_held(&open.node, &losses.noted(pages_of(&op)));
        for (before, Range { start, end }) in written?.0 {
            let end = end.min(op.offset + count as u64);
            if start < end {
                self.overwritten(before, start..end);
            }
        }
        if let Some(medium) = medium {
            self.note_earlier(&open.node, &medium, &(op.offset..op.offset + count as u64));
        }
        self.stored(open, op, &data[..count], losses);
        self.after_writing(&open.node, op.offset..op.offset + count as u64, how);
        Ok(count)
    }

    /// Changing a file takes its set-id bits, unless the caller may set them: where there are any,
    /// the backing filesystem shall see who changes it. Of those that the kernel takes by itself,
    /// and where (write(2) by way of its cache, not otherwise), it knows; of the others we do.
    pub(super) fn as_writer(&self, file: &OwnedFd, by: Caller) -> Answer<Option<AsCaller>> {
        match has_set_id(file) {
            false => Ok(None),
            true => AsCaller::entirely(by, self.settings.errorfs_is_root).map(Some),
        }
    }

    /// `flush`: one of the descriptors of an open file was closed. Closing a duplicate of ours makes
    /// the backing filesystem say what it has to say at a close.
    pub fn flush(&self, handle: FileHandle) -> Answer<()> {
        let open = self.open_files.get(handle)?;
        self.close_evicts(&open);
        if self.local {
            return Ok(());
        }
        match rustix::io::dup(&*open.file) {
            Ok(duplicate) => Ok(close(duplicate)?),
            // The caller's file is closed all the same.
            Err(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// `release`.
    pub fn release(&self, handle: FileHandle) {
        if let Some(open) = self.open_files.remove(handle) {
            let node = open.node.clone();
            node.unsettle(&open.path, open.uses);
            drop(open); // its descriptor is closed before the node counts those that are left
            node.closed();
            if node.travels().is_none() && self.injector.generation() != 0 {
                locked(&self.told_pending).remove(&node.id);
            }
        }
    }

    /// `fsync`; `data_only` as fdatasync(2).
    pub fn fsync(&self, handle: FileHandle, data_only: bool) -> Answer<()> {
        sync(&*self.open_files.get(handle)?.file, data_only)
    }

    /// `fallocate` with the mode of fallocate(2).
    pub fn fallocate(&self, op: Op, handle: FileHandle, mode: i32) -> Answer<()> {
        let open = self.open_files.get(handle)?;
        let mode = FallocateFlags::from_bits_retain(mode as u32);
        let range = op.offset..op.offset.saturating_add(op.len);
        let zeroes = mode.intersects(FallocateFlags::PUNCH_HOLE | FallocateFlags::ZERO_RANGE);
        let before = match zeroes {
            true => self.before_end(&open.node, op, range.clone())?,
            false => None,
        };
        self.before_change(&open, if zeroes { range.clone() } else { 0..0 });
        let _caller = self.as_writer(&open.file, op.caller)?;
        rustix::fs::fallocate(&*open.file, mode, op.offset, op.len)?;
        if zeroes {
            self.is_theirs(open.node.key, range.clone());
        }
        self.discarded(before, range);
        Ok(())
    }

    /// `lseek` to data or to a hole.
    pub fn lseek(&self, handle: FileHandle, offset: i64, whence: i32) -> Answer<u64> {
        const SEEK_DATA: i32 = 3;
        const SEEK_HOLE: i32 = 4;
        let open = self.open_files.get(handle)?;
        let offset = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
        let from = match whence {
            SEEK_DATA => SeekFrom::Data(offset),
            SEEK_HOLE => SeekFrom::Hole(offset),
            _ => return Err(Errno::EINVAL),
        };
        Ok(rustix::fs::seek(&*open.file, from)?)
    }

    /// `copy_file_range`. Where a rule concerns the data of either file, the kernel is told to copy
    /// by reading and writing, so that the copy is made of what the rule serves.
    pub fn copy_file_range(
        &self,
        by: Caller,
        from: (FileHandle, u64),
        to: (FileHandle, u64),
        len: u64,
    ) -> Answer<usize> {
        let (source, target) = (self.open_files.get(from.0)?, self.open_files.get(to.0)?);
        let untouched = |open: &OpenFile| self.access(&open.node) <= DataAccess::Watched;
        if !untouched(&source) || !untouched(&target) || self.uncached {
            return Err(Errno::EXDEV);
        }
        let _caller = self.as_writer(&target.file, by)?;
        let (mut from, mut to) = (from.1, to.1);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let copied = rustix::fs::copy_file_range(
            &*source.file,
            Some(&mut from),
            &*target.file,
            Some(&mut to),
            len,
        );
        Ok(copied?)
    }
}

pub(super) fn has_set_id(file: &OwnedFd) -> bool {
    const SET_ID: u16 = 0o6000;
    stat_fd(file).is_ok_and(|attr| attr.permissions & SET_ID != 0)
}

fn backing_flags(flags: i32) -> OFlags {
    (OFlags::from_bits_retain(flags as u32) - NOT_PASSED_ON) | OFlags::CLOEXEC
}

/// The length that a file has at least after fallocate(2); `None` where it keeps the one it has.
pub fn length_of_allocation(mode: i32, offset: u64, len: u64) -> Option<u64> {
    let keeps = FallocateFlags::from_bits_retain(mode as u32).contains(FallocateFlags::KEEP_SIZE);
    (!keeps).then_some(offset.saturating_add(len))
}

impl Writing {
    /// Whether it is synced by itself: the kernel leaves that to us where it does not cache.
    pub(super) fn is_synced(&self) -> bool {
        self.flags & SYNCED != 0 && !self.written_back
    }
}

/// The whole pages that an operation concerns.
fn pages_of(op: &Op) -> Range<u64> {
    let Range { start, end } = bytes_of(op);
    start / PAGE * PAGE..end.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX)
}

fn appends(flags: i32) -> bool {
    OFlags::from_bits_retain(flags as u32).contains(OFlags::APPEND)
}

/// As many bytes as there are, up to `len`.
pub fn read_fully(file: &OwnedFd, offset: u64, len: usize) -> Answer<Vec<u8>> {
    let mut data = Vec::with_capacity(len);
    while data.len() < len {
        let at = offset + data.len() as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut data), at) {
            Ok(0) => break,
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) if data.is_empty() => return Err(errno.into()),
            Err(_) => break,
        }
    }
    Ok(data)
}

/// fsync(2) or fdatasync(2).
pub(super) fn sync(file: impl AsFd, data_only: bool) -> Answer<()> {
    let done = if data_only { rustix::fs::fdatasync(file) } else { rustix::fs::fsync(file) };
    Ok(done?)
}
