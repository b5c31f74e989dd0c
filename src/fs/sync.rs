//! fsync(2) under rules by which writing back fails, and what becomes of the pages then: in the
//! cache only, until they are evicted; or gone at once.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::handles::OpenFile;
use super::inject::Judged;
use super::losses::{UnderWay, loss};
use super::missing::Missing;
use super::view::Subject;
use super::{Answer, FileHandle, Filesystem, Node};
use crate::errno::Errno;
use crate::ledger::{Event, Outcome};
use crate::media::{Eviction, FileKey, Medium, Piece, Stale, Until};
use crate::op::Op;
use crate::plan::fault::Fault;
use crate::plan::{Lost, Unwritten};
use crate::scenario::{CacheModel, Evict, Rest};

impl Filesystem {
    /// `fsync` of a file; `data_only` as fdatasync(2).
    pub fn sync_file(
        &self,
        op: Op,
        handle: FileHandle,
        data_only: bool,
        answer: impl FnOnce(Answer<()>) + Send + 'static,
    ) {
        let _under_way = self.flights.begin(op.kind);
        let _inside = match self.enter(op, Subject::Open(handle)) {
            Ok(inside) => inside,
            Err(judged) => return self.refuse(judged, answer),
        };
        let open = match self.open_files.get(handle) {
            Ok(open) => open,
            Err(errno) => return answer(Err(errno)),
        };
        open.used();
        let answer = self.traced(op, Subject::Open(handle), |()| None, answer);
        let judged = self.judge(op, Subject::Open(handle));
        let failure = judged.as_ref().and_then(|judged| judged.decision.failure);
        if let Some((judged, failure)) = judged.as_ref().zip(failure) {
            let (events, result) = (judged.events(), Err(failure.errno));
            return self.deliver(judged, events, result, |result| result, answer);
        }
        let unwritten = judged.as_ref().and_then(|judged| judged.decision.unwritten.clone());
        let events = judged.as_ref().map_or_else(Vec::new, Judged::events);
        let falls_behind = self.falls_behind(&open.node).map(|judged| Judged { op, ..judged });
        let synced = self.fsync(handle, data_only);
        if synced.is_ok() && unwritten.is_none() {
            self.persisted(op, &open.node, false);
        }
        let Some(judged) = judged.or(falls_behind) else {
            return answer(synced);
        };
        let (said, more) = match (&synced, &judged.view.medium) {
            (Ok(()), Some(medium)) => self.settle(&judged, &open, medium, unwritten),
            _ => (synced, Vec::new()),
        };
        let events = events.into_iter().chain(more).collect();
        self.deliver(&judged, events, said, move |_| synced, answer);
    }

    /// `fsync` of a directory.
    pub fn sync_directory(&self, op: Op, handle: FileHandle, data_only: bool) -> Answer<()> {
        self.fsyncdir(handle, data_only)?;
        self.persisted(op, &self.open_directories.get(handle)?.node, true);
        Ok(())
    }

    /// The power may be cut from now on without loss of this file; unless that is a lie, which is told.
    fn persisted(&self, op: Op, node: &Arc<Node>, directory: bool) {
        let lied = self.synced(node, directory).zip(self.injector.current());
        if let Some((rule, armed)) = lied {
            let view = self.view(node, &armed);
            let judged = Judged::nothing(armed, view, op);
            self.tell(vec![judged.event(rule, 0)]);
            self.ledger.drain(); // before the reply, and rarely
        }
    }

    /// What was written is on the medium, but for what a rule keeps from it.
    fn settle(
        &self,
        judged: &Judged,
        open: &OpenFile,
        medium: &Medium,
        unwritten: Option<Unwritten>,
    ) -> (Answer<()>, Vec<Event>) {
        self.evict_due(medium);
        let unsynced = medium.unsynced();
        let mut told = unsynced.tell(&open.errors_known);
        let mut events = Vec::new();
        let mut fails = told.is_some();
        match unwritten {
            None => unsynced.written_back(),
            Some(unwritten) => {
                events = self.fail(judged, open, medium, &unwritten);
                if unwritten.model != CacheModel::Ext4Data {
                    unsynced.tell(&open.errors_known);
                    (fails, told) = (true, None);
                    events.iter_mut().for_each(with_errno);
                }
            }
        }
        let late = told.map(|loss| {
            let mut event = judged.event_of(&loss.label, 0);
            with_errno(&mut event);
            event
        });
        events.extend(late);
        (if fails { Err(Errno::EIO) } else { Ok(()) }, events)
    }

    /// Dirty pages are not written back: where the cache keeps them, and until when.
    fn fail(
        &self,
        judged: &Judged,
        open: &OpenFile,
        medium: &Medium,
        unwritten: &Unwritten,
    ) -> Vec<Event> {
        let Unwritten { rule, occurrence, ref pages, model, evict } = *unwritten;
        let (bytes, rest) = (pages.clone(), Rest::Old);
        let lost = Lost { rule, occurrence, bytes, rest, keep: None, lands: None };
        let loss = loss(judged, &lost, None);
        let until = match evict {
            Evict::Close => Until::Closed,
            Evict::Drop => Until::Dropped,
            Evict::After(time) => Until::Time(self.armed_at.elapsed().saturating_add(time)),
        };
        let until = (model != CacheModel::Btrfs).then_some(until);
        let failed = medium.unsynced().fail(pages, &loss, until);
        let missing: Vec<Missing> =
            failed.iter().map(|stale| self.with_stored(open, stale)).collect();
        if until.is_none() {
            medium.behind().fall(failed);
        }
        self.note_held_by(judged.view.file, medium, pages);
        judged.lost_events(&missing)
    }

    fn with_stored(&self, open: &OpenFile, stale: &Stale) -> Missing {
        let Range { start, end } = stale.bytes;
        let mut stored =
            self.read_for_page(open, start, (end - start) as usize).unwrap_or_default();
        stored.resize((end - start) as usize, 0);
        Missing { stale: stale.clone(), stored: Some(stored) }
    }

    /// Before a write to a file whose writing back may fail: what the medium holds there, as far as
    /// it is not known already. Gives the parts that it was kept of.
    pub(super) fn keep_unsynced(
        &self,
        open: &OpenFile,
        medium: &Medium,
        range: &Range<u64>,
        under_way: &UnderWay,
    ) -> Vec<Range<u64>> {
        let Some(judged) = &under_way.judged else { return Vec::new() };
        let may_fail = |id: &&_| matches!(judged.armed.plan().rule(**id).fault, Fault::Fsync(_));
        let Some(rule) = judged.view.selection.rules.iter().find(may_fail) else {
            return Vec::new();
        };
        let (again, unknown) = medium.unsynced().touch(range);
        self.tell_of(judged, Outcome::Repaired, again);
        let mut kept = Vec::new();
        if under_way.synced {
            return kept;
        }
        for bytes in unknown {
            match self.content(open, medium, &bytes) {
                Some(content) => {
                    medium.unsynced().keep(Piece { bytes: bytes.clone(), content, of: () });
                    kept.push(bytes);
                }
                None => {
                    self.tell_no_room();
                    self.tell(vec![Event { outcome: Outcome::Skipped, ..judged.event(*rule, 0) }]);
                }
            }
        }
        kept
    }

    /// Of how many failures to write back those need not be told who open the file now.
    pub(super) fn errors_known(&self, node: &Arc<Node>) -> u64 {
        let view = self.view_with_medium(node).map(|(_, view)| view);
        let medium = view.as_ref().and_then(|view| view.medium.as_ref());
        medium.map_or(0, |medium| medium.unsynced().known())
    }

    /// It is time for some pages to leave the cache.
    pub(super) fn evict_due(&self, medium: &Medium) {
        self.evict(medium, Eviction::Time(self.armed_at.elapsed()));
    }

    /// A descriptor of an open file is closed. If all are, nobody uses the cached pages any more.
    pub(super) fn close_evicts(&self, open: &OpenFile) {
        let Some((_, view)) = self.view_with_medium(&open.node) else { return };
        let Some(medium) = view.medium.as_ref().filter(|medium| !medium.has_all()) else { return };
        open.closed.store(true, Ordering::Release);
        let uses = |other: &OpenFile| {
            other.node.key == open.node.key && !other.closed.load(Ordering::Acquire)
        };
        if !self.open_files.any(uses) {
            self.evict(medium, Eviction::Closed);
        }
    }

    /// The kernel has dropped a file from its caches.
    pub(super) fn drop_evicts(&self, file: FileKey) {
        if let Some(medium) = self.media.known(file) {
            self.evict(&medium, Eviction::Dropped);
        }
    }

    fn evict(&self, medium: &Medium, what: Eviction) {
        let evicted = medium.unsynced().evict(what);
        if !evicted.is_empty() {
            medium.behind().fall(evicted);
        }
    }
}

fn with_errno(event: &mut Event) {
    event.errno = Some(Errno::EIO.name().to_owned());
    event.outcome = Outcome::Delivered;
}
