//! Which rules concern a file or a name, and by which of its names.
//!
//! Rules about operations (error, latency, transient damage) go by the present path. Rules about
//! stored bytes go by the path that keys the damage: a file keeps, through renames and hard links,
//! what it had at arming, and gets nothing by being given a name that a rule selects. A file created
//! through the mount has its present path, until a rule first looks at its bytes.

use std::path::Path;
use std::sync::Arc;

use super::Armed;
use super::armed::{keeps_writes, takes_room};
use super::steps::Steps;
use crate::media::Medium;
use crate::op::{OpKind, OpSet};
use crate::plan::fault::Fault;
use crate::plan::{
    Corrupted, DamageId, DataAccess, Flip, Label, Lost, Misread, Place, Rule, RuleId, Unreadable,
};

/// The rules that select one path: matched once per node and name, not once per operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Those in force, in file order.
    pub rules: Arc<[RuleId]>,
    /// Those and the ones that are disarmed: `access` and `medium` are as if all were in force, so
    /// that arming them again changes no file's way.
    pub loaded: Arc<[RuleId]>,
    /// The steps of a decision to which those in force have something to say.
    pub(super) steps: Steps,
    /// What they may do to the file's data.
    pub access: DataAccess,
    /// The operations that any of those in force looks at, and those that take room where a rule
    /// limits it: for all others `decide` need not be called.
    pub ops: OpSet,
    /// Whether any of them damages stored bytes, so that the file needs a [`Medium`].
    pub medium: bool,
    /// Whether any of them damages some reads of the same bytes and not others: what the kernel's
    /// cache holds does then not follow from what is stored.
    pub fleeting: bool,
    /// Whether any of them makes reads fail.
    pub fails_reads: bool,
    /// Whether any of them looks at more of who asks than a request tells.
    pub needs_who: bool,
    /// Whether any of them keeps writes from the medium, so that the file needs a [`Medium`].
    pub keeps_writes: bool,
    /// Whether any of them reads as what was there before, so that the file needs a [`Medium`].
    pub keeps_earlier: bool,
}

/// The file that an operation is on.
#[derive(Debug)]
pub struct Target<'a> {
    /// The rules that select it.
    pub selection: &'a Selection,
    /// Its path, relative to the root, for rules that draw per path.
    pub path: &'a Path,
    /// The path that keys its stored damage: at arming, for files that were there; the present one
    /// for files created since (bound at the first look).
    pub origin: &'a Path,
    /// Its medium; `None` if it has nothing to remember.
    pub medium: Option<&'a Medium>,
}

impl Selection {
    /// The rules of either.
    pub fn union(&self, other: &Selection) -> Selection {
        Selection {
            rules: together(&self.rules, &other.rules),
            loaded: together(&self.loaded, &other.loaded),
            steps: self.steps.and(other.steps),
            access: self.access.max(other.access),
            ops: self.ops.union(other.ops),
            medium: self.medium || other.medium,
            fleeting: self.fleeting || other.fleeting,
            fails_reads: self.fails_reads || other.fails_reads,
            needs_who: self.needs_who || other.needs_who,
            keeps_writes: self.keeps_writes || other.keeps_writes,
            keeps_earlier: self.keeps_earlier || other.keeps_earlier,
        }
    }
}

impl Armed {
    /// Which rules select this path (relative to the root, no leading slash, root itself is empty).
    pub fn select(&self, path: &Path) -> Selection {
        self.selection(self.plan().select(path))
    }

    /// Which rules select this file: those about operations by its present `path`, those about
    /// stored bytes by the path that they were bound to, or else by `origin`.
    pub fn select_file(&self, path: &Path, origin: &Path, medium: Option<&Medium>) -> Selection {
        let stored = |rule: &RuleId| self.plan().rule(*rule).fault.is_stored();
        let bound = |rule: &RuleId| {
            medium.is_some_and(|medium| medium.identity(self.loaded(*rule).key).is_some())
        };
        let mut rules = self.plan().select(path);
        rules.retain(|rule| !stored(rule));
        let reaches = |rule: &RuleId| stored(rule) && self.reaches(*rule, origin);
        rules.extend(self.plan().select(origin).into_iter().filter(reaches));
        rules.extend(self.plan().numbered().map(|(rule, _)| rule).filter(bound));
        rules.sort_unstable();
        rules.dedup();
        self.selection(rules)
    }

    fn selection(&self, loaded: Vec<RuleId>) -> Selection {
        loaded.iter().for_each(|rule| self.loaded(*rule).counters.reach());
        let in_force = |rule: &&RuleId| self.loaded(**rule).in_force;
        let all_in_force = loaded.iter().all(|rule| in_force(&rule));
        let loaded: Arc<[RuleId]> = loaded.into();
        let rules = match all_in_force {
            true => Arc::clone(&loaded),
            false => loaded.iter().filter(in_force).copied().collect(),
        };
        let all = || loaded.iter().map(|rule| self.plan().rule(*rule));
        let chosen = || rules.iter().map(|rule| self.plan().rule(*rule));
        Selection {
            access: all().map(|rule| rule.access).max().unwrap_or(DataAccess::Untouched),
            ops: all()
                .filter(|rule| takes_room(rule))
                .chain(chosen())
                .fold(OpSet::EMPTY, |ops, rule| ops.union(rule.reach)),
            medium: all().any(|rule| rule.fault.is_stored() || rule.fault.is_written()),
            steps: chosen().fold(Steps::default(), |all, one| all.and(Steps::of(&one.fault))),
            fleeting: chosen().any(is_fleeting),
            fails_reads: chosen().any(fails_reads),
            needs_who: chosen().any(|rule| rule.askers.needs_who()),
            keeps_writes: chosen().any(keeps_writes),
            keeps_earlier: all().any(|rule| rule.fault.keeps_earlier()),
            rules,
            loaded,
        }
    }

    /// Whether a rule names the places of its damage (`count`, `at`) instead of drawing them.
    pub fn names_places(&self, rule: RuleId) -> bool {
        self.plan().rule(rule).fault.names_places()
    }

    /// A rule's name in the scenario, and the word for its kind of fault.
    pub fn label(&self, rule: RuleId) -> &Arc<Label> {
        &self.loaded(rule).label
    }

    /// The path that keys what a rule damages in a file; `None` if it damages nothing stored.
    pub fn identity(&self, rule: RuleId, target: &Target<'_>) -> Option<Arc<Path>> {
        self.plan().rule(rule).fault.is_stored().then(|| {
            let bound = target.medium.and_then(|medium| medium.identity(self.loaded(rule).key));
            bound.unwrap_or_else(|| Arc::from(target.origin))
        })
    }

    /// The damage id of a flipped bit; `identity` as [`Armed::identity`] says.
    pub fn flip_id(&self, flip: &Flip, identity: Option<&Path>) -> DamageId {
        let Flip { byte, bit, occurrence, .. } = *flip;
        let (file, place) = match identity {
            Some(file) => (file, Place::Bit { byte, bit }),
            None => (Path::new(""), Place::Once { byte, bit, occurrence }),
        };
        self.plan().damage_id(flip.rule, file, place, flip.generation)
    }

    /// The damage id of a corrupt region; `identity` as [`Armed::identity`] says.
    pub fn region_id(&self, corrupted: &Corrupted, identity: Option<&Path>) -> DamageId {
        let Corrupted { rule, generation, occurrence, .. } = *corrupted;
        let start = corrupted.region.start;
        let (file, place) = match identity {
            Some(file) => (file, Place::Region { start }),
            None => (Path::new(""), Place::RegionOnce { start, occurrence }),
        };
        self.plan().damage_id(rule, file, place, generation)
    }

    /// The damage id of bytes that a write lost, the first of them `start`, of a file of this path.
    pub fn loss_id(&self, lost: &Lost, start: u64, file: &Path) -> DamageId {
        let place = Place::Lost { start, occurrence: lost.occurrence };
        self.plan().damage_id(lost.rule, file, place, 0)
    }

    /// The damage id of bytes that a read got from another place.
    pub fn misread_id(&self, misread: &Misread, file: &Path) -> DamageId {
        let place = Place::Misread { start: misread.bytes.start, occurrence: misread.occurrence };
        self.plan().damage_id(misread.rule, file, place, 0)
    }

    /// The damage id of a bad sector.
    pub fn sector_id(&self, bad: &Unreadable, identity: Option<&Path>) -> DamageId {
        let place = Place::Sector { start: bad.sector.start };
        let file = identity.unwrap_or(Path::new(""));
        self.plan().damage_id(bad.rule, file, place, bad.generation)
    }
}

/// Both, in file order.
fn together(some: &[RuleId], others: &[RuleId]) -> Arc<[RuleId]> {
    let mut rules: Vec<RuleId> = some.iter().chain(others).copied().collect();
    rules.sort_unstable();
    rules.dedup();
    rules.into()
}

fn is_fleeting(rule: &Rule) -> bool {
    matches!(rule.fault, Fault::BitFlip(_) | Fault::Corrupt(_) | Fault::Misdirected(_))
        && !rule.fault.is_written()
        && rule.access == DataAccess::Counted
}

fn fails_reads(rule: &Rule) -> bool {
    matches!(rule.fault, Fault::Error(_) | Fault::Dead(_)) && rule.reach.contains(OpKind::Read)
}
