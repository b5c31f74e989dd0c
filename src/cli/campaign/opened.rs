//! A campaign that is ready to run: its file read, its data and runs without faults made, its plan.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use rustix::fs::{FlockOperation, flock};

use super::super::exit::{Exit, Failure};
use super::super::{eprint, scenarios};
use crate::campaign::{
    Baseline, CampaignPlan, GoldenError, Layout, PLAN_FORMAT, Runner, make_golden, make_plan,
    prepare, put_new, read_baseline,
};
use crate::diagnostic::{Consequence, plural};
use crate::scenario::{Campaign, parse_campaign};
use crate::trial::Stop;

/// A campaign and its directory.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) campaign: Campaign,
    pub(super) layout: Layout,
    pub(super) plan: CampaignPlan,
    pub(super) baseline: Baseline,
}

/// Which campaign, and where it is.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The campaign
    file: PathBuf,
    /// Where everything is kept
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Another workload of the campaign, by its name
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
}

impl Which {
    fn read(&self) -> Result<Campaign, Failure> {
        chosen(&self.file, self.variant.as_deref())
    }

    /// A directory belongs to one campaign: data and runs of another would be taken for its own.
    fn keep(&self, campaign: &Campaign, layout: &Layout) -> Result<(), Failure> {
        let kept = layout.campaign();
        if !kept.exists() {
            self.note(layout)?;
            let text = std::fs::read(&self.file).map_err(|error| cannot(&self.file, &error))?;
            return put_new(&kept, &text).map_err(|error| cannot(&kept, &error));
        }
        let before = layout.chosen();
        let is_same = before == self.variant
            && chosen(&kept, before.as_deref())?.canonical() == campaign.canonical();
        is_same.then_some(()).ok_or_else(|| {
            let root = layout.root().display();
            let message = format!(
                "{root} belongs to another campaign, another variant, or an earlier text of this \
                 one (campaign.toml there): use another directory"
            );
            Failure::new(Exit::Usage, message)
        })
    }

    /// The variant, before the file that says that it has been noted.
    fn note(&self, layout: &Layout) -> Result<(), Failure> {
        let note = layout.variant();
        let noted = match &self.variant {
            None if !note.exists() => Ok(()),
            None => std::fs::remove_file(&note),
            Some(name) => std::fs::write(&note, name),
        };
        noted.map_err(|error| cannot(&note, &error))
    }
}

fn chosen(file: &Path, variant: Option<&str>) -> Result<Campaign, Failure> {
    let campaign = read(file)?;
    let Some(name) = variant else { return Ok(campaign) };
    campaign.choose(name).map_err(|why| Failure::new(Exit::Usage, why))
}

impl Opened {
    /// Reads the file, and makes in the directory what is not there yet. One process at a time does.
    pub(super) fn new(which: &Which, stop: Stop<'_>) -> Result<Opened, Failure> {
        if !rustix::process::geteuid().is_root() {
            let message = "trials of campaigns have processes and a network of their own: that \
                           takes root (CAP_SYS_ADMIN)";
            return Err(Failure::new(Exit::CannotMount, message));
        }
        let campaign = which.read()?;
        let layout = Layout::new(directory(&which.output)?);
        let _lock = lock(&layout, stop)?;
        which.keep(&campaign, &layout)?;
        prepare(&campaign, &layout).map_err(|why| Failure::new(Exit::NothingMatched, why))?;
        let runner = Runner { campaign: &campaign, layout: &layout };
        if !layout.golden().exists() {
            let runs = usize::try_from(campaign.golden).unwrap_or(usize::MAX);
            eprint(&format!("{} without faults", plural(runs, "run")));
        }
        make_golden(&runner, stop).map_err(failed)?;
        let baseline = read_baseline(&campaign, &layout).map_err(failed)?;
        let plan = plan(&campaign, &layout)?;
        Ok(Opened { campaign, layout, plan, baseline })
    }
}

/// A campaign file; its mistakes are printed.
fn read(file: &Path) -> Result<Campaign, Failure> {
    let name = file.display().to_string();
    let refused = |text: &str, diagnostics: &[_]| {
        scenarios::print_of(&name, text, diagnostics, Consequence::None);
        Failure::new(Exit::BadFile, "")
    };
    let text = scenarios::read(file).map_err(|error| refused("", &[error]))?;
    let parsed = parse_campaign(&text);
    parsed.campaign.ok_or_else(|| refused(&text, &parsed.diagnostics))
}

fn directory(output: &Path) -> Result<PathBuf, Failure> {
    let made = std::fs::create_dir_all(output).and_then(|()| output.canonicalize());
    made.map_err(|error| cannot(output, &error))
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::TryAgain, format!("{}: {error}", path.display()))
}

/// Others that were started with the same directory wait until it is made.
fn lock(layout: &Layout, stop: Stop<'_>) -> Result<File, Failure> {
    let path = layout.root().join("lock");
    let file = File::create(&path).map_err(|error| cannot(&path, &error))?;
    while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if stop() {
            return Err(Failure::new(Exit::TryAgain, "interrupted"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(file)
}

fn plan(campaign: &Campaign, layout: &Layout) -> Result<CampaignPlan, Failure> {
    let path = layout.plan();
    if !path.exists() {
        let plan = make_plan(campaign, layout).map_err(failed)?;
        if plan.space.is_empty() {
            let message = "the workload touches no block of any node: there is nothing to damage";
            return Err(Failure::new(Exit::NothingMatched, message));
        }
        let text = format!("{}\n", plan.canonical());
        put_new(&path, text.as_bytes()).map_err(|error| cannot(&path, &error))?;
    }
    read_plan(layout)
}

/// The plan in a campaign's directory.
pub(super) fn read_plan(layout: &Layout) -> Result<CampaignPlan, Failure> {
    let path = layout.plan();
    let bad = |why: String| Failure::new(Exit::BadFile, format!("{}: {why}", path.display()));
    let text = std::fs::read(&path).map_err(|error| bad(error.to_string()))?;
    let plan: CampaignPlan =
        serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
    match plan.plan {
        PLAN_FORMAT => Ok(plan),
        other => Err(bad(format!("plan format {other}, and this errorfs reads {PLAN_FORMAT}"))),
    }
}

fn failed(error: GoldenError) -> Failure {
    let exit = match &error {
        GoldenError::Interrupted => Exit::TryAgain,
        GoldenError::Failed(_) => Exit::CannotMount,
        GoldenError::Bad(_) => Exit::NothingMatched,
    };
    Failure::new(exit, error.to_string())
}
