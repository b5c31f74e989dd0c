//! What was seen of one trial: how programs ended, what they said, which faults reached them.
//!
//! Plain data; what it means is the business of [`judge`](super::judge).

use std::path::Path;
use std::{fmt, io};

use serde::{Deserialize, Serialize};

use crate::ledger::{self, Event, LedgerError, Outcome};

/// So much of an output is looked at by patterns and compared line by line; the rest as a whole.
const TEXT_BYTES_MAX: u64 = 8 << 20;

/// How a program of a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// With this status.
    Exited(i32),
    /// Killed by this signal.
    Signalled(i32),
    /// It could not be run, with this error number.
    NotRun(i32),
    /// Its time was over, and it was killed.
    TimedOut,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Exited(status) => write!(f, "exit {status}"),
            End::Signalled(signal) => write!(f, "killed by signal {signal}"),
            End::NotRun(errno) => {
                write!(f, "cannot be run: {}", io::Error::from_raw_os_error(*errno))
            }
            End::TimedOut => f.write_str("no end in time"),
        }
    }
}

/// One output, whole as a hash and in part as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Of all of it.
    pub hash: blake3::Hash,
    /// Its beginning.
    pub text: Vec<u8>,
    /// Whether that is all.
    pub is_whole: bool,
}

impl Said {
    /// Reads what a program wrote to a file.
    pub fn read(path: &Path) -> io::Result<Said> {
        use std::io::{Read as _, Seek as _};
        let mut file = std::fs::File::open(path)?;
        let mut text = Vec::new();
        (&file).take(TEXT_BYTES_MAX).read_to_end(&mut text)?;
        file.rewind()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&file)?;
        let is_whole = hasher.count() == text.len() as u64;
        Ok(Said { hash: hasher.finalize(), text, is_whole })
    }

    /// An output that is known.
    pub fn new(text: impl Into<Vec<u8>>) -> Said {
        let text = text.into();
        Said { hash: blake3::hash(&text), text, is_whole: true }
    }
}

/// One program of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How it ended.
    pub end: End,
    /// How long it took.
    pub elapsed_ms: u64,
    /// What it wrote to its standard output.
    pub stdout: Said,
    /// What it wrote to its standard error.
    pub stderr: Said,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The command that is to notice.
    pub command: Seen,
    /// The command that reads the data themselves.
    pub golden: Option<Seen>,
    /// What happened to the faults; in the order of the ledger.
    pub faults: Vec<FaultSeen>,
    /// Whether any reached the command.
    pub activated: bool,
}

/// One event of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultSeen {
    /// What became of it.
    pub outcome: Outcome,
    /// Name of the rule.
    pub rule: String,
    /// Kind of fault.
    pub fault: String,
    /// Operation.
    pub op: String,
    /// The file.
    pub path: String,
    /// The flipped bits: (byte, bit).
    pub bits: Vec<(u64, u8)>,
    /// The bad sector: first byte and length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector: Option<(u64, u64)>,
    /// Start and length of the corrupt regions.
    pub regions: Vec<(u64, u64)>,
    /// The error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
    /// Who asked.
    pub comm: String,
}

/// Reads the events of a trial. The first `before` of them came before the command had ended; what
/// came later the golden command read. Repeated reads of the same damage count once.
pub fn faults(ledger: &Path, before: u64) -> Result<(Vec<FaultSeen>, bool), LedgerError> {
    let events = ledger::read(ledger)?.events;
    let delivered = |event: &Event| event.outcome == Outcome::Delivered;
    let activated = events.iter().any(|event| delivered(event) && event.seq <= before);
    let mut faults: Vec<FaultSeen> = Vec::new();
    for seen in events.iter().map(FaultSeen::from) {
        let again =
            |other: &FaultSeen| FaultSeen { comm: seen.comm.clone(), ..other.clone() } == seen;
        if faults.len() < FAULTS_MAX && !faults.iter().any(again) {
            faults.push(seen);
        }
    }
    Ok((faults, activated))
}

/// No report shows more of one trial; a rate may give millions.
const FAULTS_MAX: usize = 16;

impl From<&Event> for FaultSeen {
    fn from(event: &Event) -> FaultSeen {
        FaultSeen {
            outcome: event.outcome,
            rule: event.rule.clone(),
            fault: event.fault.clone(),
            op: event.op.clone(),
            path: event.path.clone(),
            bits: event.bits.iter().map(|bit| (bit.byte, bit.bit)).collect(),
            sector: event.sector,
            regions: event.regions.iter().map(|region| (region.start, region.len)).collect(),
            errno: event.errno.clone(),
            comm: event.comm.clone(),
        }
    }
}

impl fmt::Display for FaultSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.fault, self.path)?;
        for (byte, bit) in self.bits.iter().take(4) {
            write!(f, ", byte {byte} bit {bit}")?;
        }
        if self.bits.len() > 4 {
            write!(f, " and {} more", self.bits.len() - 4)?;
        }
        for (start, len) in self.regions.iter().chain(&self.sector) {
            write!(f, ", bytes {start}..{}", start + len)?;
        }
        if let Some(errno) = &self.errno {
            write!(f, ", {} {errno}", self.op)?;
        }
        match self.outcome {
            Outcome::Delivered => Ok(()),
            Outcome::Repaired => f.write_str(" (overwritten)"),
            Outcome::Gone => f.write_str(" (cut off or removed)"),
            Outcome::NeverRead => f.write_str(" (never read)"),
            Outcome::Skipped => f.write_str(" (not done: no room)"),
            Outcome::Released => f.write_str(" (let go)"),
            Outcome::Unchanged => f.write_str(" (read as it was)"),
            Outcome::Armed => f.write_str(" (armed)"),
        }
    }
}
