//! The state of one mounted filesystem, and what it remembers of files for the medium.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::by_inode::ByInode;
use super::directories::DirHandle;
use super::directory_cache::DirectoryCache;
use super::handles::{Handles, OpenFile};
use super::locate::proc_path;
use super::node_table::NodeTable;
use super::page_fills::PageFills;
use super::stat::stat_fd;
use super::timer::Timer;
use super::{Answer, Node};
use crate::injector::Injector;
use crate::ledger::Writer;
use crate::media::{Fates, FileKey, Media};

/// How a filesystem behaves, apart from its plan.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether errorfs may act as other users: what they create is then theirs.
    pub errorfs_is_root: bool,
}

/// A backing directory as a filesystem, with an injector in its path.
#[derive(Debug)]
pub struct Filesystem {
    pub(super) root: Arc<OwnedFd>,
    pub(super) settings: Settings,
    pub(super) nodes: NodeTable,
    pub(super) by_inode: Option<ByInode>,
    pub(super) directories: DirectoryCache,
    pub(super) open_files: Handles<OpenFile>,
    pub(super) open_directories: Handles<DirHandle>,
    pub(super) injector: Injector,
    pub(super) media: Media,
    pub(super) fates: Fates,
    pub(super) page_fills: PageFills,
    pub(super) ledger: Arc<Writer>,
    pub(super) timer: Timer,
    pub(super) armed_at: Instant,
    /// Counts what may change the path of many nodes at once.
    pub(super) names: AtomicU64,
}

impl Filesystem {
    /// The filesystem over an open directory.
    pub fn new(
        root: OwnedFd,
        settings: Settings,
        injector: Injector,
        media: Media,
        ledger: Writer,
    ) -> std::io::Result<Filesystem> {
        let attr = stat_fd(&root)?;
        Ok(Filesystem {
            by_inode: ByInode::probe(&root, &attr),
            root: Arc::new(root),
            settings,
            nodes: NodeTable::new(&attr),
            directories: DirectoryCache::default(),
            open_files: Handles::default(),
            open_directories: Handles::default(),
            injector,
            media,
            fates: Fates::default(),
            page_fills: PageFills::default(),
            ledger: Arc::new(ledger),
            timer: Timer::start()?,
            armed_at: Instant::now(),
            names: AtomicU64::new(0),
        })
    }

    /// Answers everything that waits (disarm, unmount).
    pub fn release_delayed(&self) {
        self.timer.release();
    }

    /// The events of this mount.
    pub fn ledger(&self) -> &Writer {
        &self.ledger
    }

    /// Cached paths of nodes may be wrong from now on.
    pub(super) fn names_changed(&self) {
        self.names.fetch_add(1, Ordering::Release);
    }

    fn remembers(&self) -> bool {
        self.injector.current().is_some_and(|armed| armed.damages_media())
    }

    /// A file or directory came into being through the mount.
    pub(super) fn born(&self, key: FileKey) {
        if self.remembers() {
            self.media.born(key);
        }
    }

    /// A node that was there at arming is about to get another name: its damage stays its own.
    pub(super) fn keep_origin(&self, node: &Arc<Node>) {
        if self.remembers() && !self.media.is_born(node.key) {
            self.media.keep_origin(node.key, &self.origin(node));
        }
    }

    /// The path that keys the damage of a node: at arming for what was there then, the present one
    /// for what was created since.
    pub(super) fn origin(&self, node: &Arc<Node>) -> std::path::PathBuf {
        if self.media.is_born(node.key) {
            return node.path();
        }
        let chain = node.ancestry();
        let known = chain.iter().position(|(node, _)| self.media.origin(node.key).is_some());
        let end = known.unwrap_or(chain.len() - 1);
        let mut path =
            self.media.origin(chain[end].0.key).map(|p| p.to_path_buf()).unwrap_or_default();
        path.extend(chain[..end].iter().rev().map(|(_, name)| name));
        path
    }

    /// The kernel forgot the node.
    pub(super) fn forget_memory(&self, node: &Node) {
        if !self.remembers() {
            return;
        }
        let removed =
            node.pin().and_then(|pin| stat_fd(&*pin).ok()).is_some_and(|attr| attr.nlink == 0);
        if removed { self.media.removed(node.key) } else { self.media.forget(node.key) }
    }

    /// The file of an `O_PATH` descriptor as a path for calls that take no descriptor.
    pub(super) fn path_of(&self, node: &Arc<Node>) -> Answer<(Arc<OwnedFd>, String)> {
        let file = self.locate(node)?;
        let path = proc_path(&*file);
        Ok((file, path))
    }
}
