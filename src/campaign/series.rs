//! The trials of a shard, several at a time, and now and then one without any fault: if that does not
//! end well, no verdict stands.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use super::{
    Baseline, Global, Judgement, Local, Observed, PlannedTrial, RunTold, Runner, TrialLine, Under,
    judge_control, judge_run,
};
use crate::ledger::unescape;
use crate::trial::{Said, Stop, TrialError, Verdict, remove};

/// A control follows each so many trials.
const TRIALS_BETWEEN_CONTROLS: usize = 50;
/// So much of the end of an output is kept.
const TAIL_BYTES: usize = 1000;
/// So much of a block is kept as it was.
const STORED_BYTES: usize = 64;

/// What is to be run.
#[derive(Debug)]
pub struct CampaignSeries<'a> {
    /// How.
    pub runner: Runner<'a>,
    /// Measured against this.
    pub baseline: &'a Baseline,
    /// The trials, and which attempt at each.
    pub trials: Vec<(PlannedTrial, u64)>,
    /// How many at a time.
    pub jobs: usize,
    /// Where runs have their folders.
    pub scratch: &'a Path,
    /// Name of this machine.
    pub host: &'a str,
}

/// How a series ended.
#[derive(Debug)]
pub enum CampaignEnd {
    /// All trials were run.
    Done,
    /// It was to stop.
    Interrupted,
    /// A run without faults did not end well.
    Control(String),
}

enum Outcome {
    Trial(Box<TrialLine>),
    Interrupted,
    Control(Result<(), String>),
}

impl CampaignSeries<'_> {
    /// Runs the trials. `on` hears of each as it ends, and says whether to go on.
    pub fn run(&self, stop: Stop<'_>, on: &mut dyn FnMut(TrialLine) -> bool) -> CampaignEnd {
        let (next, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
        let stopped = || stop() || enough.load(Ordering::Relaxed);
        let (sender, outcomes) = channel();
        let mut end = CampaignEnd::Done;
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.clamp(1, self.trials.len().max(1)) {
                let sender = sender.clone();
                scope.spawn(|| self.work(&next, &stopped, sender));
            }
            drop(sender);
            for outcome in outcomes {
                let goes_on = match outcome {
                    Outcome::Trial(line) => on(*line),
                    Outcome::Control(Ok(())) => true,
                    Outcome::Control(Err(why)) => {
                        end = CampaignEnd::Control(why);
                        false
                    }
                    Outcome::Interrupted => false,
                };
                if !goes_on {
                    enough.store(true, Ordering::Relaxed);
                    if matches!(end, CampaignEnd::Done) {
                        end = CampaignEnd::Interrupted;
                    }
                }
            }
        });
        match end {
            CampaignEnd::Done if stop() && next.load(Ordering::Relaxed) < self.trials.len() => {
                CampaignEnd::Interrupted
            }
            end => end,
        }
    }

    /// One worker. Its thread lives as long as its trials: they die with it.
    fn work(&self, next: &AtomicUsize, stop: Stop<'_>, sender: Sender<Outcome>) {
        while !stop() {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some((trial, attempt)) = self.trials.get(place) else { return };
            let outcome = self.trial(trial, *attempt, stop);
            if sender.send(outcome).is_err() {
                return;
            }
            if (place + 1).is_multiple_of(TRIALS_BETWEEN_CONTROLS) && !stop() {
                let _ = sender.send(self.control(place, stop));
            }
        }
    }

    fn control(&self, place: usize, stop: Stop<'_>) -> Outcome {
        let own = self.scratch.join(format!("control-{place}"));
        let seen = self.runner.run(&own, Under::Nothing, stop);
        let _ = remove(&own);
        match seen {
            Ok(seen) => Outcome::Control(judge_control(&seen, self.baseline)),
            Err(TrialError::Interrupted) => Outcome::Interrupted,
            Err(TrialError::Failed(why)) => Outcome::Control(Err(why)),
        }
    }

    fn trial(&self, trial: &PlannedTrial, attempt: u64, stop: Stop<'_>) -> Outcome {
        let (own, start) = (self.scratch.join(trial.id.to_string()), Instant::now());
        let campaign = self.runner.campaign;
        let node = trial.point.node.as_str();
        let scenario = &*trial.point.scenario(campaign.block, trial.seed);
        let seen = self.runner.run(&own, Under::Fault { node, scenario, seed: trial.seed }, stop);
        let removed = remove(&own);
        let told = match (seen, removed) {
            (Err(TrialError::Interrupted), _) => return Outcome::Interrupted,
            (Err(error), _) => Err(error.to_string()),
            (_, Err(error)) => Err(format!("its folder cannot be removed: {error}")),
            (Ok(seen), Ok(())) => Ok(seen),
        };
        let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let finished = jiff::Timestamp::now().to_string();
        let run = RunTold { attempt, finished, host: self.host.to_owned(), elapsed_ms };
        Outcome::Trial(Box::new(self.line(trial, told, run)))
    }

    fn line(
        &self,
        trial: &PlannedTrial,
        told: Result<Observed, String>,
        run: RunTold,
    ) -> TrialLine {
        let node = &trial.point.node;
        let judgement = match &told {
            Ok(seen) => judge_run(seen, self.baseline, self.runner.campaign, node),
            Err(why) => inconclusive(why.clone()),
        };
        let Judgement { verdict, local, global, why } = judgement;
        let events = told.iter().flat_map(|seen| &seen.events);
        let events = events.filter_map(|event| serde_json::to_value(event).ok()).collect();
        let says = told.as_ref().ok().filter(|_| verdict.is_activated());
        TrialLine {
            trial: trial.id.to_string(),
            point: trial.point.clone(),
            seed: trial.seed,
            verdict,
            local,
            global,
            why,
            events,
            spread: told.as_ref().map_or(Vec::new(), |seen| seen.spread.clone()),
            stored: self.stored(trial),
            said: says.map_or_else(BTreeMap::new, said),
            run,
        }
    }

    /// The block as it is in the data, which no trial changes.
    fn stored(&self, trial: &PlannedTrial) -> Option<String> {
        use std::os::unix::ffi::OsStringExt as _;
        use std::os::unix::fs::FileExt as _;
        let path = std::ffi::OsString::from_vec(unescape(&trial.point.path)?);
        let file = std::fs::File::open(self.runner.layout.node(&trial.point.node).join(path));
        let mut bytes = [0; STORED_BYTES];
        let start = trial.point.block * self.runner.campaign.block;
        let count = file.ok()?.read_at(&mut bytes, start).ok().filter(|count| *count > 0)?;
        Some(bytes[..count].iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn inconclusive(why: String) -> Judgement {
    let verdict = Verdict::Inconclusive;
    Judgement { verdict, local: Local::Unknown, global: vec![Global::Unknown], why }
}

/// The ends of all outputs that have any.
fn said(seen: &Observed) -> BTreeMap<String, String> {
    let mut all: Vec<(String, &Said)> = vec![
        ("workload.stdout".to_owned(), &seen.workload.stdout),
        ("workload.stderr".to_owned(), &seen.workload.stderr),
    ];
    if let Some(oracle) = &seen.oracle {
        all.push(("oracle.stdout".to_owned(), &oracle.stdout));
        all.push(("oracle.stderr".to_owned(), &oracle.stderr));
    }
    for node in &seen.nodes {
        all.push((format!("{}.stdout", node.name), &node.stdout));
        all.push((format!("{}.stderr", node.name), &node.stderr));
        if let Some(oracle) = &node.oracle {
            all.push((format!("{}.oracle.stdout", node.name), &oracle.stdout));
        }
    }
    let some = all.into_iter().filter(|(_, said)| !said.text.is_empty());
    some.map(|(name, said)| (name, tail(&said.text))).collect()
}

fn tail(text: &[u8]) -> String {
    let start = text.len().saturating_sub(TAIL_BYTES);
    String::from_utf8_lossy(&text[start..]).into_owned()
}
