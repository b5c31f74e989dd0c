//! The files that the kernel knows of: node ids, names, lookup counts. Pure maps, no system call.
//!
//! A node keeps no descriptor: a million known files must not need a million of them.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock, Weak};

use super::stat::Attr;
use super::view::View;
use super::{locked, reading, writing};
use crate::media::FileKey;

/// How the kernel names a file: the backing inode number wherever that is unambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(pub u64);

impl NodeId {
    /// The root of the mount.
    pub const ROOT: NodeId = NodeId(1);
    /// Set in ids that are not inode numbers: files on other devices, and an inode number 1.
    const SYNTHETIC: u64 = 1 << 63;
}

/// One known file.
#[derive(Debug)]
pub struct Node {
    /// How the kernel names it.
    pub id: NodeId,
    /// Which file it is.
    pub key: FileKey,
    pub(super) place: Mutex<Place>,
    /// Keeps a file reachable whose known name is gone while the kernel still refers to it.
    pub(super) pin: Mutex<Option<Arc<OwnedFd>>>,
    /// The last descriptor through which it was opened: a way to it if its name is lost.
    pub(super) lifeline: Mutex<Weak<OwnedFd>>,
    pub(super) view: Mutex<Option<Arc<View>>>,
}

/// Under which name a node was last seen. Parents stay alive as long as a child refers to them.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) parent: Option<Arc<Node>>,
    pub(super) name: OsString,
}

impl Node {
    fn new(id: NodeId, key: FileKey, parent: Option<Arc<Node>>, name: &OsStr) -> Node {
        Node {
            id,
            key,
            place: Mutex::new(Place { parent, name: name.to_owned() }),
            pin: Mutex::default(),
            lifeline: Mutex::default(),
            view: Mutex::default(),
        }
    }

    /// Where it was last seen.
    pub(super) fn place(&self) -> Place {
        locked(&self.place).clone()
    }

    /// Whether it was last seen as `name` in `parent`.
    pub(super) fn is_at(&self, parent: &Node, name: &OsStr) -> bool {
        let place = self.place();
        place.name == name && place.parent.is_some_and(|known| known.id == parent.id)
    }

    /// It is seen as `name` in `parent` from now on. Returns whether that is news.
    pub(super) fn move_to(&self, parent: &Arc<Node>, name: &OsStr) -> bool {
        if self.id == NodeId::ROOT || self.is_at(parent, name) {
            return false;
        }
        let moved = Place { parent: Some(parent.clone()), name: name.to_owned() };
        *locked(&self.place) = moved;
        let pin = locked(&self.pin).take();
        drop(pin); // closing is a system call: not under the lock
        self.forget_view();
        true
    }

    /// What was known of the rules for it no longer holds.
    pub(super) fn forget_view(&self) {
        *locked(&self.view) = None;
    }

    /// The node and its ancestors up to the root, with the names that lead there.
    pub(super) fn ancestry(self: &Arc<Node>) -> Vec<(Arc<Node>, OsString)> {
        let mut chain = Vec::new();
        let mut node = self.clone();
        loop {
            let Place { parent, name } = node.place();
            chain.push((node, name));
            match parent {
                Some(parent) => node = parent,
                None => return chain,
            }
        }
    }

    /// Its path relative to the root; the root's is empty.
    pub(super) fn path(self: &Arc<Node>) -> PathBuf {
        self.ancestry().iter().rev().skip(1).map(|(_, name)| name).collect()
    }
}

/// All nodes that the kernel knows.
#[derive(Debug)]
pub(super) struct NodeTable {
    root: Arc<Node>,
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_id: HashMap<NodeId, Counted>,
    by_key: HashMap<FileKey, NodeId>,
    synthetic: u64,
}

#[derive(Debug)]
struct Counted {
    node: Arc<Node>,
    lookups: u64,
}

impl NodeTable {
    /// A table that knows only the root.
    pub(super) fn new(root: FileKey) -> NodeTable {
        let root = Arc::new(Node::new(NodeId::ROOT, root, None, OsStr::new("")));
        NodeTable { root, known: RwLock::default() }
    }

    /// The node of that id.
    pub(super) fn get(&self, id: NodeId) -> Option<Arc<Node>> {
        if id == NodeId::ROOT {
            return Some(self.root.clone());
        }
        let known = reading(&self.known);
        known.by_id.get(&id).map(|counted| counted.node.clone())
    }

    /// The node of a file, if the kernel knows it.
    pub(super) fn find(&self, key: FileKey) -> Option<Arc<Node>> {
        if key == self.root.key {
            return Some(self.root.clone());
        }
        let known = reading(&self.known);
        known.by_key.get(&key).map(|id| known.by_id[id].node.clone())
    }

    /// The kernel learns of a file under a name: one lookup more.
    pub(super) fn enter(&self, attr: &Attr, parent: &Arc<Node>, name: &OsStr) -> Arc<Node> {
        if attr.key == self.root.key {
            return self.root.clone();
        }
        let mut known = writing(&self.known);
        let id = match known.by_key.get(&attr.key) {
            Some(id) => *id,
            None => known.add(attr.key, self.root.key.dev, parent, name),
        };
        let counted = known.by_id.get_mut(&id).expect("both maps hold the same nodes");
        counted.lookups += 1;
        counted.node.clone()
    }

    /// The kernel drops `lookups` references; returns the node if those were the last.
    pub(super) fn forget(&self, id: NodeId, lookups: u64) -> Option<Arc<Node>> {
        let mut known = writing(&self.known);
        let counted = known.by_id.get_mut(&id)?;
        counted.lookups = counted.lookups.saturating_sub(lookups);
        if counted.lookups > 0 {
            return None;
        }
        let gone = known.by_id.remove(&id)?.node;
        known.by_key.remove(&gone.key);
        Some(gone)
    }
}

impl Known {
    fn add(&mut self, key: FileKey, dev: u64, parent: &Arc<Node>, name: &OsStr) -> NodeId {
        let id = self.id_for(key, dev);
        let node = Arc::new(Node::new(id, key, Some(parent.clone()), name));
        self.by_id.insert(id, Counted { node, lookups: 0 });
        self.by_key.insert(key, id);
        id
    }

    /// Inode numbers are the ids on the root's own device; other devices may use the same numbers.
    fn id_for(&mut self, key: FileKey, dev: u64) -> NodeId {
        if key.dev == dev && key.ino > NodeId::ROOT.0 && key.ino & NodeId::SYNTHETIC == 0 {
            return NodeId(key.ino);
        }
        self.synthetic += 1;
        NodeId(NodeId::SYNTHETIC | self.synthetic)
    }
}
