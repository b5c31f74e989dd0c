//! Operations that move less than was asked for.

use super::Armed;
use super::armed::Look;
use crate::plan::fault::{Fault, Short};
use crate::plan::{Decision, Rule, RuleId, Shortened};

impl Armed {
    /// The first rule that shortens the operation; what is decided after it, is for what it moves.
    pub(super) fn decide_length(&self, look: &mut Look<'_>, decision: &mut Decision) {
        for (id, rule) in self.rules(look.target) {
            if let Fault::Short(fault) = &rule.fault
                && decision.short.is_none()
            {
                let fails = decision.failure.is_some();
                decision.short = self.shortened((id, rule), *fault, fails, look);
            }
        }
        if let Some(short) = &decision.short {
            look.op.len = short.len;
        }
    }

    /// What the kernel asks for its cache is never short, and no occurrence.
    fn shortened(
        &self,
        (id, rule): (RuleId, &Rule),
        fault: Short,
        fails: bool,
        look: &mut Look<'_>,
    ) -> Option<Shortened> {
        if look.op.cached {
            return None;
        }
        let occasion = self.occasion(id, rule, look).filter(|_| !fails)?;
        let (nth, key) = occasion.on_path?;
        let len = fault.moved(key, nth, look.op.len)?;
        let occurrence = occasion.occurrence;
        self.fire(id, look.now).then_some(Shortened { rule: id, occurrence, len })
    }
}
