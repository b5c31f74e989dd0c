//! Results from directories and files as one; `errorfs campaign merge`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::super::exit::{Exit, Failure};
use super::super::out;
use super::opened::read_plan;
use crate::campaign::{Layout, Merged, MergedFile, put_new, read_results};

/// Put the results of several files or directories together
///
/// In any order, grouping or repetition the same comes out. Files whose writer was killed count as far
/// as they go.
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// A new file for them
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Results: directories of campaigns, files of shards, files that were merged
    #[arg(required = true)]
    input: Vec<PathBuf>,
}

/// Merges into a new file.
pub(super) fn merge(args: &Merge) -> Result<Exit, Failure> {
    let file = collect(&args.input)?;
    put_new(&args.output, &file.to_text()).map_err(|error| {
        Failure::new(Exit::TryAgain, format!("{}: {error}", args.output.display()))
    })?;
    out(&format!("{} trials", file.merged.trials.len()))?;
    Ok(Exit::Done)
}

/// All results of some files and directories, which must be of one plan.
pub(super) fn collect(inputs: &[PathBuf]) -> Result<MergedFile, Failure> {
    let mut all: Option<MergedFile> = None;
    for input in inputs {
        let found = of_input(input)?;
        match &mut all {
            None => all = Some(found),
            Some(all) if all.plan_id == found.plan_id => {
                all.merged.merge(found.merged);
                all.name = all.name.take().max(found.name);
            }
            Some(_) => {
                let message = format!("{}: results of another plan", input.display());
                return Err(Failure::new(Exit::BadFile, message));
            }
        }
    }
    all.ok_or_else(|| Failure::new(Exit::Usage, "no results named"))
}

fn of_input(input: &Path) -> Result<MergedFile, Failure> {
    if !input.is_dir() {
        return read_results(input).map_err(|error| bad(&error));
    }
    let layout = Layout::new(input.to_owned());
    let plan = read_plan(&layout)?;
    let name = plan.campaign["name"].as_str().map(str::to_owned);
    let plan_id = plan.id().text();
    let mut all = MergedFile { plan_id, name, merged: Merged::default() };
    let folder = input.join("results").join(plan.id().short());
    for file in files_below(&folder) {
        let found = read_results(&file).map_err(|error| bad(&error))?;
        if found.plan_id == all.plan_id {
            all.merged.merge(found.merged);
        }
    }
    Ok(all)
}

fn bad(error: &crate::campaign::ResultsError) -> Failure {
    Failure::new(Exit::BadFile, error.to_string())
}

/// Whole files and parts, in the order of their names. A part that has no line yet has nothing to say.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if matches!(path.extension().and_then(|end| end.to_str()), Some("jsonl" | "part"))
            && std::fs::metadata(&path).is_ok_and(|file| file.len() > 0)
        {
            files.push(path);
        }
    }
    files.sort();
    files
}
