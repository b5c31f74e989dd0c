//! Reads a ledger, whole or as a stream, also one whose writer was killed in the middle of a line.
//!
//! Knows the lines; what they are good for is the business of `replay` and reports.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Event, FORMAT, Header};

/// Why a ledger cannot be read. Every message names the file, and the line if it is one's fault.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no complete first line.
    #[error("{}:1: no ledger: the first line is missing or cut off", path.display())]
    NoHeader {
        /// The file.
        path: PathBuf,
    },
    /// It is in a format of another version.
    #[error("{}:1: ledger format {found}, and this errorfs reads format {FORMAT}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A line is not what it should be.
    #[error("{}:{line}: not a line of a ledger: {source}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A ledger in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Ledger {
    /// The first line.
    pub header: Header,
    /// All complete events, in order.
    pub events: Vec<Event>,
    /// Whether the last line was cut off. Its fault was not delivered.
    pub truncated: bool,
}

/// Reads a whole ledger.
pub fn read(path: &Path) -> Result<Ledger, LedgerError> {
    let mut reader = Reader::open(path)?;
    let events = reader.by_ref().collect::<Result<Vec<_>, _>>()?;
    Ok(Ledger { events, truncated: reader.truncated(), header: reader.header })
}

/// A ledger event by event. Ends at the first error.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    header: Header,
    line: u64,
    bytes: Vec<u8>,
    truncated: bool,
    ended: bool,
}

/// The only field that every version has.
#[derive(Deserialize)]
struct Version {
    ledger: u64,
}

impl Reader {
    /// Opens a ledger and reads its header.
    pub fn open(path: &Path) -> Result<Reader, LedgerError> {
        let path = path.to_owned();
        let mut file = match File::open(&path) {
            Ok(file) => BufReader::new(file),
            Err(source) => return Err(LedgerError::Io { path, source }),
        };
        let mut bytes = Vec::new();
        let header = match file.read_until(b'\n', &mut bytes) {
            Err(source) => return Err(LedgerError::Io { path, source }),
            Ok(_) if !bytes.ends_with(b"\n") => return Err(LedgerError::NoHeader { path }),
            Ok(_) => header(&path, &bytes)?,
        };
        Ok(Reader { path, file, header, line: 1, bytes, truncated: false, ended: false })
    }

    /// The first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Whether the last line was cut off; known once the events have ended.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    fn read(&mut self) -> Result<Option<Event>, LedgerError> {
        self.bytes.clear();
        self.line += 1;
        let read = self.file.read_until(b'\n', &mut self.bytes);
        read.map_err(|source| LedgerError::Io { path: self.path.clone(), source })?;
        // Even if what is there makes a whole event: it was delivered only after its newline.
        if !self.bytes.ends_with(b"\n") {
            self.truncated = !self.bytes.is_empty();
            return Ok(None);
        }
        let event = serde_json::from_slice(&self.bytes);
        event.map(Some).map_err(|source| LedgerError::Line {
            path: self.path.clone(),
            line: self.line,
            source,
        })
    }
}

impl Iterator for Reader {
    type Item = Result<Event, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.read().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

fn header(path: &Path, bytes: &[u8]) -> Result<Header, LedgerError> {
    let bad = |source| LedgerError::Line { path: path.to_owned(), line: 1, source };
    let Version { ledger: found } = serde_json::from_slice(bytes).map_err(bad)?;
    if found != u64::from(FORMAT) {
        let path = path.to_owned();
        return Err(LedgerError::Version { path, found });
    }
    serde_json::from_slice(bytes).map_err(bad)
}
