//! `errorfs drill`: does this command notice damage? Many trials, each with a fault of its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;

use super::exercise::Exercise;
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::{eprint, out};
use crate::report::{Outcome, Summary, to_html, to_json, to_junit, to_text, to_text_of_one};
use crate::scenario::{Detect, duration};
use crate::trial::{Controls, Series, SeriesEnd, SeriesError};

/// Try whether a command notices damage: many runs, each with a fault of its own
///
///   errorfs drill --trials 60 REPO -- restic -r {mnt} check --read-data
///   errorfs drill --recipe restic-check-read-data      # on a sample that errorfs makes
///
/// In COMMAND, {mnt} stands for the directory as the trial sees it, and {tmp} for an empty one of
/// its own. Nothing of DIR ever changes: what COMMAND writes is thrown away. Other places that it
/// writes to (caches, /tmp) are not: switch caches off, or it may read good data from them.
///
/// First come control trials without faults; if one does not end well, nothing is judged. Then each
/// trial gets a fault of its own (by default one flipped bit, anywhere in DIR), and a verdict: see
/// README. A fault that was never read shows nothing, and counts for nothing.
///
/// --detect says how one tells that COMMAND noticed; any of several is enough:
///
///   exit != 0 (also just `exit`; the default), exit = 3, exit >= 2, exit <= 1
///   stdout ~ REGEX, stdout !~ REGEX, stderr ~ REGEX    (^ and $ are those of lines)
///
/// Of what was not noticed, the output tells whether it did harm: that of COMMAND, and with
/// --golden CMD that of CMD, a line for the shell that reads the data themselves.
///
/// The exit status is 1 if less was noticed than --require says (the rate over the trials whose
/// fault was read), or a recipe did not do as expected; 5 if a control did not end well, there is no
/// place for the fault, it was never read and something was required, or errorfs failed in all trials;
/// else 0. 75 if interrupted: what was found so far is printed.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Drill {
    /// How many bits are flipped in each trial
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "scenario")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) flips: u16,
    /// Only in files that match; may be repeated
    #[arg(long, value_name = "GLOB", conflicts_with = "scenario")]
    pub(super) path: Vec<String>,
    /// What goes wrong instead of flipped bits; several files add up
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Vec<PathBuf>,
    /// How many trials
    #[arg(long, value_name = "N", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) trials: u64,
    /// Only this one of the trials, and all that its command says
    #[arg(long, value_name = "K", conflicts_with_all = ["trials", "until", "require"])]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) trial: Option<u64>,
    /// The root of all randomness; default: drawn and printed
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// How many trials run at a time; default: as many as there are processors
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// A known product (README, recipes), or a file that describes one
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) recipe: Option<String>,
    /// Make the recipe's sample in this directory, and leave it there
    #[arg(long, value_name = "DIR", requires = "recipe", conflicts_with = "dir")]
    pub(super) sample: Option<PathBuf>,
    /// How much of the damage that was read must be noticed, from 0 to 1
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub(super) require: Option<f64>,
    /// Stop as soon as it is 95 % sure whether --require is met
    #[arg(long)]
    pub(super) until: bool,
    /// How long one run may take; default: 60s
    #[arg(long, value_name = "DURATION", value_parser = parse_timeout)]
    pub(super) timeout: Option<Duration>,
    /// How one tells that it noticed; may be repeated
    #[arg(long, value_name = "PREDICATE", value_parser = Detect::parse)]
    pub(super) detect: Vec<Detect>,
    /// Reads the data: its output is compared with that of the controls
    #[arg(long, value_name = "CMD")]
    pub(super) golden: Option<String>,
    /// Give each trial a copy of the directory, instead of a layer over it
    #[arg(long)]
    pub(super) copy: bool,
    /// Accept a system directory
    #[arg(long)]
    pub(super) force: bool,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write the report as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// Write the report as a web page
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// The directory with the data; with --recipe, without one: a sample
    pub(super) dir: Option<PathBuf>,
    /// The command that is to notice
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
    rate.ok_or_else(|| "a rate is a number from 0 to 1: 0.95".to_owned())
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Ok(timeout) if timeout.is_zero() => Err("no command ends in no time".to_owned()),
        other => other.map_err(|mistake| mistake.to_string()),
    }
}

/// Runs the drill.
pub(super) fn run(args: &Drill) -> Result<Exit, Failure> {
    let ended = super::process::asked_to_end()?;
    let mut exercise = Exercise::new(args)?;
    let summary = &mut exercise.summary;
    if args.seed.is_none() {
        eprint(&format!("seed {0} (--seed {0} repeats this drill)", summary.seed));
    }
    let series = Series {
        isolated: &exercise.isolated,
        detect: &exercise.detect,
        seed: summary.seed,
        trials: args.trial.map_or((1..=args.trials).collect(), |trial| vec![trial]),
        jobs: jobs(args),
    };
    let stop = || ended.load(Ordering::Relaxed);
    let controls = series.controls(&stop).map_err(failed)?;
    let end = trials(args, &series, &controls, summary, &stop);
    if let SeriesEnd::Failed(error) = end {
        return Err(failed(error));
    }
    summary.interrupted = matches!(end, SeriesEnd::Interrupted);
    tell(args, summary)
}

fn jobs(args: &Drill) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    args.jobs.map_or_else(processors, usize::from)
}

fn trials(
    args: &Drill,
    series: &Series<'_>,
    controls: &Controls,
    summary: &mut Summary,
    stop: &(dyn Fn() -> bool + Sync),
) -> SeriesEnd {
    let mut progress = Progress::new();
    let end = series.run(&controls.standard, stop, &mut |trial| {
        summary.trials.push(trial);
        progress.tell(summary);
        !(args.until && summary.is_decided())
    });
    progress.end();
    summary.notes.extend(controls.notes.iter().cloned());
    end
}

fn failed(error: SeriesError) -> Failure {
    let exit = match &error {
        SeriesError::Interrupted => Exit::TryAgain,
        SeriesError::Failed(_) => Exit::CannotMount,
        SeriesError::Control(_) => Exit::NothingMatched,
    };
    let remedy = match &error {
        SeriesError::Failed(why) if why.contains("cannot discard writes") => {
            "; --copy gives each trial a copy of the directory instead"
        }
        SeriesError::Control(_) => "\nno verdict stands, and none is given",
        _ => "",
    };
    Failure::new(exit, format!("{error}{remedy}"))
}

fn tell(args: &Drill, summary: &Summary) -> Result<Exit, Failure> {
    let reports = [
        (&args.json, (|s| format!("{}\n", to_json(s))) as fn(&Summary) -> String),
        (&args.junit, to_junit),
        (&args.html, to_html),
    ];
    out(&to_text(summary))?;
    if let (Some(_), Some(trial)) = (args.trial, summary.trials.first()) {
        out(&format!("\n{}", to_text_of_one(trial)))?;
    }
    for (file, render) in reports {
        if let Some(file) = file {
            write(file, &render(summary))?;
        }
    }
    match summary.outcome() {
        _ if summary.interrupted => Ok(Exit::TryAgain),
        Outcome::NotRequired | Outcome::Met => Ok(Exit::Done),
        Outcome::NotMet => Ok(Exit::ExpectationFailed),
        Outcome::NothingShown => Ok(Exit::NothingMatched),
    }
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| {
        Failure::new(Exit::TryAgain, format!("the report {}: {error}", file.display()))
    })
}
