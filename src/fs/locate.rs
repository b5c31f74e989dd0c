//! From a node to its file: by the parent directory and the name, verified by inode and birth.
//!
//! No path string is ever resolved: each step opens one name below an open directory and follows
//! no symlink, so that nothing outside the backing directory can be reached. A file that is no
//! longer where it was seen last is reached through whoever has it open, or by its number.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, openat};

use super::node::Place;
use super::power::Power;
use super::stat::{Attr, stat_fd, stat_name};
use super::{Answer, Filesystem, Node, NodeId, locked};
use crate::errno::Errno;

const BY_PATH: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Levels of unknown directories beyond which asking for one by its number is cheaper.
const WALK_LEVELS: usize = 32;

impl Filesystem {
    /// The node that the kernel means; `ESTALE` if it is one that it was told to forget.
    pub(super) fn node(&self, id: NodeId) -> Answer<Arc<Node>> {
        self.nodes.get(id).ok_or(Errno::ESTALE)
    }

    /// The directory of a node, open for use as a place to find names in.
    pub(super) fn directory(&self, node: &Arc<Node>) -> Answer<Arc<OwnedFd>> {
        match self.open_directory(node) {
            Some(open) => Ok(open),
            None => self.walk(node).or_else(|errno| self.lost_directory(node, errno)),
        }
    }

    /// Opens the directories above that are not open, from the top down.
    fn walk(&self, node: &Arc<Node>) -> Answer<Arc<OwnedFd>> {
        let mut below = vec![node.clone()];
        let mut directory = loop {
            let lowest = &below[below.len() - 1];
            let parent = lowest.parent().ok_or(Errno::ESTALE)?;
            let far = below.len() % WALK_LEVELS == 0;
            let open = self.open_directory(&parent);
            let shortcut = || far.then(|| self.by_inode(&parent)).flatten();
            match open.or_else(shortcut) {
                Some(open) => break open,
                None => below.push(parent),
            }
        };
        while let Some(child) = below.pop() {
            let opened = openat(&*directory, &child.place().name, BY_PATH, Mode::empty());
            let opened = opened.map_err(lost).and_then(|opened| verified(&child, opened));
            directory = match opened {
                Ok(opened) => self.keep_directory(&child, opened),
                Err(errno) => self.lost_directory(&child, errno)?,
            };
        }
        Ok(directory)
    }

    /// Directories of mounts below are not kept open: they could not be unmounted then.
    fn keep_directory(&self, node: &Node, opened: OwnedFd) -> Arc<OwnedFd> {
        let opened = Arc::new(opened);
        if !node.id.is_synthetic() {
            self.directories.keep(node.id, opened.clone());
        }
        opened
    }

    /// A directory that is not where it was. Nothing can be found in one that is gone: `ENOENT`,
    /// as natively, where we can be sure of it.
    fn lost_directory(&self, node: &Arc<Node>, errno: Errno) -> Answer<Arc<OwnedFd>> {
        let found = node.any_open().or_else(|| self.by_inode(node));
        match found {
            Some(found) if !node.id.is_synthetic() => {
                self.directories.keep(node.id, found.clone());
                Ok(found)
            }
            Some(found) => Ok(found),
            None if errno == Errno::ESTALE && self.numbers_lead_to(node) => Err(Errno::ENOENT),
            None => Err(errno),
        }
    }

    /// Whether a file can be found by its number, if it is there at all.
    pub(super) fn numbers_lead_to(&self, node: &Node) -> bool {
        self.by_inode.is_some() && !node.id.is_synthetic()
    }

    fn by_inode(&self, node: &Node) -> Option<Arc<OwnedFd>> {
        let known = self.by_inode.as_ref().filter(|_| !node.id.is_synthetic())?;
        let taken = |power: &Power| locked(&power.taken).contains(&node.key);
        if self.power.as_ref().is_some_and(taken) {
            return None;
        }
        let (file, attr) = known.open(node.key.ino)?;
        (attr.key == node.key).then(|| Arc::new(file))
    }

    fn open_directory(&self, node: &Node) -> Option<Arc<OwnedFd>> {
        if node.id == NodeId::ROOT {
            return Some(self.root.clone());
        }
        self.directories.get(node.id).or_else(|| node.pin())
    }

    /// The file of a node as an `O_PATH` descriptor.
    pub(super) fn locate(&self, node: &Arc<Node>) -> Answer<Arc<OwnedFd>> {
        if let Some(open) = self.open_directory(node) {
            return Ok(open);
        }
        self.by_name(node).or_else(|errno| self.otherwise(node, errno))
    }

    fn by_name(&self, node: &Arc<Node>) -> Answer<Arc<OwnedFd>> {
        let Place { parent, name } = node.place();
        let parent = self.directory(&parent.ok_or(Errno::ESTALE)?)?;
        let opened = openat(&*parent, &name, BY_PATH, Mode::empty()).map_err(lost)?;
        Ok(Arc::new(verified(node, opened)?))
    }

    /// The file of a node that is not where it was. A caller who knows it by more than its name
    /// does not care.
    fn otherwise(&self, node: &Node, errno: Errno) -> Answer<Arc<OwnedFd>> {
        let errno = if errno == Errno::ENOENT { Errno::ESTALE } else { errno };
        node.any_open().or_else(|| self.by_inode(node)).ok_or(errno)
    }

    /// The attributes of a node.
    pub(super) fn stat(&self, node: &Arc<Node>) -> Answer<Attr> {
        if let Some(open) = self.open_directory(node) {
            return stat_fd(&*open);
        }
        match self.stat_by_name(node) {
            Ok(attr) if attr.key == node.key => Ok(attr),
            Ok(_) => stat_fd(&*self.otherwise(node, Errno::ESTALE)?),
            Err(errno) => stat_fd(&*self.otherwise(node, lost(errno))?),
        }
    }

    fn stat_by_name(&self, node: &Node) -> Answer<Attr> {
        let Place { parent, name } = node.place();
        stat_name(&*self.directory(&parent.ok_or(Errno::ESTALE)?)?, &name)
    }

    /// Opens the file of a node with access to its content.
    pub(super) fn reopen(&self, node: &Arc<Node>, flags: OFlags) -> Answer<OwnedFd> {
        Ok(self.reopen_known(node, flags)?.0)
    }

    /// The same, with the attributes that it had then.
    pub(super) fn reopen_known(&self, node: &Arc<Node>, flags: OFlags) -> Answer<(OwnedFd, Attr)> {
        if let Some(opened) = self.open_by_name(node, flags) {
            return Ok(opened);
        }
        let located = self.locate(node)?;
        let opened = rustix::fs::open(proc_path(&located), flags | OFlags::CLOEXEC, Mode::empty())?;
        let attr = stat_fd(&opened)?;
        Ok((opened, attr))
    }

    /// The short way, for what is where it was. Who put a FIFO or a device there meanwhile must not
    /// hold up a thread: hence `O_NONBLOCK`, which means nothing to regular files.
    fn open_by_name(&self, node: &Arc<Node>, flags: OFlags) -> Option<(OwnedFd, Attr)> {
        let Place { parent, name } = node.place();
        let parent = self.directory(&parent?).ok()?;
        let flags = flags | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(&*parent, &name, flags, Mode::empty()).ok()?;
        let attr = stat_fd(&opened).ok()?;
        (attr.key == node.key).then_some((opened, attr))
    }
}

/// A name by which the kernel leads to exactly this open file, symlinks themselves included.
pub(super) fn proc_path(fd: &impl AsFd) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

/// Somebody else may have put another file under the name since.
fn verified(node: &Node, opened: OwnedFd) -> Answer<OwnedFd> {
    if stat_fd(&opened)?.key == node.key { Ok(opened) } else { Err(Errno::ESTALE) }
}

/// A known node whose name is gone is stale, not absent: the kernel then looks again.
fn lost(errno: impl Into<Errno>) -> Errno {
    match errno.into() {
        Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP => Errno::ESTALE,
        other => other,
    }
}
