//! All files that the kernel knows, by number, with its count of lookups. Pure maps, no system
//! call: 64 of them, so that threads rarely meet and no map is ever large when it grows.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use super::numbers::Numbers;
use super::stat::Attr;
use super::{Answer, Node, NodeId, locked, reading, writing};
use crate::errno::Errno;

/// More than any machine has threads in the table at once.
const SHARDS: usize = 64;

/// A table that never had as many nodes is not worth giving memory back.
const LARGE: usize = 4096;

/// So few nodes cannot hold much back, each in the last page of its own that is in use.
const FEW: usize = 64;

/// All nodes that the kernel knows.
#[derive(Debug)]
pub(super) struct NodeTable {
    pub(super) root: Arc<Node>,
    pub(super) numbers: Numbers,
    shards: [RwLock<HashMap<NodeId, Counted>>; SHARDS],
    /// Held while a node moves to another parent, so that two moves cannot close a circle.
    moves: Mutex<()>,
    known: AtomicUsize,
    gone: AtomicUsize,
    /// The most that were known since all memory was last given back.
    most: AtomicUsize,
}

#[derive(Debug)]
struct Counted {
    node: Arc<Node>,
    lookups: u64,
}

/// What came of an entry.
#[derive(Debug)]
pub(super) struct Entered {
    /// The node of the file.
    pub(super) node: Arc<Node>,
    /// The node of a file that had the same number before, and is gone.
    pub(super) superseded: Option<Arc<Node>>,
}

impl NodeTable {
    /// A table that knows only the root.
    pub(super) fn new(root: &Attr) -> NodeTable {
        NodeTable {
            root: Arc::new(Node::new(NodeId::ROOT, root.key, None, OsStr::new(""))),
            numbers: Numbers::new(root),
            shards: std::array::from_fn(|_| RwLock::default()),
            moves: Mutex::default(),
            known: AtomicUsize::new(0),
            gone: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }
    }

    /// The node of that number.
    pub(super) fn get(&self, id: NodeId) -> Option<Arc<Node>> {
        if id == NodeId::ROOT {
            return Some(self.root.clone());
        }
        reading(self.shard(id)).get(&id).map(|counted| counted.node.clone())
    }

    /// The nodes that are `wanted`, of all that the kernel knows.
    pub(super) fn those(&self, wanted: impl Fn(&Node) -> bool) -> Vec<Arc<Node>> {
        let of = |shard: &RwLock<HashMap<NodeId, Counted>>| -> Vec<Arc<Node>> {
            let nodes = reading(shard);
            let nodes = nodes.values().map(|counted| &counted.node);
            nodes.filter(|node| wanted(node)).cloned().collect()
        };
        self.shards.iter().flat_map(of).collect()
    }

    /// The node of a file, if the kernel knows it.
    pub(super) fn find(&self, attr: &Attr) -> Option<Arc<Node>> {
        if self.is_root(attr) {
            return Some(self.root.clone());
        }
        self.get(self.numbers.id(attr)).filter(|node| node.key == attr.key)
    }

    /// The kernel learns of a file under a name: one lookup more.
    pub(super) fn enter(&self, attr: &Attr, parent: &Arc<Node>, name: &OsStr) -> Answer<Entered> {
        let make = |id| Node::new(id, attr.key, Some(parent.clone()), name);
        self.count(attr, make)
    }

    /// The kernel learns of a file of which only the number is known, or no longer.
    pub(super) fn enter_node(&self, attr: &Attr, node: Node) -> Answer<Entered> {
        self.count(attr, |_| node)
    }

    /// A new file under a number that is still known: the kernel gets another generation, takes the
    /// old one for dead, and forgets both counts under the one number. An open file keeps its
    /// number: whoever says that it is another's speaks of the past.
    fn count(&self, attr: &Attr, make: impl FnOnce(NodeId) -> Node) -> Answer<Entered> {
        if self.is_root(attr) {
            return Ok(Entered { node: self.root.clone(), superseded: None });
        }
        let id = self.numbers.id(attr);
        let mut nodes = writing(self.shard(id));
        let counted = match nodes.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => {
                let before = self.known.fetch_add(1, Ordering::Relaxed);
                self.most.fetch_max(before + 1, Ordering::Relaxed);
                let node = Arc::new(make(id));
                vacant.insert(Counted { node: node.clone(), lookups: 1 });
                return Ok(Entered { node, superseded: None });
            }
        };
        let known = counted.node.clone();
        if known.key != attr.key && known.any_open().is_some() {
            return Err(Errno::ESTALE);
        }
        counted.lookups += 1;
        if known.key == attr.key {
            return Ok(Entered { node: known, superseded: None });
        }
        let node = Arc::new(make(id));
        counted.node = node.clone();
        Ok(Entered { node, superseded: Some(known) })
    }

    /// The kernel is about to forget this number once more than it learnt of it.
    pub(super) fn count_again(&self, id: NodeId) {
        if let Some(counted) = writing(self.shard(id)).get_mut(&id) {
            counted.lookups += 1;
        }
    }

    /// The node is seen as `name` in `parent` from now on. Returns whether that is news. A directory
    /// is never put below itself: that its parent is known there is out of date then.
    pub(super) fn relocate(&self, node: &Arc<Node>, parent: &Arc<Node>, name: &OsStr) -> bool {
        let in_parent = || node.parent().is_some_and(|known| Arc::ptr_eq(&known, parent));
        if node.id == NodeId::ROOT || (node.is_at(parent, name) && in_parent()) {
            return false;
        }
        let _one_at_a_time = locked(&self.moves);
        if parent.is_below(node) {
            return false;
        }
        node.set_place(parent, name);
        true
    }

    /// The kernel drops `lookups` references; returns the node if those were the last.
    pub(super) fn forget(&self, id: NodeId, lookups: u64) -> Option<Arc<Node>> {
        let mut nodes = writing(self.shard(id));
        let counted = nodes.get_mut(&id)?;
        counted.lookups = counted.lookups.saturating_sub(lookups);
        if counted.lookups > 0 {
            return None;
        }
        let gone = nodes.remove(&id)?.node;
        if nodes.len() < nodes.capacity() / 8 {
            let room = 2 * nodes.len();
            nodes.shrink_to(room);
        }
        drop(nodes);
        self.numbers.forget(id);
        self.known.fetch_sub(1, Ordering::Relaxed);
        self.gone.fetch_add(1, Ordering::Relaxed);
        Some(gone)
    }

    /// Whether memory is worth giving back: of a large table half is gone since this was last true.
    pub(super) fn has_shrunk(&self) -> bool {
        let [gone, known, most] =
            [&self.gone, &self.known, &self.most].map(|count| count.load(Ordering::Relaxed));
        if most < LARGE || gone < FEW.max(known) {
            return false;
        }
        let relaxed = Ordering::Relaxed;
        let mine = self.gone.compare_exchange(gone, 0, relaxed, relaxed).is_ok();
        if mine && known < FEW {
            self.most.store(known, relaxed);
        }
        mine
    }

    /// A bind mount may show the root again: below itself it is another directory.
    fn is_root(&self, attr: &Attr) -> bool {
        attr.key == self.root.key && self.numbers.is_home(attr)
    }

    fn shard(&self, id: NodeId) -> &RwLock<HashMap<NodeId, Counted>> {
        &self.shards[id.0 as usize % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::stat::stat_fd;
    use crate::media::FileKey;

    fn root() -> Attr {
        stat_fd(std::fs::File::open("/").unwrap()).unwrap()
    }

    fn file(ino: u64, birth: u64) -> Attr {
        let root = root();
        let kind = crate::fs::FileKind::Regular;
        Attr { key: FileKey { ino, birth, ..root.key }, kind, ..root }
    }

    #[test]
    fn a_number_that_is_given_again_is_another_node_and_both_counts_are_one() {
        let table = NodeTable::new(&root());
        let name = OsStr::new("name");
        let old = table.enter(&file(99, 1), &table.root, name).unwrap().node;
        let entered = table.enter(&file(99, 2), &table.root, name).unwrap();
        assert!(entered.superseded.is_some_and(|node| Arc::ptr_eq(&node, &old)));
        assert!(table.find(&file(99, 1)).is_none());
        assert!(table.forget(NodeId(99), 1).is_none());
        assert!(table.forget(NodeId(99), 1).is_some());
    }

    #[test]
    fn an_open_file_keeps_its_number() {
        let table = NodeTable::new(&root());
        let name = OsStr::new("name");
        let node = table.enter(&file(99, 2), &table.root, name).unwrap().node;
        let open = Arc::new(std::os::fd::OwnedFd::from(std::fs::File::open("/").unwrap()));
        node.opened(&open);
        assert_eq!(table.enter(&file(99, 1), &table.root, name).unwrap_err(), Errno::ESTALE);
        drop(open);
        node.closed();
        assert!(table.enter(&file(99, 3), &table.root, name).is_ok());
    }

    #[test]
    fn no_directory_is_put_below_itself() {
        let table = NodeTable::new(&root());
        let enter = |ino, parent: &Arc<Node>| {
            table.enter(&file(ino, 0), parent, OsStr::new("name")).unwrap().node
        };
        let above = enter(98, &table.root);
        let below = enter(99, &above);
        assert!(!table.relocate(&above, &below, OsStr::new("other")));
        assert!(table.relocate(&below, &table.root, OsStr::new("other")));
        assert!(table.relocate(&above, &below, OsStr::new("other")));
        assert_eq!(above.path(), std::path::Path::new("other/other"));
    }

    #[test]
    fn eight_threads_that_enter_move_and_forget_leave_an_empty_table() {
        let table = NodeTable::new(&root());
        std::thread::scope(|scope| {
            for thread in 0..8_u64 {
                let table = &table;
                scope.spawn(move || {
                    for round in 0..20_000_u64 {
                        let ino = 10 + (thread + round * 7) % 50;
                        let name = if round % 2 == 0 { "even" } else { "odd" };
                        let parent = table.get(NodeId(10 + round % 50));
                        let parent = parent.unwrap_or_else(|| table.root.clone());
                        let node = table.enter(&file(ino, 0), &parent, OsStr::new(name));
                        table.relocate(&node.unwrap().node, &parent, OsStr::new(name));
                        table.forget(NodeId(ino), 1);
                    }
                });
            }
        });
        assert_eq!(table.known.load(Ordering::Relaxed), 0);
        assert!(table.shards.iter().all(|shard| reading(shard).is_empty()));
    }
}
