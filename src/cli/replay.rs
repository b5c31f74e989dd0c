//! `errorfs replay`: from a ledger to a scenario that gives the same faults again.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{Exit, Failure};
use super::{eprint, out};
use crate::diagnostic::Diagnostic;
use crate::ledger::{Ledger, read, replay};
use crate::scenario::Scenario;

/// Turn a ledger into a scenario of exact positions that gives the same faults again
///
///   errorfs replay ledger.jsonl -o again.toml
///
/// Stored damage (sticky and permanent flips and regions, bad sectors) comes back exactly, in any
/// order of reads: each file gets the bits, regions and sectors that were read, regions with the
/// same junk. Transient flips and regions, errors and delays come back at the same occurrences:
/// exactly, if the target repeats its operations in the same order. What no replay can repeat: the
/// order of operations that run side by side; the moment at which `after` and `for` open and close;
/// that a bad sector turned bad only when it was written; which of two files was meant that had the
/// same name one after the other.
///
/// Exit status: 5 if no fault was delivered, 78 if it is no ledger, 1 if some faults cannot be
/// said in a scenario (stderr tells which).
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Replay {
    /// Write the scenario to this new file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A ledger of errorfs mount or run
    ledger: PathBuf,
}

/// Reads, turns, writes.
pub(super) fn run(args: &Replay) -> Result<Exit, Failure> {
    let bad = |message: String| Failure::new(Exit::BadFile, message);
    let name = args.ledger.display();
    let ledger = read(&args.ledger).map_err(|error| bad(error.to_string()))?;
    if ledger.truncated {
        eprint(&format!("{name}: the last line is cut off; its fault was not delivered"));
    }
    let scenario = Scenario::from_canonical(&ledger.header.scenario)
        .map_err(|mistakes| bad(format!("{name}:1: its scenario: {}", told(&mistakes))))?;
    let replay = replay(&scenario, ledger.header.seed, &ledger.events)
        .map_err(|error| bad(format!("{name}: {error}")))?;
    for omitted in &replay.omitted {
        eprint(omitted);
    }
    if replay.scenario.rules.is_empty() && replay.omitted.is_empty() {
        let message = format!("{name}: no fault was delivered, so that there is none to replay");
        return Err(Failure::new(Exit::NothingMatched, message));
    }
    write(args, &text(&ledger, &replay.scenario))?;
    Ok(match replay.omitted.is_empty() {
        true => Exit::Done,
        false => Exit::ExpectationFailed,
    })
}

fn told(mistakes: &[Diagnostic]) -> String {
    let messages: Vec<_> = mistakes.iter().map(|mistake| &*mistake.message).collect();
    messages.join("; ")
}

fn text(ledger: &Ledger, scenario: &Scenario) -> String {
    let armed = &ledger.header.armed;
    let plan = &ledger.header.plan;
    let toml = scenario.to_toml();
    format!("# The faults that plan {plan}, armed {armed}, delivered.\n{toml}")
}

fn write(args: &Replay, text: &str) -> Result<(), Failure> {
    let Some(path) = &args.output else {
        return out(text.trim_end());
    };
    write_new(path, text).map_err(|error| {
        let message = format!("{}: {error}; nothing is overwritten", path.display());
        Failure::new(Exit::Usage, message)
    })
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}
