//! Writes that the medium does not get: what it holds is kept before they are made, is what reads
//! are served, and is let go when the bytes are written again. The backing file has what programs
//! wrote throughout.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::handles::OpenFile;
use super::harm::Harm;
use super::inject::Judged;
use super::missing::Missing;
use super::stat::stat_fd;
use super::{Answer, Filesystem, Node, Writing};
use crate::injector::Armed;
use crate::ledger::Outcome;
use crate::media::{Content, Elsewhere, Loss, Medium, Room, Stale};
use crate::op::{Op, OpKind};
use crate::plan::{Lost, bytes_of};
use crate::scenario::Rest;

/// What of one request to write is to be lost, and what was.
#[derive(Debug, Default)]
pub(super) struct Losses {
    wanted: Vec<Lost>,
    pub(super) made: Vec<Missing>,
    /// What could not be kept, so that it was not lost.
    pub(super) skipped: Vec<Lost>,
    /// What is to be stored wrong, and what was.
    pub(super) harm: Harm,
    /// What lands elsewhere.
    landing: Vec<Landing>,
}

/// Bytes of a write that the medium gets at another place.
#[derive(Debug)]
struct Landing {
    /// The bytes that they were meant for.
    meant: Range<u64>,
    there: Stale,
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
    /// Those that were decided of a write of this data. What is misdirected takes room at both places
    /// or goes where it was meant to.
    pub(super) fn of(judged: &Judged, data: &[u8], room: &Arc<Room>) -> Losses {
        let mut losses = Losses { harm: Harm::of(judged), ..Losses::default() };
        for lost in &judged.decision.lost {
            match lost.lands {
                None => losses.wanted.push(lost.clone()),
                Some(to) => match landing(judged, lost, to, data, room) {
                    Some(landing) => {
                        losses.landing.push(landing);
                        losses.wanted.push(lost.clone());
                    }
                    None => losses.skipped.push(lost.clone()),
                },
            }
        }
        losses
    }
}

/// What a misdirected part of a write puts at its other place; `None` if there is no room to keep it.
fn landing(
    judged: &Judged,
    lost: &Lost,
    to: u64,
    data: &[u8],
    room: &Arc<Room>,
) -> Option<Landing> {
    let place = |byte: u64| (byte - judged.op.offset) as usize;
    let data = data.get(place(lost.bytes.start)..place(lost.bytes.end))?;
    let content = Content::new(data.to_vec(), room)?;
    let bytes = to..to + (lost.bytes.end - lost.bytes.start);
    let astray = Elsewhere { landed: true, here: to, there: lost.bytes.start };
    let of = loss(judged, &Lost { bytes: bytes.clone(), ..lost.clone() }, Some(astray));
    Some(Landing { meant: lost.bytes.clone(), there: Stale { bytes, content, of } })
}

impl Losses {
    /// Where the medium may hold something else than before, besides these pages.
    pub(super) fn noted(&self, pages: Range<u64>) -> Range<u64> {
        if self.landing.is_empty() { pages } else { 0..u64::MAX }
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
        let falls = || self.falls_behind(&open.node).is_some();
        let matters = || self.power.is_some() || falls() || self.harms(&open.node);
        match how.appends() && matters() {
            true => Op { offset: stat_fd(&*open.file).map_or(op.offset, |attr| attr.size), ..op },
            false => op,
        }
    }

    /// The plan and the view of a file whose medium is or may come to be behind.
    pub(super) fn falls_behind(&self, node: &Arc<Node>) -> Option<Judged> {
        let (armed, view) = self.view_with_medium(node)?;
        let op = Op::new(OpKind::Write, 0, 0, crate::op::Caller::default());
        let judged = Judged::nothing(armed, view, op);
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
        under_way.fell = self.falling(open, &medium, &under_way, losses);
        under_way.fell.sort_by_key(|stale| stale.bytes.start);
        if !under_way.fell.is_empty() {
            under_way.earlier = medium.behind().fall(under_way.fell.clone());
        }
        under_way
    }

    /// The stretches of a write that the medium is not to get, with what it holds there.
    fn falling(
        &self,
        open: &OpenFile,
        medium: &Medium,
        under_way: &UnderWay,
        losses: &mut Losses,
    ) -> Vec<Stale> {
        let Some(judged) = &under_way.judged else { return Vec::new() };
        let range = bytes_of(&judged.op);
        let mut falling = Vec::new();
        for lost in &losses.wanted {
            let Some(part) = lost.within(&range) else { continue };
            match self.held(open, medium, &part) {
                Some(content) => {
                    let to = |there| Elsewhere { landed: false, here: lost.bytes.start, there };
                    let of = loss(judged, lost, lost.lands.map(to));
                    falling.push(Stale { bytes: part.bytes, content, of });
                }
                None => {
                    losses.landing.retain(|landing| landing.meant != lost.bytes);
                    losses.skipped.push(part);
                }
            }
        }
        if !losses.skipped.is_empty() {
            self.tell_no_room();
        }
        falling
    }

    /// Says once that a rule cannot do what it says.
    pub(super) fn tell_no_room(&self) {
        if !self.room_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "what the medium holds cannot be kept any more (`--keep-max`): from now on such \
                 writes are not lost, and nothing is stale"
            );
        }
    }

    /// What the medium is to hold where a write is lost; `None` if there is no room to keep it, or
    /// errorfs may not read it.
    fn held(&self, open: &OpenFile, medium: &Medium, lost: &Lost) -> Option<Content> {
        match lost.rest {
            Rest::Zero => Some(Content::ZEROS),
            Rest::Old => self.content(open, medium, &lost.bytes),
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
        let armed = self.injector.current();
        let medium = self.read_medium(Some(medium), armed.as_deref(), range.start, read);
        let (mut bytes, _) = medium.ok()?;
        bytes.resize(len, 0); // beyond the end of the file there is nothing yet
        Content::new(bytes, &self.room)
    }

    /// So many bytes of the write were made.
    pub(super) fn end_write(
        &self,
        open: &OpenFile,
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
        self.land(open, judged, &done, losses);
    }

    /// Puts what of a write was misdirected, and made, at its other place: that happens last, also
    /// where the same write has stored something.
    fn land(&self, open: &OpenFile, judged: &Judged, done: &Range<u64>, losses: &mut Losses) {
        let Some(medium) = &judged.view.medium else { return };
        for Landing { meant, there } in &losses.landing {
            let made = meant.start.max(done.start)..meant.end.min(done.end);
            if made.is_empty() {
                continue;
            }
            let first = there.bytes.start + (made.start - meant.start);
            let Some(stale) = there.within(&(first..first + (made.end - made.start))) else {
                continue;
            };
            let len = (stale.bytes.end - stale.bytes.start) as usize;
            let stored = self.read_for_page(open, stale.bytes.start, len).ok();
            let stored = stored.filter(|stored| stored.len() == len);
            let earlier = medium.behind().fall(vec![stale.clone()]);
            self.tell_of(judged, Outcome::Gone, earlier);
            losses.made.push(Missing { stale, stored });
        }
    }

    /// Reads what the medium holds: the stored bytes, and what it has instead of some of them by rules
    /// that are in force.
    /// Repeats what a write came between.
    pub(super) fn read_medium(
        &self,
        medium: Option<&Medium>,
        armed: Option<&Armed>,
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
            let mut stale = behind.stale(&(offset..offset + data.len() as u64));
            if !stale.is_empty() {
                let shows = |rule| armed.is_some_and(|armed| armed.has_in_force(rule));
                stale.retain(|stale| shows(stale.of.rule));
            }
            if behind.version() == version {
                let show = |stale| Missing::show(stale, &mut data, offset);
                let missing = stale.into_iter().map(show).collect();
                return Ok((data, missing));
            }
        }
    }
}

/// One loss as the medium remembers it.
pub(super) fn loss(judged: &Judged, lost: &Lost, astray: Option<Elsewhere>) -> Arc<Loss> {
    let Judged { armed, view, .. } = judged;
    let (rule, occurrence, keep) = (lost.rule, lost.occurrence, lost.keep);
    let id = armed.loss_id(lost, lost.bytes.start, &view.path);
    let (rule, label) = (armed.key(rule), Arc::clone(armed.label(rule)));
    Arc::new(Loss { rule, label, occurrence, id, file: Arc::from(&*view.path), keep, astray })
}

fn within(stale: &[Stale], range: &Range<u64>) -> Vec<Stale> {
    stale.iter().filter_map(|stale| stale.within(range)).collect()
}
