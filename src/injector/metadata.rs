//! Which rules make an answer tell something wrong of a file.

use std::path::Path;

use super::Armed;
use super::armed::Look;
use crate::op::OpKind;
use crate::plan::fault::{Fault, Metadata};
use crate::plan::seed::Purpose;
use crate::plan::{Decision, Failure, RuleId};
use crate::scenario::EntryFault;
use std::time::Duration;

impl Armed {
    /// Every rule whose path this is; the first that has it fail decides with what. Entries of
    /// directories are judged by their own paths: [`Armed::entry_fault`].
    pub(super) fn decide_metadata(&self, look: &mut Look<'_>, decision: &mut Decision) {
        for (id, rule) in self.rules(look.target) {
            let Fault::Metadata(fault) = &rule.fault else {
                continue;
            };
            if look.op.kind == OpKind::Readdir || self.occasion(id, rule, look).is_none() {
                continue;
            }
            if decision.failure.is_some() || !self.is_hit(id, fault, look.target.path) {
                continue;
            }
            match fault.failure(look.op.kind) {
                Some(errno) if self.fire(id, look.now) => {
                    decision.failure = Some(Failure { rule: id, occurrence: 0, errno });
                    decision.mistold.clear();
                }
                None if self.fire(id, look.now) => decision.mistold.push(id),
                _ => {}
            }
        }
    }

    fn is_hit(&self, id: RuleId, fault: &Metadata, path: &Path) -> bool {
        fault.is_hit(|| self.plan().stream(id, path, Purpose::Metadata))
    }

    /// How the entry of this path stands in its directory, by the first rule that says so.
    pub fn entry_fault(&self, path: &Path, now: Duration) -> Option<(RuleId, EntryFault)> {
        let selection = self.select(path);
        selection.rules.iter().find_map(|id| {
            let rule = self.plan().rule(*id);
            let Fault::Metadata(fault) = &rule.fault else { return None };
            let entry = fault.told.entry?;
            let reads = rule.scope.ops.contains(OpKind::Readdir) && self.is_open(*id, rule, now);
            (reads && self.is_hit(*id, fault, path) && self.fire(*id, now)).then_some((*id, entry))
        })
    }

    /// Whether any rule is about entries of directories.
    pub fn changes_entries(&self) -> bool {
        self.plan().rules().iter().any(|rule| {
            matches!(&rule.fault, Fault::Metadata(fault) if fault.told.entry.is_some())
                && rule.scope.ops.contains(OpKind::Readdir)
        })
    }
}
