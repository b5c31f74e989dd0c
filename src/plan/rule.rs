//! The plan: a scenario that can no longer be wrong, ready to be armed. Immutable.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Askers;
use super::fault::Fault;
use super::paths::Paths;
use super::scope::Scope;
use super::seed::{Purpose, StreamKey};
use super::trigger::Trigger;
use super::{RuleId, Surveyed};
use crate::op::OpSet;

/// What the plan may do to the data of one file, which decides how it is opened (README, caches).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataAccess {
    /// Nothing, ever.
    Untouched,
    /// Nothing; but syncing it is to be seen, also by msync(2) and O_SYNC, or closing it.
    Watched,
    /// Sticky or permanent flips and regions only: what the kernel caches stays true.
    Sticky,
    /// Something that counts or times accesses, fails or delays them: every one must be seen.
    Counted,
}

/// One rule for as long as it stays as it is: whatever plan it is part of, and at which place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleKey(pub u64);

/// What ledgers call a rule, for those who tell of it when it may be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name in the scenario.
    pub rule: String,
    /// The word for its kind of fault.
    pub fault: &'static str,
}

/// One compiled rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// As in the scenario; part of every stream key.
    pub name: String,
    /// In every stream key in place of the plan's domain, if the rule has its own.
    pub domain: Option<String>,
    /// Which operations on the selected paths it looks at.
    pub scope: Scope,
    /// Who must ask for them.
    pub askers: Askers,
    /// Which operations on them it may do something to: more than it looks at, for a fault that
    /// stays once it has begun.
    pub reach: OpSet,
    /// Which of their occurrences.
    pub trigger: Trigger,
    /// What happens.
    pub fault: Fault,
    /// What it may do to the data of the files that it selects.
    pub access: DataAccess,
}

/// A compiled scenario with its seed and domain.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) seed: u64,
    pub(super) domain: String,
    pub(super) id: String,
    pub(super) rules: Vec<Rule>,
    pub(super) paths: Paths,
}

impl Plan {
    /// The root of all its randomness.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What tells this mount's damage from another's: the mount's id, or a name that several mounts
    /// share; empty: every copy of a directory has the same damage.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The domain of one rule's streams: its own, or else that of the plan.
    pub fn domain_of(&self, rule: RuleId) -> &str {
        self.rule(rule).domain.as_deref().unwrap_or(&self.domain)
    }

    /// BLAKE3 of the canonical scenario, 64 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// In file order; the index is the [`RuleId`].
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// One of its rules.
    pub fn rule(&self, rule: RuleId) -> &Rule {
        &self.rules[usize::from(rule.0)]
    }

    /// Every rule with its number, in file order.
    pub fn numbered(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        (0..).map(RuleId).zip(&self.rules)
    }

    /// The rules that select this path (relative to the mount's root), in file order, without those
    /// that can never fire.
    pub fn select(&self, path: &Path) -> Vec<RuleId> {
        let mut selected = self.paths.select(path);
        selected.retain(|rule| self.rule(*rule).scope.ops != OpSet::EMPTY);
        selected
    }

    /// The key of a rule's stream for one file: for stored damage `file` is the path that keys it,
    /// else the present path; empty for [`Purpose::Placement`].
    pub fn stream(&self, rule: RuleId, file: &Path, purpose: Purpose) -> StreamKey {
        let name = &self.rule(rule).name;
        let file = file.as_os_str().as_bytes();
        StreamKey::derive(self.seed, name, self.domain_of(rule), file, purpose)
    }

    /// Whether a rule selects this file of the backing directory.
    pub(super) fn selects(&self, rule: RuleId, file: &Surveyed) -> bool {
        self.paths.select(&file.path).contains(&rule)
    }
}
