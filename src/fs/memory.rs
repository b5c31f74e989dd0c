//! What operations tell the simulated medium: bytes overwritten, cut off, gone with their file;
//! and the events that say what became of the damage that was there.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::corruption::{self, Filled, REGIONS_MAX};
use super::events::{BITS_MAX, Flipped, line, never_read};
use super::inject::Judged;
use super::view::View;
use super::{Answer, Filesystem, Node};
use crate::injector::Armed;
use crate::ledger::{Bit, Event, Outcome};
use crate::media::Fates;
use crate::op::Op;
use crate::plan::fault::Fault;
use crate::plan::{Corrupted, Damage, DamageId, Decision, Flip, Placed, RuleId, Unreadable};
use crate::scenario::BitPosition;

/// The state of a byte range just before an operation ends what is stored there.
#[derive(Debug)]
pub(super) struct Before {
    judged: Judged,
    bad: Vec<Unreadable>,
    size: u64,
}

impl Filesystem {
    /// What an operation is about to overwrite or cut off. `None` where the medium of the file
    /// remembers nothing.
    pub(super) fn before_end(
        &self,
        node: &Arc<Node>,
        op: Op,
        range: Range<u64>,
    ) -> Answer<Option<Before>> {
        let Some((armed, view)) = self.view_with_medium(node) else {
            return Ok(None);
        };
        let size = self.stat(node)?.size;
        let stored = range.start..range.end.min(size);
        let (judged, bad) = stored_damage(armed, view, op, stored);
        Ok(Some(Before { judged, bad, size }))
    }

    /// The bytes of `range` were overwritten, all of those that `before` asked about or fewer.
    pub(super) fn overwritten(&self, before: Option<Before>, range: Range<u64>) {
        let Some(mut before) = before else { return };
        if let Some(medium) = &before.judged.view.medium {
            medium.written(range.clone(), before.size);
            self.note_replaced(&before.judged.view, &range, before.size);
        }
        let armed = before.judged.armed.clone();
        let flips = &mut before.judged.decision.flips;
        flips.retain(|flip| range.contains(&flip.byte) && ends(&armed, flip.rule));
        ended_regions(&mut before.judged, &range);
        before.bad.retain(|bad| range.contains(&bad.sector.start));
        let left = what_is_left(&before);
        self.tell_end(before, Outcome::Repaired, left);
    }

    /// The bytes of `range` were cut off, punched or zeroed.
    pub(super) fn discarded(&self, before: Option<Before>, range: Range<u64>) {
        let Some(mut before) = before else { return };
        before.bad.retain(|bad| range.contains(&bad.sector.start));
        ended_regions(&mut before.judged, &range);
        self.missing_discarded(&before.judged, &range);
        if let Some(medium) = &before.judged.view.medium {
            medium.discarded(range.clone(), before.size);
            self.note_replaced(&before.judged.view, &range, before.size);
            if medium.ever_lost() {
                self.note_held_by(before.judged.view.file, medium, &range);
            }
        }
        let left = what_is_left(&before);
        self.tell_end(before, Outcome::Gone, left);
    }

    /// The last name of a file is gone, and with it, for all that the target can tell, its damage.
    pub(super) fn removed(&self, node: &Arc<Node>, op: Op) {
        if let Ok(Some(before)) = self.before_end(node, op, 0..u64::MAX) {
            self.missing_removed(&before.judged);
            self.tell_end(before, Outcome::Gone, Vec::new());
        }
    }

    /// Tells of the end of damage that was read before, or whose place was named beforehand; what a
    /// rate might have done to bytes that nobody read is nobody's business. `left`: the regions of
    /// which other bytes are still corrupt.
    fn tell_end(&self, before: Before, outcome: Outcome, left: Vec<Corrupted>) {
        let Before { mut judged, mut bad, .. } = before;
        let armed = judged.armed.clone();
        let known = |rule, id: Option<DamageId>| {
            let read = id.is_some_and(|id| self.fates.ends(id));
            read || armed.names_places(rule)
        };
        let flips = std::mem::take(&mut judged.decision.flips);
        let mut bits = judged.named(&flips);
        bits.retain(|bit| known(bit.flip.rule, Some(bit.id)));
        bad.retain(|bad| known(bad.rule, judged.sector_id(bad)));
        let regions = std::mem::take(&mut judged.decision.regions);
        let mut regions = judged.identified(regions);
        regions.retain(|Filled { corrupted, id, .. }| {
            let read = match left.iter().any(|left| is_same(left, corrupted)) {
                true => self.fates.was_read(*id),
                false => self.fates.ends(*id),
            };
            read || armed.names_places(corrupted.rule)
        });
        let mut events = judged.regions_events(&regions);
        events.extend(judged.bits_events(&bits));
        events.extend(bad.iter().map(|bad| judged.sector_event(bad)));
        self.tell(events.into_iter().map(|event| Event { outcome, ..event }).collect());
    }

    /// Tells of all placed damage that is still there and that nobody read: the mount ends.
    pub fn tell_never_read(&self) {
        let Some(armed) = self.injector.current() else {
            return;
        };
        self.tell_missing_never_read(&armed);
        for (rule, file, placed) in armed.placed_everywhere() {
            let placed_bit = |at: &BitPosition| {
                let flip = stored_flip(rule, at);
                let id = armed.flip_id(&flip, Some(file));
                Flipped { flip, bytes: None, id, stored: true }
            };
            let bits = placed.bits.iter().map(placed_bit);
            let waiting = bits.filter(|bit| self.fates.is_waiting(bit.id));
            let bits: Vec<Bit> = waiting.map(|bit| line(&bit)).collect();
            for bits in bits.chunks(BITS_MAX).map(<[Bit]>::to_vec) {
                self.tell(vec![Event { bits, ..never_read(&armed, file, armed.label(rule)) }]);
            }
            self.tell(unread_regions(&armed, rule, file, placed, &self.fates));
            self.tell(unread_sectors(&armed, rule, file, placed, &self.fates));
        }
    }

    /// Events that hold nobody up: the fault that they speak of was delivered before, or never.
    pub(super) fn tell(&self, events: Vec<Event>) {
        if !events.is_empty() {
            self.ledger.record(events, |_| {});
        }
    }
}

fn stored_flip(rule: RuleId, at: &BitPosition) -> Flip {
    Flip { byte: at.byte, bit: at.bit, rule, generation: at.generation, occurrence: 0 }
}

fn unread_regions(
    armed: &Armed,
    rule: RuleId,
    file: &Path,
    placed: &Placed,
    fates: &Fates,
) -> Vec<Event> {
    let named = |corrupted: Corrupted| {
        let id = armed.region_id(&corrupted, Some(file));
        Filled { corrupted, id, stored: true, served: None }
    };
    let regions = armed.placed_regions(rule, file, placed).into_iter().map(named);
    let waiting = regions.filter(|region| fates.is_waiting(region.id));
    let waiting: Vec<_> = waiting.map(|region| corruption::line(&region)).collect();
    let event = |regions: &[_]| Event {
        regions: regions.to_vec(),
        ..never_read(armed, file, armed.label(rule))
    };
    waiting.chunks(REGIONS_MAX).map(event).collect()
}

/// What is still corrupt of the regions that something just happened to, in what was stored.
fn what_is_left(before: &Before) -> Vec<Corrupted> {
    let Judged { armed, view, decision, .. } = &before.judged;
    let stored = |region: &Range<u64>| region.start..region.end.min(before.size);
    let regions = decision.regions.iter().map(|corrupted| stored(&corrupted.region));
    regions.flat_map(|region| armed.damage_loaded(region, &view.target()).regions).collect()
}

fn is_same(one: &Corrupted, other: &Corrupted) -> bool {
    let place = |of: &Corrupted| (of.rule, of.region.start, of.generation);
    place(one) == place(other)
}

fn ends(armed: &Armed, rule: RuleId) -> bool {
    armed.plan().rule(rule).fault.ends_by_overwriting()
}

/// Leaves of each region what lies in `range`, of those that end with their bytes: what is permanent
/// is there again as soon as the bytes are.
fn ended_regions(judged: &mut Judged, range: &Range<u64>) {
    let Judged { armed, decision: Decision { regions, .. }, .. } = judged;
    regions.retain(|corrupted| ends(armed, corrupted.rule));
    for Corrupted { bytes, .. } in regions.iter_mut() {
        *bytes = bytes.start.max(range.start)..bytes.end.min(range.end);
    }
    regions.retain(|corrupted| !corrupted.bytes.is_empty());
}

fn unread_sectors(
    armed: &Armed,
    rule: RuleId,
    file: &Path,
    placed: &Placed,
    fates: &Fates,
) -> Vec<Event> {
    let Fault::BadSector(fault) = &armed.plan().rule(rule).fault else {
        return Vec::new();
    };
    let sector =
        |number: &u64| Unreadable { rule, sector: fault.grid.bytes(*number), generation: 0 };
    let waiting = |bad: &Unreadable| fates.is_waiting(armed.sector_id(bad, Some(file)));
    let event = |bad: Unreadable| Event {
        sector: Some((bad.sector.start, bad.sector.end - bad.sector.start)),
        id: Some(armed.sector_id(&bad, Some(file)).to_string()),
        ..never_read(armed, file, armed.label(rule))
    };
    placed.sectors.iter().map(sector).filter(waiting).map(event).collect()
}

fn stored_damage(
    armed: Arc<Armed>,
    view: Arc<View>,
    op: Op,
    range: Range<u64>,
) -> (Judged, Vec<Unreadable>) {
    let Damage { regions, flips, unreadable } = match range.is_empty() {
        true => Default::default(),
        false => armed.damage_loaded(range, &view.target()),
    };
    let decision = Decision { regions, flips, ..Decision::default() };
    (Judged { decision, ..Judged::nothing(armed, view, op) }, unreadable)
}
