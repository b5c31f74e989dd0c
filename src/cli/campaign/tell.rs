//! `errorfs campaign status`, `missing` and `report`: what is done, what is not, what it showed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::super::exit::{Exit, Failure};
use super::super::out;
use super::collect::collect;
use super::opened::read_plan;
use crate::campaign::{Layout, PlannedTrial, Shard};
use crate::report::{CampaignSummary, campaign_html, campaign_json, campaign_text};
use crate::trial::{Verdict, shell_word};

/// Say how many trials are done
#[derive(Debug, Args)]
pub(super) struct Status {
    /// The directory of the campaign
    dir: PathBuf,
    /// Of this sample, not of all trials
    #[arg(long, value_name = "N")]
    sample: Option<u64>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Name the shards that are not done
#[derive(Debug, Args)]
pub(super) struct Missing {
    /// The directory of the campaign
    dir: PathBuf,
    /// How many shards there are
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    shards: u64,
    /// Of this sample, not of all trials
    #[arg(long, value_name = "N")]
    sample: Option<u64>,
    /// How to write them
    #[arg(long, value_enum, default_value = "list")]
    format: MissingFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum MissingFormat {
    /// One a line
    List,
    /// As sbatch --array takes them: 3,17-20
    Slurm,
    /// The same, as Kubernetes writes completed indexes
    K8s,
}

/// Say what the trials showed
#[derive(Debug, Args)]
pub(super) struct Report {
    /// Results: directories of campaigns, files of shards, files that were merged
    #[arg(required = true)]
    input: Vec<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as a web page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

struct Left {
    planned: usize,
    inconclusive: usize,
    missing: Vec<PlannedTrial>,
}

fn left(dir: &Path, sample: Option<u64>) -> Result<Left, Failure> {
    let plan = read_plan(&Layout::new(dir.to_owned()))?;
    let merged = collect(&[dir.to_owned()])?.merged;
    let trials = plan.trials(sample);
    let planned = trials.len();
    let verdict =
        |trial: &PlannedTrial| Some(merged.trials.get(&trial.id.to_string())?.line.verdict);
    let inconclusive =
        trials.iter().filter(|trial| verdict(trial) == Some(Verdict::Inconclusive)).count();
    let open = |trial: &PlannedTrial| verdict(trial).is_none_or(|one| one == Verdict::Inconclusive);
    let missing = trials.into_iter().filter(open).collect();
    Ok(Left { planned, inconclusive, missing })
}

/// Counts what is done.
pub(super) fn status(args: &Status) -> Result<Exit, Failure> {
    let Left { planned, inconclusive, missing } = left(&args.dir, args.sample)?;
    let missing = missing.len();
    let done = planned - missing;
    out(&match args.json {
        true => json!({
            "planned": planned, "done": done, "missing": missing, "inconclusive": inconclusive,
        })
        .to_string(),
        false => format!(
            "{done} of {planned} trials done, {missing} missing ({inconclusive} of them tried \
             without a result)"
        ),
    })?;
    Ok(Exit::Done)
}

/// Names what is not.
pub(super) fn missing(args: &Missing) -> Result<Exit, Failure> {
    let left = left(&args.dir, args.sample)?;
    let shards: BTreeSet<u64> = (0..args.shards)
        .filter(|index| {
            let shard = Shard { index: *index, of: args.shards };
            left.missing.iter().any(|trial| shard.has(trial.id))
        })
        .collect();
    if !shards.is_empty() {
        out(&match args.format {
            MissingFormat::List => shards.iter().map(u64::to_string).collect::<Vec<_>>().join("\n"),
            MissingFormat::Slurm | MissingFormat::K8s => ranges(&shards),
        })?;
    }
    Ok(Exit::Done)
}

/// `3,17-20`.
fn ranges(numbers: &BTreeSet<u64>) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let text = |(first, last): &(u64, u64)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

/// Tells what the trials showed.
pub(super) fn report(args: &Report) -> Result<Exit, Failure> {
    let file = collect(&args.input)?;
    let summary = CampaignSummary {
        name: file.name.clone().unwrap_or_else(|| "campaign".to_owned()),
        plan_id: file.plan_id.clone(),
        planned: planned(&args.input),
        repeat: repeat(&args.input),
        merged: file.merged,
    };
    out(&campaign_text(&summary))?;
    if let Some(json) = &args.json {
        write(json, &format!("{}\n", campaign_json(&summary)))?;
    }
    if let Some(html) = &args.html {
        write(html, &campaign_html(&summary))?;
    }
    Ok(Exit::Done)
}

fn planned(inputs: &[PathBuf]) -> Option<usize> {
    let dir = inputs.iter().find(|input| input.is_dir())?;
    read_plan(&Layout::new(dir.clone())).ok().map(|plan| plan.points().count())
}

/// What repeats a trial, but for its id.
fn repeat(inputs: &[PathBuf]) -> Option<String> {
    let dir = inputs.iter().find(|input| input.is_dir())?;
    let word = |path: &Path| shell_word(path.as_os_str()).to_string_lossy().into_owned();
    let layout = Layout::new(dir.clone());
    let variant = layout.chosen().map_or(String::new(), |name| {
        format!(" --variant {}", shell_word(name.as_ref()).to_string_lossy())
    });
    let (file, dir) = (word(&layout.campaign()), word(dir));
    Some(format!("errorfs campaign run {file} -o {dir}{variant} --trial"))
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| {
        Failure::new(Exit::TryAgain, format!("the report {}: {error}", file.display()))
    })
}
