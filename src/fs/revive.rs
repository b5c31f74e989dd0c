//! Nodes that the kernel, or a file handle of a user, remembers and we do not: looked up as `.`
//! and `..` (FUSE_EXPORT_SUPPORT).

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, openat, readlinkat};

use super::locate::proc_path;
use super::stat::{Attr, stat_fd};
use super::{Answer, Entry, Filesystem, Node, NodeId};
use crate::errno::Errno;

impl Filesystem {
    /// The file of a number. Whether it is one that this mount ever showed, the kernel tells by the
    /// generation, which nobody can guess.
    pub(super) fn lookup_number(&self, id: NodeId) -> Answer<Entry> {
        if let Ok(node) = self.node(id) {
            return self.again(&node);
        }
        let known = self.by_inode.as_ref().filter(|_| !id.is_synthetic()).ok_or(Errno::ESTALE)?;
        let (file, attr) = known.open(id.0).ok_or(Errno::ESTALE)?;
        let node = match self.place_of(&file, &attr) {
            Some((parent, name)) => Node::new(id, attr.key, Some(parent), &name),
            // Rules go by paths: with a plan, what has none that we know is not to be had.
            None if self.injector.current().is_some() => return Err(Errno::ESTALE),
            None => Node::new(id, attr.key, None, OsStr::new("")),
        };
        self.entered(&attr, self.nodes.enter_node(&attr, node)?)
    }

    /// The directory above a directory.
    pub(super) fn lookup_parent(&self, id: NodeId) -> Answer<Entry> {
        let parent = self.node(id)?.parent().ok_or(Errno::ESTALE)?;
        self.again(&parent)
    }

    fn again(&self, node: &Arc<Node>) -> Answer<Entry> {
        let mut attr = self.stat(node)?;
        if node.id == NodeId::ROOT {
            // The number in an entry is the node's; the root's own is told by getattr.
            let key = crate::media::FileKey { ino: NodeId::ROOT.0, ..attr.key };
            return Ok(Entry { id: node.id, attr: Attr { key, ..attr } });
        }
        let Some(parent) = node.parent() else {
            let copy = Node::new(node.id, node.key, None, OsStr::new(""));
            return self.entered(&attr, self.nodes.enter_node(&attr, copy)?);
        };
        attr.generation = 0;
        self.entered(&attr, self.nodes.enter(&attr, &parent, &node.place().name)?)
    }

    /// Where the system says that a file is, if that is below the root and true.
    fn place_of(&self, file: &OwnedFd, attr: &Attr) -> Option<(Arc<Node>, std::ffi::OsString)> {
        let link = |fd: &OwnedFd| readlinkat(rustix::fs::CWD, proc_path(fd), Vec::new()).ok();
        let (whole, root) = (link(file)?, link(&self.root)?);
        let path = Path::new(OsStr::from_bytes(whole.as_bytes()));
        let path = path.strip_prefix(OsStr::from_bytes(root.as_bytes())).ok()?;
        let mut parent = self.nodes.root.clone();
        let mut directory = self.root.clone();
        for name in path.parent()? {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::DIRECTORY;
            directory = Arc::new(openat(&*directory, name, flags, Mode::empty()).ok()?);
            let found = stat_fd(&*directory).ok()?;
            let made =
                || Node::new(self.nodes.numbers.id(&found), found.key, Some(parent.clone()), name);
            parent = self.nodes.find(&found).unwrap_or_else(|| Arc::new(made()));
        }
        let name = path.file_name()?;
        let there = super::stat::stat_name(&*directory, name).ok()?;
        (there.key == attr.key).then(|| (parent, name.to_owned()))
    }
}
