//! Runs without faults: what is right, what is different each time, and what is touched.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::{
    Baseline, CampaignPlan, Layout, Observed, Runner, Space, StageRecord, Under, judge_control,
    said_by_node, trace_file,
};
use crate::scenario::Campaign;
use crate::trace::{Record, read_trace};
use crate::trial::{End, Golden, Seen, Stop, TrialError, matching};

/// How the names of folders begin in which runs are being made.
const MAKING: &str = "golden.making.";
/// The run that only asks how the data were.
const BEFORE: &str = "before";

/// Why a campaign cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// It was to stop.
    #[error("interrupted")]
    Interrupted,
    /// errorfs itself failed.
    #[error("a run without faults could not be made: {0}")]
    Failed(String),
    /// The system does not do without faults what it should.
    #[error("a run without faults did not end well: {0}")]
    Bad(String),
}

impl From<io::Error> for GoldenError {
    fn from(error: io::Error) -> GoldenError {
        GoldenError::Failed(error.to_string())
    }
}

impl From<TrialError> for GoldenError {
    fn from(error: TrialError) -> GoldenError {
        match error {
            TrialError::Interrupted => GoldenError::Interrupted,
            TrialError::Failed(why) => GoldenError::Failed(why),
        }
    }
}

/// Makes the runs, if they have not been made. Those that were interrupted are made anew.
pub fn make_golden(runner: &Runner<'_>, stop: Stop<'_>) -> Result<(), GoldenError> {
    let golden = runner.layout.golden();
    if golden.exists() {
        return Ok(());
    }
    // Whoever was killed may still be dying in its own.
    let making = runner.layout.root().join(format!("{MAKING}{}", std::process::id()));
    remove_stale(runner.layout.root());
    let mut runs = Vec::new();
    for number in 0..runner.campaign.golden {
        let own = making.join(number.to_string());
        runs.push(runner.run(&own, Under::Trace, stop)?);
        crate::trial::remove(&own.join("tmp"))?;
    }
    let own = making.join(BEFORE);
    let before = runner.run(&own, Under::Before, stop)?;
    crate::trial::remove(&own.join("tmp"))?;
    baseline(runner.campaign, &runs, &before)?;
    Ok(std::fs::rename(making, golden)?)
}

/// What was left half made is of no use to anybody; what cannot be removed yet is next time.
fn remove_stale(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(MAKING) {
            let _ = crate::trial::remove(&entry.path());
        }
    }
}

/// What runs are measured against, from those that were made.
pub fn read_baseline(campaign: &Campaign, layout: &Layout) -> Result<Baseline, GoldenError> {
    let read = |name: &str| {
        let own = layout.golden().join(name);
        let record = StageRecord::read(&own)
            .ok_or_else(|| GoldenError::Failed(format!("{}: no record", own.display())))?;
        Ok(Observed::read(&own, &record, None)?)
    };
    let runs = (0..campaign.golden).map(|number| read(&number.to_string()));
    let runs: Vec<Observed> = runs.collect::<Result<_, GoldenError>>()?;
    baseline(campaign, &runs, &read(BEFORE)?)
}

/// The plan, from the traces of the runs that were made.
pub fn make_plan(campaign: &Campaign, layout: &Layout) -> Result<CampaignPlan, GoldenError> {
    let mut traces: BTreeMap<String, Vec<Vec<Record>>> = BTreeMap::new();
    for node in &campaign.nodes {
        for number in 0..campaign.golden {
            let trace = trace_file(&layout.golden().join(number.to_string()), &node.name);
            traces.entry(node.name.clone()).or_default().push(records(&trace)?);
        }
    }
    Ok(CampaignPlan::new(campaign, Space::of(campaign, &traces)))
}

fn records(trace: &Path) -> Result<Vec<Record>, GoldenError> {
    let trace = read_trace(trace).map_err(|error| GoldenError::Failed(error.to_string()))?;
    Ok(trace.records)
}

fn baseline(
    campaign: &Campaign,
    runs: &[Observed],
    before: &Observed,
) -> Result<Baseline, GoldenError> {
    let bad = |why: String| Err(GoldenError::Bad(why));
    let workloads: Vec<&Seen> = runs.iter().map(|run| &run.workload).collect();
    let (exit, stdout) = alike("workload", &workloads)?;
    let oracles: Vec<&Seen> = runs.iter().filter_map(|run| run.oracle.as_ref()).collect();
    let oracle = campaign.oracle.is_some().then(|| alike("oracle", &oracles)).transpose()?;
    let mut of_nodes = BTreeMap::new();
    for node in campaign.nodes.iter().filter(|node| node.oracle.is_some()) {
        let of_run = |run: &'_ Observed| {
            let seen = run.nodes.iter().find(|seen| seen.name == node.name)?;
            seen.oracle.clone()
        };
        let seen: Vec<Seen> = runs.iter().filter_map(of_run).collect();
        let name = format!("oracle of {}", node.name);
        of_nodes.insert(node.name.clone(), alike(&name, &seen.iter().collect::<Vec<_>>())?);
    }
    let before = answers_before(before);
    let baseline = Baseline { exit, stdout, oracle, of_nodes, before };
    for run in runs {
        if let Some(node) = run.nodes.iter().find(|node| !node.ready || node.ended.is_some()) {
            let state = node.ended.map_or("it is not ready in time".into(), |end| end.to_string());
            return bad(format!("node {}: {state}{}", node.name, last_line(&node.stderr.text)));
        }
        if let Err(why) = judge_control(run, &baseline) {
            return bad(why);
        }
        if let Some(why) = says_so(campaign, run, exit) {
            return bad(format!("`detect` holds without any fault: {why}"));
        }
    }
    Ok(baseline)
}

/// What the oracles say of the data before anything was asked.
fn answers_before(run: &Observed) -> BTreeMap<String, Golden> {
    let of_nodes = run.nodes.iter().map(|node| (node.name.as_str(), node.oracle.as_ref()));
    let all = of_nodes.chain([("", run.oracle.as_ref())]);
    let answered = all.filter_map(|(name, seen)| Some((name.to_owned(), seen?)));
    answered.map(|(name, seen)| (name, Golden::Same(seen.stdout.clone()))).collect()
}

/// A predicate that holds always says nothing.
fn says_so(campaign: &Campaign, run: &Observed, exit: i32) -> Option<String> {
    let spec = |name: &str| campaign.nodes.iter().find(|node| node.name == name);
    let by_nodes =
        || run.nodes.iter().find_map(|node| said_by_node(&spec(&node.name)?.detect, node));
    matching(&campaign.detect, exit, &run.workload).or_else(by_nodes)
}

/// How a command ends each time, and what its outputs have in common.
fn alike(name: &str, seen: &[&Seen]) -> Result<(i32, Golden), GoldenError> {
    let mut exit = None;
    for seen in seen {
        let End::Exited(status) = seen.end else {
            let said = last_line(&seen.stderr.text);
            return Err(GoldenError::Bad(format!("the {name}: {}{said}", seen.end)));
        };
        if *exit.get_or_insert(status) != status {
            let why = format!("the {name} ends with status {status}, and with another before");
            return Err(GoldenError::Bad(why));
        }
    }
    let outputs: Vec<_> = seen.iter().map(|seen| &seen.stdout).collect();
    Ok((exit.unwrap_or(0), Golden::of(&outputs)))
}

/// What was said last, after a colon; nothing if nothing was.
fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    last.map_or(String::new(), |line| format!(": {}", line.trim()))
}
