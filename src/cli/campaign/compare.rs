//! `errorfs campaign diff`: what two campaigns say differently of the same points, as of two versions of
//! one system.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::super::exit::{Exit, Failure};
use super::super::out;
use super::collect::collect;
use crate::campaign::{Merged, MergedTrial};
use crate::diagnostic::harmless;

/// Say what two campaigns show differently
///
/// Trials are compared by their place and fault, whatever the plans. The exit status is 1 if any differs.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// Results: the directory of a campaign, or a file
    one: PathBuf,
    /// Results to compare them with
    other: PathBuf,
}

/// Compares.
pub(super) fn diff(args: &Diff) -> Result<Exit, Failure> {
    let [one, other] = [&args.one, &args.other].map(|path| collect(std::slice::from_ref(path)));
    let (one, other) = (one?.merged, other?.merged);
    let (mut one, other) = (by_point(&one), by_point(&other));
    let (mut differ, mut same, mut only_other) = (0, 0, 0);
    for (point, trial) in &other {
        match one.remove(point) {
            None => only_other += 1,
            Some(before) if before.outcomes == trial.outcomes => same += 1,
            Some(before) => {
                differ += 1;
                let (from, to) = (words(before), words(trial));
                out(&harmless(&format!("{}: {from} -> {to}", trial.line.point.words())))?;
            }
        }
    }
    let only_one = one.len();
    out(&format!("{same} the same, {differ} differ, {only_one} and {only_other} in one only"))?;
    Ok(if differ == 0 { Exit::Done } else { Exit::ExpectationFailed })
}

fn by_point(merged: &Merged) -> BTreeMap<String, &MergedTrial> {
    merged.trials.values().map(|trial| (trial.line.point.coordinates(), trial)).collect()
}

fn words(trial: &MergedTrial) -> String {
    let words = trial.outcomes.iter().map(|(verdict, local, global)| {
        let global: Vec<&str> = global.iter().map(|effect| effect.name()).collect();
        format!("{} ({}, {})", verdict.name(), local.name(), global.join("+"))
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { "inconclusive".to_owned() } else { words.join(" or ") }
}
