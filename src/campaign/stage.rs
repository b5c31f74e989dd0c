//! Inside a trial: starts the nodes, waits until they are ready, runs workload, checks and oracle, and
//! writes down how all of them ended.
//!
//! The first process of its own (`errorfs stage`): when it ends, everything in here does.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use super::{Bystanders, Spread};
use crate::isolation::{Ended, reap};
use crate::trial::End;

/// What is to be run: lines for the shell, with everything filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// In the order in which they are started.
    pub nodes: Vec<StageNode>,
    /// What is asked of the system.
    pub workload: String,
    /// Says whether reads are possible.
    pub check_read: Option<String>,
    /// Says whether writes are possible.
    pub check_write: Option<String>,
    /// Reads the data.
    pub oracle: Option<String>,
    /// What each may take.
    pub timeout_ms: u64,
    /// What the nodes may take until they are ready.
    pub startup_ms: u64,
    /// More of the environment.
    pub environment: BTreeMap<String, String>,
    /// The ledger, whose events are counted before the oracle begins.
    pub ledger: Option<PathBuf>,
    /// The directory of the node that gets the faults.
    pub faulty: Option<PathBuf>,
    /// The directories of the others.
    pub others: BTreeMap<String, PathBuf>,
    /// Where everything runs.
    pub tmp: PathBuf,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageNode {
    /// Its name.
    pub name: String,
    /// Runs as long as it does.
    pub start: Option<String>,
    /// Says whether it is ready.
    pub ready: Option<String>,
    /// Makes it end.
    pub stop: Option<String>,
    /// Reads the data by way of it.
    pub oracle: Option<String>,
}

/// How all of them ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageRecord {
    /// The nodes that were started.
    pub nodes: Vec<NodeRecord>,
    /// The workload.
    pub workload: Ran,
    /// Whether reads were possible.
    pub check_read: Option<Ran>,
    /// Whether writes were possible.
    pub check_write: Option<Ran>,
    /// Events in the ledger before the oracle began.
    pub events: u64,
    /// The oracle.
    pub oracle: Option<Ran>,
    /// Where others store what the faulty node was given.
    pub spread: Vec<Spread>,
}

/// How a node did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Its name.
    pub name: String,
    /// Whether it became ready in time.
    pub ready: bool,
    /// How it ended, if it did before anyone asked it to.
    pub ended: Option<End>,
    /// Its own oracle.
    pub oracle: Option<Ran>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// How.
    pub end: End,
    /// How long it took.
    pub elapsed_ms: u64,
}

/// The file of the record: complete if it is there.
const RECORD: &str = "record.json";

impl StageRecord {
    /// The record that [`perform`] left; `None` if it did not come to its end.
    pub fn read(into: &Path) -> Option<StageRecord> {
        serde_json::from_slice(&std::fs::read(into.join(RECORD)).ok()?).ok()
    }
}

/// Where a command's standard output and error are.
pub fn outputs(into: &Path, name: &str) -> [PathBuf; 2] {
    ["stdout", "stderr"].map(|stream| into.join(format!("{name}.{stream}")))
}

/// Runs everything, and leaves a record and outputs.
pub fn perform(stage: &Stage, into: &Path) -> io::Result<()> {
    let mut acting = Acting { stage, into, ended: HashMap::new() };
    let record = acting.perform()?;
    let unfinished = into.join("record.new");
    std::fs::write(&unfinished, serde_json::to_vec(&record)?)?;
    std::fs::rename(unfinished, into.join(RECORD))
}

/// A stage under way.
struct Acting<'a> {
    stage: &'a Stage,
    into: &'a Path,
    /// Every process that ended, ours and orphans: this is the process that all of them end up with.
    ended: HashMap<Pid, End>,
}

/// A node that was started; without a process if it could not be.
struct Started<'a> {
    node: &'a StageNode,
    pid: Result<Pid, End>,
}

impl Acting<'_> {
    fn perform(&mut self) -> io::Result<StageRecord> {
        let stage = self.stage;
        let others = Bystanders::of(stage.others.iter());
        let started = start(self, &stage.nodes)?;
        let start = Instant::now();
        let ready: Vec<bool> = started.iter().map(|node| self.gets_ready(node, start)).collect();
        let workload = self.run("workload", &stage.workload)?;
        let check_read = self.run_some("check.read", stage.check_read.as_deref())?;
        let check_write = self.run_some("check.write", stage.check_write.as_deref())?;
        let events = stage.ledger.as_deref().map_or(Ok(0), events)?;
        let oracle = self.run_some("oracle", stage.oracle.as_deref())?;
        let told = started.iter().zip(&ready);
        let nodes = told.map(|(node, ready)| self.told(node, *ready)).collect::<io::Result<_>>()?;
        let spread = match (&stage.faulty, &stage.ledger) {
            (Some(faulty), Some(ledger)) => others.search(faulty, ledger, events)?,
            _ => Vec::new(),
        };
        for node in &started {
            self.stop(node)?;
        }
        Ok(StageRecord { nodes, workload, check_read, check_write, events, oracle, spread })
    }

    fn told(&mut self, started: &Started<'_>, ready: bool) -> io::Result<NodeRecord> {
        let ended = self.end_of(started);
        let name = started.node.name.clone();
        let line = started.node.oracle.as_deref().filter(|_| ended.is_none());
        let oracle = self.run_some(&format!("{name}.oracle"), line)?;
        Ok(NodeRecord { name, ready, ended, oracle })
    }

    /// How a node ended, if it did.
    fn end_of(&mut self, started: &Started<'_>) -> Option<End> {
        self.collect();
        match started.pid {
            Ok(pid) => self.ended.get(&pid).copied(),
            Err(end) => Some(end),
        }
    }

    fn collect(&mut self) {
        let ended = &mut self.ended;
        reap(|pid, status| {
            let end = match Ended::from(status) {
                Ended::Exited(status) => End::Exited(status),
                Ended::Signalled(signal) => End::Signalled(signal),
                Ended::NotRun(errno) => End::NotRun(errno),
            };
            ended.insert(pid, end);
        });
    }

    /// Probes until the node is ready, has ended, or the time of all of them is over.
    fn gets_ready(&mut self, started: &Started<'_>, start: Instant) -> bool {
        let Some(ready) = &started.node.ready else { return self.end_of(started).is_none() };
        let startup = Duration::from_millis(self.stage.startup_ms);
        let mut pause = Duration::from_millis(2);
        while start.elapsed() < startup {
            if self.end_of(started).is_some() {
                return false;
            }
            let probed = self.run(&format!("{}.ready", started.node.name), ready);
            if probed.is_ok_and(|ran| ran.end == End::Exited(0)) {
                return true;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        false
    }

    fn stop(&mut self, started: &Started<'_>) -> io::Result<()> {
        let (Some(line), Ok(_)) = (&started.node.stop, started.pid) else { return Ok(()) };
        if self.end_of(started).is_some() {
            return Ok(());
        }
        self.run(&format!("{}.stop", started.node.name), line)?;
        let start = Instant::now();
        while self.end_of(started).is_none() && start.elapsed() < self.timeout() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.stage.timeout_ms)
    }

    fn run_some(&mut self, name: &str, line: Option<&str>) -> io::Result<Option<Ran>> {
        line.map(|line| self.run(name, line)).transpose()
    }

    /// Runs a line to its end, or ends it when its time is over.
    fn run(&mut self, name: &str, line: &str) -> io::Result<Ran> {
        let start = Instant::now();
        let end = match self.spawn(name, line)? {
            Ok(pid) => self.wait(pid, start),
            Err(end) => end,
        };
        let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Ran { end, elapsed_ms })
    }

    fn wait(&mut self, pid: Pid, start: Instant) -> End {
        let mut pause = Duration::from_micros(500);
        loop {
            self.collect();
            if let Some(end) = self.ended.get(&pid) {
                return *end;
            }
            if start.elapsed() >= self.timeout() {
                let _ = kill_process_group(pid, Signal::KILL);
                return End::TimedOut;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    /// Starts a line in a process group of its own.
    fn spawn(&mut self, name: &str, line: &str) -> io::Result<Result<Pid, End>> {
        let [stdout, stderr] = outputs(self.into, name);
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).envs(&self.stage.environment);
        command.current_dir(&self.stage.tmp).process_group(0).stdin(Stdio::null());
        command.stdout(File::create(stdout)?).stderr(File::create(stderr)?);
        Ok(match command.spawn() {
            Ok(child) => Ok(Pid::from_child(&child)),
            Err(error) => Err(End::NotRun(error.raw_os_error().unwrap_or(0))),
        })
    }
}

/// Starts all nodes that are processes.
fn start<'a>(acting: &mut Acting<'_>, nodes: &'a [StageNode]) -> io::Result<Vec<Started<'a>>> {
    let mut started = Vec::new();
    for node in nodes {
        if let Some(line) = &node.start {
            started.push(Started { node, pid: acting.spawn(&node.name, line)? });
        }
    }
    Ok(started)
}

/// One line is the header; an event that was delivered has a whole line.
fn events(ledger: &Path) -> io::Result<u64> {
    let lines = std::fs::read(ledger)?.iter().filter(|byte| **byte == b'\n').count();
    Ok((lines as u64).saturating_sub(1))
}
