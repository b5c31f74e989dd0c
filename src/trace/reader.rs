//! Reads a trace of either format: ours, or CORDS'.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Record, TRACE_FORMAT, TraceHeader, from_cords};

/// A trace in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The first line.
    pub header: TraceHeader,
    /// All complete operations, in order.
    pub records: Vec<Record>,
}

/// Why a trace cannot be read. Every message names the file, and the line if it is one's fault.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be opened or read.
    #[error("{}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not what it should be.
    #[error("{}:{line}: not a line of a trace: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

/// The only field that every version has.
#[derive(Deserialize)]
struct Version {
    trace: u64,
}

/// Reads a whole trace: JSON Lines if it begins with a brace, else CORDS' lines. A last line that was
/// cut off is left out.
pub fn read_trace(path: &Path) -> Result<Trace, TraceError> {
    let text =
        std::fs::read(path).map_err(|source| TraceError::Io { path: path.into(), source })?;
    let read = match text.first() {
        Some(b'{') => from_lines(&text),
        _ => from_cords(&text),
    };
    read.map_err(|(line, why)| TraceError::Line { path: path.into(), line, why })
}

fn from_lines(text: &[u8]) -> Result<Trace, (usize, String)> {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').enumerate();
    let first = lines.next().map_or(&b""[..], |(_, line)| line);
    let version: Version = parsed(0, first)?;
    if version.trace != u64::from(TRACE_FORMAT) {
        let Version { trace } = version;
        return Err((1, format!("format {trace}, and this errorfs reads format {TRACE_FORMAT}")));
    }
    let whole = lines.filter(|(_, line)| line.ends_with(b"\n"));
    let records = whole.map(|(place, line)| parsed(place, line)).collect::<Result<_, _>>()?;
    Ok(Trace { header: parsed(0, first)?, records })
}

fn parsed<'a, T: Deserialize<'a>>(place: usize, line: &'a [u8]) -> Result<T, (usize, String)> {
    serde_json::from_slice(line).map_err(|error| (place + 1, error.to_string()))
}
