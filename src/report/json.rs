//! The report for a program: one JSON object. The format may only grow.

use serde_json::{Value, json};

use super::{Outcome, Requirement, Summary};
use crate::trial::{Seen, Trial, Verdict};

/// Version of the format in this file.
const FORMAT: u32 = 1;

/// So much of the end of an output is reported.
const TAIL_BYTES: usize = 2000;

/// The whole report.
pub fn to_json(summary: &Summary) -> Value {
    let estimate = summary.estimate();
    let (low, high) = estimate.interval();
    let shown = estimate.trials > 0;
    let counts =
        Verdict::ALL.map(|verdict| (verdict.name().to_owned(), summary.count(verdict).into()));
    let trials: Vec<Value> = summary.trials.iter().map(|one| trial(summary, one)).collect();
    json!({
        "drill": FORMAT,
        "errorfs": env!("CARGO_PKG_VERSION"),
        "recipe": summary.name,
        "tool": summary.tool,
        "directory": summary.directory,
        "command": summary.command,
        "fault": summary.fault,
        "seed": summary.seed,
        "planned": summary.planned,
        "interrupted": summary.interrupted,
        "counts": Value::Object(counts.into_iter().collect()),
        "activated": estimate.trials,
        "noticed": estimate.hits,
        "rate": estimate.rate(),
        "interval_95": shown.then_some([low, high]),
        "at_least_95": shown.then(|| estimate.at_least()),
        "at_most_95": shown.then(|| estimate.at_most()),
        "required": required(summary.requirement),
        "met": met(summary.outcome()),
        "notes": summary.notes,
        "trials": trials,
    })
}

fn required(requirement: Requirement) -> Value {
    match requirement {
        Requirement::None => Value::Null,
        Requirement::Rate(rate) => rate.into(),
        Requirement::Blind => "undetected".into(),
    }
}

fn met(outcome: Outcome) -> Option<bool> {
    match outcome {
        Outcome::NotRequired => None,
        Outcome::Met => Some(true),
        Outcome::NotMet | Outcome::NothingShown => Some(false),
    }
}

fn trial(summary: &Summary, trial: &Trial) -> Value {
    json!({
        "number": trial.number,
        "seed": trial.seed,
        "verdict": trial.verdict,
        "why": trial.why,
        "faults": trial.faults,
        "command": trial.command.as_ref().map(command),
        "repeat": summary.repeat(trial.number),
    })
}

fn command(seen: &Seen) -> Value {
    json!({
        "end": seen.end,
        "elapsed_ms": seen.elapsed_ms,
        "stdout_blake3": seen.stdout.hash.to_hex().as_str(),
        "stdout_tail": tail(&seen.stdout.text),
        "stderr_tail": tail(&seen.stderr.text),
    })
}

fn tail(text: &[u8]) -> String {
    let start = text.len().saturating_sub(TAIL_BYTES);
    String::from_utf8_lossy(&text[start..]).into_owned()
}
