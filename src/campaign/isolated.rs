//! One run of a campaign as a process of its own: `errorfs run` over directories that it cannot
//! change, one inside another, and `errorfs stage` in the innermost.
//!
//! Starts it, waits or ends it, and reads what was left. Says nothing of verdicts.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Layout, Observed, Stage, StageNode, StageRecord, is_new};
use crate::scenario::{Campaign, NodeSpec};
use crate::trial::{Stop, TrialError, shell_word, supervise};

/// What all runs of a campaign have in common.
#[derive(Clone, Copy, Debug)]
pub struct Runner<'a> {
    /// What is run.
    pub campaign: &'a Campaign,
    /// Where its data are.
    pub layout: &'a Layout,
}

/// What goes wrong in a run.
#[derive(Clone, Copy, Debug)]
pub enum Under<'a> {
    /// Nothing.
    Nothing,
    /// Nothing, and everything is written down.
    Trace,
    /// Nothing, and nothing is asked but the oracles: how the data were.
    Before,
    /// A scenario with a seed, on one node.
    Fault {
        /// The node.
        node: &'a str,
        /// The scenario, as TOML.
        scenario: &'a str,
        /// The seed.
        seed: u64,
    },
}

/// What errorfs is given beyond the timeouts.
const OVERHEAD: Duration = Duration::from_secs(120);

impl Runner<'_> {
    /// Runs everything once, in a folder of the run's own, which stays.
    pub fn run(
        &self,
        own: &Path,
        under: Under<'_>,
        stop: Stop<'_>,
    ) -> Result<Observed, TrialError> {
        let failed = |error: std::io::Error| TrialError::Failed(error.to_string());
        std::fs::create_dir_all(own.join("tmp")).map_err(failed)?;
        // Nodes may run as other users.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
        std::fs::set_permissions(own.join("tmp"), open).map_err(failed)?;
        std::fs::create_dir_all(self.layout.tmp()).map_err(failed)?;
        let ledger = matches!(under, Under::Fault { .. }).then(|| own.join("ledger"));
        let mut stage = self.stage(ledger.clone());
        if let Under::Fault { node, .. } = under {
            stage.faulty = Some(self.layout.node(node));
            stage.others = self.others(node);
        }
        if let Under::Before = under {
            stage.workload = "true".to_owned();
            (stage.check_read, stage.check_write) = (None, None);
        }
        let stage = serde_json::to_vec(&stage).expect("plain data");
        std::fs::write(own.join("stage.json"), stage).map_err(failed)?;
        if let Under::Fault { scenario, .. } = under {
            std::fs::write(own.join("scenario.toml"), scenario).map_err(failed)?;
        }
        let mut command = Command::new("/proc/self/exe");
        command.arg0("errorfs").args(self.arguments(own, under));
        let said = supervise(&mut command, self.limit(), stop)?;
        let record = StageRecord::read(own).ok_or(TrialError::Failed(said))?;
        let mut seen = Observed::read(own, &record, ledger.as_deref()).map_err(failed)?;
        let roots: Vec<PathBuf> =
            self.campaign.nodes.iter().map(|node| self.layout.node(&node.name)).collect();
        seen.spread.retain(|spread| is_new(spread, &roots));
        Ok(seen)
    }

    /// The directories of the nodes that get no faults.
    fn others(&self, faulty: &str) -> BTreeMap<String, PathBuf> {
        let names = self.campaign.nodes.iter().map(|node| &node.name);
        let others = names.filter(|name| *name != faulty);
        others.map(|name| (name.clone(), self.layout.node(name))).collect()
    }

    /// `run` in `run` ... in `stage`.
    fn arguments(&self, own: &Path, under: Under<'_>) -> Vec<OsString> {
        let mut layers = match under {
            Under::Fault { node, seed, .. } => self.faulty(own, node, seed),
            _ => self.all(own, under),
        };
        let mut arguments = layers.pop().unwrap_or_default();
        arguments.extend(["--show".into(), own.join("tmp").into(), self.layout.tmp().into()]);
        layers.push(arguments);
        let mut all: Vec<OsString> = Vec::new();
        for layer in layers {
            if !all.is_empty() {
                all.extend(["--", "/proc/self/exe"].map(OsString::from));
            }
            all.extend(layer);
        }
        all.extend(["--", "/proc/self/exe", "stage", "--into"].map(OsString::from));
        all.push(own.into());
        all
    }

    /// A mount over one directory.
    fn mount(&self, node: &str) -> Vec<OsString> {
        let directory = self.layout.node(node).into();
        let words = ["run", "--no-control", "--discard-writes", "--on"].map(OsString::from);
        words.into_iter().chain([directory]).collect()
    }

    fn all(&self, own: &Path, under: Under<'_>) -> Vec<Vec<OsString>> {
        let mount = |node: &NodeSpec| {
            let mut arguments = self.mount(&node.name);
            if let Under::Trace = under {
                arguments.extend(["--trace".into(), trace_file(own, &node.name).into()]);
            }
            arguments
        };
        self.campaign.nodes.iter().map(mount).collect()
    }

    /// The faulty node's mount is the innermost; the others have mounts too, or layers only.
    fn faulty(&self, own: &Path, node: &str, seed: u64) -> Vec<Vec<OsString>> {
        let others = || self.campaign.nodes.iter().filter(|other| other.name != node);
        let mut faulty = self.mount(node);
        // What is written under one name and read under another is asked for all the same.
        faulty.push("--direct".into());
        let files = [("--scenario", "scenario.toml"), ("--ledger", "ledger")];
        for (option, file) in files {
            faulty.extend([option.into(), own.join(file).into()]);
        }
        faulty.push(format!("--seed={seed}").into());
        if self.campaign.all_mounted {
            return others().map(|other| self.mount(&other.name)).chain([faulty]).collect();
        }
        for other in others() {
            faulty.extend(["--layer".into(), self.layout.node(&other.name).into()]);
        }
        vec![faulty]
    }

    /// What is run, with the places filled in.
    fn stage(&self, ledger: Option<PathBuf>) -> Stage {
        let Campaign { nodes, workload, oracle, check, environment, .. } = self.campaign;
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        // `{mnt}` is clear if there is one node.
        let only = nodes.first().map_or("", |node| &node.name);
        let fill = |line: &String| self.fill(line, only);
        let node = |node: &NodeSpec| {
            let fill =
                |line: &Option<String>| line.as_ref().map(|line| self.fill(line, &node.name));
            let (start, ready, stop) = (fill(&node.start), fill(&node.ready), fill(&node.stop));
            let (name, oracle) = (node.name.clone(), fill(&node.oracle));
            StageNode { name, start, ready, stop, oracle }
        };
        Stage {
            nodes: nodes.iter().map(node).collect(),
            workload: fill(workload),
            check_read: check.read.as_ref().map(fill),
            check_write: check.write.as_ref().map(fill),
            oracle: oracle.as_ref().map(fill),
            timeout_ms: ms(self.campaign.timeout),
            startup_ms: ms(self.campaign.startup),
            faulty: None,
            others: BTreeMap::new(),
            environment: environment.clone(),
            ledger,
            tmp: self.layout.tmp(),
        }
    }

    /// Each placeholder becomes one word of the line.
    fn fill(&self, line: &str, own: &str) -> String {
        let word = |path: PathBuf| shell_word(OsStr::new(&path)).to_string_lossy().into_owned();
        let mut filled = line.replace("{tmp}", &word(self.layout.tmp()));
        filled = filled.replace("{mnt}", &word(self.layout.node(own)));
        for node in &self.campaign.nodes {
            let place = format!("{{mnt.{}}}", node.name);
            filled = filled.replace(&place, &word(self.layout.node(&node.name)));
        }
        filled
    }

    /// When a run is beyond hope: all its commands have ended themselves long before.
    fn limit(&self) -> Duration {
        let commands = 4 + 2 * self.campaign.nodes.len() as u32;
        self.campaign.timeout.saturating_mul(commands) + OVERHEAD
    }
}

/// Where the trace of a node is.
pub fn trace_file(own: &Path, node: &str) -> PathBuf {
    own.join(format!("{node}.trace"))
}
