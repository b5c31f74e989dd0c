//! Which bytes of a read come from another place.

use super::Armed;
use super::armed::Look;
use crate::op::OpKind;
use crate::plan::fault::{Astray, Fault, Misdirected};
use crate::plan::{Decision, Misread, Rule, RuleId, bytes_of};

impl Armed {
    /// One block for each rule that fires; the first in file order has a byte. What fails, or ends
    /// before at a bad sector, is not misdirected.
    pub(super) fn decide_misreads(&self, look: &mut Look<'_>, decision: &mut Decision) {
        let limit = decision.unreadable.as_ref().map_or(u64::MAX, |bad| bad.sector.start);
        for (id, rule) in self.rules(look.target) {
            let Fault::Misdirected(fault) = &rule.fault else {
                continue;
            };
            if look.op.kind != OpKind::Read {
                continue;
            }
            let misread = self.misread((id, rule), fault, limit, look);
            let misread = misread.filter(|_| decision.failure.is_none());
            let is_free = |one: &Misread| {
                let apart = |other: &Misread| {
                    other.bytes.end <= one.bytes.start || one.bytes.end <= other.bytes.start
                };
                decision.misread.iter().all(apart)
            };
            let misread = misread.filter(is_free).filter(|_| self.fire(id, look.now));
            decision.misread.extend(misread);
        }
    }

    fn misread(
        &self,
        (id, rule): (RuleId, &Rule),
        fault: &Misdirected,
        limit: u64,
        look: &mut Look<'_>,
    ) -> Option<Misread> {
        let occasion = self.occasion(id, rule, look)?;
        let (nth, key) = occasion.on_path?;
        let read = rule.scope.clip(bytes_of(&look.op));
        let Astray { bytes, elsewhere } = fault.astray(key, nth, &read, look.file_len()?)?;
        let bytes = bytes.start..bytes.end.min(limit);
        let occurrence = occasion.occurrence;
        (!bytes.is_empty()).then_some(Misread { rule: id, occurrence, bytes, from: elsewhere })
    }
}
