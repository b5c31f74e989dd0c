//! The scenario files that a mount was started with, read by the mount itself.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open, openat};

use super::Problem;
use crate::scenario::{self, Scenario};

/// Scenario files. Those below the mountpoint (a mount in place, `run`) are found from a directory
/// that was opened before the mount: by their paths errorfs would ask itself, and might wait for ever.
#[derive(Debug, Default)]
pub struct ScenarioFiles(Vec<ScenarioFile>);

#[derive(Debug)]
struct ScenarioFile {
    /// Absolute.
    path: PathBuf,
    /// Of a file below the mountpoint: its directory, and its name there.
    below: Option<(OwnedFd, PathBuf)>,
}

impl ScenarioFiles {
    /// Files as they were named. To be called before the mount; `mountpoint` is without symbolic
    /// links.
    pub fn new(files: &[PathBuf], mountpoint: &Path) -> io::Result<ScenarioFiles> {
        let file = |file: &PathBuf| {
            let path = std::path::absolute(file)?;
            Ok(ScenarioFile { below: below(&path, mountpoint)?, path })
        };
        Ok(ScenarioFiles(files.iter().map(file).collect::<io::Result<_>>()?))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them as one, as they are now.
    pub(super) fn load(&self) -> Result<Scenario, Problem> {
        let named = |file: &ScenarioFile| Ok((file.path.display().to_string(), file.load()?));
        let scenarios = self.0.iter().map(named).collect::<Result<Vec<_>, Problem>>()?;
        scenario::merge(scenarios).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Problem::new(422, "conflict", lines.join("; "))
        })
    }
}

impl ScenarioFile {
    fn load(&self) -> Result<Scenario, Problem> {
        let text = self.read().map_err(|error| {
            let detail = format!("{} cannot be read: {error}", self.path.display());
            Problem::new(422, "unreadable-file", detail)
        })?;
        let parsed = scenario::parse(&text);
        parsed.scenario.ok_or_else(|| {
            let problem = Problem::scenario(&text, &parsed.diagnostics);
            let detail = format!("{}: {}", self.path.display(), problem.detail);
            Problem { detail, ..problem }
        })
    }

    fn read(&self) -> io::Result<String> {
        let Some((directory, name)) = &self.below else {
            return std::fs::read_to_string(&self.path);
        };
        // A symbolic link might lead through the mount.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut text = String::new();
        File::from(openat(directory, name, flags, Mode::empty())?).read_to_string(&mut text)?;
        Ok(text)
    }
}

/// The way to a file that is below the mountpoint.
fn below(path: &Path, mountpoint: &Path) -> io::Result<Option<(OwnedFd, PathBuf)>> {
    let Ok(path) = std::fs::canonicalize(path) else { return Ok(None) };
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
    if !directory.starts_with(mountpoint) {
        return Ok(None);
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(Some((open(directory, flags, Mode::empty())?, name.into())))
}
