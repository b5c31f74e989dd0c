//! Scenario files, read by the mount itself.

use std::path::{Path, PathBuf};

use super::Problem;
use crate::scenario::{self, Scenario};

/// All of them as one.
pub(super) fn load(files: &[PathBuf]) -> Result<Scenario, Problem> {
    let scenarios = files.iter().map(|file| Ok((file.display().to_string(), one(file)?)));
    let scenarios = scenarios.collect::<Result<Vec<_>, Problem>>()?;
    scenario::merge(scenarios).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Problem::new(422, "conflict", lines.join("; "))
    })
}

fn one(file: &Path) -> Result<Scenario, Problem> {
    let unreadable = |error: std::io::Error| {
        let detail = format!("{} cannot be read: {error}", file.display());
        Problem::new(422, "unreadable-file", detail)
    };
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    let parsed = scenario::parse(&text);
    parsed.scenario.ok_or_else(|| Problem::scenario(&text, &parsed.diagnostics))
}
