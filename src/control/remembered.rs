//! What a state directory knows of the last mount: seed, places of damage, files. The same scenario
//! goes on where it ended.

use crate::injector::Armed;
use crate::plan::{Placed, Placement, Plan};
use crate::scenario::BitPosition;
use crate::state::{Memo, StateDir, escaped};

/// The seed under which a plan of this hash and id was armed last.
pub(super) fn seed(state: Option<&StateDir>, plan: &str, id: &str) -> Option<u64> {
    let (known, seed, of) = state?.remembered.armed.as_ref()?;
    (known == plan && of == id).then_some(*seed)
}

/// Where the same plan has placed what it counts, if it was the last one.
pub(super) fn placement(state: Option<&StateDir>, plan: &Plan) -> Option<Placement> {
    let state = state?;
    seed(Some(state), plan.id(), plan.domain()).filter(|seed| *seed == plan.seed())?;
    let mut placement = Placement::default();
    for ((name, path), (bits, regions, sectors)) in &state.remembered.placed {
        let (rule, _) = plan.numbered().find(|(_, rule)| rule.name == *name)?;
        let bit = |(byte, bit): &(u64, u8)| BitPosition { byte: *byte, bit: *bit, generation: 0 };
        let bits = bits.iter().map(bit).collect();
        let placed = Placed { bits, regions: regions.clone(), sectors: sectors.clone() };
        placement.put(rule, path.clone(), placed);
    }
    Some(placement)
}

/// Remembers what is armed now.
pub(super) fn note(state: &StateDir, armed: &Armed) -> std::io::Result<()> {
    let plan = armed.plan();
    let (id, seed) = (plan.domain().to_owned(), plan.seed());
    let memo = Memo::Armed { plan: plan.id().to_owned(), seed, id };
    let placed = armed.placed_everywhere().map(|(rule, path, placed)| Memo::Placed {
        rule: plan.rule(rule).name.clone(),
        path: escaped(path),
        bits: placed.bits.iter().map(|at| (at.byte, at.bit)).collect(),
        regions: placed.regions.clone(),
        sectors: placed.sectors.clone(),
    });
    let memos: Vec<_> = [memo].into_iter().chain(placed).map(|memo| (memo, Vec::new())).collect();
    state.memory.note(&memos)
}
