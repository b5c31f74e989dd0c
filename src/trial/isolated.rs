//! One trial as a process of its own: `errorfs run` over a directory that it cannot change.
//!
//! Starts it, waits or ends it, and reads what was left. Says nothing of verdicts.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::{Observation, Places, Record, Workload, faults, remove};
use crate::scenario::duration;
use crate::sys::process::die_with_parent;

/// What all trials of a series have in common.
#[derive(Clone, Debug)]
pub struct Isolated {
    /// The directory that is never changed; absolute.
    pub directory: PathBuf,
    /// Whether errorfs was told to accept a system directory.
    pub force: bool,
    /// Scenario files.
    pub scenarios: Vec<PathBuf>,
    /// The command that is to notice.
    pub command: Workload,
    /// The command that reads the data themselves.
    pub golden: Option<Workload>,
    /// How long each of them may take.
    pub timeout: Duration,
    /// A copy of the directory for each trial, instead of a layer over it.
    pub copies: bool,
    /// More of the environment.
    pub environment: Vec<(String, String)>,
    /// Where trials keep their files; absolute.
    pub scratch: PathBuf,
}

/// Why there is no observation.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// It was to stop.
    #[error("interrupted")]
    Interrupted,
    /// errorfs itself failed: this is what it said.
    #[error("{0}")]
    Failed(String),
}

/// Tells whether a trial is to stop.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// What processes that were killed are given to die.
const GRACE: Duration = Duration::from_secs(20);
/// What errorfs is given beyond the timeouts: to look at all files of a large directory, to mount and
/// to unmount.
const OVERHEAD: Duration = Duration::from_secs(300);

impl Isolated {
    /// Runs one trial: under the faults of a seed, or without any. `name` is its own among those
    /// that run at the same time. Ended and cleaned up when `stop` says so.
    pub fn run(
        &self,
        name: &str,
        seed: Option<u64>,
        stop: Stop<'_>,
    ) -> Result<Observation, TrialError> {
        let own = self.scratch.join(name);
        let seen = self.run_in(&own, seed, stop);
        let removed = remove(&own).map_err(failed);
        seen.and_then(|seen| removed.map(|()| seen))
    }

    fn run_in(
        &self,
        own: &Path,
        seed: Option<u64>,
        stop: Stop<'_>,
    ) -> Result<Observation, TrialError> {
        // Each of them shows its own at the same place.
        let tmp = self.scratch.join("tmp");
        for directory in [own.join("tmp"), tmp.clone()] {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        let ledger = seed.map(|_| own.join("ledger"));
        let mut command = self.errorfs(own, &tmp, seed)?;
        command.arg("--").args(self.capture(own, &tmp, ledger.as_deref()));
        let told = supervise(&mut command, self.limit(), stop)?;
        let record = Record::read(own).ok_or(TrialError::Failed(told))?;
        observation(own, &record, ledger.as_deref())
            .map_err(|why| TrialError::Failed(why.to_string()))
    }

    /// `errorfs run` up to its command.
    fn errorfs(&self, own: &Path, tmp: &Path, seed: Option<u64>) -> Result<Command, TrialError> {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("errorfs").args(["run", "--no-control", "--on"]).arg(&self.directory);
        command.arg("--show").arg(own.join("tmp")).arg(tmp);
        // What the kernel has in its cache nobody asks for again: damage of it would not be met. And
        // what is compared with that reads in the same way.
        command.arg("--direct");
        if self.copies {
            let copy = own.join("copy");
            copy_tree(&self.directory, &copy)?;
            command.arg("--show").arg(copy).arg(&self.directory).arg("--thrown-away");
        } else {
            command.arg("--discard-writes");
        }
        if self.force {
            command.arg("--force");
        }
        if let Some(seed) = seed {
            command.arg("--ledger").arg(own.join("ledger")).arg(format!("--seed={seed}"));
            for scenario in &self.scenarios {
                command.arg("--scenario").arg(scenario);
            }
        }
        Ok(command)
    }

    /// This program again, inside.
    fn capture(&self, own: &Path, tmp: &Path, ledger: Option<&Path>) -> Vec<OsString> {
        let places = Places { mnt: &self.directory, tmp };
        let timeout = duration::format(self.timeout);
        let mut argv: Vec<OsString> =
            ["/proc/self/exe", "capture", "--timeout", &timeout, "--into"]
                .map(OsString::from)
                .to_vec();
        argv.push(own.into());
        if let Some(ledger) = ledger {
            argv.extend(["--ledger".into(), ledger.into()]);
        }
        for (name, value) in &self.environment {
            argv.extend(["--set".into(), format!("{name}={value}").into()]);
        }
        if let Some(line) = self.golden.as_ref().and_then(|golden| golden.argv(places).pop()) {
            argv.extend(["--golden".into(), line]);
        }
        argv.push("--".into());
        argv.extend(self.command.argv(places));
        argv
    }

    /// When a trial is beyond hope: both commands have ended themselves long before.
    fn limit(&self) -> Duration {
        let both = if self.golden.is_some() { self.timeout * 2 } else { self.timeout };
        both + OVERHEAD
    }
}

fn failed(error: io::Error) -> TrialError {
    TrialError::Failed(error.to_string())
}

fn observation(
    own: &Path,
    record: &Record,
    ledger: Option<&Path>,
) -> Result<Observation, Box<dyn std::error::Error>> {
    let (faults, activated) = match ledger {
        Some(ledger) => faults(ledger, record.events)?,
        None => (Vec::new(), false),
    };
    let (command, golden) = (record.command(own)?, record.golden(own)?);
    Ok(Observation { command, golden, faults, activated })
}

/// cp(1) knows owners, modes, times, links, attributes and holes, and shares blocks where it can.
fn copy_tree(from: &Path, to: &Path) -> Result<(), TrialError> {
    let mut command = Command::new("cp");
    command.args(["-a", "--reflink=auto", "-T", "--"]).arg(from).arg(to);
    let output = command.stdin(Stdio::null()).output().map_err(failed)?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(TrialError::Failed(format!("no copy of {}: {said}", from.display())))
        }
    }
}

/// Runs `errorfs run` to its end: what it said, if it was content. When its time is over, or `stop`
/// says so, it is killed, and with it all that it runs.
pub fn supervise(
    command: &mut Command,
    limit: Duration,
    stop: Stop<'_>,
) -> Result<String, TrialError> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // The terminal's Ctrl-C is for this process, which ends its trials itself.
    command.process_group(0);
    die_with_parent(command);
    let mut child = command.spawn().map_err(failed)?;
    let said = read_stderr(&mut child);
    let status = wait(&mut child, limit, stop).map_err(failed)?;
    // Everything below errorfs holds its standard error: the end of that is the end of all.
    let said = said.recv_timeout(GRACE).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    match status {
        Waited::Stopped => Err(TrialError::Interrupted),
        Waited::TooLong => {
            Err(TrialError::Failed(format!("errorfs did not end within {limit:?}: {said}")))
        }
        Waited::Ended(true) => Ok(said),
        Waited::Ended(false) => Err(TrialError::Failed(without_prefix(&said))),
    }
}

enum Waited {
    /// Whether with status 0.
    Ended(bool),
    Stopped,
    TooLong,
}

fn wait(child: &mut Child, limit: Duration, stop: Stop<'_>) -> io::Result<Waited> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Waited::Ended(status.success()));
        }
        let stopped = stop();
        if stopped || start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(if stopped { Waited::Stopped } else { Waited::TooLong });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

fn read_stderr(child: &mut Child) -> Receiver<Vec<u8>> {
    let (sender, said) = channel();
    let pipe = child.stderr.take();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        let _ = sender.send(bytes);
    });
    said
}

fn without_prefix(said: &str) -> String {
    let lines: Vec<&str> =
        said.lines().map(|line| line.strip_prefix("errorfs: ").unwrap_or(line)).collect();
    lines.join("\n")
}
