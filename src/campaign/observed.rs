//! What was seen of one run of a campaign. Plain data; what it means is the business of
//! [`judge`](super::judge_run).

use std::io;
use std::path::Path;

use super::{Ran, Spread, StageRecord, outputs};
use crate::ledger::{self, Event, Outcome};
use crate::trial::{End, Said, Seen};

/// One run.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The workload.
    pub workload: Seen,
    /// The oracle.
    pub oracle: Option<Seen>,
    /// Whether reads were possible.
    pub readable: Option<bool>,
    /// Whether writes were possible.
    pub writable: Option<bool>,
    /// The nodes that are processes.
    pub nodes: Vec<NodeSeen>,
    /// Events of the ledger that came before the oracle, and were delivered; the first of them.
    pub events: Vec<Event>,
    /// Whether there was any.
    pub activated: bool,
    /// Where other nodes store what the faulty one was given.
    pub spread: Vec<Spread>,
    /// Whether the same bytes were asked for again after they had failed.
    pub tried_again: bool,
}

/// One node.
#[derive(Clone, Debug)]
pub struct NodeSeen {
    /// Its name.
    pub name: String,
    /// Whether it became ready.
    pub ready: bool,
    /// How it ended, if it did by itself.
    pub ended: Option<End>,
    /// Its own oracle.
    pub oracle: Option<Seen>,
    /// What it wrote to its standard output.
    pub stdout: Said,
    /// What it wrote to its standard error.
    pub stderr: Said,
}

/// No report shows more events of one trial.
const EVENTS_MAX: usize = 4;

impl Observed {
    /// Reads what a stage left in its folder.
    pub fn read(into: &Path, record: &StageRecord, ledger: Option<&Path>) -> io::Result<Observed> {
        let delivered = ledger.map_or(Ok(Vec::new()), |ledger| delivered(ledger, record.events))?;
        let passed = |ran: Option<Ran>| ran.map(|ran| ran.end == End::Exited(0));
        let nodes = record.nodes.iter().map(|node| {
            let [stdout, stderr] = said(into, &node.name)?;
            let oracle = node.oracle.map(|ran| seen(into, &format!("{}.oracle", node.name), ran));
            let (name, ready, ended) = (node.name.clone(), node.ready, node.ended);
            Ok(NodeSeen { name, ready, ended, oracle: oracle.transpose()?, stdout, stderr })
        });
        Ok(Observed {
            workload: seen(into, "workload", record.workload)?,
            oracle: record.oracle.map(|ran| seen(into, "oracle", ran)).transpose()?,
            readable: passed(record.check_read),
            writable: passed(record.check_write),
            nodes: nodes.collect::<io::Result<_>>()?,
            activated: !delivered.is_empty(),
            spread: record.spread.clone(),
            tried_again: tried_again(&delivered),
            events: delivered.into_iter().take(EVENTS_MAX).collect(),
        })
    }
}

fn said(into: &Path, name: &str) -> io::Result<[Said; 2]> {
    let [stdout, stderr] = outputs(into, name);
    Ok([Said::read(&stdout)?, Said::read(&stderr)?])
}

fn seen(into: &Path, name: &str, ran: Ran) -> io::Result<Seen> {
    let [stdout, stderr] = said(into, name)?;
    Ok(Seen { end: ran.end, elapsed_ms: ran.elapsed_ms, stdout, stderr })
}

fn delivered(ledger: &Path, before: u64) -> io::Result<Vec<Event>> {
    let events = ledger::read(ledger).map_err(io::Error::other)?.events;
    let wanted = |event: &Event| event.seq <= before && event.outcome == Outcome::Delivered;
    Ok(events.into_iter().filter(wanted).collect())
}

/// The same operation at the same place failed twice for the same thread: the checks are others.
fn tried_again(events: &[Event]) -> bool {
    let failed: Vec<_> = events.iter().filter(|event| event.errno.is_some()).collect();
    failed.iter().enumerate().any(|(place, event)| {
        let same = |other: &&&Event| {
            (&other.op, other.offset, other.pid) == (&event.op, event.offset, event.pid)
        };
        failed[..place].iter().any(|other| same(&other))
    })
}
