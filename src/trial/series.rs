//! A series of trials: controls first and again among the others, several at a time, in an order
//! that does not depend on which of them ends first.
//!
//! A control that does not pass ends the series: then no verdict stands.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use super::{
    End, FaultSeen, Golden, Isolated, Observation, Seen, Standard, Stop, TrialError, Verdict,
    judge, matching, trial_seed,
};
use crate::scenario::Detect;

/// Controls before the first trial: two, or nothing would tell the answer from what is different
/// each time.
const CONTROLS_FIRST: usize = 2;
/// A control follows each so many trials.
const TRIALS_BETWEEN_CONTROLS: u64 = 20;

/// What a series is to do.
#[derive(Debug)]
pub struct Series<'a> {
    /// How one trial runs.
    pub isolated: &'a Isolated,
    /// It noticed if any of these holds.
    pub detect: &'a [Detect],
    /// The seed of all.
    pub seed: u64,
    /// The numbers of the trials.
    pub trials: Vec<u64>,
    /// How many run at a time.
    pub jobs: usize,
}

/// One trial, judged.
#[derive(Clone, Debug)]
pub struct Trial {
    /// From 1.
    pub number: u64,
    /// Its own seed.
    pub seed: u64,
    /// What it showed.
    pub verdict: Verdict,
    /// Why, in a few words.
    pub why: String,
    /// What happened to its faults.
    pub faults: Vec<FaultSeen>,
    /// What the command did; `None` if errorfs failed.
    pub command: Option<Seen>,
}

/// Why a series has no verdicts.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// It was to stop before anything was shown.
    #[error("interrupted")]
    Interrupted,
    /// errorfs failed in a control.
    #[error("the control trial (no faults) could not be run: {0}")]
    Failed(String),
    /// The command does not end well without faults.
    #[error("{0}")]
    Control(String),
}

/// What was found out before the first trial.
#[derive(Clone, Debug)]
pub struct Controls {
    /// What trials are measured against.
    pub standard: Standard,
    /// What the operator should know of it.
    pub notes: Vec<String>,
}

/// How a series ended.
#[derive(Debug)]
pub enum SeriesEnd {
    /// All trials were run, or the listener had heard enough.
    Done,
    /// It was to stop.
    Interrupted,
    /// A control among the trials did not pass.
    Failed(SeriesError),
}

#[derive(Clone, Copy)]
enum Item {
    Trial(u64),
    Control,
}

type Outcome = Result<Observation, TrialError>;

impl Series<'_> {
    /// Runs the first controls.
    pub fn controls(&self, stop: Stop<'_>) -> Result<Controls, SeriesError> {
        let mut seen = Vec::new();
        for number in 0..CONTROLS_FIRST {
            let outcome = self.isolated.run(&format!("control-{number}"), None, stop);
            seen.push(self.passed(outcome)?);
        }
        let exits: Vec<i32> = seen.iter().map(|seen| status(&seen.command)).collect();
        if exits.iter().any(|exit| *exit != exits[0]) {
            return Err(SeriesError::Control(format!(
                "without faults the command ends with status {}, and then with status {}: \
                 make it end the same each time",
                exits[0], exits[1]
            )));
        }
        let mut notes = Vec::new();
        let outputs: Vec<_> = seen.iter().map(|seen| &seen.command.stdout).collect();
        let stdout = Golden::of(&outputs);
        if stdout == Golden::Different && self.isolated.golden.is_none() {
            notes.push(
                "the command prints something else each time, so its output is not compared: \
                 --golden CMD compares the data"
                    .to_owned(),
            );
        }
        let golden = self.golden(&seen)?;
        let standard = Standard { detect: self.detect.to_vec(), exit: exits[0], stdout, golden };
        Ok(Controls { standard, notes })
    }

    /// What the golden command says without faults; it must be the same each time.
    fn golden(&self, seen: &[Observation]) -> Result<Option<(i32, Golden)>, SeriesError> {
        let outputs: Vec<&Seen> = seen.iter().filter_map(|seen| seen.golden.as_ref()).collect();
        let Some(first) = outputs.first() else { return Ok(None) };
        let wrong = outputs.iter().find(|seen| seen.end != End::Exited(0));
        if let Some(seen) = wrong {
            let said = last_line(&seen.stderr.text);
            let message = format!("the golden command fails without faults ({}{said})", seen.end);
            return Err(SeriesError::Control(message));
        }
        let golden = Golden::of(&outputs.iter().map(|seen| &seen.stdout).collect::<Vec<_>>());
        if golden == Golden::Different || first.stdout.text.is_empty() {
            let what =
                if first.stdout.text.is_empty() { "nothing" } else { "something else each time" };
            return Err(SeriesError::Control(format!(
                "the golden command prints {what} without faults, so there is nothing to compare: \
                 let it print the data, or a hash of them"
            )));
        }
        Ok(Some((status(first), golden)))
    }

    /// A control that ended well, or what is wrong with it.
    fn passed(&self, outcome: Outcome) -> Result<Observation, SeriesError> {
        let seen = match outcome {
            Err(TrialError::Interrupted) => return Err(SeriesError::Interrupted),
            Err(TrialError::Failed(why)) => return Err(SeriesError::Failed(why)),
            Ok(seen) => seen,
        };
        let command = &seen.command;
        let said = match last_line(&command.stderr.text) {
            said if said.is_empty() => last_line(&command.stdout.text),
            said => said,
        };
        match command.end {
            End::Exited(status) => match matching(self.detect, status, command) {
                None => Ok(seen),
                Some(detect) => Err(SeriesError::Control(format!(
                    "without faults the command already says that something is wrong ({detect}{said}): \
                     repair the directory or the command, or tell better with --detect"
                ))),
            },
            End::TimedOut => Err(SeriesError::Control(format!(
                "without faults the command does not end within {}: give it more with --timeout",
                crate::scenario::duration::format(self.isolated.timeout)
            ))),
            end => Err(SeriesError::Control(format!(
                "without faults the command does not end well ({end}{said})"
            ))),
        }
    }

    /// Runs the trials. `on` hears of each in the order of their numbers, and says whether to go on.
    pub fn run(
        &self,
        standard: &Standard,
        stop: Stop<'_>,
        on: &mut dyn FnMut(Trial) -> bool,
    ) -> SeriesEnd {
        let items = self.items();
        let (next, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
        let stopped = || stop() || enough.load(Ordering::Relaxed);
        let (sender, outcomes) = channel();
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.clamp(1, items.len().max(1)) {
                let sender = sender.clone();
                let worker = || self.work(&items, &next, &stopped, sender);
                scope.spawn(worker);
            }
            drop(sender);
            let mut waiting = BTreeMap::new();
            let mut place = 0;
            let mut end = SeriesEnd::Done;
            for (index, outcome) in outcomes {
                waiting.insert(index, outcome);
                while let Some(outcome) = waiting.remove(&place) {
                    let goes_on = self.hear(items[place], outcome, standard, on, &mut end);
                    place += 1;
                    if !goes_on {
                        enough.store(true, Ordering::Relaxed);
                        return end;
                    }
                }
            }
            if place < items.len() { SeriesEnd::Interrupted } else { end }
        })
    }

    fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for (place, number) in self.trials.iter().enumerate() {
            items.push(Item::Trial(*number));
            if (place as u64 + 1).is_multiple_of(TRIALS_BETWEEN_CONTROLS) {
                items.push(Item::Control);
            }
        }
        items
    }

    /// One worker: trials, one after the other, until there is none or it is to stop. Its thread
    /// lives as long as its trials: they die with it.
    fn work(
        &self,
        items: &[Item],
        next: &AtomicUsize,
        stop: Stop<'_>,
        sender: Sender<(usize, Outcome)>,
    ) {
        while !stop() {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { return };
            let seed = match item {
                Item::Trial(number) => Some(trial_seed(self.seed, *number)),
                Item::Control => None,
            };
            let outcome = self.isolated.run(&format!("trial-{place}"), seed, stop);
            if sender.send((place, outcome)).is_err() {
                return;
            }
        }
    }

    fn hear(
        &self,
        item: Item,
        outcome: Outcome,
        standard: &Standard,
        on: &mut dyn FnMut(Trial) -> bool,
        end: &mut SeriesEnd,
    ) -> bool {
        if matches!(outcome, Err(TrialError::Interrupted)) {
            *end = SeriesEnd::Interrupted;
            return false;
        }
        match item {
            Item::Trial(number) => {
                on(trial(number, trial_seed(self.seed, number), outcome, standard))
            }
            Item::Control => match self.passed(outcome) {
                Ok(_) => true,
                Err(error) => {
                    *end = SeriesEnd::Failed(error);
                    false
                }
            },
        }
    }
}

fn trial(number: u64, seed: u64, outcome: Outcome, standard: &Standard) -> Trial {
    match outcome {
        Ok(seen) => {
            let (verdict, why) = judge(&seen, standard);
            Trial { number, seed, verdict, why, faults: seen.faults, command: Some(seen.command) }
        }
        Err(error) => {
            let (verdict, why) = (Verdict::Inconclusive, error.to_string());
            Trial { number, seed, verdict, why, faults: Vec::new(), command: None }
        }
    }
}

fn status(seen: &Seen) -> i32 {
    match seen.end {
        End::Exited(status) => status,
        _ => -1,
    }
}

/// What was said last, after a colon; nothing if nothing was.
fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    last.map_or(String::new(), |line| format!(": {}", line.trim()))
}
