//! The model of every report of a campaign: groups of trials by structure, access and fault.

use std::collections::BTreeMap;

use crate::campaign::{Merged, MergedTrial, TrialLine};
use crate::scenario::FaultKind;
use crate::trace::Access;
use crate::trial::Verdict;

/// A campaign, to be reported.
#[derive(Clone, Debug)]
pub struct CampaignSummary {
    /// What it is called.
    pub name: String,
    /// Its plan.
    pub plan_id: String,
    /// How many trials the plan has, if it is known.
    pub planned: Option<usize>,
    /// What repeats a trial, but for its id, if it is known.
    pub repeat: Option<String>,
    /// The results.
    pub merged: Merged,
}

/// A row of the matrix: node, structure, access.
pub type Row<'a> = (&'a str, &'a str, Access);

impl CampaignSummary {
    /// The trials of each row, by kind of fault.
    pub fn rows(&self) -> BTreeMap<Row<'_>, BTreeMap<FaultKind, Vec<&MergedTrial>>> {
        let mut rows: BTreeMap<Row<'_>, BTreeMap<FaultKind, Vec<&MergedTrial>>> = BTreeMap::new();
        for trial in self.merged.trials.values() {
            let point = &trial.line.point;
            let row = (point.node.as_str(), point.structure.as_str(), point.access);
            rows.entry(row).or_default().entry(point.kind).or_default().push(trial);
        }
        rows
    }

    /// How many trials got this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.merged.trials.values().filter(|trial| trial.line.verdict == verdict).count()
    }

    /// Trials whose runs came to different things.
    pub fn disagreeing(&self) -> usize {
        self.merged.trials.values().filter(|trial| trial.disagrees()).count()
    }

    /// What repeats a trial.
    pub fn repeat(&self, line: &TrialLine) -> Option<String> {
        self.repeat.as_ref().map(|repeat| format!("{repeat} {}", line.trial))
    }
}

/// How many of the trials are called what, the most frequent first.
pub fn tally(
    trials: &[&MergedTrial],
    names: impl Fn(&TrialLine) -> Vec<&'static str>,
) -> Vec<(&'static str, usize)> {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for trial in trials {
        for name in names(&trial.line) {
            *counts.entry(name).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// What a vocabulary calls what a trial showed.
pub type Names = fn(&TrialLine) -> Vec<&'static str>;

/// The three ways of telling what a trial showed: verdict, local behaviour, global effect.
pub const VOCABULARIES: [(&str, Names); 3] = [
    ("verdict", |line| vec![line.verdict.name()]),
    ("local behaviour", |line| vec![line.local.name()]),
    ("global effect", |line| line.global.iter().map(|effect| effect.name()).collect()),
];
