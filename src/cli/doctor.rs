//! `errorfs doctor`: what this machine lacks, and what to do about it.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::out;
use crate::machine::{Check, Examination, Probe, Status, attempt_answer, examine};

/// Say what this machine lacks for errorfs, and what to do about it
///
/// Tries to mount, in a private namespace that vanishes at once. Exit status: 0 if errorfs can
/// mount by at least one route, else 4.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Try this in this process: what the doctor starts its children with
    #[arg(long, hide = true)]
    probe: Option<String>,
    /// What is probed
    #[arg(hide = true, requires = "probe")]
    path: Option<PathBuf>,
}

/// Examines and tells.
pub(super) fn run(args: &Doctor) -> Result<Exit, Failure> {
    if let Some(what) = &args.probe {
        let cannot = |message| Failure::new(Exit::CannotMount, message);
        return probe(what, args.path.clone()).map_or_else(|e| Err(cannot(e)), |()| Ok(Exit::Done));
    }
    let examination = examine();
    match args.json {
        true => tell_json(&examination)?,
        false => tell(&examination)?,
    }
    Ok(match examination.can_mount {
        true => Exit::Done,
        false => Exit::CannotMount,
    })
}

fn probe(what: &str, path: Option<PathBuf>) -> Result<(), String> {
    match (what, path) {
        ("mount", None) => Probe::Mount.attempt(),
        ("user-mount", None) => Probe::UserMount.attempt(),
        ("answer", Some(path)) => attempt_answer(&path),
        ("passthrough", None) => super::serving::attempt_passthrough(),
        _ => Err(format!("nothing is known of probe {what}")),
    }
}

fn tell_json(examination: &Examination) -> Result<(), Failure> {
    let text = serde_json::to_string(examination);
    out(&text.map_err(|error| Failure::new(Exit::Internal, error.to_string()))?)
}

fn tell(examination: &Examination) -> Result<(), Failure> {
    let colour = std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    for check in &examination.checks {
        out(&line(check, colour))?;
        if let Some(remedy) = &check.remedy {
            out(&format!("{:30}-> {remedy}", ""))?;
        }
    }
    out(match examination.can_mount {
        true => "\nerrorfs can mount here.",
        false => "\nerrorfs cannot mount here: every route is closed. Open one of the first three.",
    })
}

fn line(check: &Check, colour: bool) -> String {
    let (word, code) = match check.status {
        Status::Ok => ("ok", 32),
        Status::Warn => ("warn", 33),
        Status::Fail => ("fail", 31),
    };
    let word = match colour {
        true => format!("\x1b[{code}m{word:<4}\x1b[0m"),
        false => format!("{word:<4}"),
    };
    format!("{word}  {:<23} {}", check.name, check.found)
}
