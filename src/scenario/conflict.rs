//! What rules do to each other: finds rules that can never fire, or undo each other, because of an
//! earlier one. Only what can be proved from the rules alone; knows no text and no spans.

use std::collections::{BTreeMap, HashMap};

use super::{BitAmount, Fault, PathPattern, RegionAmount, Rule, SectorAmount, Select};
use crate::op::OpSet;

/// Two rules of which the later is wrong beside the earlier; both are indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    /// The earlier always fires first.
    Shadowed { earlier: usize, later: usize },
    /// Both damage the same bit or region, or make the same sector bad.
    SameDamage { earlier: usize, later: usize, byte: u64, bit: Option<u8> },
}

impl Conflict {
    pub(super) fn earlier(&self) -> usize {
        match self {
            Conflict::Shadowed { earlier, .. } | Conflict::SameDamage { earlier, .. } => *earlier,
        }
    }

    pub(super) fn later(&self) -> usize {
        match self {
            Conflict::Shadowed { later, .. } | Conflict::SameDamage { later, .. } => *later,
        }
    }

    pub(super) fn code(&self) -> &'static str {
        match self {
            Conflict::Shadowed { .. } => "shadowed-rule",
            Conflict::SameDamage { .. } => "same-damage",
        }
    }

    /// What is wrong; `place` says where the earlier rule is.
    pub(super) fn message(&self, rules: &[Rule], place: &str) -> String {
        let first = &rules[self.earlier()].name;
        let second = &rules[self.later()].name;
        match self {
            Conflict::Shadowed { .. } => {
                format!("rule `{second}` never fires: rule `{first}` {place} always does first")
            }
            Conflict::SameDamage { byte, bit: Some(bit), .. } => format!(
                "rule `{first}` {place} flips bit {bit} of byte {byte} too: twice flipped is not flipped"
            ),
            Conflict::SameDamage { byte, .. } => match rules[self.later()].fault {
                Fault::Corrupt(_) => {
                    format!("rule `{first}` {place} corrupts the region of byte {byte} already")
                }
                _ => format!("rule `{first}` {place} makes the sector of byte {byte} bad already"),
            },
        }
    }

    pub(super) fn help(&self) -> &'static str {
        match self {
            Conflict::Shadowed { .. } => {
                "rules are tried in order and the first that fires decides: put the narrower rule first, or narrow the earlier one"
            }
            Conflict::SameDamage { .. } => "remove the position from one of the rules",
        }
    }
}

/// Every conflict, each with the first rule that causes it.
pub(super) fn find(rules: &[Rule]) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    let keys: Vec<Paths> = rules.iter().map(Paths::of).collect();
    let mut always = Before::default();
    for (later, rule) in rules.iter().enumerate() {
        let shadows = |earlier: usize| is_shadowed(rule, &rules[earlier]);
        if let Some(earlier) = always.first_that_covers(&keys[later], shadows) {
            conflicts.push(Conflict::Shadowed { earlier, later });
        }
        if rule.when.is_always() {
            always.add(&keys[later], later);
        }
    }
    conflicts.extend(same_damage(rules, &keys));
    conflicts
}

/// The paths that a rule selects, as far as two rules are compared.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Paths {
    Every,
    These(String),
}

impl Paths {
    fn of(rule: &Rule) -> Paths {
        if is_every_path(&rule.select.paths) {
            return Paths::Every;
        }
        // No pattern has a NUL byte.
        let texts: Vec<String> = rule.select.paths.iter().map(PathPattern::text).collect();
        Paths::These(texts.join("\0"))
    }
}

/// Rules that come before another one, in their order; found by their paths, as there may be many.
#[derive(Default)]
struct Before<'a> {
    all: Vec<usize>,
    by_paths: HashMap<&'a Paths, Vec<usize>>,
}

impl<'a> Before<'a> {
    fn add(&mut self, paths: &'a Paths, rule: usize) {
        self.all.push(rule);
        self.by_paths.entry(paths).or_default().push(rule);
    }

    /// The first one of those that select every path, or the same ones.
    fn first_that_covers(&self, paths: &Paths, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let of = |paths| self.by_paths.get(paths).into_iter().flatten().copied();
        let first = |paths| of(paths).find(|rule| wanted(*rule));
        [first(&Paths::Every), first(paths)].into_iter().flatten().min()
    }

    /// The first one of those that have a path in common for certain.
    fn first_that_meets(&self, paths: &Paths, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        match paths {
            Paths::Every => self.all.iter().copied().find(|rule| wanted(*rule)),
            Paths::These(_) => self.first_that_covers(paths, wanted),
        }
    }
}

fn is_shadowed(rule: &Rule, earlier: &Rule) -> bool {
    let same_effect = match (&earlier.fault, &rule.fault) {
        (Fault::Error(_), Fault::Error(_) | Fault::Kill | Fault::Dead(_) | Fault::Readonly) => true,
        (Fault::Kill, Fault::Kill) => true,
        (Fault::Dead(dead), Fault::Error(_) | Fault::Kill | Fault::Dead(_) | Fault::Readonly) => {
            dead.for_.is_none() && dead.flap.is_none()
        }
        (Fault::Latency(_), Fault::Latency(_)) | (Fault::Stall(_), Fault::Stall(_)) => true,
        (Fault::Readonly, Fault::Readonly) => true,
        (Fault::Throughput(_), Fault::Throughput(_)) => true,
        _ => false,
    };
    same_effect && earlier.when.is_always() && covers(&earlier.select, &rule.select)
}

/// Whether everything that `narrow` selects is certainly selected by `wide`.
fn covers(wide: &Select, narrow: &Select) -> bool {
    let all = OpSet::ALL;
    let ops = wide.ops.unwrap_or(all).is_superset(narrow.ops.unwrap_or(all));
    let bytes = match (&wide.bytes, &narrow.bytes) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => wide.start <= narrow.start && narrow.end <= wide.end,
        (Some(_), None) => false,
    };
    let askers = wide.askers.is_anybody() || wide.askers == narrow.askers;
    askers && ops && bytes && (is_every_path(&wide.paths) || wide.paths == narrow.paths)
}

fn is_every_path(paths: &[PathPattern]) -> bool {
    paths.iter().all(|path| !path.exclude)
        && (paths.is_empty() || paths.iter().any(|path| path.glob.glob() == "**"))
}

/// A place that two rules must not both damage. Sectors of different size are different places, and
/// so are regions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Bit { byte: u64, bit: u8, generation: u32 },
    Sector { size: u32, number: u64 },
    Region { size: u32, number: u64, generation: u32 },
}

fn same_damage(rules: &[Rule], keys: &[Paths]) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    let mut damaged: BTreeMap<Place, Before> = BTreeMap::new();
    for (later, rule) in rules.iter().enumerate() {
        for (place, byte, bit) in places(&rule.fault) {
            let before = damaged.entry(place).or_default();
            let meets = |earlier: usize| earlier != later && overlap(&rules[earlier], rule);
            if let Some(earlier) = before.first_that_meets(&keys[later], meets) {
                conflicts.push(Conflict::SameDamage { earlier, later, byte, bit });
            }
            before.add(&keys[later], later);
        }
    }
    conflicts
}

/// Whether some path and some moment are certainly common to both.
fn overlap(one: &Rule, other: &Rule) -> bool {
    let paths = is_every_path(&one.select.paths)
        || is_every_path(&other.select.paths)
        || one.select.paths == other.select.paths;
    paths && one.when == other.when
}

fn places(fault: &Fault) -> Vec<(Place, u64, Option<u8>)> {
    match fault {
        Fault::BitFlip(flip) if flip.persistence.is_stored() => match &flip.amount {
            BitAmount::At(bits) => bits
                .iter()
                .map(|at| {
                    let (byte, bit, generation) = (at.byte, at.bit, at.generation);
                    (Place::Bit { byte, bit, generation }, byte, Some(bit))
                })
                .collect(),
            _ => Vec::new(),
        },
        Fault::Corrupt(corrupt) if corrupt.persistence.is_stored() => match &corrupt.amount {
            RegionAmount::At(regions) => {
                let size = corrupt.region;
                let place = |byte: u64, generation| {
                    let number = byte / u64::from(size);
                    (Place::Region { size, number, generation }, byte, None)
                };
                regions.iter().map(|at| place(at.byte, at.generation)).collect()
            }
            _ => Vec::new(),
        },
        Fault::BadSector(bad) => match &bad.amount {
            SectorAmount::At(bytes) => bytes
                .iter()
                .map(|byte| {
                    let number = byte / u64::from(bad.sector);
                    (Place::Sector { size: bad.sector, number }, *byte, None)
                })
                .collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
