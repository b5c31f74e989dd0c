//! Faults that stay: one operation sets them off, and what follows fails because of it.

use std::time::Duration;

use super::Armed;
use super::armed::Look;
use crate::errno::Errno;
use crate::plan::fault::Dead;
use crate::plan::{Failure, Rule, RuleId};

impl Armed {
    /// What an operation on a device fails with that is gone, or that this operation sets off.
    pub(super) fn dead(
        &self,
        rule: (RuleId, &Rule),
        fault: &Dead,
        look: &mut Look<'_>,
    ) -> Option<Failure> {
        self.lasting(rule, fault.errno, |since| fault.holds(since), look)
    }

    /// The same of what cannot be changed any more.
    pub(super) fn readonly(&self, rule: (RuleId, &Rule), look: &mut Look<'_>) -> Option<Failure> {
        match look.op.changes {
            true => self.lasting(rule, Errno::EROFS, |_| true, look),
            false => None,
        }
    }

    /// `holds`: whether it does, so long after it was set off.
    fn lasting(
        &self,
        (id, rule): (RuleId, &Rule),
        errno: Errno,
        holds: impl Fn(Duration) -> bool,
        look: &mut Look<'_>,
    ) -> Option<Failure> {
        if !rule.reach.contains(look.op.kind) || !self.is_asked(rule, look) {
            return None;
        }
        if let Some(begun) = self.begun(id) {
            let holds = holds(look.now.saturating_sub(begun));
            return holds.then_some(Failure { rule: id, occurrence: 0, errno });
        }
        let occurrence = self.fired(id, rule, look)?;
        self.begin(id, look.now);
        Some(Failure { rule: id, occurrence, errno })
    }

    /// When a rule with a fault that stays fired, since arming.
    fn begun(&self, id: RuleId) -> Option<Duration> {
        self.loaded(id).counters.begun.get().copied()
    }

    /// Of several operations that set it off at once, the first in this call is the one.
    fn begin(&self, id: RuleId, now: Duration) {
        let _ = self.loaded(id).counters.begun.set(now);
    }
}
