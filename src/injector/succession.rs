//! One plan after another: what rules that stay as they are take along.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::armed::Loaded;
use super::{Armed, Counts, Selection};
use crate::plan::{DataAccess, Label, Placement, Plan, RuleId, RuleKey};

/// How it stands with one rule.
#[derive(Clone, Debug)]
pub struct RuleState {
    /// What ledgers call it.
    pub label: Arc<Label>,
    /// Whether it is armed.
    pub in_force: bool,
    /// What it counted.
    pub counts: Counts,
    /// Whether it selected the path of any operation so far.
    pub reached: bool,
    /// From when on its times count, since the first arming.
    pub since: Duration,
    /// What it may do to the data of the files that it selects.
    pub access: DataAccess,
}

impl Armed {
    /// A plan that comes `now`, in the place of `before`. Rules that `stay` as they were keep their
    /// counts, the places and keys of their damage, and whether they are in force; `placement` is of
    /// the others.
    pub fn after(
        before: &Armed,
        plan: Plan,
        mut placement: Placement,
        now: Duration,
        stays: impl Fn(&str) -> bool,
    ) -> Armed {
        let old = |name: &str| before.plan.numbered().find(|(_, rule)| rule.name == name);
        let mut rules = Vec::with_capacity(plan.rules().len());
        for (id, rule) in plan.numbered() {
            let old = stays(&rule.name).then(|| old(&rule.name)).flatten();
            rules.push(match old {
                Some((old, _)) => {
                    placement.inherit(id, &before.placement, old);
                    before.loaded(old).clone()
                }
                None => Loaded { since: now, placed_in: 0, ..Loaded::new(rule) },
            });
        }
        let (usage, paths) = (Arc::clone(&before.usage), Arc::clone(&before.paths));
        Armed::of(Arc::new(plan), placement, rules, usage, paths)
    }

    /// The same plan with other rules in force; the times of those that come into force count from
    /// `now` on.
    pub fn with_in_force(&self, now: Duration, in_force: impl Fn(&str) -> bool) -> Armed {
        let set = |loaded: &Loaded| {
            let in_force = in_force(&loaded.label.rule);
            let since = if in_force && !loaded.in_force { now } else { loaded.since };
            Loaded { in_force, since, ..loaded.clone() }
        };
        self.with_rules(self.rules.iter().map(set).collect(), Arc::clone(&self.paths))
    }

    /// The same plan with all counts at zero, and all times from `now` on, but for rules that stay as
    /// they are.
    pub fn anew(&self, now: Duration, stays: impl Fn(&str) -> bool) -> Armed {
        let fresh = |loaded: &Loaded| match stays(&loaded.label.rule) {
            true => loaded.clone(),
            false => Loaded { counters: Arc::default(), since: now, ..loaded.clone() },
        };
        self.with_rules(self.rules.iter().map(fresh).collect(), Arc::default())
    }

    fn with_rules(&self, rules: Vec<Loaded>, paths: Arc<super::counters::PathStreams>) -> Armed {
        let (plan, usage) = (Arc::clone(&self.plan), Arc::clone(&self.usage));
        Armed::of(plan, self.placement.clone(), rules, usage, paths)
    }

    /// It is in force, as the plan of this generation.
    pub(super) fn come_into_force(&mut self, generation: u64) {
        self.generation = generation;
        let new = self.rules.iter_mut().filter(|loaded| loaded.placed_in == 0);
        new.for_each(|loaded| loaded.placed_in = generation);
    }

    /// Every rule of the plan, in file order.
    pub fn states(&self) -> impl Iterator<Item = RuleState> {
        self.plan.numbered().map(|(id, rule)| {
            let loaded = self.loaded(id);
            RuleState {
                label: Arc::clone(&loaded.label),
                in_force: loaded.in_force,
                counts: self.counts(id),
                reached: loaded.counters.is_reached(),
                since: loaded.since,
                access: rule.access,
            }
        })
    }

    /// What a rule is called from plan to plan.
    pub fn key(&self, rule: RuleId) -> RuleKey {
        self.loaded(rule).key
    }

    /// The rules that are in force.
    pub fn in_force(&self) -> HashSet<RuleKey> {
        self.rules.iter().filter(|loaded| loaded.in_force).map(|loaded| loaded.key).collect()
    }

    /// Whether any rule is.
    pub fn is_in_force(&self) -> bool {
        self.rules.iter().any(|loaded| loaded.in_force)
    }

    /// Whether this rule is.
    pub fn has_in_force(&self, rule: RuleKey) -> bool {
        self.rules.iter().any(|loaded| loaded.in_force && loaded.key == rule)
    }

    /// The rules of a selection that are in force, as they are called from plan to plan.
    pub fn keys_in_force(&self, selection: &Selection) -> Vec<RuleKey> {
        selection.rules.iter().map(|rule| self.key(*rule)).collect()
    }

    /// Of rules that are no longer part of the plan nothing is kept.
    pub fn forget_others(&self) -> HashSet<RuleKey> {
        let keys: HashSet<RuleKey> = self.rules.iter().map(|loaded| loaded.key).collect();
        self.paths.forget_rules(|rule| !keys.contains(&rule));
        keys
    }
}
