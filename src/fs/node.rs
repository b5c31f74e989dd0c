//! One file that the kernel knows of: who it is, where it was last seen. No system call.
//!
//! A node keeps no descriptor: a million known files must not need a million of them. What few
//! nodes have (a pin, open files, a view) is in a box of its own.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

use super::data::Wanted;
use super::view::View;
use super::{Backing, DataPath, Uses, locked};
use crate::media::FileKey;

/// How the kernel names a file: the backing inode number wherever that is unambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(pub u64);

impl NodeId {
    /// The root of the mount.
    pub const ROOT: NodeId = NodeId(1);
    /// Set in ids that are not inode numbers: see `numbers`.
    pub(super) const SYNTHETIC: u64 = 1 << 63;

    /// Whether it is no inode number of the backing directory's own filesystem.
    pub(super) fn is_synthetic(self) -> bool {
        self.0 & NodeId::SYNTHETIC != 0
    }
}

/// One known file.
#[derive(Debug)]
pub struct Node {
    /// How the kernel names it.
    pub id: NodeId,
    /// Which file it is.
    pub key: FileKey,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    parent: Option<Arc<Node>>,
    name: Box<[u8]>,
    extra: Option<Box<Extra>>,
    /// Whether it may change without a request to us: it was open through a backing file so that it
    /// could be mapped and written that way, and a mapping outlives the descriptor.
    unseen: bool,
    /// Whether the kernel may have pages of it in its cache that we filled.
    cached: bool,
}

/// What few nodes have.
#[derive(Debug, Default)]
struct Extra {
    /// Keeps a file reachable whose known name is gone while the kernel still refers to it.
    pin: Option<Arc<OwnedFd>>,
    /// Descriptors through which it was opened: ways to it if its name is lost.
    open: Vec<Weak<OwnedFd>>,
    /// How many of these were closed since they were last sorted out.
    closed: usize,
    /// How many of these do not go through `backing`.
    without_backing: usize,
    /// How many of these may write.
    writers: usize,
    /// The backing file through which the kernel moves its data, while it is open that way.
    backing: Weak<Backing>,
    view: Option<Arc<View>>,
}

/// How the data of an open file travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Travels {
    /// The kernel moves it through a backing file.
    HandedOver,
    /// Through us, or the page cache.
    Otherwise,
}

/// Under which name a node was last seen. Parents stay alive as long as a child refers to them.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) parent: Option<Arc<Node>>,
    pub(super) name: OsString,
}

impl Node {
    /// A node without a parent is the root, or a file that was reached by its number alone.
    pub(super) fn new(id: NodeId, key: FileKey, parent: Option<Arc<Node>>, name: &OsStr) -> Node {
        let name = name.as_bytes().into();
        Node {
            id,
            key,
            state: Mutex::new(State { parent, name, extra: None, unseen: false, cached: false }),
        }
    }

    /// Where it was last seen.
    pub(super) fn place(&self) -> Place {
        let state = locked(&self.state);
        Place { parent: state.parent.clone(), name: OsString::from_vec(state.name.to_vec()) }
    }

    /// The directory in which it was last seen.
    pub(super) fn parent(&self) -> Option<Arc<Node>> {
        locked(&self.state).parent.clone()
    }

    /// Whether it was last seen as `name` in `parent`.
    pub(super) fn is_at(&self, parent: &Node, name: &OsStr) -> bool {
        let state = locked(&self.state);
        let there = state.parent.as_ref().is_some_and(|known| known.id == parent.id);
        there && *state.name == *name.as_bytes()
    }

    /// It is seen as `name` in `parent` from now on. Only for the table, which keeps circles out.
    pub(super) fn set_place(&self, parent: &Arc<Node>, name: &OsStr) {
        let mut state = locked(&self.state);
        let earlier = state.parent.replace(parent.clone());
        state.name = name.as_bytes().into();
        let extra = state.extra.as_mut().map(|extra| (extra.pin.take(), extra.view.take()));
        tidy(&mut state);
        drop(state);
        drop((earlier, extra)); // closing is a system call: not under the lock
    }

    /// A way to a file whose known name is gone.
    pub(super) fn pin(&self) -> Option<Arc<OwnedFd>> {
        locked(&self.state).extra.as_ref()?.pin.clone()
    }

    /// Keeps a way to the file until it is seen under a name again, or forgotten.
    pub(super) fn set_pin(&self, pin: Arc<OwnedFd>) {
        let mut state = locked(&self.state);
        let earlier = state.extra.get_or_insert_default().pin.replace(pin);
        drop(state);
        drop(earlier); // closing is a system call: not under the lock
    }

    /// It was opened through this descriptor.
    pub(super) fn opened(&self, file: &Arc<OwnedFd>) {
        let mut state = locked(&self.state);
        state.extra.get_or_insert_default().open.push(Arc::downgrade(file));
    }

    /// How the data of one more opening travels: beside a backing file the kernel allows no other
    /// way, and none beside another way. `hand_over` registers a backing file.
    pub(super) fn settle(
        &self,
        wanted: Wanted,
        uses: Uses,
        hand_over: impl FnOnce() -> Option<Backing>,
    ) -> DataPath {
        let mut state = locked(&self.state);
        let extra = state.extra.get_or_insert_default();
        extra.writers += usize::from(uses.writes);
        if let Some(backing) = extra.backing.upgrade() {
            state.unseen |= uses.maps();
            return DataPath::Passthrough(backing);
        }
        let free = wanted == Wanted::Passthrough && extra.without_backing == 0;
        if let Some(backing) = free.then(hand_over).flatten().map(Arc::new) {
            extra.backing = Arc::downgrade(&backing);
            state.unseen |= uses.maps();
            return DataPath::Passthrough(backing);
        }
        extra.without_backing += 1;
        state.cached = true;
        if wanted == Wanted::Direct { DataPath::Direct } else { DataPath::Cached }
    }

    /// How the data of those who have it open travels now; `None`: nobody has.
    pub(super) fn travels(&self) -> Option<Travels> {
        let state = locked(&self.state);
        let extra = state.extra.as_ref()?;
        match extra.backing.strong_count() {
            0 => (extra.without_backing > 0).then_some(Travels::Otherwise),
            _ => Some(Travels::HandedOver),
        }
    }

    /// What [`Node::settle`] said holds no longer.
    pub(super) fn unsettle(&self, path: &DataPath, uses: Uses) {
        if let Some(extra) = &mut locked(&self.state).extra {
            extra.writers -= usize::from(uses.writes);
            extra.without_backing -= usize::from(!matches!(path, DataPath::Passthrough(_)));
        }
    }

    /// Whether it may change without a request to us, by way of a mapping.
    pub(super) fn changes_unseen(&self) -> bool {
        locked(&self.state).unseen
    }

    /// Whether the kernel may have pages of it in its cache that we filled.
    pub(super) fn may_be_cached(&self) -> bool {
        locked(&self.state).cached
    }

    /// Whether it is open for writing.
    pub(super) fn is_open_for_writing(&self) -> bool {
        locked(&self.state).extra.as_ref().is_some_and(|extra| extra.writers > 0)
    }

    /// One of its descriptors was closed. A file may be open a hundred thousand times: they are
    /// sorted out when half of them are closed.
    pub(super) fn closed(&self) {
        let mut state = locked(&self.state);
        if let Some(extra) = &mut state.extra {
            extra.closed += 1;
            if 2 * extra.closed >= extra.open.len() {
                extra.open.retain(|file| file.strong_count() > 0);
                extra.closed = 0;
            }
        }
        tidy(&mut state);
    }

    /// A descriptor through which it is open.
    pub(super) fn any_open(&self) -> Option<Arc<OwnedFd>> {
        let state = locked(&self.state);
        state.extra.as_ref()?.open.iter().rev().find_map(Weak::upgrade)
    }

    /// What was last worked out of the rules for it.
    pub(super) fn view(&self) -> Option<Arc<View>> {
        locked(&self.state).extra.as_ref()?.view.clone()
    }

    /// Keeps what was worked out of the rules for it.
    pub(super) fn set_view(&self, view: Arc<View>) {
        let mut state = locked(&self.state);
        let earlier = state.extra.get_or_insert_default().view.replace(view);
        drop(state);
        drop(earlier);
    }

    /// What was known of the rules for it no longer holds.
    pub(super) fn forget_view(&self) {
        let mut state = locked(&self.state);
        let earlier = state.extra.as_mut().and_then(|extra| extra.view.take());
        tidy(&mut state);
        drop(state);
        drop(earlier);
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

    /// Whether `other` is this node or one of those above it.
    pub(super) fn is_below(self: &Arc<Node>, other: &Node) -> bool {
        let mut node = self.clone();
        loop {
            if std::ptr::eq(&*node, other) {
                return true;
            }
            match node.parent() {
                Some(parent) => node = parent,
                None => return false,
            }
        }
    }

    /// Its path relative to the root; the root's is empty.
    pub(super) fn path(self: &Arc<Node>) -> PathBuf {
        self.ancestry().iter().rev().skip(1).map(|(_, name)| name).collect()
    }
}

/// Gives up the box if there is nothing in it.
fn tidy(state: &mut State) {
    let empty =
        |extra: &Extra| extra.pin.is_none() && extra.open.is_empty() && extra.view.is_none();
    if state.extra.as_deref().is_some_and(empty) {
        state.extra = None;
    }
}

impl Drop for Node {
    /// One after the other: ten thousand levels, each dropping its parent, would end the stack.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut parent = state.parent.take();
        while let Some(mut node) = parent.and_then(Arc::into_inner) {
            let state = node.state.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
            parent = state.parent.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(parent: Option<Arc<Node>>, ino: u64) -> Arc<Node> {
        let key = FileKey { dev: 1, ino, birth: 0 };
        Arc::new(Node::new(NodeId(ino), key, parent, OsStr::new("name")))
    }

    #[test]
    fn a_hundred_thousand_levels_are_dropped_without_recursion() {
        let mut node = child(None, 1);
        for ino in 2..100_000 {
            node = child(Some(node), ino);
        }
        assert_eq!(node.path().iter().count(), 99_998);
        drop(node);
    }

    #[test]
    fn a_node_takes_less_than_a_hundred_bytes_beside_its_name() {
        assert!(size_of::<Node>() + 2 * size_of::<usize>() <= 100, "{}", size_of::<Node>());
    }

    #[test]
    fn the_box_for_what_few_nodes_have_is_given_up_with_the_last_of_it() {
        let node = child(None, 2);
        let file: Arc<OwnedFd> = Arc::new(std::fs::File::open("/").unwrap().into());
        let uses = Uses { reads: true, writes: true };
        node.opened(&file);
        let path = node.settle(Wanted::Passthrough, uses, || None);
        assert!(node.any_open().is_some() && matches!(path, DataPath::Cached));
        drop(file);
        node.unsettle(&path, uses);
        node.closed();
        assert!(node.any_open().is_none() && locked(&node.state).extra.is_none());
    }
}
