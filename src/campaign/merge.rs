//! Results of several files as one. In any order, grouping or repetition the same comes out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Global, Local, TrialLine};
use crate::trial::Verdict;

/// The results of a plan, by trial.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    /// By id.
    pub trials: BTreeMap<String, MergedTrial>,
}

/// One trial, however often it was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergedTrial {
    /// The run that counts: the first that shows something.
    pub line: TrialLine,
    /// What else it came to: more than one is a system that does not always do the same.
    pub outcomes: BTreeSet<(Verdict, Local, Vec<Global>)>,
}

impl MergedTrial {
    /// One run.
    fn of(line: TrialLine) -> MergedTrial {
        let shows = line.verdict != Verdict::Inconclusive;
        let outcomes = shows.then(|| line.outcome()).into_iter().collect();
        MergedTrial { line, outcomes }
    }

    /// Whether runs of it disagree.
    pub fn disagrees(&self) -> bool {
        self.outcomes.len() > 1
    }

    fn add(&mut self, other: MergedTrial) {
        self.outcomes.extend(other.outcomes);
        if precedence(&other.line) < precedence(&self.line) {
            self.line = other.line;
        }
    }
}

/// What shows something before what does not, then by attempt, time and host; what is still the same
/// by all that it says.
fn precedence(line: &TrialLine) -> impl Ord + use<> {
    let shows_nothing = line.verdict == Verdict::Inconclusive;
    let run = line.run.clone();
    let all = serde_json::to_string(line).unwrap_or_default();
    (shows_nothing, run.attempt, run.finished, run.host, all)
}

impl Merged {
    /// Adds runs.
    pub fn add(&mut self, lines: impl IntoIterator<Item = TrialLine>) {
        for line in lines {
            self.add_merged(MergedTrial::of(line));
        }
    }

    /// Adds what was merged before.
    pub fn merge(&mut self, other: Merged) {
        other.trials.into_values().for_each(|trial| self.add_merged(trial));
    }

    /// Adds a trial that was merged before.
    pub fn add_merged(&mut self, trial: MergedTrial) {
        match self.trials.get_mut(&trial.line.trial) {
            Some(known) => known.add(trial),
            None => drop(self.trials.insert(trial.line.trial.clone(), trial)),
        }
    }
}
