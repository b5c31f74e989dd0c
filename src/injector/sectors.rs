//! Which bad sector is in the way of an operation.

use std::ops::{ControlFlow, Range};

use super::armed::Look;
use super::{Armed, Target};
use crate::media::Medium;
use crate::op::OpKind;
use crate::plan::fault::{BadSector, Fault, runs};
use crate::plan::seed::Purpose;
use crate::plan::{Decision, RuleId, Unreadable, bytes_of};

impl Armed {
    /// The first sector in the way.
    pub(super) fn decide_sectors(&self, look: &mut Look<'_>, decision: &mut Decision) {
        let mut found = Vec::new();
        for (id, rule) in self.rules(look.target) {
            let Fault::BadSector(fault) = &rule.fault else {
                continue;
            };
            if self.occasion(id, rule, look).is_none() || decision.failure.is_some() {
                continue;
            }
            let range = rule.scope.clip(bytes_of(&look.op));
            found.extend(self.first_bad((id, fault), range, look));
        }
        // Stable: of several rules for one place the first in file order wins.
        found.sort_by_key(|sector: &Unreadable| sector.sector.start);
        decision.unreadable = found.into_iter().find(|sector| self.fire(sector.rule, look.now));
    }

    /// The bad sectors that a byte range touches, ascending, until `emit` breaks.
    pub(super) fn bad_sectors(
        &self,
        (id, fault): (RuleId, &BadSector),
        range: Range<u64>,
        target: &Target<'_>,
        emit: &mut impl FnMut(Unreadable) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let key = self.stored_key(id, Purpose::StoredSectors, target);
        let placed = fault.to_place().and_then(|_| self.placed(id, target));
        let placed = placed.map_or(&[][..], |placed| &placed.sectors);
        let mut each = |run: &(Range<u64>, u32)| {
            fault.each(key, placed, run, &mut |number| {
                emit(Unreadable { rule: id, sector: fault.grid.bytes(number), generation: run.1 })
            })
        };
        match target.medium.filter(|medium| !medium.is_pristine()) {
            None => each(&(fault.grid.numbers(&range), 0)),
            Some(medium) => {
                let pieces = medium.generations(fault.grid.widen(range));
                runs(&pieces, fault.size()).iter().try_for_each(each)
            }
        }
    }

    /// The first bad sector that stops an operation on this range: any for a read, for a write one
    /// that it covers in part.
    pub(super) fn first_bad(
        &self,
        (id, fault): (RuleId, &BadSector),
        range: Range<u64>,
        look: &Look<'_>,
    ) -> Option<Unreadable> {
        let mut first = None;
        let mut stop = |sector| {
            first = Some(sector);
            ControlFlow::Break(())
        };
        if look.op.kind == OpKind::Read {
            let _ = self.bad_sectors((id, fault), range, look.target, &mut stop);
            return first;
        }
        let len = look.target.medium.map_or(u64::MAX, Medium::len);
        let selected = fault.grid.numbers(&range);
        let _ = fault
            .cut(&bytes_of(&look.op), len)
            .filter(|number| selected.contains(number))
            .try_for_each(|number| {
                self.bad_sectors((id, fault), fault.grid.bytes(number), look.target, &mut stop)
            });
        first
    }
}
