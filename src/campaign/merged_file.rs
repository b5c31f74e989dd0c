//! A file of merged results: a header, then one trial a line, in the order of their ids. The same bytes
//! for the same results.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Merged, MergedTrial, ResultsError, ResultsFile};

/// The version of the format in this file.
pub const MERGED_FORMAT: u32 = 1;

/// Results of one plan.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedFile {
    /// The plan.
    pub plan_id: String,
    /// The campaign, if it is known.
    pub name: Option<String>,
    /// The results.
    pub merged: Merged,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    merged: u32,
    plan_id: String,
    name: Option<String>,
}

impl MergedFile {
    /// The text of the file.
    pub fn to_text(&self) -> Vec<u8> {
        let MergedFile { plan_id, name, merged } = self.clone();
        let mut text = Vec::new();
        let mut line = |line: serde_json::Result<Vec<u8>>| {
            text.extend(line.expect("results are plain data"));
            text.push(b'\n');
        };
        line(serde_json::to_vec(&Header { merged: MERGED_FORMAT, plan_id, name }));
        merged.trials.values().for_each(|trial| line(serde_json::to_vec(trial)));
        text
    }
}

/// Reads results, of one shard or merged.
pub fn read_results(path: &Path) -> Result<MergedFile, ResultsError> {
    let text = std::fs::read(path).map_err(|source| io_error(path, source))?;
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Ok(header) = serde_json::from_slice::<Header>(first) else {
        let file = ResultsFile::read(path)?;
        let mut merged = Merged::default();
        merged.add(file.trials);
        return Ok(MergedFile { plan_id: file.header.plan_id, name: None, merged });
    };
    let mut merged = Merged::default();
    for (place, line) in text.split(|byte| *byte == b'\n').enumerate().skip(1) {
        if line.is_empty() {
            continue;
        }
        let trial: MergedTrial = serde_json::from_slice(line).map_err(|error| {
            let (line, why) = (place + 1, error.to_string());
            ResultsError::Line { path: path.into(), line, why }
        })?;
        merged.add_merged(trial);
    }
    Ok(MergedFile { plan_id: header.plan_id, name: header.name, merged })
}

fn io_error(path: &Path, source: io::Error) -> ResultsError {
    ResultsError::Io { path: path.into(), source }
}
