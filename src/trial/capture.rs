//! Inside a trial's mount: runs the command, then the golden command, and writes down what they said.
//!
//! The side of the trial that lives below `errorfs run`. The other side is [`Isolated`](super::Isolated).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{End, Said, Seen};

/// What is to be run and written down.
#[derive(Clone, Debug)]
pub struct Capture<'a> {
    /// Where outputs and record go.
    pub into: &'a Path,
    /// How long each of the two may take.
    pub timeout: Duration,
    /// The ledger of the mount, whose events are counted when the command has ended.
    pub ledger: Option<&'a Path>,
    /// More of the environment, `NAME=VALUE`.
    pub environment: &'a [String],
    /// The command.
    pub command: &'a [OsString],
    /// The golden command, a line for the shell.
    pub golden: Option<&'a OsStr>,
}

/// How both ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Record {
    command: Ended,
    /// Events in the ledger before the golden command began.
    pub(super) events: u64,
    golden: Option<Ended>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Ended {
    end: End,
    elapsed_ms: u64,
}

/// The file of the record: complete if it is there.
const RECORD: &str = "record.json";

/// Runs both, and leaves a record.
pub fn capture(request: &Capture<'_>) -> io::Result<()> {
    let command = run(request, request.command, "command")?;
    let (events, golden) = match (request.golden, command.end) {
        (Some(line), End::Exited(_)) => {
            let events = request.ledger.map_or(Ok(0), events)?;
            (events, Some(run(request, &["sh".into(), "-c".into(), line.into()], "golden")?))
        }
        // All events are the command's: also that of an answer for which it still waits.
        _ => (u64::MAX, None),
    };
    let record = serde_json::to_vec(&Record { command, events, golden })?;
    let unfinished = request.into.join("record.new");
    std::fs::write(&unfinished, record)?;
    std::fs::rename(unfinished, request.into.join(RECORD))
}

/// One line is the header; an event that was delivered has a whole line.
fn events(ledger: &Path) -> io::Result<u64> {
    let lines = std::fs::read(ledger)?.iter().filter(|byte| **byte == b'\n').count();
    Ok((lines as u64).saturating_sub(1))
}

fn files(into: &Path, name: &str) -> [PathBuf; 2] {
    ["stdout", "stderr"].map(|stream| into.join(format!("{name}.{stream}")))
}

fn run(request: &Capture<'_>, argv: &[OsString], name: &str) -> io::Result<Ended> {
    let [stdout, stderr] = files(request.into, name);
    let (program, arguments) =
        argv.split_first().ok_or_else(|| io::Error::other("no command to run"))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command.envs(request.environment.iter().filter_map(|pair| pair.split_once('=')));
    command.stdout(File::create(stdout)?).stderr(File::create(stderr)?);
    let start = Instant::now();
    let end = match command.spawn() {
        Ok(mut child) => wait(&mut child, request.timeout)?,
        Err(error) => End::NotRun(error.raw_os_error().unwrap_or(0)),
    };
    let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Ended { end, elapsed_ms })
}

/// Waits for the end, or makes it when the time is over. What the command left running ends with
/// the mount.
fn wait(child: &mut Child, timeout: Duration) -> io::Result<End> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(end(status));
        }
        if start.elapsed() >= timeout {
            child.kill()?;
            child.wait()?;
            return Ok(End::TimedOut);
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => End::Signalled(signal.unwrap_or(0)),
    }
}

impl Record {
    /// The record that [`capture`] left; `None` if it did not come to its end.
    pub(super) fn read(into: &Path) -> Option<Record> {
        serde_json::from_slice(&std::fs::read(into.join(RECORD)).ok()?).ok()
    }

    pub(super) fn command(&self, into: &Path) -> io::Result<Seen> {
        seen(self.command, into, "command")
    }

    pub(super) fn golden(&self, into: &Path) -> io::Result<Option<Seen>> {
        self.golden.map(|ended| seen(ended, into, "golden")).transpose()
    }
}

fn seen(ended: Ended, into: &Path, name: &str) -> io::Result<Seen> {
    let [stdout, stderr] = files(into, name);
    let Ended { end, elapsed_ms } = ended;
    Ok(Seen { end, elapsed_ms, stdout: Said::read(&stdout)?, stderr: Said::read(&stderr)? })
}
