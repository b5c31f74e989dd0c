//! Which bytes of a write the medium does not get, and what an fsync cannot write back.

use std::ops::Range;

use super::armed::{Armed, Look, Occasion};
use crate::media::Medium;
use crate::op::OpKind;
use crate::plan::fault::{Astray, Fault, Tear};
use crate::plan::{Decision, Lost, Rule, RuleId, Unwritten, bytes_of};
use crate::scenario::Rest;

impl Armed {
    /// What an fsync cannot write back: the first rule that fires decides. It is an occurrence of a
    /// rule if there is anything to write back of the pages that the rule selects.
    pub(super) fn decide_unwritten(&self, look: &mut Look<'_>, decision: &mut Decision) {
        let Some(medium) = look.target.medium.filter(|_| look.op.kind == OpKind::Fsync) else {
            return;
        };
        for (id, rule) in self.rules(look.target) {
            let Fault::Fsync(fault) = &rule.fault else {
                continue;
            };
            let asked = decision.failure.is_none() && decision.unwritten.is_none();
            if !asked || !medium.unsynced().is_dirty(&fault.pages()) {
                continue;
            }
            let Some(occasion) = self.occasion(id, rule, look) else {
                continue;
            };
            let fails = occasion.on_path.is_some_and(|(nth, _)| fault.fails(nth));
            decision.unwritten = (fails && self.fire(id, look.now)).then(|| Unwritten {
                rule: id,
                occurrence: occasion.occurrence,
                pages: fault.pages(),
                model: fault.model,
                evict: fault.evict,
            });
        }
    }

    /// The lost bytes of a write, by every rule that fires; the first in file order has a byte.
    /// What fails is not lost.
    pub(super) fn decide_losses(&self, look: &mut Look<'_>, decision: &mut Decision) {
        for (id, rule) in self.rules(look.target) {
            let loses = matches!(
                rule.fault,
                Fault::LostWrite(_) | Fault::TornWrite(_) | Fault::Misdirected(_)
            );
            if !loses || look.op.kind != OpKind::Write {
                continue;
            }
            let Some(occasion) = self.occasion(id, rule, look) else {
                continue;
            };
            if decision.failure.is_some() || decision.unreadable.is_some() {
                continue;
            }
            let lost = lost((id, rule), &occasion, look);
            let lost = lost.map_or_else(Vec::new, |lost| uncovered(&decision.lost, lost));
            if !lost.is_empty() && self.fire(id, look.now) {
                decision.lost.extend(lost);
            }
        }
    }
}

fn lost((id, rule): (RuleId, &Rule), occasion: &Occasion, look: &Look<'_>) -> Option<Lost> {
    let (nth, key) = occasion.on_path?;
    let write = rule.scope.clip(bytes_of(&look.op));
    let whole = Lost {
        rule: id,
        occurrence: occasion.occurrence,
        bytes: 0..0,
        rest: Rest::Old,
        keep: None,
        lands: None,
    };
    Some(match &rule.fault {
        Fault::LostWrite(fault) => Lost { bytes: fault.lost(key, nth, &write), ..whole },
        Fault::TornWrite(fault) => {
            let Tear { lost, keep } = fault.torn(key, nth, &write)?;
            Lost { bytes: lost, rest: fault.rest, keep: Some(keep), ..whole }
        }
        Fault::Misdirected(fault) => {
            let Astray { bytes, elsewhere } = fault.astray(key, nth, &write, look.file_len()?)?;
            Lost { bytes, lands: Some(elsewhere), ..whole }
        }
        _ => return None,
    })
}

impl Look<'_> {
    /// How many bytes the file has; `None` if nobody has said.
    pub(super) fn file_len(&self) -> Option<u64> {
        self.target.medium.map(Medium::len).filter(|len| *len != u64::MAX)
    }
}

/// The parts that no earlier rule has.
fn uncovered(earlier: &[Lost], lost: Lost) -> Vec<Lost> {
    let mut parts: Vec<Range<u64>> = vec![lost.bytes.clone()];
    for Lost { bytes, .. } in earlier {
        let cut = |part: Range<u64>| {
            let before = part.start..part.end.min(bytes.start);
            let after = part.start.max(bytes.end)..part.end;
            [before, after]
        };
        parts = parts.into_iter().flat_map(cut).collect();
        parts.retain(|part| !part.is_empty());
    }
    parts.iter().filter_map(|part| lost.within(part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_has_a_byte() {
        let lost = |rule, bytes| {
            let rule = RuleId(rule);
            Lost { rule, occurrence: 1, bytes, rest: Rest::Old, keep: None, lands: None }
        };
        let earlier = [lost(0, 10..20), lost(1, 30..40)];
        let bytes = |range| -> Vec<Range<u64>> {
            uncovered(&earlier, lost(2, range)).into_iter().map(|lost| lost.bytes).collect()
        };
        assert_eq!(bytes(0..50), [0..10, 20..30, 40..50]);
        assert_eq!(bytes(12..35), vec![20..30]);
        assert!(bytes(12..18).is_empty() && bytes(5..5).is_empty());
    }
}
