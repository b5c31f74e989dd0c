//! Results: one line of JSON a trial, between a header and a trailer. The format may only grow.
//!
//! A file is being written (`.part`), with a line as soon as a trial has ended, or is whole: then it has
//! a trailer, and never changes again. Who is killed leaves a part, which is taken up again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CampaignPlan, Global, Judgement, Local, Point, Shard, Spread, put_new};
use crate::trial::Verdict;

/// The version of the format in this file.
pub const RESULTS_FORMAT: u32 = 1;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultsHeader {
    /// Version of the format.
    pub results: u32,
    /// The plan.
    pub plan_id: String,
    /// Version of errorfs.
    pub errorfs: String,
    /// Version of the numbering of draws.
    pub draw: u32,
    /// Name of the machine.
    pub host: String,
    /// Kernel release.
    pub kernel: String,
    /// Which part of the trials: index and number of parts.
    pub shard: (u64, u64),
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialLine {
    /// Its id, 32 hexadecimal digits.
    pub trial: String,
    /// Its fault.
    pub point: Point,
    /// Its own seed.
    pub seed: u64,
    /// In the vocabulary of drills.
    pub verdict: Verdict,
    /// What the faulty node did.
    pub local: Local,
    /// What the system did.
    pub global: Vec<Global>,
    /// Why, in a few words.
    pub why: String,
    /// The events of the ledger, the first of them.
    pub events: Vec<Value>,
    /// Where other nodes store what the faulty one was given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spread: Vec<Spread>,
    /// The first bytes of the block as they were before the trial, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<String>,
    /// The ends of what was said, by program and stream.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub said: BTreeMap<String, String>,
    /// What may be different each time.
    pub run: RunTold,
}

/// Circumstances of a trial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunTold {
    /// From 1.
    pub attempt: u64,
    /// When it ended, RFC 3339.
    pub finished: String,
    /// Where.
    pub host: String,
    /// How long it took.
    pub elapsed_ms: u64,
}

impl TrialLine {
    /// What two runs of one trial must agree upon, unless the system itself is not deterministic.
    pub fn outcome(&self) -> (Verdict, Local, Vec<Global>) {
        (self.verdict, self.local, self.global.clone())
    }

    /// The same as a judgement.
    pub fn judgement(&self) -> Judgement {
        let (verdict, local, global) = self.outcome();
        Judgement { verdict, local, global, why: self.why.clone() }
    }
}

/// The last line of a whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Trailer {
    count: u64,
    blake3: String,
}

/// A file of results.
#[derive(Clone, Debug)]
pub struct ResultsFile {
    /// The first line.
    pub header: ResultsHeader,
    /// The trials, as they stand there.
    pub trials: Vec<TrialLine>,
    /// Whether it is whole.
    pub complete: bool,
}

/// Why a file of results cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{}:{line}: not a line of results: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Another process writes it.
    #[error("{}: another process is running this shard", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
}

impl ResultsFile {
    /// Reads a file, whole or not. A last line that was cut off is left out.
    pub fn read(path: &Path) -> Result<ResultsFile, ResultsError> {
        let text =
            std::fs::read(path).map_err(|source| ResultsError::Io { path: path.into(), source })?;
        parse(&text).map_err(|(line, why)| ResultsError::Line { path: path.into(), line, why })
    }
}

fn parse(text: &[u8]) -> Result<ResultsFile, (usize, String)> {
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines: Vec<&[u8]> = text[..whole].split_inclusive(|byte| *byte == b'\n').collect();
    let Some((first, mut rest)) = lines.split_first() else {
        return Err((1, "there is no header".to_owned()));
    };
    let header: ResultsHeader = line(1, first)?;
    if header.results != RESULTS_FORMAT {
        let (found, read) = (header.results, RESULTS_FORMAT);
        return Err((1, format!("format {found}, and this errorfs reads format {read}")));
    }
    let last = rest.split_last();
    let trailer = last.and_then(|(last, _)| serde_json::from_slice::<Trailer>(last).ok());
    if let (Some(trailer), Some((_, trials))) = (&trailer, last) {
        rest = trials;
        if *trailer != trailer_of(rest) {
            return Err((lines.len(), "the trailer is of other lines".to_owned()));
        }
    }
    let trials = rest.iter().enumerate().map(|(place, text)| line(place + 2, text));
    Ok(ResultsFile {
        header,
        trials: trials.collect::<Result<_, _>>()?,
        complete: trailer.is_some(),
    })
}

fn line<'a, T: Deserialize<'a>>(number: usize, text: &'a [u8]) -> Result<T, (usize, String)> {
    serde_json::from_slice(text).map_err(|error| (number, error.to_string()))
}

fn trailer_of(lines: &[&[u8]]) -> Trailer {
    let mut hasher = blake3::Hasher::new();
    for line in lines {
        hasher.update(line);
    }
    Trailer { count: lines.len() as u64, blake3: hasher.finalize().to_hex().to_string() }
}

/// A whole file: the trials in the order of their ids.
pub fn whole_file(header: &ResultsHeader, mut trials: Vec<TrialLine>) -> Vec<u8> {
    trials.sort_by(|a, b| a.trial.cmp(&b.trial));
    let lines: Vec<Vec<u8>> = trials.iter().map(text_of).collect();
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let mut text = text_of(header);
    lines.iter().for_each(|line| text.extend_from_slice(line));
    text.extend(text_of(&trailer_of(&lines)));
    text
}

fn text_of(line: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(line).expect("results are plain data");
    text.push(b'\n');
    text
}

/// The results of a shard, being written.
#[derive(Debug)]
pub struct ShardFile {
    whole: PathBuf,
    part: PathBuf,
    file: File,
    header: ResultsHeader,
    /// What is done, by id. Later attempts replace earlier ones.
    done: BTreeMap<String, TrialLine>,
}

/// What became of a shard that was opened.
#[derive(Debug)]
pub enum Opened {
    /// Nothing is left to do.
    Complete(ResultsFile),
    /// It is ours.
    Ours(Box<ShardFile>),
}

/// The name of a shard's file.
pub fn shard_name(shard: Shard) -> String {
    format!("shard-{}-of-{}.jsonl", shard.index, shard.of)
}

impl ShardFile {
    /// Begins a shard, or takes it up where it was left.
    pub fn open(
        folder: &Path,
        shard: Shard,
        plan: &CampaignPlan,
        host: &str,
    ) -> Result<Opened, ResultsError> {
        let whole = folder.join(shard_name(shard));
        let part = folder.join(format!("{}.part", shard_name(shard)));
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| ResultsError::Io { path, source }
        };
        std::fs::create_dir_all(folder).map_err(io(folder))?;
        let file = OpenOptions::new().read(true).append(true).create(true).open(&part);
        let file = file.map_err(io(&part))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(ResultsError::Busy { path: part });
        }
        if whole.exists() {
            // Also one that was just made: then the part is a remainder of it.
            std::fs::remove_file(&part).map_err(io(&part))?;
            return Ok(Opened::Complete(ResultsFile::read(&whole)?));
        }
        let header = header(plan, shard, host);
        let mut own = ShardFile { whole, part, file, header, done: BTreeMap::new() };
        own.take_up()?;
        Ok(Opened::Ours(Box::new(own)))
    }

    fn take_up(&mut self) -> Result<(), ResultsError> {
        let part = self.part.clone();
        let io = |source| ResultsError::Io { path: part.clone(), source };
        let text = std::fs::read(&self.part).map_err(io)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.file.set_len(whole as u64).map_err(io)?;
        if whole == 0 {
            return self.append(&text_of(&self.header.clone()));
        }
        let read = parse(&text[..whole]).map_err(|(line, why)| ResultsError::Line {
            path: part.clone(),
            line,
            why,
        })?;
        self.done = read.trials.into_iter().map(|line| (line.trial.clone(), line)).collect();
        Ok(())
    }

    fn append(&mut self, text: &[u8]) -> Result<(), ResultsError> {
        let io = |source| ResultsError::Io { path: self.part.clone(), source };
        self.file.write_all(text).map_err(io)
    }

    /// The attempts at a trial so far, and whether it needs no more.
    pub fn attempts(&self, trial: &str) -> (u64, bool) {
        self.done
            .get(trial)
            .map_or((0, false), |line| (line.run.attempt, line.verdict != Verdict::Inconclusive))
    }

    /// What is done.
    pub fn trials(&self) -> impl Iterator<Item = &TrialLine> {
        self.done.values()
    }

    /// Keeps a trial: from here on no death of this process loses it.
    pub fn keep(&mut self, trial: TrialLine) -> Result<(), ResultsError> {
        self.append(&text_of(&trial))?;
        self.done.insert(trial.trial.clone(), trial);
        Ok(())
    }

    /// Makes what was kept last, also through a power cut.
    pub fn sync(&self) -> Result<(), ResultsError> {
        let io = |source| ResultsError::Io { path: self.part.clone(), source };
        self.file.sync_all().map_err(io)
    }

    /// The whole file in place of the part.
    pub fn finish(self) -> Result<PathBuf, ResultsError> {
        let text = whole_file(&self.header, self.done.into_values().collect());
        let io = |path: PathBuf| |source| ResultsError::Io { path, source };
        match put_new(&self.whole, &text) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(io(self.whole)(error));
            }
            _ => {}
        }
        std::fs::remove_file(&self.part).map_err(io(self.part))?;
        Ok(self.whole)
    }
}

/// The header of results of a plan.
pub fn header(plan: &CampaignPlan, shard: Shard, host: &str) -> ResultsHeader {
    ResultsHeader {
        results: RESULTS_FORMAT,
        plan_id: plan.id().text(),
        errorfs: env!("CARGO_PKG_VERSION").to_owned(),
        draw: plan.draw,
        host: host.to_owned(),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        shard: (shard.index, shard.of),
    }
}
