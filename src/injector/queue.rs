//! Limits of bytes in time: transfers wait for their turn.

use std::time::Duration;

use super::Armed;
use super::armed::Look;
use crate::plan::fault::{Fault, Throughput};
use crate::plan::{Decision, Delay, RuleId};

impl Armed {
    /// The first rule that looks at the operation has it wait for its turn; one that fails moves
    /// nothing.
    pub(super) fn decide_queue(&self, look: &mut Look<'_>, decision: &mut Decision) {
        if decision.failure.is_some() {
            return;
        }
        for (id, rule) in self.rules(look.target) {
            let Fault::Throughput(fault) = &rule.fault else {
                continue;
            };
            if let Some(occasion) = self.occasion(id, rule, look) {
                decision.queue = self.queued(id, fault, occasion.occurrence, look);
                return;
            }
        }
    }

    fn queued(
        &self,
        id: RuleId,
        fault: &Throughput,
        occurrence: u64,
        look: &Look<'_>,
    ) -> Option<Delay> {
        let counters = &self.loaded(id).counters;
        let busy = counters.busy_until(|busy| fault.busy(busy, look.now, look.op.len));
        let by = fault.wait(busy, look.now);
        (by > Duration::ZERO && self.fire(id, look.now)).then_some(Delay {
            rule: id,
            occurrence,
            by,
        })
    }
}
