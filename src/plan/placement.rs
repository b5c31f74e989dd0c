//! Where the faults of a `count` go: exactly so many, over the files that are there at arming.
//!
//! Pure: gets the list of files, touches none.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fault::Fault;
use super::sampler::distinct;
use super::seed::Purpose;
use super::{Clusters, Plan, Rule, RuleId};
use crate::scenario::BitPosition;

/// One regular file of the backing directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// Relative to the directory; the first of several names in byte order.
    pub path: PathBuf,
    /// Bytes.
    pub len: u64,
    /// Device number.
    pub dev: u64,
    /// Inode number on that device.
    pub ino: u64,
}

/// The selected bytes hold fewer places than a rule's `count`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "rule `{rule}` places {wanted} {unit} in files that are there now, and of those it selects {files} \
     with {found} in the selected bytes; correct its `select`, or use `rate` for files that come later"
)]
pub struct NothingMatched {
    /// The rule's name.
    pub rule: String,
    /// How many places it asks for.
    pub wanted: u64,
    /// How many there are.
    pub found: u64,
    /// What is counted: `bit(s)`, `region(s)` or `sector(s)`.
    pub unit: &'static str,
    /// How many files its paths select.
    pub files: usize,
}

/// The places of one rule in one file.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Placed {
    /// Wrong bits, sorted.
    pub bits: Vec<BitPosition>,
    /// Numbers of corrupt regions, sorted.
    pub regions: Vec<u64>,
    /// Numbers of bad sectors, sorted.
    pub sectors: Vec<u64>,
}

/// The places of every rule with a `count`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Placement {
    rules: HashMap<RuleId, Arc<HashMap<PathBuf, Placed>>>,
}

impl Placement {
    /// Puts the places of one rule in one file.
    pub fn put(&mut self, rule: RuleId, file: PathBuf, placed: Placed) {
        Arc::make_mut(self.rules.entry(rule).or_default()).insert(file, placed);
    }

    /// The places of one rule in the file whose damage this path keys.
    pub fn of(&self, rule: RuleId, file: &Path) -> Option<&Placed> {
        self.rules.get(&rule)?.get(file)
    }

    /// Whether a rule can do anything to the file whose damage this path keys: one whose places were
    /// all chosen at arming only to the files in which they lie.
    pub fn reaches(&self, rule: RuleId, file: &Path) -> bool {
        self.rules.get(&rule).is_none_or(|files| files.contains_key(file))
    }

    /// What `other` has for a rule is what this has for another one: they are the same, and stay
    /// where they are.
    pub fn inherit(&mut self, rule: RuleId, other: &Placement, of: RuleId) {
        if let Some(places) = other.rules.get(&of) {
            self.rules.insert(rule, Arc::clone(places));
        }
    }

    /// All places: the rule, the path that keys the file's damage, the places in it.
    pub fn each(&self) -> impl Iterator<Item = (RuleId, &Path, &Placed)> {
        self.rules.iter().flat_map(|(rule, files)| {
            files.iter().map(|(file, placed)| (*rule, file.as_path(), placed))
        })
    }
}

impl Plan {
    /// Whether any rule needs to know the files before arming.
    pub fn needs_survey(&self) -> bool {
        self.rules().iter().any(|rule| to_place(rule) > 0)
    }

    /// Places every `count`, uniformly over all selected bits, regions or sectors, without repetition. The
    /// same files in the same order give the same places. Of more than 2^61 bytes, the first are
    /// considered.
    pub fn place(&self, files: &[Surveyed]) -> Result<Placement, NothingMatched> {
        self.place_those(files, |_| true)
    }

    /// The same for some of the rules; the others have their places from elsewhere.
    pub fn place_those(
        &self,
        files: &[Surveyed],
        wanted: impl Fn(&Rule) -> bool,
    ) -> Result<Placement, NothingMatched> {
        let mut placement = Placement::default();
        let counts = |rule: &Rule| to_place(rule) > 0 && wanted(rule);
        for (id, rule) in self.numbered().filter(|(_, rule)| counts(rule)) {
            placement.rules.insert(id, Arc::new(self.place_rule(id, rule, files)?));
        }
        Ok(placement)
    }

    fn place_rule(
        &self,
        id: RuleId,
        rule: &Rule,
        files: &[Surveyed],
    ) -> Result<HashMap<PathBuf, Placed>, NothingMatched> {
        let selected: Vec<&Surveyed> = files.iter().filter(|file| self.selects(id, file)).collect();
        let places: Vec<Range<u64>> = selected.iter().map(|file| places(rule, file.len)).collect();
        let found = places.iter().fold(0, |sum: u64, places| sum.saturating_add(len(places)));
        let wanted = to_place(rule);
        if found < wanted {
            return Err(NothingMatched {
                rule: rule.name.clone(),
                wanted,
                found,
                unit: unit(rule),
                files: selected.len(),
            });
        }
        let draws = |purpose| self.stream(id, Path::new(""), purpose).draws(0, 0);
        let chosen = match clusters(rule) {
            Some(clusters) => clusters.choose(&mut draws(Purpose::Clusters), &places),
            None => distinct(&mut draws(Purpose::Placement), wanted, found),
        };
        Ok(spread(rule, &selected, &places, chosen.into_iter()))
    }
}

/// Distributes ascending numbers over the files' places, which are numbered through.
fn spread(
    rule: &Rule,
    files: &[&Surveyed],
    places: &[Range<u64>],
    chosen: impl Iterator<Item = u64>,
) -> HashMap<PathBuf, Placed> {
    let mut placed: HashMap<PathBuf, Placed> = HashMap::new();
    let (mut file, mut before) = (0, 0);
    for number in chosen {
        while number - before >= len(&places[file]) {
            before += len(&places[file]);
            file += 1;
        }
        let place = places[file].start + (number - before);
        let here = placed.entry(files[file].path.clone()).or_default();
        match rule.fault {
            Fault::BadSector(_) => here.sectors.push(place),
            Fault::Corrupt(_) => here.regions.push(place),
            _ => here.bits.push(BitPosition {
                byte: place / 8,
                bit: (place % 8) as u8,
                generation: 0,
            }),
        }
    }
    placed
}

/// The selected places of a file, numbered from its beginning: bits, regions or sectors.
fn places(rule: &Rule, file_len: u64) -> Range<u64> {
    let bytes = rule.scope.clip(0..file_len);
    match &rule.fault {
        _ if bytes.is_empty() => 0..0,
        Fault::BadSector(fault) => fault.grid.numbers(&bytes),
        Fault::Corrupt(fault) => fault.grid.numbers(&bytes),
        _ => bytes.start.saturating_mul(8)..bytes.end.saturating_mul(8),
    }
}

fn clusters(rule: &Rule) -> Option<&Clusters> {
    match &rule.fault {
        Fault::Corrupt(fault) => fault.clusters(),
        Fault::BadSector(fault) => fault.clusters(),
        _ => None,
    }
}

/// How many; none for a rule that can never fire.
fn to_place(rule: &Rule) -> u64 {
    let count = match &rule.fault {
        _ if rule.scope.ops.is_empty() => None,
        Fault::BitFlip(fault) => fault.to_place(),
        Fault::Corrupt(fault) => fault.to_place(),
        Fault::BadSector(fault) => fault.to_place(),
        _ => None,
    };
    count.unwrap_or(0)
}

fn unit(rule: &Rule) -> &'static str {
    match rule.fault {
        Fault::BadSector(_) => "sector(s)",
        Fault::Corrupt(_) => "region(s)",
        _ => "bit(s)",
    }
}

fn len(range: &Range<u64>) -> u64 {
    range.end - range.start
}
