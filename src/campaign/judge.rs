//! What a run showed, in two vocabularies: that of drills, and FAST'17's of local behaviour and global
//! effect as far as it can be seen from outside. Total functions of what was seen.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{NodeSeen, Observed};
use crate::scenario::{Campaign, Detect};
use crate::trial::{Answer, End, Golden, Seen, Verdict, matching};

/// What the faulty node did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Local {
    /// Its process ended.
    Crash,
    /// It runs, and did not become ready.
    PartialCrash,
    /// It asked again for what had failed.
    Retry,
    /// It said so, and the answer is right although nobody else has the data.
    LocalRedundancy,
    /// It said so, and went on.
    DetectAndIgnore,
    /// Nothing was said or done that could be seen.
    NoDetection,
    /// The fault was never met, or errorfs failed.
    Unknown,
}

/// What the system did for its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Global {
    /// Wrong data were returned.
    Corruption,
    /// Data are missing.
    DataLoss,
    /// Neither reads nor writes are possible.
    Unavailable,
    /// Reads are not possible.
    ReadUnavailable,
    /// Writes are not possible.
    WriteUnavailable,
    /// The workload failed.
    QueryFailure,
    /// Another node stores what the faulty one was given.
    Spread,
    /// A node is down, or not ready.
    ReducedRedundancy,
    /// None of these.
    Correct,
    /// The fault was never met, or errorfs failed.
    Unknown,
}

impl Local {
    /// As reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Local::Crash => "crash",
            Local::PartialCrash => "partial_crash",
            Local::Retry => "retry",
            Local::LocalRedundancy => "local_redundancy",
            Local::DetectAndIgnore => "detect_and_ignore",
            Local::NoDetection => "no_detection",
            Local::Unknown => "unknown",
        }
    }
}

impl Global {
    /// As reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Global::Corruption => "corruption",
            Global::DataLoss => "data_loss",
            Global::Unavailable => "unavailable",
            Global::ReadUnavailable => "read_unavailable",
            Global::WriteUnavailable => "write_unavailable",
            Global::QueryFailure => "query_failure",
            Global::Spread => "spread",
            Global::ReducedRedundancy => "reduced_redundancy",
            Global::Correct => "correct",
            Global::Unknown => "unknown",
        }
    }
}

/// What runs are measured against.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// How the workload ends without faults.
    pub exit: i32,
    /// What it prints.
    pub stdout: Golden,
    /// How the oracle ends, and what it prints.
    pub oracle: Option<(i32, Golden)>,
    /// The same of the nodes' own, by name.
    pub of_nodes: BTreeMap<String, (i32, Golden)>,
    /// What the oracles say before anything was asked: by node, and the system's own by no name. Right
    /// as well if the workload failed.
    pub before: BTreeMap<String, Golden>,
}

/// What a run showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// In the vocabulary of drills.
    pub verdict: Verdict,
    /// What the faulty node did.
    pub local: Local,
    /// What the system did; at least one.
    pub global: Vec<Global>,
    /// Why, in a few words.
    pub why: String,
}

/// Judges a run in which one node was faulty.
pub fn judge_run(
    seen: &Observed,
    baseline: &Baseline,
    campaign: &Campaign,
    faulty: &str,
) -> Judgement {
    if let End::NotRun(_) = seen.workload.end {
        return unknown(Verdict::Inconclusive, seen.workload.end.to_string());
    }
    if !seen.activated {
        return unknown(Verdict::NotActivated, "no fault was delivered".to_owned());
    }
    let node = seen.nodes.iter().find(|node| node.name == faulty);
    let noticed = noticed(seen, campaign, node, faulty);
    let answer = answer(seen, baseline);
    let (verdict, why) = verdict(seen, baseline, node, noticed.as_ref(), &answer);
    let local = local(seen, node, noticed.is_some(), &answer);
    Judgement { verdict, local, global: global(seen, baseline, &answer), why }
}

/// A run without any fault, against which nothing may be held.
pub fn judge_control(seen: &Observed, baseline: &Baseline) -> Result<(), String> {
    let answer = answer(seen, baseline);
    match global(seen, baseline, &answer)[..] {
        [Global::Correct] => Ok(()),
        ref found => {
            let names: Vec<&str> = found.iter().map(|effect| effect.name()).collect();
            Err(format!("without faults: {} ({})", names.join(", "), seen.workload.end))
        }
    }
}

fn unknown(verdict: Verdict, why: String) -> Judgement {
    Judgement { verdict, local: Local::Unknown, global: vec![Global::Unknown], why }
}

/// What said that something is wrong: the workload, or the faulty node, also by refusing to go on.
fn noticed(
    seen: &Observed,
    campaign: &Campaign,
    node: Option<&NodeSeen>,
    faulty: &str,
) -> Option<String> {
    let spec = campaign.nodes.iter().find(|node| node.name == faulty);
    let by_node = || said_by_node(&spec?.detect, node?).or_else(|| refused(node?));
    ended(&seen.workload)
        .and_then(|status| matching(&campaign.detect, status, &seen.workload))
        .or_else(by_node)
}

/// Which predicate holds of what a node wrote, or of how it ended.
pub fn said_by_node(detect: &[Detect], node: &NodeSeen) -> Option<String> {
    let status = match node.ended {
        Some(End::Exited(status)) => status,
        _ => 0,
    };
    let holds = |one: &&Detect| one.matches(status, &node.stdout.text, &node.stderr.text);
    detect.iter().find(holds).map(|one| format!("{}: {one}", node.name))
}

/// A node that ends by itself and says by its status that it did not go well.
fn refused(node: &NodeSeen) -> Option<String> {
    match node.ended {
        Some(End::Exited(status)) if status != 0 && !is_own_death(status) => {
            Some(format!("{}: exit {status}", node.name))
        }
        _ => None,
    }
}

fn ended(seen: &Seen) -> Option<i32> {
    match seen.end {
        End::Exited(status) => Some(status),
        _ => None,
    }
}

/// What was answered: by the workload, the oracle, and the nodes that answer. The worst of it; an error
/// if the workload or the oracle gave no answer, and nobody a wrong one.
fn answer(seen: &Observed, baseline: &Baseline) -> Result<Answer, String> {
    let own = compared(&seen.workload, baseline.exit, &baseline.stdout);
    let oracle = seen.oracle.as_ref().zip(baseline.oracle.as_ref());
    let judged = |name: &str, seen: &Seen, (exit, golden): &(i32, Golden)| {
        let answer = compared(seen, *exit, golden)?;
        let before = baseline.before.get(name).filter(|_| own.is_none());
        let unchanged = before.is_some_and(|before| before.compare(&seen.stdout) == Answer::Right);
        Some(if unchanged { Answer::Right } else { answer })
    };
    let oracle = oracle.map(|(seen, golden)| judged("", seen, golden));
    let of_node = |node: &NodeSeen| {
        judged(&node.name, node.oracle.as_ref()?, baseline.of_nodes.get(&node.name)?)
    };
    let nodes = seen.nodes.iter().filter_map(of_node);
    let given: Vec<Answer> = own.into_iter().chain(oracle.flatten()).chain(nodes).collect();
    if given.contains(&Answer::Wrong) {
        return Ok(Answer::Wrong);
    }
    match (own, oracle) {
        (None, _) => Err(seen.workload.end.to_string()),
        (_, Some(None)) => Err("the oracle gave no answer".to_owned()),
        _ if given.contains(&Answer::Part) => Ok(Answer::Part),
        _ => Ok(Answer::Right),
    }
}

/// The answer of what ended as without faults; of others there is none.
fn compared(seen: &Seen, exit: i32, golden: &Golden) -> Option<Answer> {
    (ended(seen) == Some(exit)).then(|| golden.compare(&seen.stdout))
}

fn verdict(
    seen: &Observed,
    baseline: &Baseline,
    node: Option<&NodeSeen>,
    noticed: Option<&String>,
    answer: &Result<Answer, String>,
) -> (Verdict, String) {
    match seen.workload.end {
        End::TimedOut => return (Verdict::Hang, "the workload did not end in time".to_owned()),
        End::Signalled(_) => return (Verdict::Crash, seen.workload.end.to_string()),
        End::Exited(status) if is_own_death(status) => {
            return (Verdict::Crash, seen.workload.end.to_string());
        }
        _ => {}
    }
    if let Some((end, name)) = node.and_then(|node| Some((died(node)?, &node.name))) {
        return (Verdict::Crash, format!("{name}: {end}"));
    }
    let status = ended(&seen.workload);
    match (noticed, answer) {
        (Some(why), Ok(Answer::Right))
            if status == Some(baseline.exit) && seen.spread.is_empty() =>
        {
            (Verdict::Corrected, why.clone())
        }
        (Some(why), _) => (Verdict::Detected, why.clone()),
        (None, Ok(Answer::Right)) if !seen.spread.is_empty() => {
            let by = seen.spread.iter().map(|spread| spread.node.as_str());
            (Verdict::SilentCorruption, format!("damage is now stored by {}", listed(by)))
        }
        (None, Ok(Answer::Right)) if seen.readable == Some(false) => {
            (Verdict::Unavailable, "reads are not possible".to_owned())
        }
        (None, Ok(Answer::Right)) if seen.writable == Some(false) => {
            (Verdict::Unavailable, "writes are not possible".to_owned())
        }
        (None, Ok(Answer::Right)) => (Verdict::Benign, "the same as without faults".to_owned()),
        (None, Ok(Answer::Part)) => (Verdict::DataLoss, "a part of the answer is missing".into()),
        (None, Ok(Answer::Wrong)) => (Verdict::SilentCorruption, "another answer".to_owned()),
        (None, Err(why)) => (Verdict::Unavailable, why.clone()),
    }
}

/// Each once, in order.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: BTreeSet<&str> = names.collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Signals by which programs die of themselves; a shell tells them as 128 and the number.
const OWN_DEATHS: [i32; 7] = [4, 5, 6, 7, 8, 11, 31];

fn is_own_death(status: i32) -> bool {
    OWN_DEATHS.contains(&(status - 128))
}

/// How a signal ended a node.
fn died(node: &NodeSeen) -> Option<End> {
    match node.ended? {
        End::Exited(status) if !is_own_death(status) => None,
        end => Some(end),
    }
}

fn local(
    seen: &Observed,
    node: Option<&NodeSeen>,
    noticed: bool,
    answer: &Result<Answer, String>,
) -> Local {
    // Without a process of its own, the workload is what uses the data.
    let crashed = match node {
        Some(node) => node.ended.is_some(),
        None => !matches!(seen.workload.end, End::Exited(status) if !is_own_death(status)),
    };
    let is_right = *answer == Ok(Answer::Right);
    match (crashed, node.is_some_and(|node| !node.ready), seen.tried_again, noticed) {
        (true, ..) => Local::Crash,
        (_, true, ..) => Local::PartialCrash,
        (_, _, true, _) => Local::Retry,
        (.., true) if is_right && seen.nodes.len() <= 1 => Local::LocalRedundancy,
        (.., true) => Local::DetectAndIgnore,
        _ => Local::NoDetection,
    }
}

fn global(seen: &Observed, baseline: &Baseline, answer: &Result<Answer, String>) -> Vec<Global> {
    let mut effects = Vec::new();
    match answer {
        Ok(Answer::Wrong) => effects.push(Global::Corruption),
        Ok(Answer::Part) => effects.push(Global::DataLoss),
        Ok(Answer::Right) | Err(_) => {}
    }
    match (seen.readable, seen.writable) {
        (Some(false), Some(false)) => effects.push(Global::Unavailable),
        (Some(false), _) => effects.push(Global::ReadUnavailable),
        (_, Some(false)) => effects.push(Global::WriteUnavailable),
        _ => {}
    }
    if ended(&seen.workload) != Some(baseline.exit) || answer.is_err() {
        effects.push(Global::QueryFailure);
    }
    if !seen.spread.is_empty() {
        effects.push(Global::Spread);
    }
    if seen.nodes.iter().any(|node| node.ended.is_some() || !node.ready) {
        effects.push(Global::ReducedRedundancy);
    }
    if effects.is_empty() {
        effects.push(Global::Correct);
    }
    effects
}
