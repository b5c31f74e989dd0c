//! Operations on attributes: get, change, the state of the filesystem, targets of symlinks.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::fs::{StatVfs, chmodat, chownat, fstatvfs, ftruncate, readlinkat, utimensat};
use rustix::process::{Gid, Uid};

use super::credentials::{AsCaller, may_leave_set_id};
use super::data::has_set_id;
use super::locate::proc_path;
use super::node::Travels;
use super::stat::{Attr, Memory, Time, stat_fd};
use super::{Answer, FileHandle, Filesystem, Node, NodeId, locked};
use crate::injector::DataAccess;
use crate::op::{Caller, Op, OpKind};

/// State of a filesystem, as statvfs(3) says it.
pub type Space = StatVfs;

/// A time to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamp {
    /// The present.
    Now,
    /// This one.
    At(Time),
}

/// What `setattr` is to change; nothing at all still counts as a change of the inode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Length.
    pub size: Option<u64>,
    /// Last access.
    pub atime: Option<Timestamp>,
    /// Last change of the content.
    pub mtime: Option<Timestamp>,
}

impl Filesystem {
    /// `getattr`. An open file is asked itself, whatever became of its name.
    pub fn getattr(&self, id: NodeId, handle: Option<FileHandle>) -> Answer<Attr> {
        if let Some(open) = handle.and_then(|handle| self.open_files.get(handle).ok()) {
            return Ok(self.remembered(&open.node, stat_fd(&*open.file)?));
        }
        let node = self.node(id)?;
        Ok(self.remembered(&node, self.stat(&node)?))
    }

    /// `setattr`.
    pub fn setattr(
        &self,
        op: Op,
        id: NodeId,
        handle: Option<FileHandle>,
        changes: &Changes,
    ) -> Answer<Attr> {
        let node = self.node(id)?;
        let open = handle.and_then(|handle| self.open_files.get(handle).ok());
        let file = match &open {
            Some(open) => open.file.clone(),
            None => self.locate(&node)?,
        };
        if changes.take_set_id() {
            let before = stat_fd(&*file)?;
            let caller = self.as_changer(&node, &file, op.caller, changes)?;
            if let Some(size) = changes.size {
                let writable = open.as_ref().map(|open| open.file.as_fd());
                self.truncate(op, &node, writable, size)?;
            }
            change_owner(&file, changes)?;
            drop(caller);
            if changes.nothing() && self.leaves_set_id(&node, op.caller) {
                give_back_set_id(&file, &before, op.caller)?;
            }
        }
        change_mode(&file, changes)?;
        change_times(&file, changes)?;
        Ok(self.remembered(&node, stat_fd(&*file)?))
    }

    fn remembered(&self, node: &Arc<Node>, attr: Attr) -> Attr {
        Attr { memory: self.memory(node), ..attr }
    }

    /// How long the kernel may remember a file's attributes: that depends on how it is open.
    pub(super) fn memory(&self, node: &Arc<Node>) -> Memory {
        match node.travels() {
            _ if node.changes_unseen() => Memory::None,
            Some(Travels::Otherwise) if self.is_cached_under_rules(node) => Memory::Brief,
            _ => Memory::Usual,
        }
    }

    fn is_cached_under_rules(&self, node: &Arc<Node>) -> bool {
        self.access(node) == DataAccess::Sticky && !self.looks_at(node, OpKind::Getattr)
    }

    /// A kernel that leaves set-id bits to us does not look whether a change of owner that takes them
    /// is one that the caller may make. A change of nothing may be chown(-1, -1); of a file that is
    /// open for writing it may also be the kernel's way to take the bits before it writes, which
    /// every writer may: they cannot be told apart.
    fn as_changer(
        &self,
        node: &Node,
        file: &OwnedFd,
        by: Caller,
        how: &Changes,
    ) -> Answer<Option<AsCaller>> {
        let asked = how.owner() || (how.nothing() && !node.is_open_for_writing());
        match asked && self.is_told_of_set_id() && has_set_id(file) {
            true => AsCaller::strictly(by, self.settings.errorfs_is_root).map(Some),
            false => self.as_writer(file, by),
        }
    }

    /// Whether a change of nothing is none of set-id bits: a kernel that leaves them to us has just
    /// taken the capabilities of a file that it is about to write, for a writer who may leave the
    /// bits. Another kernel would have sent the mode without them.
    fn leaves_set_id(&self, node: &Node, by: Caller) -> bool {
        if !self.is_told_of_set_id() {
            return true;
        }
        let taken = locked(&self.capability_taken).remove(&(node.id, by.pid));
        taken && node.is_open_for_writing() && may_leave_set_id(by)
    }

    fn truncate(&self, op: Op, node: &Arc<Node>, open: Option<impl AsFd>, size: u64) -> Answer<()> {
        self.before_cutting(node, size);
        let before = self.before_end(node, op, size..u64::MAX)?;
        match open {
            Some(file) => ftruncate(file, size)?,
            None => ftruncate(self.reopen(node, OFlags::WRONLY)?, size)?,
        }
        self.is_theirs(node.key, size..u64::MAX);
        self.discarded(before, size..u64::MAX);
        Ok(())
    }

    /// `readlink`.
    pub fn readlink(&self, id: NodeId) -> Answer<Vec<u8>> {
        let link = self.locate(&self.node(id)?)?;
        Ok(readlinkat(&*link, "", Vec::new())?.into_bytes())
    }

    /// `statfs`.
    pub fn statfs(&self, id: NodeId) -> Answer<Space> {
        Ok(self.limited(fstatvfs(&*self.locate(&self.node(id)?)?)?))
    }
}

impl Changes {
    fn nothing(&self) -> bool {
        *self == Changes::default()
    }

    fn owner(&self) -> bool {
        self.uid.is_some() || self.gid.is_some()
    }

    /// Whether the backing filesystem takes set-id bits because of this.
    fn take_set_id(&self) -> bool {
        self.size.is_some() || self.owner() || self.nothing()
    }
}

/// Also when nothing is to change: chown(-1, -1) makes the inode's change time the present.
fn change_owner(file: &OwnedFd, changes: &Changes) -> Answer<()> {
    if !changes.owner() && !changes.nothing() {
        return Ok(());
    }
    let (uid, gid) = (changes.uid.map(Uid::from_raw), changes.gid.map(Gid::from_raw));
    Ok(chownat(file, "", uid, gid, AtFlags::EMPTY_PATH)?)
}

/// A change of nothing may also be the kernel's way to take a file's capabilities before it writes.
/// Had it meant set-id bits too, it would have sent the mode without them; save for the set-group-id
/// bit of a file that its group may not execute, which it leaves to us. Others than the owner it
/// should have refused.
fn give_back_set_id(file: &OwnedFd, before: &Attr, by: Caller) -> Answer<()> {
    let left_to_us = before.permissions & 0o010 == 0 && before.uid == by.uid;
    let taken = if left_to_us { 0o4000 } else { 0o6000 };
    let after = stat_fd(file)?.permissions;
    let lost = before.permissions & taken & !after;
    if lost == 0 {
        return Ok(());
    }
    let mode = Mode::from_raw_mode((after | lost).into());
    Ok(chmodat(CWD, proc_path(file), mode, AtFlags::empty())?)
}

/// A mode that comes with a size or an owner is one without set-id bits: the kernel's own share of
/// taking them. It must not give back what the backing filesystem took just now.
fn change_mode(file: &OwnedFd, changes: &Changes) -> Answer<()> {
    let Some(mut mode) = changes.mode else {
        return Ok(());
    };
    if changes.take_set_id() {
        mode &= u32::from(stat_fd(file)?.permissions) | 0o1777;
    }
    let mode = Mode::from_raw_mode(mode & 0o7777);
    Ok(chmodat(CWD, proc_path(file), mode, AtFlags::empty())?)
}

fn change_times(file: &OwnedFd, changes: &Changes) -> Answer<()> {
    if changes.atime.is_none() && changes.mtime.is_none() {
        return Ok(());
    }
    let times = Timestamps {
        last_access: timespec(changes.atime),
        last_modification: timespec(changes.mtime),
    };
    Ok(utimensat(CWD, proc_path(file), &times, AtFlags::empty())?)
}

fn timespec(time: Option<Timestamp>) -> Timespec {
    match time {
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        Some(Timestamp::Now) => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        Some(Timestamp::At((tv_sec, nanos))) => Timespec { tv_sec, tv_nsec: nanos.into() },
    }
}
