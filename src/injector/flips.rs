//! Which bits of an operation are wrong.

use std::ops::Range;

use super::armed::{Look, after_writing, with_pieces};
use super::{Armed, Target};
use crate::plan::fault::{BitFlip, Fault};
use crate::plan::seed::Purpose;
use crate::plan::{DataAccess, Decision, Flip, RuleId, bytes_of};
use crate::scenario::BitPosition;

impl Armed {
    /// Every wrong bit before the first bad sector.
    pub(super) fn decide_flips(&self, look: &mut Look<'_>, decision: &mut Decision) {
        let limit = decision.unreadable.as_ref().map_or(u64::MAX, |sector| sector.sector.start);
        for (id, rule) in self.rules(look.target) {
            let Fault::BitFlip(fault) = &rule.fault else {
                continue;
            };
            let Some(occasion) = self.occasion(id, rule, look) else {
                continue;
            };
            if decision.failure.is_some() {
                continue;
            }
            let range = rule.scope.clip(bytes_of(&look.op));
            let before = decision.flips.len();
            match occasion.on_path {
                Some((nth, key)) if fault.is_written() => {
                    let pieces = after_writing(look.target.medium, range);
                    fault.written(key, nth, &pieces, &mut |at| {
                        decision.flips.push(flip(id, at, occasion.occurrence));
                    });
                }
                Some((nth, key)) if !fault.is_stored() => {
                    fault.transient(key, nth, range, &mut |at| {
                        decision.flips.push(flip(id, at, occasion.occurrence));
                    });
                }
                _ => {
                    let counted = rule.access == DataAccess::Counted;
                    let occurrence = if counted { occasion.occurrence } else { 0 };
                    let all = &mut decision.flips;
                    self.stored_flips((id, fault), range, look.target, occurrence, all);
                }
            }
            // What the reader never gets is no fire.
            let cut = |flips: &mut Vec<Flip>| flips.retain(|flip| flip.byte < limit);
            cut(&mut decision.flips);
            if decision.flips.len() > before && !self.fire(id, look.now) {
                decision.flips.truncate(before);
            }
        }
        in_order(&mut decision.flips);
    }

    pub(super) fn stored_flips(
        &self,
        (id, fault): (RuleId, &BitFlip),
        range: Range<u64>,
        target: &Target<'_>,
        occurrence: u64,
        flips: &mut Vec<Flip>,
    ) {
        let key = self.stored_key(id, Purpose::StoredBits, target);
        let placed = fault.to_place().and_then(|_| self.placed(id, target));
        let placed = placed.map_or(&[][..], |placed| &placed.bits);
        with_pieces(target.medium, range, |pieces| {
            for piece in pieces {
                fault.stored(key, placed, piece, &mut |at| flips.push(flip(id, at, occurrence)));
            }
        });
    }
}

fn flip(rule: RuleId, at: BitPosition, occurrence: u64) -> Flip {
    Flip { byte: at.byte, bit: at.bit, rule, generation: at.generation, occurrence }
}

/// By byte and bit; of several rules for one bit the first in file order.
pub(super) fn in_order(flips: &mut Vec<Flip>) {
    flips.sort_unstable();
    flips.dedup_by_key(|flip| (flip.byte, flip.bit));
}
