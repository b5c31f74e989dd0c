//! Operations on names: look up, create, link, remove, rename.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawMode, RenameFlags};
use rustix::fs::{linkat, mkdirat, mknodat, openat, renameat_with, symlinkat, unlinkat};

use super::credentials::AsCaller;
use super::node_table::Entered;
use super::stat::{Attr, FileKind, device, stat_fd, stat_name};
use super::{Answer, Filesystem, Node, NodeId, locked};
use crate::errno::Errno;
use crate::op::{Caller, Op, OpKind};

/// A file under a name, as the kernel learns of it. Counts as one lookup of the node.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which node.
    pub id: NodeId,
    /// Its attributes.
    pub attr: Attr,
}

/// The mode that a new file is asked to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewMode {
    /// As the caller gave it: kind, permissions, special bits.
    pub mode: u32,
    /// Permissions that the caller wants taken off, unless a default access control list decides.
    pub umask: u32,
}

impl Filesystem {
    /// `lookup`: what a directory holds under a name.
    pub fn lookup(&self, parent: NodeId, name: &OsStr) -> Answer<Entry> {
        match name.as_encoded_bytes() {
            b"." => self.lookup_number(parent),
            b".." => self.lookup_parent(parent),
            _ => self.entry(&self.node(parent)?, name),
        }
    }

    fn entry(&self, parent: &Arc<Node>, name: &OsStr) -> Answer<Entry> {
        let attr = stat_name(&*self.directory(parent)?, single(name)?)?;
        self.known(&attr, parent, name)
    }

    /// The kernel learns of this file under this name.
    pub(super) fn known(&self, attr: &Attr, parent: &Arc<Node>, name: &OsStr) -> Answer<Entry> {
        let entered = self.nodes.enter(attr, parent, name)?;
        if self.nodes.relocate(&entered.node, parent, name) {
            if attr.kind == FileKind::Directory {
                self.names_changed();
            }
            self.tell_pending(&entered.node);
        }
        self.entered(attr, entered)
    }

    /// What was known of a file that had the same number before goes with it.
    pub(super) fn entered(&self, attr: &Attr, entered: Entered) -> Answer<Entry> {
        let Entered { node, superseded } = entered;
        if let Some(earlier) = superseded {
            self.directories.forget(earlier.id);
            self.media.removed(earlier.key);
            self.note_removed(earlier.key);
            self.names_changed();
        }
        let generation = self.nodes.numbers.generation(attr.key);
        let memory = self.memory(&node);
        Ok(Entry { id: node.id, attr: Attr { generation, memory, ..*attr } })
    }

    /// `mkdir`.
    pub fn mkdir(&self, parent: NodeId, name: &OsStr, mode: NewMode, by: Caller) -> Answer<Entry> {
        let bits = permissions(mode.mode);
        let made = self.make(parent, name, mode.umask, by, |dir| Ok(mkdirat(dir, name, bits)?))?;
        self.made(parent, name, made, OpKind::Mkdir)
    }

    /// `mknod`: a regular file, a FIFO, a socket or a device node.
    pub fn mknod(
        &self,
        parent: NodeId,
        name: &OsStr,
        mode: NewMode,
        rdev: u32,
        by: Caller,
    ) -> Answer<Entry> {
        let kind = FileType::from_raw_mode(mode.mode as RawMode);
        let bits = permissions(mode.mode);
        let made = self.make(parent, name, mode.umask, by, |dir| {
            Ok(mknodat(dir, name, kind, bits, device(rdev))?)
        })?;
        self.made(parent, name, made, OpKind::Mknod)
    }

    /// `symlink`.
    pub fn symlink(
        &self,
        parent: NodeId,
        name: &OsStr,
        target: &Path,
        by: Caller,
    ) -> Answer<Entry> {
        let made = self.make(parent, name, 0, by, |dir| Ok(symlinkat(target, dir, name)?))?;
        self.made(parent, name, made, OpKind::Symlink)
    }

    fn made(&self, parent: NodeId, name: &OsStr, entry: Entry, op: OpKind) -> Answer<Entry> {
        self.name_made((&self.node(parent)?, name), entry.attr.key, op);
        Ok(entry)
    }

    fn make(
        &self,
        parent: NodeId,
        name: &OsStr,
        umask: u32,
        by: Caller,
        call: impl FnOnce(&OwnedFd) -> Answer<()>,
    ) -> Answer<Entry> {
        let parent = self.node(parent)?;
        let directory = self.directory(&parent)?;
        single(name)?;
        {
            let _caller = AsCaller::creating(by, umask, self.settings.errorfs_is_root)?;
            call(&directory)?;
        }
        let entry = self.entry(&parent, name)?;
        self.born(entry.attr.key);
        Ok(entry)
    }

    /// The first half of `create`: the file exists and is open.
    pub(super) fn create_file(
        &self,
        parent: &Arc<Node>,
        name: &OsStr,
        mode: NewMode,
        flags: OFlags,
        by: Caller,
    ) -> Answer<(OwnedFd, Attr)> {
        let directory = self.directory(parent)?;
        single(name)?;
        let flags = flags | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let created = {
            let _caller = AsCaller::creating(by, mode.umask, self.settings.errorfs_is_root)?;
            openat(&*directory, name, flags | OFlags::EXCL, permissions(mode.mode))
        };
        match created {
            Ok(file) => {
                let attr = stat_fd(&file)?;
                self.born(attr.key);
                self.name_made((parent, name), attr.key, OpKind::Create);
                Ok((file, attr))
            }
            // Somebody made it behind the mount since the kernel looked: let it look again.
            Err(rustix::io::Errno::EXIST) if !flags.contains(OFlags::EXCL) => Err(Errno::ESTALE),
            Err(errno) => Err(errno.into()),
        }
    }

    /// `link`: a second name for a file.
    pub fn link(&self, id: NodeId, parent: NodeId, name: &OsStr) -> Answer<Entry> {
        let (node, parent) = (self.node(id)?, self.node(parent)?);
        let file = self.locate(&node)?;
        let directory = self.directory(&parent)?;
        self.keep_origin(&node);
        let by_proc = super::locate::proc_path(&*file);
        linkat(rustix::fs::CWD, by_proc, &*directory, single(name)?, AtFlags::SYMLINK_FOLLOW)?;
        self.name_made((&parent, name), node.key, OpKind::Link);
        self.entry(&parent, name)
    }

    /// `unlink`.
    pub fn unlink(&self, op: Op, parent: NodeId, name: &OsStr) -> Answer<()> {
        self.remove(op, parent, name, AtFlags::empty())
    }

    /// `rmdir`.
    pub fn rmdir(&self, op: Op, parent: NodeId, name: &OsStr) -> Answer<()> {
        self.remove(op, parent, name, AtFlags::REMOVEDIR)
    }

    fn remove(&self, op: Op, parent: NodeId, name: &OsStr, flags: AtFlags) -> Answer<()> {
        let parent = self.node(parent)?;
        let directory = self.directory(&parent)?;
        let victim = self.pinned(&directory, single(name)?);
        let kept = self.keep_victim(&directory, name);
        unlinkat(&*directory, name, flags)?;
        self.name_gone((&parent, name), kept, op.kind);
        self.lost_name(op, victim, &parent, name);
        Ok(())
    }

    /// `rename` with the flags of renameat2(2).
    pub fn rename(
        &self,
        op: Op,
        from: (NodeId, &OsStr),
        to: (NodeId, &OsStr),
        flags: RenameFlags,
    ) -> Answer<()> {
        let (from_parent, to_parent) = (self.node(from.0)?, self.node(to.0)?);
        let from_dir = self.directory(&from_parent)?;
        let to_dir = self.directory(&to_parent)?;
        let moved = self.node_at(&from_dir, single(from.1)?);
        let victim = self.pinned(&to_dir, single(to.1)?);
        let kept = (self.keep_victim(&from_dir, from.1), self.keep_victim(&to_dir, to.1));
        moved.iter().chain(victim.as_ref().map(|(node, _)| node)).for_each(|n| self.keep_origin(n));
        {
            // What is left in the old place belongs to the caller.
            let leaves = flags.contains(RenameFlags::WHITEOUT);
            let caller = || AsCaller::creating(op.caller, 0, self.settings.errorfs_is_root);
            let _caller = leaves.then(caller).transpose()?;
            renameat_with(&*from_dir, from.1, &*to_dir, to.1, flags)?;
        }
        if !flags.contains(RenameFlags::EXCHANGE) {
            self.name_moved((&from_parent, from.1), (&to_parent, to.1), kept.0, kept.1);
        }
        if flags.contains(RenameFlags::EXCHANGE) {
            victim.inspect(|(node, _)| self.moved(node, &from_parent, from.1));
        } else {
            self.lost_name(op, victim, &to_parent, to.1);
        }
        moved.inspect(|node| self.moved(node, &to_parent, to.1));
        Ok(())
    }

    fn moved(&self, node: &Arc<Node>, parent: &Arc<Node>, name: &OsStr) {
        self.nodes.relocate(node, parent, name);
        self.names_changed();
        self.tell_pending_below(node);
    }

    /// The node of what a directory holds under a name, if the kernel knows it.
    fn node_at(&self, directory: &OwnedFd, name: &OsStr) -> Option<Arc<Node>> {
        self.nodes.find(&stat_name(directory, name).ok()?)
    }

    /// The node under a name that is about to go, with a descriptor that outlives the name.
    fn pinned(&self, directory: &OwnedFd, name: &OsStr) -> Option<(Arc<Node>, OwnedFd)> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(directory, name, flags, Mode::empty()).ok()?;
        let node = self.nodes.find(&stat_fd(&file).ok()?)?;
        Some((node, file))
    }

    /// A name is gone; the kernel may still refer to the file.
    fn lost_name(
        &self,
        op: Op,
        victim: Option<(Arc<Node>, OwnedFd)>,
        parent: &Arc<Node>,
        name: &OsStr,
    ) {
        let Some((node, file)) = victim else { return };
        let left = stat_fd(&file);
        let _ = left.as_ref().map(|attr| self.freed(attr));
        let last = left.is_ok_and(|attr| attr.nlink == 0);
        if node.is_at(parent, name) && (last || !self.numbers_lead_to(&node)) {
            node.set_pin(Arc::new(file));
        }
        if last {
            self.is_theirs(node.key, 0..u64::MAX);
            self.note_removed(node.key);
            self.removed(&node, op);
        }
    }

    /// `forget`: the kernel drops references to a node.
    pub fn forget(&self, id: NodeId, lookups: u64) {
        let Some(node) = self.nodes.forget(id, lookups) else {
            return;
        };
        self.directories.forget(id);
        locked(&self.told_pending).remove(&id);
        node.forget_view();
        self.forget_memory(&node);
        drop(node);
        if self.nodes.has_shrunk() {
            crate::sys::memory::give_back();
        }
    }
}

/// Names come from the kernel one component at a time; anything else would leave its directory.
fn single(name: &OsStr) -> Answer<&OsStr> {
    let bytes = name.as_encoded_bytes();
    match bytes {
        b"" | b"." | b".." => Err(Errno::EINVAL),
        _ if bytes.contains(&b'/') => Err(Errno::EINVAL),
        _ => Ok(name),
    }
}

fn permissions(mode: u32) -> Mode {
    Mode::from_raw_mode(mode & 0o7777)
}
