//! The seam: every operation passes through [`Filesystem::around`] or its two siblings for data.
//!
//! decide → fail, or call → change what is answered → wait → record → answer (`delivery`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::astray::Astray;
use super::cached_pages::PAGE;
use super::corruption::Filled;
use super::events::flip;
use super::handles::OpenFile;
use super::losses::Losses;
use super::missing::Missing;
use super::stat::stat_fd;
use super::victim::{Spared, Victim};
use super::view::{Subject, View};
use super::who::who;
use super::{Answer, FileHandle, Filesystem, Writing};
use crate::errno::Errno;
use crate::injector::{Armed, DataAccess};
use crate::ledger::{Event, Outcome};
use crate::media::FileKey;
use crate::op::{Op, OpKind};
use crate::plan::{Decision, RuleId, Unreadable};

/// An operation that does not go through untouched.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) armed: Arc<Armed>,
    pub(super) view: Arc<View>,
    pub(super) op: Op,
    pub(super) decision: Decision,
    /// The kernel asks for its page cache: who gets the bytes in the end, it does not say.
    pub(super) fills_cache: bool,
    /// The kernel may hold pages of its cache until it is answered, or not write them back.
    pub(super) holds_pages: bool,
    /// Who is killed once the event is recorded.
    pub(super) victim: Option<Arc<Victim>>,
}

impl Judged {
    /// An operation to which nothing is done.
    pub(super) fn nothing(armed: Arc<Armed>, view: Arc<View>, op: Op) -> Judged {
        let decision = Decision::default();
        Judged { armed, view, op, decision, fills_cache: false, holds_pages: false, victim: None }
    }
}

impl Filesystem {
    /// An operation that moves no bytes.
    pub fn around<T: Send + 'static>(
        &self,
        op: Op,
        subject: Subject<'_>,
        call: impl FnOnce(&Filesystem) -> Answer<T>,
        answer: impl FnOnce(Answer<T>) + Send + 'static,
    ) {
        self.around_told(op, subject, call, |_, _| None, answer);
    }

    /// The same, of which something else may be told than what the call gave: `tell` says what, with
    /// the events of it.
    pub(super) fn around_told<T: Send + 'static>(
        &self,
        op: Op,
        subject: Subject<'_>,
        call: impl FnOnce(&Filesystem) -> Answer<T>,
        tell: impl FnOnce(&Judged, &Answer<T>) -> Option<(Answer<T>, Vec<Event>)>,
        answer: impl FnOnce(Answer<T>) + Send + 'static,
    ) {
        let _under_way = self.flights.begin(op.kind);
        let _inside = match self.enter(op, subject) {
            Ok(inside) => inside,
            Err(judged) => return self.refuse(judged, answer),
        };
        let answer = self.traced(op, subject, |_| None, answer);
        let Some(judged) = self.judge(op, subject) else {
            return answer(self.counted(op, subject, call));
        };
        let result = match judged.decision.failure {
            Some(failure) => Err(failure.errno),
            None => self.counted(op, subject, call),
        };
        let mut events = judged.events();
        match tell(&judged, &result) {
            None => self.deliver(&judged, events, result, |result| result, answer),
            Some((told, more)) => {
                events.extend(more);
                self.deliver(&judged, events, told, move |_| result, answer);
            }
        }
    }

    /// `read`. `fills_cache`: the kernel reads for its page cache, not for one read(2).
    pub fn read(
        &self,
        op: Op,
        handle: FileHandle,
        fills_cache: bool,
        answer: impl FnOnce(Answer<Vec<u8>>) + Send + 'static,
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
        let seen = Op { cached: fills_cache, ..op };
        let moved = |data: &Vec<u8>| Some(data.len() as u64);
        let answer = self.traced(seen, Subject::Open(handle), moved, answer);
        if fills_cache && self.reads_ahead(op, &open) {
            return answer(Err(Errno::EIO));
        }
        if let Some(fill) = self.page_fills.repeats(open.node.key, &op).filter(|_| fills_cache) {
            return self.ledger.record(fill.events, move |_| answer(Err(fill.errno)));
        }
        let Some(judged) = self.judge_data(op, &open, fills_cache) else {
            let result = self.read_stored(&open, op.offset, op.len as usize);
            if fills_cache {
                self.pages_filled(&open, op.offset, &result);
            }
            return answer(result);
        };
        let Served { result, events, flips, filled, misread, missing } = self.serve(&judged, &open);
        if fills_cache {
            self.pages_filled(&open, op.offset, &result);
        }
        let as_stored = move |result: Answer<Vec<u8>>| {
            result.map(|mut data| {
                flip(&mut data, op.offset, &flips);
                filled.iter().for_each(|filled| filled.undo(&mut data, op.offset));
                misread.iter().for_each(|misread| misread.undo(&mut data, op.offset));
                missing.iter().for_each(|missing| missing.undo(&mut data, op.offset));
                data
            })
        };
        self.deliver(&judged, events, result, as_stored, answer);
    }

    /// `write`.
    pub fn write(
        &self,
        op: Op,
        handle: FileHandle,
        data: &[u8],
        how: Writing,
        answer: impl FnOnce(Answer<usize>) + Send + 'static,
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
        let op = self.where_it_lands(op, &open, how);
        let seen = Op { cached: how.written_back, ..op };
        let moved = |count: &usize| Some(*count as u64);
        let answer = self.traced(seen, Subject::Open(handle), moved, answer);
        let write = |len: usize, losses: &mut Losses| {
            let written = match how.written_back {
                true => self.write_back(&open, op, data, how, losses),
                false => self.write_stored(&open, op, &data[..len], how, losses),
            };
            self.wrote(&open, op, (len, how), &written);
            written
        };
        let Some(judged) = self.judge_data(op, &open, how.written_back) else {
            return answer(write(data.len(), &mut Losses::default()));
        };
        let mut losses = Losses::default();
        let (result, events) = match (&judged.decision.failure, &judged.decision.unreadable) {
            (Some(failure), _) => (Err(failure.errno), judged.events()),
            (None, Some(sector)) => (Err(Errno::EIO), judged.events_with_sector(sector)),
            (None, None) => {
                losses = Losses::of(&judged, data, &self.room);
                let written = write(judged.moved() as usize, &mut losses);
                let count = written.as_ref().ok().map(|count| *count as u64);
                (written, judged.write_events(&losses, count))
            }
        };
        let undo = losses.harm.undo(&open);
        let unrecorded = |result| {
            undo();
            result
        };
        self.deliver(&judged, events, result, unrecorded, answer);
    }

    /// Whether a fill of the page cache is one that the kernel is to repeat page by page.
    fn reads_ahead(&self, op: Op, open: &OpenFile) -> bool {
        let fails = |armed: Arc<Armed>| self.view(&open.node, &armed).selection.fails_reads;
        op.len > PAGE && self.armed_for(OpKind::Read).is_some_and(fails)
    }

    /// The armed plan, if any of its rules looks at such operations. A ledger that cannot be written
    /// any more ends injection: a fault that is not recorded is worse than none.
    pub(super) fn armed_for(&self, kind: OpKind) -> Option<Arc<Armed>> {
        let armed = self.injector.current()?;
        (armed.ops().contains(kind) && !self.ledger.failed()).then_some(armed)
    }

    /// What the armed plan does to an operation; `None`: nothing.
    pub(super) fn judge(&self, op: Op, subject: Subject<'_>) -> Option<Judged> {
        let armed = self.armed_for(op.kind)?;
        let view = self.view_of(subject, &armed).ok()?;
        let lengthened = || self.lengthened(&op, subject);
        let file = armed.limits_space().then(lengthened).flatten();
        // What stands in a directory may be told wrong where no rule selects the directory itself.
        let lists = op.kind == OpKind::Readdir && armed.changes_entries();
        let nothing = lists.then(|| Judged::nothing(Arc::clone(&armed), Arc::clone(&view), op));
        self.decide(armed, view, op, file, keeps_from_writing_back(&op)).or(nothing)
    }

    /// The same for reads and writes. Rules that count accesses draw over the bytes that are there
    /// to be read, not over those asked for; and where a file ends, its last sector does.
    fn judge_data(&self, op: Op, open: &OpenFile, of_cache: bool) -> Option<Judged> {
        let armed = self.armed_for(op.kind)?;
        let view = self.view(&open.node, &armed);
        let mut op = Op { cached: of_cache, ..op };
        let mut file = None;
        if view.selection.access == DataAccess::Counted {
            let size = stat_fd(&*open.file).map_or(u64::MAX, |attr| attr.size);
            view.medium.iter().for_each(|medium| medium.set_len(size));
            if op.kind == OpKind::Read {
                op.len = op.len.min(size.saturating_sub(op.offset));
            }
            // Pages are written back to where there is room already.
            file = (!of_cache).then_some((open.node.key, size));
        }
        self.decide(armed, view, op, file, of_cache || open.path.hides())
    }

    fn decide(
        &self,
        armed: Arc<Armed>,
        view: Arc<View>,
        op: Op,
        file: Option<(FileKey, u64)>,
        holds_pages: bool,
    ) -> Option<Judged> {
        let behind = op.kind == OpKind::Read && view.may_be_behind();
        if !behind && !view.selection.ops.contains(op.kind) {
            return None;
        }
        let now = self.armed_at.elapsed();
        let who = view.selection.needs_who.then(|| who(op.caller.pid));
        let mut decision = armed.decide_for(&op, &view.target(), now, who.as_ref());
        let aimed = decision.kill.take().map(|rule| (rule, Victim::of(op.caller.pid)));
        let victim = match aimed {
            Some((_, Ok(victim))) => Some(Arc::new(victim)),
            Some((rule, Err(spared))) => {
                decision.failure = None;
                self.tell_spared(&armed, &view, op, (rule, spared));
                None
            }
            None => None,
        };
        if armed.limits_space() {
            armed.take_room(&op, file, now, &mut decision);
        }
        self.note_bindings(&view);
        if !decision.is_clean() {
            self.note_counts(&armed);
        }
        if let Some(rule) = decision.cut {
            self.power_goes(&armed, rule, op);
        }
        // When the mount ends nothing waits any more, and while the plan changes nothing that holds
        // pages, which the kernel is to drop: a delay that will not be is not decided.
        if self.timer.is_released() || (holds_pages && self.changing.is_under_way()) {
            (decision.delay, decision.queue, decision.stall) = (None, None, None);
        }
        let fills_cache = op.cached;
        let touched = behind || !decision.is_clean();
        touched.then_some(Judged { armed, view, op, decision, fills_cache, holds_pages, victim })
    }

    /// Somebody is not killed who was to be.
    fn tell_spared(
        &self,
        armed: &Arc<Armed>,
        view: &Arc<View>,
        op: Op,
        (rule, spared): (RuleId, Spared),
    ) {
        if !self.spared_told.swap(true, Ordering::Relaxed) {
            tracing::warn!("rule `{}` kills nobody: {spared}", armed.label(rule).rule);
        }
        let judged = Judged::nothing(armed.clone(), view.clone(), op);
        self.tell(vec![Event { outcome: Outcome::Skipped, ..judged.event(rule, 0) }]);
    }

    fn serve(&self, judged: &Judged, open: &OpenFile) -> Served {
        let failed = |errno, events: Vec<Event>| {
            if judged.fills_cache {
                self.page_fills.fail(open.node.key, &judged.op, errno, &events);
            }
            Served::nothing(errno, events)
        };
        if let Some(failure) = judged.decision.failure {
            return failed(failure.errno, judged.events());
        }
        let len = match good_prefix(judged) {
            Prefix::Bytes(len) => len,
            Prefix::Again => return Served::nothing(Errno::EIO, judged.events()),
            Prefix::Bad(sector) => {
                self.fates.reads(judged.sector_id(sector).into_iter());
                return failed(Errno::EIO, judged.events_with_sector(sector));
            }
        };
        let offset = judged.op.offset;
        let read = || self.read_stored(open, offset, len as usize);
        match self.read_medium(judged.view.medium.as_deref(), Some(&judged.armed), offset, read) {
            Ok((data, missing)) => self.damage(judged, open, data, missing),
            Err(errno) => Served::nothing(errno, judged.events()),
        }
    }

    /// What comes from elsewhere first, then regions, then bits in them; all in what the medium holds.
    fn damage(
        &self,
        judged: &Judged,
        open: &OpenFile,
        mut data: Vec<u8>,
        missing: Vec<Missing>,
    ) -> Served {
        self.fates.reads(missing.iter().map(Missing::id));
        let misread = self.misread(judged, open, &mut data);
        let filled = judged.fill(&mut data, &open.file);
        let bits = judged.flip(&mut data);
        self.fates.reads(filled.iter().filter_map(|region| region.stored.then_some(region.id)));
        self.fates.reads(bits.iter().filter_map(|bit| bit.stored.then_some(bit.id)));
        let mut events = judged.events_with_length(Some(data.len() as u64));
        events.extend(judged.damage_events(&filled, &bits));
        events.extend(judged.misread_events(&misread));
        events.extend(judged.lost_events(&missing));
        // A read that ends early at a bad sector is a fault as well: many a program takes it for the
        // end of the file.
        if let Some(bad) = &judged.decision.unreadable {
            self.fates.reads(judged.sector_id(bad).into_iter());
            let returned = Some(data.len() as u64);
            events.push(Event { returned, ..judged.sector_event(bad) });
        }
        let flips = bits.iter().map(|bit| (bit.flip.byte, bit.flip.bit)).collect();
        Served { result: Ok(data), events, flips, filled, misread, missing }
    }
}

/// Whether the kernel writes no changed page of the file back until this is answered, so that it
/// cannot drop one either: it makes a file shorter or longer (FUSE_NOWRITE).
fn keeps_from_writing_back(op: &Op) -> bool {
    op.kind == OpKind::Setattr && op.length.is_some()
}

/// What a read gets, with the events that say so, the bits that were flipped, the regions that were
/// filled, and the bytes that the medium has not got.
struct Served {
    result: Answer<Vec<u8>>,
    events: Vec<Event>,
    flips: Vec<(u64, u8)>,
    filled: Vec<Filled>,
    misread: Vec<Astray>,
    missing: Vec<Missing>,
}

impl Served {
    fn nothing(errno: Errno, events: Vec<Event>) -> Served {
        let (flips, filled, misread, missing) = Default::default();
        Served { result: Err(errno), events, flips, filled, misread, missing }
    }
}

/// How much of a read a bad sector leaves.
enum Prefix<'a> {
    /// So many bytes from its start.
    Bytes(u64),
    /// Nothing of this request, which the kernel will repeat page by page.
    Again,
    /// Nothing: it begins in the bad sector.
    Bad(&'a Unreadable),
}

/// A read(2) gets the good bytes before the sector. A page cache that got less than it asked for
/// would take the rest for a hole: it gets an error, and asks again for single pages.
fn good_prefix(judged: &Judged) -> Prefix<'_> {
    let Judged { op: Op { offset, .. }, fills_cache, .. } = *judged;
    let len = judged.moved();
    match &judged.decision.unreadable {
        None => Prefix::Bytes(len),
        Some(_) if fills_cache && len > PAGE => Prefix::Again,
        Some(bad) if fills_cache || bad.sector.start <= offset => Prefix::Bad(bad),
        Some(bad) => Prefix::Bytes(bad.sector.start - offset),
    }
}
