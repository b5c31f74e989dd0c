//! The plan that the tests of this folder, and the golden vectors, put to the question.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use errorfs::injector::{Armed, Target};
use errorfs::media::Medium;
use errorfs::op::{Caller, Op, OpKind};
use errorfs::plan::{Damage, DamageId, Decision, Flip, Place, Placement, Unreadable, compile};
use errorfs::scenario::{
    BadSector, BitAmount, BitFlip, BitPosition, Content, Corrupt, Fault, Persistence, RegionAmount,
    Rule, Scenario, SectorAmount, Select, When,
};

/// A rule that selects everything, always.
pub(crate) fn rule(name: &str, fault: Fault) -> Rule {
    Rule {
        name: name.to_owned(),
        domain: None,
        select: Select::default(),
        when: When::default(),
        fault,
    }
}

/// Flipped bits.
pub(crate) fn flips(amount: BitAmount, persistence: Persistence) -> Fault {
    Fault::BitFlip(BitFlip { amount, persistence })
}

/// Corrupt regions of `region` bytes, each with this probability.
pub(crate) fn regions(content: Content, rate: f64, region: u32, persistence: Persistence) -> Fault {
    Fault::Corrupt(Corrupt { content, amount: RegionAmount::Rate(rate), region, persistence })
}

/// Rules in force, with nothing to place.
pub(crate) fn arm(seed: u64, rules: Vec<Rule>) -> Armed {
    let scenario = Scenario { name: None, seed: None, presets: Vec::new(), rules };
    Armed::new(compile(&scenario, seed, "node-1", b""), Placement::default())
}

/// Sticky and permanent bits, given bits, and bad sectors.
pub(crate) fn armed(seed: u64) -> Armed {
    let given = |byte, bit| BitPosition { byte, bit, generation: 0 };
    let mut rules = bit_rules();
    let at = BitAmount::At(vec![given(5_000, 3), given(131_072, 0)]);
    rules.push(rule("given", flips(at, Persistence::Sticky)));
    let sectors = BadSector { amount: SectorAmount::Rate(0.05), sector: 512 };
    rules.push(rule("lse", Fault::BadSector(sectors)));
    arm(seed, rules)
}

/// Sticky and permanent bits only.
pub(crate) fn bit_rules() -> Vec<Rule> {
    let mut high = rule("high", flips(BitAmount::Rate(1e-2), Persistence::Permanent));
    high.select.bytes = Some(120_000..140_000);
    let low = rule("low", flips(BitAmount::Rate(1e-4), Persistence::Sticky));
    vec![high, low]
}

/// A file that an armed plan is asked about.
pub(crate) fn with_target<T>(
    armed: &Armed,
    path: &str,
    medium: &Medium,
    ask: impl FnOnce(&Target<'_>) -> T,
) -> T {
    let path = Path::new(path);
    ask(&Target { selection: &armed.select(path), path, origin: path, medium: Some(medium) })
}

/// The answer for one read.
pub(crate) fn read(armed: &Armed, path: &str, medium: &Medium, range: Range<u64>) -> Decision {
    let len = range.end - range.start;
    let op = Op::new(OpKind::Read, range.start, len, Caller::default());
    with_target(armed, path, medium, |target| armed.decide(&op, target, Duration::ZERO))
}

/// All stored damage of a file that has not been written to.
pub(crate) fn damage(armed: &Armed, path: &str, range: Range<u64>) -> (Vec<Flip>, Vec<Unreadable>) {
    let damage = damage_of(armed, path, range);
    (damage.flips, damage.unreadable)
}

/// The same with its corrupt regions.
pub(crate) fn damage_of(armed: &Armed, path: &str, range: Range<u64>) -> Damage {
    let medium = Medium::default();
    with_target(armed, path, &medium, |target| armed.damage(range, target))
}

/// The id of one flip.
pub(crate) fn first_id(armed: &Armed, path: &str, flip: &Flip) -> DamageId {
    let place = Place::Bit { byte: flip.byte, bit: flip.bit };
    armed.plan().damage_id(flip.rule, Path::new(path), place, flip.generation)
}
