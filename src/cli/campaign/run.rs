//! `errorfs campaign plan` and `run`: makes the plan, runs a shard of it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args;

use super::super::exit::{Exit, Failure};
use super::super::{eprint, out};
use super::opened::{Opened, Which};
use super::progress::Progress;
use crate::campaign::{
    CampaignEnd, CampaignSeries, PlannedTrial, ResultsError, Runner, Shard, ShardFile, TrialId,
    TrialLine, shard_name,
};
use crate::report::campaign_trial_text;
use crate::scenario::duration;
use crate::trial::{Scratch, Verdict};

/// Make the data, the runs without faults and the plan, and no trial
#[derive(Debug, Args)]
pub(super) struct PlanVerb {
    #[command(flatten)]
    which: Which,
}

/// Run the trials that are not done yet
///
/// The exit status is 0 when all trials of the shard are done, whatever they showed; 1 with
/// --fail-on findings if data were silently wrong or lost; 5 if a run without faults did not end well;
/// 75 if interrupted: the same command goes on.
#[derive(Debug, Args)]
pub(super) struct RunVerb {
    #[command(flatten)]
    which: Which,
    /// Only so many trials, drawn with the seed of the campaign
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
    /// Only a part of the trials: the K-th (from 0) of N; default: as Slurm, Kubernetes and CI systems
    /// say by the environment, else all
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// How many trials run at a time; default: as many as there are processors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Only this trial, and all that was said; its result is not kept
    #[arg(long, value_name = "ID", conflicts_with_all = ["sample", "shard"])]
    trial: Option<TrialId>,
    /// Begin no trial after this time
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    deadline: Option<Duration>,
    /// End after so many trials
    #[arg(long, value_name = "N")]
    max_trials: Option<usize>,
    /// What makes the exit status 1
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// Data that were silently wrong or lost
    Findings,
}

/// Makes the plan.
pub(super) fn plan(args: &PlanVerb) -> Result<Exit, Failure> {
    let ended = crate::cli::process::asked_to_end()?;
    let stop = || ended.load(Ordering::Relaxed);
    let opened = Opened::new(&args.which, &stop)?;
    let plan = &opened.plan;
    let flaky: u64 = plan.flaky.iter().map(|(_, _, blocks)| blocks).sum();
    let (files, trials) = (plan.space.len(), plan.points().count());
    out(&format!("plan {}: {trials} trials in {files} files", plan.id().short()))?;
    if flaky > 0 {
        let files: Vec<String> = plan
            .flaky
            .iter()
            .map(|(node, path, count)| format!("{node}:{path} ({count})"))
            .collect();
        let list = files.join(", ");
        out(&format!("left out, as only some of the runs touched them: {flaky} blocks: {list}"))?;
    }
    Ok(Exit::Done)
}

/// Runs a shard.
pub(super) fn run(args: &RunVerb) -> Result<Exit, Failure> {
    let ended = crate::cli::process::asked_to_end()?;
    let (start, deadline) = (Instant::now(), args.deadline);
    let stop =
        || ended.load(Ordering::Relaxed) || deadline.is_some_and(|limit| start.elapsed() > limit);
    let shard = shard(args)?;
    let opened = Opened::new(&args.which, &stop)?;
    let scratch = Scratch::new()
        .map_err(|error| Failure::new(Exit::TryAgain, format!("no scratch directory: {error}")))?;
    let running = Running { args, opened: &opened, scratch: &scratch, host: host() };
    match args.trial {
        Some(id) => running.one(id, &stop),
        None => running.shard(shard, &stop),
    }
}

fn shard(args: &RunVerb) -> Result<Shard, Failure> {
    let told = || Shard::of_environment(|name| std::env::var(name).ok());
    match (args.shard, args.trial) {
        (Some(shard), _) => Ok(shard),
        (None, Some(_)) => Ok(Shard::WHOLE),
        (None, None) => match told() {
            None => Ok(Shard::WHOLE),
            Some(Ok((shard, variable))) => {
                eprint(&format!("shard {shard}, as {variable} says"));
                Ok(shard)
            }
            Some(Err(why)) => Err(Failure::new(Exit::Usage, format!("{why}; or --shard K/N"))),
        },
    }
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn failed(error: ResultsError) -> Failure {
    let exit = match &error {
        ResultsError::Line { .. } => Exit::BadFile,
        ResultsError::Io { .. } | ResultsError::Busy { .. } => Exit::TryAgain,
    };
    Failure::new(exit, error.to_string())
}

struct Running<'a> {
    args: &'a RunVerb,
    opened: &'a Opened,
    scratch: &'a Scratch,
    host: String,
}

impl Running<'_> {
    fn series(&self, trials: Vec<(PlannedTrial, u64)>) -> CampaignSeries<'_> {
        let Opened { campaign, layout, baseline, .. } = self.opened;
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        CampaignSeries {
            runner: Runner { campaign, layout },
            baseline,
            trials,
            jobs: self.args.jobs.map_or_else(processors, usize::from),
            scratch: self.scratch.path(),
            host: &self.host,
        }
    }

    /// One trial, for a person.
    fn one(&self, id: TrialId, stop: &(dyn Fn() -> bool + Sync)) -> Result<Exit, Failure> {
        let trials = self.opened.plan.trials(None);
        let Some(trial) = trials.into_iter().find(|trial| trial.id == id) else {
            return Err(Failure::new(Exit::Usage, format!("the plan has no trial {id}")));
        };
        let scenario = trial.point.scenario(self.opened.plan.block, trial.seed);
        let mut text = None;
        let end = self.series(vec![(trial, 1)]).run(stop, &mut |line| {
            text = Some(campaign_trial_text(&line));
            true
        });
        match (text, end) {
            (Some(text), _) => out(&format!("{text}\nscenario:\n{scenario}")).map(|()| Exit::Done),
            (None, _) => Err(Failure::new(Exit::TryAgain, "interrupted")),
        }
    }

    fn shard(&self, shard: Shard, stop: &(dyn Fn() -> bool + Sync)) -> Result<Exit, Failure> {
        let plan = &self.opened.plan;
        let folder = self.opened.layout.results(&plan.id(), self.args.sample);
        let mut file = match ShardFile::open(&folder, shard, plan, &self.host).map_err(failed)? {
            crate::campaign::Opened::Complete(file) => {
                out(&format!("{}: already complete", shard_name(shard)))?;
                return Ok(self.exit(&file.trials));
            }
            crate::campaign::Opened::Ours(file) => *file,
        };
        let trials = plan.trials(self.args.sample);
        let own: Vec<PlannedTrial> = trials.into_iter().filter(|one| shard.has(one.id)).collect();
        let todo = self.todo(own, &file);
        let end = self.trials(todo, &mut file, stop)?;
        file.sync().map_err(failed)?;
        match end {
            CampaignEnd::Done => {
                let trials: Vec<TrialLine> = file.trials().cloned().collect();
                let path = file.finish().map_err(failed)?;
                out(&format!("{}: {} trials", path.display(), trials.len()))?;
                Ok(self.exit(&trials))
            }
            CampaignEnd::Interrupted => {
                let done = file.trials().count();
                let message = format!("interrupted after {done} trials; the same command goes on");
                Err(Failure::new(Exit::TryAgain, message))
            }
            CampaignEnd::Control(why) => {
                let message = format!("{why}\nno verdict of this shard stands until that is clear");
                Err(Failure::new(Exit::NothingMatched, message))
            }
        }
    }

    /// What is not done, in an order that visits the whole space early: that of the ids, which is one
    /// of hashes.
    fn todo(&self, own: Vec<PlannedTrial>, file: &ShardFile) -> Vec<(PlannedTrial, u64)> {
        let left = own.into_iter().filter_map(|trial| {
            let (attempts, done) = file.attempts(&trial.id.to_string());
            (!done).then_some((trial, attempts + 1))
        });
        left.collect()
    }

    fn trials(
        &self,
        todo: Vec<(PlannedTrial, u64)>,
        file: &mut ShardFile,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<CampaignEnd, Failure> {
        let most = self.args.max_trials.unwrap_or(usize::MAX);
        let (mut progress, mut kept, mut count) = (Progress::new(todo.len()), Ok(()), 0);
        let mut last_sync = Instant::now();
        let all = todo.len();
        let end = self.series(todo).run(stop, &mut |line| {
            progress.tell(&line);
            kept = file.keep(line);
            count += 1;
            if kept.is_ok() && last_sync.elapsed() > Duration::from_secs(5) {
                kept = file.sync();
                last_sync = Instant::now();
            }
            kept.is_ok() && (count < most || count == all)
        });
        progress.end();
        kept.map_err(failed)?;
        Ok(end)
    }

    fn exit(&self, trials: &[TrialLine]) -> Exit {
        let is_finding = |line: &TrialLine| {
            matches!(line.verdict, Verdict::SilentCorruption | Verdict::DataLoss)
        };
        match self.args.fail_on {
            Some(FailOn::Findings) if trials.iter().any(is_finding) => Exit::ExpectationFailed,
            _ => Exit::Done,
        }
    }
}
