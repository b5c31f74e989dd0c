//! From a node to its file: by the parent directory and the name, verified by inode.
//!
//! No path string is ever resolved: each step opens one name below an open directory and follows
//! no symlink, so that nothing outside the backing directory can be reached.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, openat};

use super::stat::{Attr, stat_fd, stat_name};
use super::{Answer, Filesystem, Node, NodeId, locked};
use crate::errno::Errno;

const BY_PATH: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Filesystem {
    /// The node that the kernel means; `ESTALE` if it is one that it was told to forget.
    pub(super) fn node(&self, id: NodeId) -> Answer<Arc<Node>> {
        self.nodes.get(id).ok_or(Errno::ESTALE)
    }

    /// The directory of a node, open for use as a place to find names in.
    pub(super) fn directory(&self, node: &Arc<Node>) -> Answer<Arc<OwnedFd>> {
        if let Some(open) = self.open_directory(node) {
            return Ok(open);
        }
        let chain = node.ancestry();
        let known = chain.iter().position(|(node, _)| self.open_directory(node).is_some());
        let known = known.ok_or(Errno::ESTALE)?;
        let mut directory = self.open_directory(&chain[known].0).ok_or(Errno::ESTALE)?;
        for (child, name) in chain[..known].iter().rev() {
            let opened = openat(&*directory, name, BY_PATH | OFlags::DIRECTORY, Mode::empty());
            directory = Arc::new(verified(child, opened.map_err(lost)?)?);
            self.directories.keep(child.id, directory.clone());
        }
        Ok(directory)
    }

    fn open_directory(&self, node: &Node) -> Option<Arc<OwnedFd>> {
        if node.id == NodeId::ROOT {
            return Some(self.root.clone());
        }
        self.directories.get(node.id).or_else(|| locked(&node.pin).clone())
    }

    /// The file of a node as an `O_PATH` descriptor.
    pub(super) fn locate(&self, node: &Arc<Node>) -> Answer<Arc<OwnedFd>> {
        if let Some(open) = self.open_directory(node) {
            return Ok(open);
        }
        self.by_name(node).or_else(|errno| locked(&node.lifeline).upgrade().ok_or(errno))
    }

    fn by_name(&self, node: &Arc<Node>) -> Answer<Arc<OwnedFd>> {
        let place = node.place();
        let parent = self.directory(&place.parent.ok_or(Errno::ESTALE)?)?;
        let opened = openat(&*parent, &place.name, BY_PATH, Mode::empty()).map_err(lost)?;
        Ok(Arc::new(verified(node, opened)?))
    }

    /// The attributes of a node.
    pub(super) fn stat(&self, node: &Arc<Node>) -> Answer<Attr> {
        if let Some(open) = self.open_directory(node) {
            return stat_fd(&*open);
        }
        let place = node.place();
        let parent = self.directory(&place.parent.ok_or(Errno::ESTALE)?)?;
        match stat_name(&*parent, &place.name) {
            Ok(attr) if attr.key == node.key => Ok(attr),
            _ => stat_fd(&*self.locate(node)?),
        }
    }

    /// Opens the file of a node with access to its content.
    pub(super) fn reopen(&self, node: &Arc<Node>, flags: OFlags) -> Answer<OwnedFd> {
        let located = self.locate(node)?;
        Ok(rustix::fs::open(proc_path(&located), flags | OFlags::CLOEXEC, Mode::empty())?)
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
fn lost(errno: rustix::io::Errno) -> Errno {
    match Errno::from(errno) {
        Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP => Errno::ESTALE,
        other => other,
    }
}
