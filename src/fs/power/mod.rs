//! The power, where a rule may cut it: what is not on the medium yet, and what a cut makes of it.
//!
//! As long as nothing is cut the backing directory has everything. At a cut it is made what a medium
//! would have: every change is in the journal of undo before it is made, and the mount goes on as
//! after a reboot.

mod bytes;
mod changes;
mod cut;
mod gate;
mod undo;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;

pub use cut::CutError;

use self::changes::Changes;
use self::gate::{Gate, Inside};
use super::handles::OpenFile;
use super::inject::Judged;
use super::stat::stat_fd;
use super::view::Subject;
use super::{Answer, FileHandle, Filesystem, Node, NodeId, Writing, locked};
use crate::errno::Errno;
use crate::media::{Content, FileKey, Piece, Volatile};
use crate::op::{Op, OpKind};
use crate::plan::fault::{Fault, PowerCut};
use crate::plan::seed::Purpose;
use crate::plan::{Decision, Failure, RuleId};
use crate::scenario::Names;

/// More changed files are not remembered: the longest known are taken to be written back.
const FILES_MAX: usize = 100_000;

/// What a filesystem remembers whose power may be cut.
#[derive(Debug, Default)]
pub(super) struct Power {
    gate: Gate,
    files: Mutex<HashMap<FileKey, Volatile>>,
    names: Mutex<Changes>,
    /// How often each path was synced, where syncing may be a lie.
    syncs: Mutex<HashMap<PathBuf, u64>>,
    cuts: AtomicU32,
    /// Whose cut was the last one.
    by: Mutex<Option<RuleId>>,
    /// Files that a cut took away: nobody reaches them by their numbers.
    pub(super) taken: Mutex<HashSet<FileKey>>,
}

impl Filesystem {
    /// Whether it remembers what is not on the medium, so that its power can be cut.
    pub fn may_be_cut(&self) -> bool {
        self.power.is_some()
    }

    /// Lets an operation in, unless the power is off, or was since the file was opened: then it
    /// fails.
    pub(super) fn enter(
        &self,
        op: Op,
        subject: Subject<'_>,
    ) -> Result<Inside<'_>, Option<Box<Judged>>> {
        let Some(power) = &self.power else { return Ok(Inside::ANYWHERE) };
        if matches!(op.kind, OpKind::Release | OpKind::Releasedir) {
            return Ok(Inside::ANYWHERE);
        }
        match power.gate.enter() {
            Some(inside) if self.dead_node(subject).is_none() => Ok(inside),
            _ => Err(self.without_power(op, subject).map(Box::new)),
        }
    }

    /// An operation that comes too late, as rules see it.
    fn without_power(&self, op: Op, subject: Subject<'_>) -> Option<Judged> {
        let rule = (*locked(&self.power.as_ref()?.by))?;
        let armed = self.injector.current().filter(|_| !self.ledger.failed())?;
        let view = match self.dead_node(subject) {
            Some(node) => self.view(&node, &armed),
            None => self.view_of(subject, &armed).ok()?,
        };
        let failure = Some(Failure { rule, occurrence: 0, errno: Errno::EIO });
        let decision = Decision { failure, ..Decision::default() };
        let fills_cache = op.cached;
        Some(Judged { decision, fills_cache, ..Judged::nothing(armed, view, op) })
    }

    /// What was open under a handle when the power went.
    fn dead_node(&self, subject: Subject<'_>) -> Option<Arc<Node>> {
        match subject {
            Subject::Open(handle) => self.open_files.dead(handle).map(|open| open.node.clone()),
            Subject::OpenDirectory(handle) => {
                self.open_directories.dead(handle).map(|open| open.node.clone())
            }
            Subject::Both(one, other) => self.dead_node(*one).or_else(|| self.dead_node(*other)),
            _ => None,
        }
    }

    /// What an operation on a node is on, if it names a handle as well: a dead one decides.
    pub fn subject(&self, id: NodeId, handle: Option<FileHandle>) -> Subject<'static> {
        let dead = handle.filter(|handle| self.open_files.dead(*handle).is_some());
        dead.map_or(Subject::Node(id), Subject::Open)
    }

    /// The answer to an operation that was not let in.
    pub(super) fn refuse<T: Send + 'static>(
        &self,
        judged: Option<Box<Judged>>,
        answer: impl FnOnce(Answer<T>) + Send + 'static,
    ) {
        match judged {
            Some(judged) => {
                let (events, result) = (judged.events(), Err(Errno::EIO));
                self.deliver(&judged, events, result, |result| result, answer);
            }
            None => answer(Err(Errno::EIO)),
        }
    }

    /// The rule that says which names last and whether syncs lie: the first one about power.
    fn power_rule(&self) -> Option<(Arc<crate::injector::Armed>, RuleId, PowerCut)> {
        let armed = self.injector.current()?;
        let cuts = |(id, rule): (RuleId, &crate::plan::Rule)| match &rule.fault {
            Fault::PowerCut(cut) => Some((id, cut.clone())),
            _ => None,
        };
        let (id, cut) = armed.plan().numbered().find_map(cuts)?;
        Some((armed, id, cut))
    }

    /// A file is about to be written: keeps what the medium holds there. What cannot be kept is taken
    /// to be written back already.
    pub(super) fn before_change(&self, open: &OpenFile, range: Range<u64>) {
        let read = |bytes: &Range<u64>| {
            let len = (bytes.end - bytes.start) as usize;
            let mut read = self.read_for_page(open, bytes.start, len).ok()?;
            read.resize(len, 0);
            Some(read)
        };
        let size = || Some(stat_fd(&*open.file).ok()?.size);
        self.keep_old(open.node.key, range, size, read);
    }

    /// The same of a file that is not open, and is about to be cut off.
    pub(super) fn before_cutting(&self, node: &Arc<Node>, from: u64) {
        let file = || self.reopen(node, rustix::fs::OFlags::RDONLY).ok();
        let file = std::cell::LazyCell::new(file);
        let read = |bytes: &Range<u64>| {
            let len = (bytes.end - bytes.start) as usize;
            let mut read = super::read_fully(file.as_ref()?, bytes.start, len).ok()?;
            read.resize(len, 0);
            Some(read)
        };
        let size = || Some(stat_fd(file.as_ref()?).ok()?.size);
        self.keep_old(node.key, from..u64::MAX, size, read);
    }

    fn keep_old(
        &self,
        file: FileKey,
        range: Range<u64>,
        size: impl FnOnce() -> Option<u64>,
        read: impl Fn(&Range<u64>) -> Option<Vec<u8>>,
    ) {
        let Some(power) = &self.power else { return };
        let known = locked(&power.files).get(&file).map(|volatile| volatile.unknown(&range));
        let unknown = match known {
            Some(unknown) => unknown,
            None => {
                let Some(size) = size() else { return };
                let volatile = Volatile::new(size);
                let unknown = volatile.unknown(&range);
                power.remember(file, volatile);
                unknown
            }
        };
        let keep = |bytes: Range<u64>| {
            let content = Content::new(read(&bytes)?, &self.room)?;
            Some(Piece { bytes, content, of: () })
        };
        let kept: Vec<_> = unknown.into_iter().flat_map(pages).filter_map(keep).collect();
        if let Some(volatile) = locked(&power.files).get_mut(&file) {
            kept.iter().for_each(|piece| volatile.keep(piece));
        }
    }

    /// A write was made, and synced by itself.
    pub(super) fn after_writing(&self, node: &Arc<Node>, range: Range<u64>, how: Writing) {
        if let Some(power) = self.power.as_ref().filter(|_| how.is_synced()) {
            if let Some(volatile) = locked(&power.files).get_mut(&node.key) {
                volatile.settle(&range);
            }
            self.names_synced(None);
        }
    }

    /// A file or directory was synced; the rule by which that was a lie.
    pub(super) fn synced(&self, node: &Arc<Node>, directory: bool) -> Option<RuleId> {
        let power = self.power.as_ref()?;
        let lied = self.lied(&node.path());
        if lied.is_none() {
            locked(&power.files).remove(&node.key);
            self.names_synced(directory.then_some(node.key));
        }
        lied
    }

    fn lied(&self, path: &Path) -> Option<RuleId> {
        let (armed, rule, cut) = self.power_rule().filter(|(.., cut)| cut.may_lie())?;
        let mut syncs = locked(&self.power.as_ref()?.syncs);
        let nth = syncs.entry(path.to_path_buf()).or_default();
        *nth += 1;
        cut.lies(armed.plan().stream(rule, path, Purpose::Lies), *nth).then_some(rule)
    }

    /// Something was synced: this directory, or a file.
    fn names_synced(&self, directory: Option<FileKey>) {
        let Some(power) = &self.power else { return };
        let ordered = self.power_rule().is_some_and(|(.., cut)| cut.names == Names::Ordered);
        let gone = match (ordered, directory) {
            (true, _) => locked(&power.names).commit_all(),
            (false, Some(directory)) => locked(&power.names).commit(directory),
            (false, None) => return,
        };
        drop(gone); // closing is a system call: not under the lock
    }
}

impl Power {
    fn remember(&self, file: FileKey, volatile: Volatile) {
        let mut files = locked(&self.files);
        if files.len() >= FILES_MAX {
            files.clear();
        }
        files.entry(file).or_insert(volatile);
    }

    /// A change of names has been made.
    fn note(&self, change: changes::Change) {
        let gone = locked(&self.names).push(change);
        drop(gone); // closing is a system call: not under the lock
    }
}

/// Keeps what is kept small enough to be let go in parts.
fn pages(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    const AT_ONCE: u64 = 1 << 20;
    let end = range.end;
    let starts = (range.start..end).step_by(AT_ONCE as usize);
    starts.map(move |start| start..end.min(start.saturating_add(AT_ONCE)))
}
