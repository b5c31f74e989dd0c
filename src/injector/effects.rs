//! What happens to an operation as a whole: that it waits, and that it fails.

use super::Armed;
use super::armed::Look;
use crate::errno::Errno;
use crate::op::{Op, OpKind};
use crate::plan::fault::{Fault, Latency};
use crate::plan::{Decision, Delay, Failure, Rule, RuleId, Stalled};

impl Armed {
    /// Of each kind of wait the first one, and the first failure.
    pub(super) fn decide_effects(&self, look: &mut Look<'_>, decision: &mut Decision) {
        for (id, rule) in self.rules(look.target) {
            match &rule.fault {
                Fault::Latency(fault) if decision.delay.is_none() => {
                    decision.delay = self.delay((id, rule), fault, look);
                }
                Fault::Stall(fault) if decision.stall.is_none() => {
                    let fired = self.fired(id, rule, look);
                    decision.stall =
                        fired.map(|occurrence| Stalled { rule: id, occurrence, by: fault.lasts });
                }
                Fault::Error(fault) if decision.failure.is_none() => {
                    let fired = self.fired(id, rule, look);
                    decision.failure = fired.map(|occurrence| Failure {
                        rule: id,
                        occurrence,
                        errno: fault.errno,
                    });
                }
                Fault::Kill if decision.failure.is_none() && !is_written_back(&look.op) => {
                    let fired = self.fired(id, rule, look);
                    decision.kill = fired.map(|_| id);
                    decision.failure = fired.map(|occurrence| Failure {
                        rule: id,
                        occurrence,
                        errno: Errno::EINTR,
                    });
                }
                Fault::Dead(fault) if decision.failure.is_none() => {
                    decision.failure = self.dead((id, rule), fault, look);
                }
                Fault::PowerCut(_) if decision.failure.is_none() => {
                    let fired = self.fired(id, rule, look);
                    let errno = Errno::EIO;
                    decision.failure =
                        fired.map(|occurrence| Failure { rule: id, occurrence, errno });
                    decision.cut = fired.map(|_| id);
                }
                Fault::Readonly if decision.failure.is_none() => {
                    decision.failure = self.readonly((id, rule), look);
                }
                _ => {}
            }
        }
    }

    fn delay(
        &self,
        (id, rule): (RuleId, &Rule),
        fault: &Latency,
        look: &mut Look<'_>,
    ) -> Option<Delay> {
        let occasion = self.occasion(id, rule, look)?;
        let (nth, key) = occasion.on_path?;
        let occurrence = occasion.occurrence;
        self.fire(id, look.now).then(|| Delay { rule: id, occurrence, by: fault.delay(key, nth) })
    }

    /// Counts the operation if the rule looks at it; its number, if the rule fires.
    pub(super) fn fired(&self, id: RuleId, rule: &Rule, look: &mut Look<'_>) -> Option<u64> {
        let occasion = self.occasion(id, rule, look)?;
        self.fire(id, look.now).then_some(occasion.occurrence)
    }
}

/// Whether the kernel writes pages of its cache, which is no caller's operation.
fn is_written_back(op: &Op) -> bool {
    op.cached && op.kind == OpKind::Write
}
