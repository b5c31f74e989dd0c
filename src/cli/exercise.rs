//! From what was typed to what is to be tried: the directory, the command, the fault, the standard.

use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::drill::Drill;
use super::exit::{Exit, Failure};
use super::place::Place;
use super::{eprint, recipes, scenarios, serving};
use crate::diagnostic::{Consequence, plural};
use crate::fs::survey;
use crate::plan::compile;
use crate::report::{Requirement, Summary};
use crate::scenario::{Detect, Recipe, duration};
use crate::trial::{Isolated, MNT, Scratch, Workload, trial_seed};

/// What one run may take, if nobody says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What is to be tried.
#[derive(Debug)]
pub(super) struct Exercise {
    /// How one trial runs.
    pub(super) isolated: Isolated,
    /// It noticed if any of these holds.
    pub(super) detect: Vec<Detect>,
    /// The report, still without trials.
    pub(super) summary: Summary,
    /// Removed with this.
    _scratch: Scratch,
}

/// The directory that is tried.
struct Subject {
    place: Place,
    /// As a command names it; nothing for a sample that is gone afterwards.
    typed: Option<PathBuf>,
    is_sample: bool,
}

impl Exercise {
    /// Checks everything, and prepares the sample if there is one.
    pub(super) fn new(args: &Drill) -> Result<Exercise, Failure> {
        let recipe = args.recipe.as_deref().map(recipes::find).transpose()?;
        let command = command(args, recipe.as_ref())?;
        let scratch = Scratch::new().map_err(|error| {
            Failure::new(Exit::TryAgain, format!("no scratch directory: {error}"))
        })?;
        let subject = subject(args, recipe.as_ref(), &scratch)?;
        subject.place.must_not_hold(&scratch.path().join("x"), "scratch directory")?;
        for file in [&args.json, &args.junit, &args.html].into_iter().flatten() {
            subject.place.must_not_hold(file, "report")?;
        }
        let scenarios = scenario_files(args, recipe.as_ref(), scratch.path())?;
        let seed = places(&scenarios, &subject.place, args.seed)?;
        let summary = summary(args, recipe.as_ref(), &subject, &command, seed)?;
        let detect = match (&args.detect[..], &recipe) {
            ([], Some(recipe)) => recipe.detect.clone(),
            ([], None) => vec![Detect::parse("exit").expect("it is one of the forms")],
            (typed, _) => typed.to_vec(),
        };
        let environment = recipe.iter().filter(|_| subject.is_sample);
        let isolated = Isolated {
            directory: subject.place.backing,
            force: args.force,
            scenarios,
            command,
            golden: golden(args, recipe.as_ref()),
            timeout: timeout(args, recipe.as_ref()),
            copies: args.copy,
            environment: environment.flat_map(|recipe| recipe.environment.clone()).collect(),
            scratch: scratch.path().to_owned(),
        };
        Ok(Exercise { isolated, detect, summary, _scratch: scratch })
    }
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, message)
}

fn command(args: &Drill, recipe: Option<&Recipe>) -> Result<Workload, Failure> {
    let command = match (&args.command[..], recipe) {
        ([], Some(recipe)) => Workload::Line(recipe.command.clone()),
        ([], None) => {
            return Err(usage(
                "no command: errorfs drill DIR -- COMMAND, where {mnt} in COMMAND stands for DIR; \
                 or --recipe NAME",
            ));
        }
        (_, Some(recipe)) => {
            let message = format!("recipe `{}` has its command: type no other", recipe.name);
            return Err(usage(message));
        }
        (words, None) => Workload::Words(words.to_vec()),
    };
    let golden = golden(args, recipe);
    for (what, workload) in [("command", Some(&command)), ("golden command", golden.as_ref())] {
        if workload.is_some_and(|workload| !workload.names_the_directory()) {
            return Err(usage(format!(
                "the {what} does not say where the directory belongs: write {MNT} there, \
                 as in: errorfs drill DIR -- sha256sum -c {MNT}/SUMS"
            )));
        }
    }
    Ok(command)
}

fn golden(args: &Drill, recipe: Option<&Recipe>) -> Option<Workload> {
    let typed = args.golden.clone();
    typed.or_else(|| recipe.and_then(|recipe| recipe.golden.clone())).map(Workload::Line)
}

fn timeout(args: &Drill, recipe: Option<&Recipe>) -> Duration {
    args.timeout.or_else(|| recipe.and_then(|recipe| recipe.timeout)).unwrap_or(TIMEOUT)
}

fn subject(args: &Drill, recipe: Option<&Recipe>, scratch: &Scratch) -> Result<Subject, Failure> {
    let (path, is_sample) = match (&args.dir, &args.sample, recipe) {
        (Some(dir), _, _) => (dir.clone(), false),
        (None, Some(sample), Some(_)) => (sample.clone(), true),
        (None, None, Some(_)) => (scratch.path().join("sample"), true),
        (None, _, None) => {
            return Err(usage("no directory: errorfs drill DIR -- COMMAND; or --recipe NAME"));
        }
    };
    let is_kept = !is_sample || args.sample.is_some();
    if let Some(recipe) = recipe.filter(|_| is_sample) {
        make_sample(recipe, &path)?;
    }
    let place = Place::in_place(&path, args.force)?;
    let typed = is_kept.then_some(path);
    Ok(Subject { place, typed, is_sample })
}

/// Makes a sample where nothing is, or leaves the one that is there.
fn make_sample(recipe: &Recipe, path: &Path) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| usage(format!("sample {}: {error}", path.display()));
    std::fs::create_dir_all(path).map_err(cannot)?;
    if std::fs::read_dir(path).map_err(cannot)?.next().is_some() {
        eprint(&format!("{} is not empty: it is taken for the sample", path.display()));
        return Ok(());
    }
    recipes::prepare(recipe, path)
}

fn scenario_files(
    args: &Drill,
    recipe: Option<&Recipe>,
    scratch: &Path,
) -> Result<Vec<PathBuf>, Failure> {
    if !args.scenario.is_empty() {
        let absolute = |file: &PathBuf| {
            std::path::absolute(file).map_err(|error| usage(format!("{}: {error}", file.display())))
        };
        return args.scenario.iter().map(absolute).collect();
    }
    let file = scratch.join("flips.toml");
    let written = std::fs::write(&file, flips(args.flips.into(), paths(args, recipe)));
    written.map_err(|error| Failure::caused(Exit::TryAgain, &error))?;
    Ok(vec![file])
}

fn paths<'a>(args: &'a Drill, recipe: Option<&'a Recipe>) -> &'a [String] {
    match (&args.path[..], recipe) {
        ([], Some(recipe)) => &recipe.path,
        (typed, _) => typed,
    }
}

/// The scenario of so many flipped bits. The name of its rule is part of every draw.
fn flips(count: u64, paths: &[String]) -> String {
    let paths: Vec<toml::Value> = paths.iter().cloned().map(toml::Value::String).collect();
    let select = match paths.is_empty() {
        true => String::new(),
        false => format!("select = {{ path = {} }}\n", toml::Value::Array(paths)),
    };
    format!(
        "version = 1\n[[rule]]\nname = \"drill\"\n{select}[rule.fault.bit_flip]\ncount = {count}\n"
    )
}

/// Says everything that is wrong with the scenarios, and whether there is a place for their faults,
/// before anything is run. Gives the seed of all trials.
fn places(files: &[PathBuf], place: &Place, typed: Option<u64>) -> Result<u64, Failure> {
    let scenario = scenarios::load(files, Consequence::NothingMounted)?;
    let seed = typed.or(scenario.seed).unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let plan = compile(&scenario, trial_seed(seed, 1), "", scenario.fingerprint().as_bytes());
    if plan.rules().iter().any(|rule| rule.fault.is_stored()) {
        let found = survey(place.root.as_fd());
        let files = found.map_err(|error| Failure::caused(Exit::Usage, &error))?.files;
        serving::tell_unselected(&plan, &files);
        plan.place(&files).map_err(|error| Failure::caused(Exit::NothingMatched, &error))?;
    }
    Ok(seed)
}

fn summary(
    args: &Drill,
    recipe: Option<&Recipe>,
    subject: &Subject,
    command: &Workload,
    seed: u64,
) -> Result<Summary, Failure> {
    let requirement = match (args.trial, args.require, recipe) {
        (Some(_), _, _) => Requirement::None,
        (None, Some(rate), _) => Requirement::Rate(rate),
        (None, None, Some(recipe)) => Requirement::expected(recipe.expect, recipe.require),
        (None, None, None) => Requirement::None,
    };
    if args.until && requirement == Requirement::None {
        return Err(usage("--until needs to know until what: give --require RATE as well"));
    }
    let mut notes = Vec::new();
    if subject.typed.is_none() {
        let note = "the sample is removed; --sample DIR makes one that stays, for repeating trials";
        notes.push(note.to_owned());
    }
    let tool = recipe.and_then(recipes::tool);
    notes.extend(tool.iter().map(|tool| format!("the product: {tool}")));
    let directory =
        subject.typed.as_ref().map_or("a sample".into(), |dir| dir.display().to_string());
    Ok(Summary {
        name: recipe.map(|recipe| recipe.name.clone()),
        tool,
        directory,
        command: command.display(),
        fault: fault(args),
        seed,
        planned: args.trial.map_or(args.trials, |_| 1),
        trials: Vec::new(),
        repeat: repeat(args, subject, seed),
        requirement,
        notes,
        interrupted: false,
    })
}

fn fault(args: &Drill) -> String {
    match &args.scenario[..] {
        [] => format!("{} in each trial", plural(usize::from(args.flips), "flipped bit")),
        files => {
            let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            format!("faults of {}", files.join(", "))
        }
    }
}

/// The command that repeats one trial, before and after the trial's number.
fn repeat(args: &Drill, subject: &Subject, seed: u64) -> [String; 2] {
    let mut words: Vec<OsString> =
        vec!["errorfs".into(), "drill".into(), format!("--seed={seed}").into()];
    let mut option = |name: &str, value: OsString| words.extend([name.into(), value]);
    if let Some(recipe) = &args.recipe {
        option("--recipe", recipe.into());
    }
    if args.scenario.is_empty() && args.flips != 1 {
        option("--flips", args.flips.to_string().into());
    }
    args.scenario.iter().for_each(|file| option("--scenario", file.into()));
    args.path.iter().for_each(|path| option("--path", path.into()));
    args.detect.iter().for_each(|detect| option("--detect", detect.to_string().into()));
    if let Some(golden) = &args.golden {
        option("--golden", golden.into());
    }
    if let Some(timeout) = args.timeout {
        option("--timeout", duration::format(timeout).into());
    }
    let flags = [(args.copy, "--copy"), (args.force, "--force")];
    words.extend(flags.iter().filter(|(given, _)| *given).map(|(_, flag)| flag.into()));
    let mut rest: Vec<OsString> = Vec::new();
    match (&subject.typed, subject.is_sample) {
        (Some(typed), true) => rest.extend(["--sample".into(), typed.into()]),
        (Some(typed), false) => rest.push(typed.into()),
        (None, _) => {}
    }
    if !args.command.is_empty() {
        rest.push("--".into());
        rest.extend(args.command.iter().cloned());
    }
    [words, rest].map(|words| Workload::Words(words).display())
}
