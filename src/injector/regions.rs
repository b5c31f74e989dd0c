//! Where the corrupt regions of a plan lie in one operation, or in a range of a file.

use std::ops::Range;
use std::path::Path;

use super::Target;
use super::armed::{Armed, Look, after_writing, with_pieces};
use crate::plan::fault::{Corrupt, Fault};
use crate::plan::seed::{Purpose, StreamKey};
use crate::plan::{Corrupted, DataAccess, Decision, Filling, Placed, RuleId, bytes_of};
use crate::scenario::Persistence;

impl Armed {
    /// The corrupt regions before the first bad sector; of several rules for one byte the first in
    /// file order has it.
    pub(super) fn decide_regions(&self, look: &mut Look<'_>, decision: &mut Decision) {
        let limit = decision.unreadable.as_ref().map_or(u64::MAX, |sector| sector.sector.start);
        for (id, rule) in self.rules(look.target) {
            let Fault::Corrupt(fault) = &rule.fault else {
                continue;
            };
            let Some(occasion) = self.occasion(id, rule, look) else {
                continue;
            };
            if decision.failure.is_some() {
                continue;
            }
            let counted = rule.access == DataAccess::Counted;
            let occurrence = if counted { occasion.occurrence } else { 0 };
            let range = rule.scope.clip(bytes_of(&look.op));
            let mut found = match occasion.on_path {
                Some(stream) if fault.is_written() => {
                    self.written_regions((id, fault), range, look.target, stream)
                }
                Some((nth, key)) if !fault.is_stored() => {
                    self.transient_regions((id, fault), range, look.target.path, (nth, key))
                }
                _ => self.stored_regions((id, fault), range, look.target),
            };
            // What the reader never gets is no fire.
            cut(&mut found, limit);
            let found = uncovered(&decision.regions, found);
            if !found.is_empty() && self.fire(id, look.now) {
                let numbered = found.into_iter().map(|found| Corrupted { occurrence, ..found });
                merge(&mut decision.regions, numbered);
            }
        }
    }

    /// All regions of a range that are stored corrupt, as of now, without counting.
    pub(super) fn damaged_regions(
        &self,
        rules: &[RuleId],
        range: Range<u64>,
        target: &Target<'_>,
    ) -> Vec<Corrupted> {
        let mut regions = Vec::new();
        for (id, rule) in rules.iter().map(|id| (*id, self.plan().rule(*id))) {
            if let Fault::Corrupt(fault) = &rule.fault
                && fault.is_stored()
            {
                let range = rule.scope.clip(range.clone());
                let found = uncovered(&regions, self.stored_regions((id, fault), range, target));
                merge(&mut regions, found.into_iter());
            }
        }
        regions
    }

    /// The regions that a `count` chose in the file whose damage this path keys.
    pub fn placed_regions(&self, id: RuleId, file: &Path, placed: &Placed) -> Vec<Corrupted> {
        let rule = self.plan().rule(id);
        let Fault::Corrupt(fault) = &rule.fault else {
            return Vec::new();
        };
        let filling = self.stored_filling(id, fault, file);
        let whole = |number: &u64| {
            let bytes = rule.scope.clip(fault.grid.bytes(*number));
            self.corrupted((id, fault), *number, bytes, (fault.first(), filling(fault.first())))
        };
        placed.regions.iter().map(whole).collect()
    }

    fn stored_regions(
        &self,
        (id, fault): (RuleId, &Corrupt),
        range: Range<u64>,
        target: &Target<'_>,
    ) -> Vec<Corrupted> {
        if range.is_empty() {
            return Vec::new();
        }
        let key = self.stored_key(id, Purpose::StoredRegions, target);
        let placed = fault.to_place().and_then(|_| self.placed(id, target));
        let placed = placed.map_or(&[][..], |placed| &placed.regions);
        let identity = self.identity(id, target);
        let filling = self.stored_filling(id, fault, identity.as_deref().unwrap_or(target.origin));
        let permanent = fault.persistence == Persistence::Permanent;
        let mut found = Vec::new();
        with_pieces(target.medium.filter(|_| !permanent), range, |pieces| {
            for (bytes, generation) in pieces {
                let run = (fault.grid.numbers(bytes), *generation);
                fault.stored(key, placed, run, &mut |number| {
                    let made = (*generation, filling(*generation));
                    found.push(self.corrupted((id, fault), number, bytes.clone(), made));
                });
            }
        });
        found
    }

    /// What bytes of a generation read as in the file whose damage this path keys.
    fn stored_filling<'a>(
        &'a self,
        id: RuleId,
        fault: &'a Corrupt,
        file: &'a Path,
    ) -> impl Fn(u32) -> Filling + 'a {
        let key = std::cell::OnceCell::new();
        move |generation| {
            let drawn = || *key.get_or_init(|| self.plan().stream(id, file, Purpose::Junk));
            fault.filling(generation, drawn)
        }
    }

    fn transient_regions(
        &self,
        (id, fault): (RuleId, &Corrupt),
        range: Range<u64>,
        path: &Path,
        (nth, key): (u64, StreamKey),
    ) -> Vec<Corrupted> {
        // A key for each access: a ledger names it, and a replay has the same junk by it.
        let once = || {
            let stream = self.plan().stream(id, path, Purpose::Junk);
            StreamKey::from_u64(stream.draws(nth, 0).draw())
        };
        let mut numbers = Vec::new();
        let touched = fault.grid.numbers(&range);
        fault.transient(key, nth, touched, &mut |number| numbers.push(number));
        if numbers.is_empty() {
            return Vec::new();
        }
        let filling = fault.filling(0, once);
        let here = |number| self.corrupted((id, fault), number, range.clone(), (0, filling));
        numbers.into_iter().map(here).collect()
    }

    /// What a write stores wrong. Junk is other junk in each generation, and in each write where it
    /// is drawn for that.
    fn written_regions(
        &self,
        (id, fault): (RuleId, &Corrupt),
        range: Range<u64>,
        target: &Target<'_>,
        (nth, key): (u64, StreamKey),
    ) -> Vec<Corrupted> {
        let pieces = after_writing(target.medium, range.clone());
        let mut numbers: Vec<(u64, u32)> = Vec::new();
        fault.written(key, nth, &pieces, &mut |number, generation| {
            if numbers.last().is_none_or(|(last, _)| *last != number) {
                numbers.push((number, generation));
            }
        });
        let filling = |generation| {
            fault.filling(generation, || {
                let stream = self.plan().stream(id, target.path, Purpose::Junk);
                match fault.is_rated() {
                    true => stream,
                    false => StreamKey::from_u64(stream.draws(nth, 1).draw()),
                }
            })
        };
        let made = |(number, generation)| {
            let made = (generation, filling(generation));
            self.corrupted((id, fault), number, range.clone(), made)
        };
        numbers.into_iter().map(made).collect()
    }

    /// What of a region lies in `bytes`.
    fn corrupted(
        &self,
        (rule, fault): (RuleId, &Corrupt),
        number: u64,
        bytes: Range<u64>,
        (generation, filling): (u32, Filling),
    ) -> Corrupted {
        let region = fault.grid.bytes(number);
        let bytes = bytes.start.max(region.start)..bytes.end.min(region.end);
        let differs_at = self.plan().rule(rule).scope.clip(region.clone()).start;
        Corrupted { rule, region, bytes, generation, occurrence: 0, filling, differs_at }
    }
}

/// Leaves out what lies at or behind `limit`.
fn cut(regions: &mut Vec<Corrupted>, limit: u64) {
    regions.retain(|corrupted| corrupted.bytes.start < limit);
    regions.iter_mut().for_each(|corrupted| corrupted.bytes.end = corrupted.bytes.end.min(limit));
}

/// What of `found` is not taken; both are sorted and without overlap.
fn uncovered(taken: &[Corrupted], found: Vec<Corrupted>) -> Vec<Corrupted> {
    if taken.is_empty() {
        return found;
    }
    let mut free = Vec::with_capacity(found.len());
    for corrupted in found {
        let Range { mut start, end } = corrupted.bytes;
        let first = taken.partition_point(|other| other.bytes.end <= start);
        let over = taken[first..].iter().take_while(|other| other.bytes.start < end);
        for other in over {
            if start < other.bytes.start {
                free.push(Corrupted { bytes: start..other.bytes.start, ..corrupted.clone() });
            }
            start = other.bytes.end;
        }
        if start < end {
            free.push(Corrupted { bytes: start..end, ..corrupted });
        }
    }
    free
}

fn merge(regions: &mut Vec<Corrupted>, more: impl Iterator<Item = Corrupted>) {
    regions.extend(more);
    regions.sort_by_key(|corrupted| corrupted.bytes.start);
}
