//! What scenario files said at one time.

use std::io;
use std::path::PathBuf;

use super::Problem;
use crate::scenario::{self, Scenario};

/// The texts of scenario files, in their order.
#[derive(Debug)]
pub struct ScenarioTexts(pub(super) Vec<ScenarioText>);

/// One of them.
#[derive(Debug)]
pub(super) struct ScenarioText {
    /// The file.
    pub(super) path: PathBuf,
    /// What it said, and whether somebody had it open for writing then, if that can be known.
    pub(super) said: io::Result<(String, Option<bool>)>,
}

impl ScenarioTexts {
    /// All of them as one.
    pub(super) fn scenario(&self) -> Result<Scenario, Problem> {
        let named = |one: &ScenarioText| {
            let of = |problem| Problem { file: Some(one.path.clone()), ..problem };
            Ok((one.path.display().to_string(), one.scenario().map_err(of)?))
        };
        let scenarios = self.0.iter().map(named).collect::<Result<Vec<_>, Problem>>()?;
        scenario::merge(scenarios).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Problem::new(422, "conflict", lines.join("; "))
        })
    }

    /// Changes when what any of them says does, or whether it can be read.
    pub(super) fn fingerprint(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for one in &self.0 {
            let said = one.said.as_ref().map(|(text, _)| text.clone()).map_err(ToString::to_string);
            hasher.update(&[u8::from(said.is_ok())]);
            hasher.update(blake3::hash(said.unwrap_or_else(|error| error).as_bytes()).as_bytes());
        }
        hasher.finalize()
    }

    /// Whether somebody had any of them open for writing; `None`: nobody knows.
    pub(super) fn are_being_written(&self) -> Option<bool> {
        let mut said = self.0.iter().filter_map(|one| one.said.as_ref().ok());
        said.try_fold(false, |written, (_, this)| Some(written || (*this)?))
    }
}

impl ScenarioText {
    fn scenario(&self) -> Result<Scenario, Problem> {
        let (text, _) = self.said.as_ref().map_err(|error| {
            let detail = format!("{} cannot be read: {error}", self.path.display());
            Problem::new(422, "unreadable-file", detail)
        })?;
        let parsed = scenario::parse(text);
        parsed.scenario.ok_or_else(|| {
            let problem = Problem::scenario(text, &parsed.diagnostics);
            let detail = format!("{}: {}", self.path.display(), problem.detail);
            Problem { detail, ..problem }
        })
    }
}
