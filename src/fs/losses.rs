//! Writes that the medium does not get: what it holds is kept before they are made, is what reads
//! are served, and is let go when the bytes are written again. The backing file has what programs
//! wrote throughout.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::events::{never_read, written};
use super::handles::OpenFile;
use super::inject::Judged;
use super::stat::stat_fd;
use super::{Answer, Filesystem, Node, Writing};
use crate::injector::Armed;
use crate::ledger::{Event, LostBytes, Outcome, bytes_or_hash};
use crate::media::{Content, Loss, Medium, Stale};
use crate::op::{Op, OpKind};
use crate::plan::{Decision, Lost, RuleId, bytes_of};
use crate::scenario::Rest;

/// More stretches of one operation follow in further events, so that lines stay short.
const LOST_MAX: usize = 16;

/// What of one request to write is to be lost, and what was.
#[derive(Debug, Default)]
pub(super) struct Losses {
    wanted: Vec<Lost>,
    made: Vec<Missing>,
    /// What could not be kept, so that it was not lost.
    skipped: Vec<Lost>,
}

/// Bytes that the medium did not get; if they were written or read just now, as they are stored.
#[derive(Clone, Debug)]
pub(super) struct Missing {
    pub(super) stale: Stale,
    pub(super) stored: Option<Vec<u8>>,
}

/// A write that is about to be made to a file whose medium may be behind.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    pub(super) judged: Option<Judged>,
    /// What the medium does not get of it.
    fell: Vec<Stale>,
    /// What it had not got before of the same bytes.
    earlier: Vec<Stale>,
    /// The parts of which what it holds was kept just now, until they are synced.
    kept: Vec<Range<u64>>,
    /// Whether it is synced by itself.
    pub(super) synced: bool,
}

impl Losses {
    /// Those that were decided.
    pub(super) fn of(decision: &Decision) -> Losses {
        Losses { wanted: decision.lost.clone(), ..Losses::default() }
    }
}

impl UnderWay {
    fn medium(&self) -> Option<&Arc<Medium>> {
        self.judged.as_ref()?.view.medium.as_ref()
    }

    /// The parts of a range that the medium gets.
    pub(super) fn gets(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut at = range.start;
        let mut parts = Vec::new();
        for Stale { bytes, .. } in &self.fell {
            parts.push(at..bytes.start.min(range.end));
            at = bytes.end.max(at);
        }
        parts.push(at..range.end);
        parts.retain(|part| !part.is_empty());
        parts
    }
}

impl Filesystem {
    /// An operation on a file as rules about lost writes see it: what is appended begins at the end
    /// of the file, wherever the kernel takes that to be.
    pub(super) fn where_it_lands(&self, op: Op, open: &OpenFile, how: Writing) -> Op {
        match how.appends() && self.falls_behind(&open.node).is_some() {
            true => Op { offset: stat_fd(&*open.file).map_or(op.offset, |attr| attr.size), ..op },
            false => op,
        }
    }

    /// The plan and the view of a file whose medium is or may come to be behind.
    pub(super) fn falls_behind(&self, node: &Arc<Node>) -> Option<Judged> {
        let (armed, view) = self.view_with_medium(node)?;
        let op = Op { kind: OpKind::Write, offset: 0, len: 0, caller: Default::default() };
        let judged = Judged { armed, view, op, decision: Decision::default(), fills_cache: false };
        (judged.view.may_be_behind() && !self.ledger.failed()).then_some(judged)
    }

    /// Keeps what the medium holds where a write will be lost.
    pub(super) fn begin_write(
        &self,
        open: &OpenFile,
        op: Op,
        how: Writing,
        losses: &mut Losses,
    ) -> UnderWay {
        let Some(judged) = self.falls_behind(&open.node) else {
            return UnderWay::default();
        };
        let mut under_way =
            UnderWay { judged: Some(Judged { op, ..judged }), ..UnderWay::default() };
        let Some(medium) = under_way.medium().cloned() else { return under_way };
        let range = bytes_of(&op);
        self.evict_due(&medium);
        under_way.synced = how.is_synced();
        under_way.kept = self.keep_unsynced(open, &medium, &range, &under_way);
        for lost in std::mem::take(&mut losses.wanted) {
            let bytes = lost.bytes.start.max(range.start)..lost.bytes.end.min(range.end);
            let part = Lost { bytes: bytes.clone(), ..lost.clone() };
            match (bytes.is_empty(), self.held(open, &medium, &part)) {
                (true, _) => {}
                (false, Some(content)) => {
                    let of = under_way.judged.as_ref().map(|judged| loss(judged, &lost));
                    under_way.fell.extend(of.map(|of| Stale { bytes, content, of }));
                }
                (false, None) => {
                    self.tell_no_room();
                    losses.skipped.push(part);
                }
            }
            losses.wanted.push(lost);
        }
        under_way.fell.sort_by_key(|stale| stale.bytes.start);
        if !under_way.fell.is_empty() {
            under_way.earlier = medium.behind().fall(under_way.fell.clone());
        }
        under_way
    }

    /// Says once that a rule cannot do what it says.
    pub(super) fn tell_no_room(&self) {
        if !self.room_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "what the medium holds cannot be kept any more (`--keep-max`): from now on such \
                 writes are not lost"
            );
        }
    }

    /// What the medium is to hold where a write is lost; `None` if there is no room to keep it, or
    /// errorfs may not read it.
    fn held(&self, open: &OpenFile, medium: &Medium, lost: &Lost) -> Option<Content> {
        match lost.rest == Rest::Zero || lost.bytes.is_empty() {
            true => Some(Content::ZEROS),
            false => self.content(open, medium, &lost.bytes),
        }
    }

    /// What the medium holds in a range, as far as it is not known to hold something else.
    pub(super) fn content(
        &self,
        open: &OpenFile,
        medium: &Medium,
        range: &Range<u64>,
    ) -> Option<Content> {
        let len = (range.end - range.start) as usize;
        let read = || self.read_for_page(open, range.start, len);
        let (mut bytes, _) = self.read_medium(Some(medium), range.start, read).ok()?;
        bytes.resize(len, 0); // beyond the end of the file there is nothing yet
        Content::new(bytes, &self.room)
    }

    /// So many bytes of the write were made.
    pub(super) fn end_write(
        &self,
        under_way: UnderWay,
        made: usize,
        data: &[u8],
        losses: &mut Losses,
    ) {
        let Some((medium, judged)) = under_way.medium().zip(under_way.judged.as_ref()) else {
            return;
        };
        let behind = medium.behind();
        let whole = bytes_of(&judged.op);
        let done = whole.start..whole.start + made as u64;
        let undone = done.end..whole.end;
        for kept in &under_way.kept {
            let kept = kept.start.max(undone.start)..kept.end;
            medium.unsynced().settle(&kept);
        }
        if under_way.synced {
            medium.unsynced().settle_pages(&done);
        }
        for stale in within(&under_way.fell, &undone) {
            behind.catch_up(&stale.bytes);
        }
        if !undone.is_empty() && !under_way.earlier.is_empty() {
            behind.fall(within(&under_way.earlier, &undone));
        }
        let caught = under_way.gets(done.clone());
        let caught = caught.iter().flat_map(|part| behind.catch_up(part)).collect();
        self.tell_of(judged, Outcome::Repaired, caught);
        self.tell_of(judged, Outcome::Gone, within(&under_way.earlier, &done));
        let place = |byte: u64| (byte - whole.start) as usize;
        losses.made.extend(within(&under_way.fell, &done).into_iter().map(|stale| {
            let stored = data[place(stale.bytes.start)..place(stale.bytes.end)].to_vec();
            Missing { stale, stored: Some(stored) }
        }));
    }

    /// Reads what the medium holds: the stored bytes, and what it has instead of some of them.
    /// Repeats what a write came between.
    pub(super) fn read_medium(
        &self,
        medium: Option<&Medium>,
        offset: u64,
        read: impl Fn() -> Answer<Vec<u8>>,
    ) -> Answer<(Vec<u8>, Vec<Missing>)> {
        let Some(behind) = medium.map(Medium::behind).filter(|_| !self.ledger.failed()) else {
            return Ok((read()?, Vec::new()));
        };
        medium.iter().for_each(|medium| self.evict_due(medium));
        loop {
            let version = behind.version();
            let mut data = read()?;
            let stale = behind.stale(&(offset..offset + data.len() as u64));
            if behind.version() == version {
                let show = |stale| Missing::show(stale, &mut data, offset);
                let missing = stale.into_iter().map(show).collect();
                return Ok((data, missing));
            }
        }
    }

    /// Bytes of the file were cut off, punched or zeroed: that the medium has done.
    pub(super) fn missing_discarded(&self, judged: &Judged, range: &Range<u64>) {
        if let Some(medium) = &judged.view.medium {
            self.tell_of(judged, Outcome::Gone, medium.unsynced().settle(range));
            self.tell_of(judged, Outcome::Gone, medium.behind().catch_up(range));
        }
    }

    /// The file has lost its last name.
    pub(super) fn missing_removed(&self, judged: &Judged) {
        if let Some(medium) = &judged.view.medium {
            let mut missing = medium.unsynced().failed();
            missing.extend(medium.behind().stale(&(0..u64::MAX)));
            for stale in &missing {
                self.fates.ends(stale.of.id);
            }
            self.tell_of(judged, Outcome::Gone, missing);
        }
    }

    pub(super) fn tell_of(&self, judged: &Judged, outcome: Outcome, stale: Vec<Stale>) {
        let missing: Vec<_> =
            stale.into_iter().map(|stale| Missing { stale, stored: None }).collect();
        let events = judged.lost_events(&missing);
        let became = |event| Event { outcome, occurrence: None, ..event };
        self.tell(events.into_iter().map(became).collect());
    }

    /// Tells of lost bytes that nobody read: the mount ends.
    pub(super) fn tell_missing_never_read(&self, armed: &Armed) {
        for medium in self.media.all() {
            let mut waiting = medium.behind().stale(&(0..u64::MAX));
            waiting.extend(medium.unsynced().failed());
            waiting.retain(|stale| self.fates.is_waiting(stale.of.id));
            for alike in waiting.chunk_by(|a, b| whose(a) == whose(b)) {
                let (rule, file) = whose(&alike[0]);
                let line = |stale: &Stale| Missing { stale: stale.clone(), stored: None }.line();
                for some in alike.chunks(LOST_MAX) {
                    let lost = some.iter().map(line).collect();
                    self.tell(vec![Event { lost, ..never_read(armed, file, rule) }]);
                }
            }
        }
    }
}

impl Missing {
    /// Puts what the medium holds into what was read, which begins at `offset`.
    fn show(stale: Stale, data: &mut [u8], offset: u64) -> Missing {
        let place = (stale.bytes.start - offset) as usize..(stale.bytes.end - offset) as usize;
        let stored = Some(data[place].to_vec());
        stale.copy_to(data, offset);
        Missing { stale, stored }
    }

    /// Puts back what is stored.
    pub(super) fn undo(&self, data: &mut [u8], offset: u64) {
        let Some(stored) = &self.stored else { return };
        let start = (self.stale.bytes.start - offset) as usize;
        data[start..start + stored.len()].copy_from_slice(stored);
    }

    /// What ledgers call it.
    pub(super) fn id(&self) -> crate::plan::DamageId {
        self.stale.of.id
    }

    fn held(&self) -> Vec<u8> {
        let mut held = vec![0; (self.stale.bytes.end - self.stale.bytes.start) as usize];
        self.stale.copy_to(&mut held, self.stale.bytes.start);
        held
    }

    fn changed(&self) -> Option<u64> {
        let stored = self.stored.as_ref()?;
        let differ = |(one, other): &(&u8, &u8)| one != other;
        Some(stored.iter().zip(&self.held()).filter(differ).count() as u64)
    }

    fn outcome(&self) -> Outcome {
        match self.changed() {
            Some(0) => Outcome::Unchanged,
            _ => Outcome::Delivered,
        }
    }

    fn line(&self) -> LostBytes {
        let Range { start, end } = self.stale.bytes;
        LostBytes {
            bytes: (start, end - start),
            keep: self.stale.of.keep,
            changed: self.changed(),
            before: self.stored.as_deref().map(bytes_or_hash),
            after: self.stored.as_ref().map(|_| bytes_or_hash(&self.held())),
            id: self.stale.of.id.to_string(),
        }
    }
}

impl Judged {
    /// What a write lost, and what it was to lose and did not.
    pub(super) fn write_events(&self, losses: &Losses) -> Vec<Event> {
        let mut events = self.events();
        events.extend(self.lost_events(&losses.made));
        let mut skipped: Vec<_> =
            losses.skipped.iter().map(|lost| (lost.rule, lost.occurrence)).collect();
        skipped.dedup();
        let skip = |(rule, occurrence)| Event {
            outcome: Outcome::Skipped,
            ..self.event(rule, occurrence)
        };
        events.extend(skipped.into_iter().map(skip));
        events
    }

    /// Lost bytes by the write that lost them and by what came of it, no more in a line than is good
    /// for it. Only the write itself is one of the rule's occurrences.
    pub(super) fn lost_events(&self, missing: &[Missing]) -> Vec<Event> {
        let mut missing: Vec<&Missing> = missing.iter().collect();
        missing.sort_by_key(|one| (one.stale.of.rule, one.stale.of.occurrence));
        let alike = |a: &&Missing, b: &&Missing| {
            Arc::ptr_eq(&a.stale.of, &b.stale.of) && a.outcome() == b.outcome()
        };
        let event = |some: &[&Missing]| {
            let Loss { rule, occurrence, file, .. } = &*some[0].stale.of;
            let own = matches!(self.op.kind, OpKind::Write | OpKind::Fsync);
            Event {
                outcome: some[0].outcome(),
                lost: some.iter().map(|one| one.line()).collect(),
                file: Some(written(file)),
                ..self.event(*rule, if own { *occurrence } else { 0 })
            }
        };
        let groups = missing.chunk_by(alike).flat_map(|group| group.chunks(LOST_MAX));
        groups.map(event).collect()
    }
}

/// One loss as the medium remembers it.
pub(super) fn loss(judged: &Judged, lost: &Lost) -> Arc<Loss> {
    let Judged { armed, view, .. } = judged;
    let (rule, occurrence, keep) = (lost.rule, lost.occurrence, lost.keep);
    let id = armed.loss_id(lost, lost.bytes.start, &view.path);
    Arc::new(Loss { rule, occurrence, id, file: Arc::from(&*view.path), keep })
}

fn within(stale: &[Stale], range: &Range<u64>) -> Vec<Stale> {
    stale.iter().filter_map(|stale| stale.within(range)).collect()
}

fn whose(stale: &Stale) -> (RuleId, &std::path::Path) {
    (stale.of.rule, &stale.of.file)
}
