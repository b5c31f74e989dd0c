//! The state of one mounted filesystem, and what it remembers of files for the medium.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use super::backing::Backings;
use super::by_inode::ByInode;
use super::cached_pages::CachedPages;
use super::changing::{Changing, Kernel};
use super::directories::DirHandle;
use super::directory_cache::DirectoryCache;
use super::flights::Flights;
use super::handles::{Handles, OpenFile};
use super::kind;
use super::locate::proc_path;
use super::node_table::NodeTable;
use super::page_fills::PageFills;
use super::power::Power;
use super::stat::stat_fd;
use super::timer::Timer;
use super::{Answer, Node, NodeId};
use crate::errno::Errno;
use crate::injector::Injector;
use crate::ledger::Writer;
use crate::media::{Fates, FileKey, Media, Room};
use crate::plan::RuleId;
use crate::state::StateDir;
use crate::trace::TraceWriter;

/// How a filesystem behaves, apart from its plan.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether errorfs may act as other users: what they create is then theirs.
    pub errorfs_is_root: bool,
    /// Bytes that may be kept of what the medium holds in place of what was written.
    pub keep_max: u64,
}

/// A backing directory as a filesystem, with an injector in its path.
#[derive(Debug)]
pub struct Filesystem {
    pub(super) root: Arc<OwnedFd>,
    pub(super) settings: Settings,
    pub(super) nodes: NodeTable,
    pub(super) by_inode: Option<ByInode>,
    pub(super) directories: DirectoryCache,
    pub(super) backings: Backings,
    /// Whether the backing filesystem is on this machine, so that closing tells nothing new.
    pub(super) local: bool,
    /// The mount that the root lies on.
    pub(super) mount: u64,
    pub(super) open_files: Handles<OpenFile>,
    pub(super) open_directories: Handles<DirHandle>,
    /// See [`Filesystem::take_set_id_bits`].
    told_of_set_id: AtomicBool,
    /// Which threads took the capabilities of which files: the kernel does before it writes.
    pub(super) capability_taken: Mutex<HashSet<(NodeId, u32)>>,
    /// Of which open files it was said that rules wait for them.
    pub(super) told_pending: Mutex<HashSet<NodeId>>,
    pub(super) injector: Injector,
    pub(super) media: Media,
    pub(super) fates: Fates,
    pub(super) room: Arc<Room>,
    /// Whether it was said that there is no room left.
    pub(super) room_told: AtomicBool,
    /// Whether it has been said that somebody was not killed.
    pub(super) spared_told: AtomicBool,
    pub(super) page_fills: PageFills,
    pub(super) cached_pages: CachedPages,
    pub(super) ledger: Arc<Writer>,
    pub(super) timer: Timer,
    pub(super) flights: &'static Flights,
    pub(super) changing: Changing,
    pub(super) kernel: OnceLock<Box<dyn Kernel>>,
    pub(super) armed_at: Instant,
    /// Counts what may change the path of many nodes at once.
    pub(super) names: AtomicU64,
    /// Where every operation is written down.
    pub(super) trace: Option<Arc<TraceWriter>>,
    /// Whether no data go through the kernel's page cache but those of mappings.
    pub(super) uncached: bool,
    /// What survives the mount: without it nothing of the backing directory is damaged.
    pub(super) state: Option<Arc<StateDir>>,
    /// How often each rule had fired when that was last remembered.
    pub(super) counted: Mutex<HashMap<RuleId, u64>>,
    /// What is not on the medium yet, where the power may be cut.
    pub(super) power: Option<Power>,
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
        kind::settle_identity(&root)?;
        let attr = stat_fd(&root)?;
        Ok(Filesystem {
            by_inode: ByInode::probe(&root, &attr),
            local: kind::is_local(&root)?,
            mount: attr.mount,
            told_of_set_id: AtomicBool::new(false),
            capability_taken: Mutex::default(),
            told_pending: Mutex::default(),
            root: Arc::new(root),
            settings,
            nodes: NodeTable::new(&attr),
            directories: DirectoryCache::default(),
            backings: Backings::default(),
            open_files: Handles::default(),
            open_directories: Handles::default(),
            injector,
            media,
            fates: Fates::default(),
            room: Room::new(settings.keep_max),
            room_told: AtomicBool::new(false),
            spared_told: AtomicBool::new(false),
            page_fills: PageFills::default(),
            cached_pages: CachedPages::default(),
            ledger: Arc::new(ledger),
            timer: Timer::start()?,
            flights: Flights::of_a_mount(),
            changing: Changing::default(),
            kernel: OnceLock::new(),
            armed_at: Instant::now(),
            names: AtomicU64::new(0),
            trace: None,
            uncached: false,
            state: None,
            counted: Mutex::default(),
            power: None,
        })
    }

    /// Writes down every operation; no data travel without us then.
    pub fn traced_to(self, trace: Arc<TraceWriter>) -> Filesystem {
        Filesystem { trace: Some(trace), ..self.uncached() }
    }

    /// Opens every file past the kernel's page cache: each read(2) is asked of us, whatever was written
    /// or read before, under whatever name.
    pub fn uncached(self) -> Filesystem {
        Filesystem { uncached: true, ..self }
    }

    /// The same, with a state directory of its own. `cuts`: its power may be cut.
    pub fn with_state(self, state: Option<StateDir>, cuts: bool) -> Filesystem {
        let power = (cuts && state.is_some()).then(Power::default);
        Filesystem { state: state.map(Arc::new), power, ..self }
    }

    /// What survives the mount.
    pub fn state(&self) -> Option<&StateDir> {
        self.state.as_deref()
    }

    /// The kernel leaves it to us to take set-id bits from files that change, and says of each write
    /// whether they go (FUSE_HANDLE_KILLPRIV_V2); of a write that it does itself it says so by a
    /// change of attributes that changes none.
    pub fn take_set_id_bits(&self) {
        self.told_of_set_id.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_told_of_set_id(&self) -> bool {
        self.told_of_set_id.load(Ordering::Relaxed)
    }

    /// From now on the kernel moves the data of files that no rule can reach, by itself; or its
    /// reason why it will not.
    pub fn hand_files_to(&self, device: OwnedFd) -> Result<(), Errno> {
        self.backings.begin(device)
    }

    /// The mount is gone: nothing is handed to the kernel any more.
    pub fn end_handing_over(&self) {
        self.backings.end();
    }

    /// How many filesystems may lie above one another below this mount, itself not counted, for its
    /// files to be handed to the kernel.
    pub fn depth_below(&self) -> u32 {
        kind::depth(&self.root)
    }

    /// Answers everything that waits, and lets nothing wait any more (unmount).
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
        if let Some(armed) = self.injector.current().filter(|armed| armed.damages_media()) {
            self.media.born(key, armed.generation());
            self.note_born(key);
        }
    }

    /// A node that was there at arming is about to get another name: its damage stays its own.
    pub(super) fn keep_origin(&self, node: &Arc<Node>) {
        if self.remembers() && !self.media.is_born(node.key) {
            let known = self.media.origin(node.key).is_some();
            let origin = self.origin(node);
            self.media.keep_origin(node.key, &origin);
            if !known {
                self.note_origin(node.key, &origin);
            }
        }
    }

    /// The path that keys the damage of a node: at arming for what was there then, the present one
    /// for what was created since.
    pub(super) fn origin(&self, node: &Arc<Node>) -> std::path::PathBuf {
        if self.media.is_born(node.key) {
            let settled = self.media.origin(node.key);
            return settled.map_or_else(|| node.path(), |path| path.to_path_buf());
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
        self.cached_pages.forget(node.key);
        self.forget_usage(node.key);
        if !self.remembers() {
            return;
        }
        self.drop_evicts(node.key);
        let removed =
            node.pin().and_then(|pin| stat_fd(&*pin).ok()).is_some_and(|attr| attr.nlink == 0);
        if removed {
            self.media.removed(node.key);
            self.note_removed(node.key);
        } else {
            self.media.forget(node.key);
        }
    }

    /// The file of an `O_PATH` descriptor as a path for calls that take no descriptor.
    pub(super) fn path_of(&self, node: &Arc<Node>) -> Answer<(Arc<OwnedFd>, String)> {
        let file = self.locate(node)?;
        let path = proc_path(&*file);
        Ok((file, path))
    }
}
