//! Real damage is asked for twice: by the scenario, and by `--allow-damage` with a place for what
//! undoes it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::exit::{Exit, Failure};
use super::place::Place;
use crate::scenario::{Fault, Scenario};
use crate::state::{Belongs, StateDir, StateError};

/// The state directory of a mount.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Open, and ours.
    pub(super) state: Option<StateDir>,
    /// It goes with the mount.
    pub(super) scratch: Option<TempDir>,
}

/// Opens the state directory that was asked for. A backing directory that is thrown away and that a
/// scenario is `damaging` has one that is thrown away, too.
pub(super) fn state(typed: Option<&Path>, place: &Place, damaging: bool) -> Result<Kept, Failure> {
    match typed {
        Some(path) => Ok(Kept { state: Some(open(path, place)?), scratch: None }),
        None if damaging && place.thrown_away => scratch(place),
        None => Ok(Kept::default()),
    }
}

/// Whether a scenario damages the backing directory itself.
pub(super) fn is_meant(scenario: &Scenario) -> bool {
    scenario.rules.iter().any(|rule| rule.fault.damages_backing())
}

/// Whether a scenario may cut the power, so that what is not synced must be remembered.
pub(super) fn cuts_power(scenario: &Scenario) -> bool {
    scenario.rules.iter().any(|rule| matches!(rule.fault, Fault::PowerCut(_)))
}

fn scratch(place: &Place) -> Result<Kept, Failure> {
    // Threads that answer requests have no umask; this one may have none, too.
    let private = std::fs::Permissions::from_mode(0o700);
    let scratch = tempfile::Builder::new().prefix("errorfs-state-").permissions(private).tempdir();
    let scratch = scratch.map_err(|error| {
        Failure::new(Exit::TryAgain, format!("no directory for temporary files: {error}"))
    })?;
    Ok(Kept { state: Some(open(scratch.path(), place)?), scratch: Some(scratch) })
}

fn open(path: &Path, place: &Place) -> Result<StateDir, Failure> {
    place.must_not_be_above(&nearest(path).join("state"), path, "state directory")?;
    let own = |error: std::io::Error| Failure::new(Exit::Internal, error.to_string());
    let backing = Belongs::to(&place.backing, &place.root).map_err(own)?;
    StateDir::open(path, &backing).map_err(|error| refused(&error))
}

/// The directory itself, or the one above it that is there.
fn nearest(path: &Path) -> PathBuf {
    let there = path.ancestors().find(|path| path.exists());
    let there = there.filter(|path| !path.as_os_str().is_empty());
    there.unwrap_or(Path::new(".")).to_path_buf()
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// Of a state directory that cannot be used.
pub(super) fn refused(error: &StateError) -> Failure {
    let exit = match error {
        StateError::InUse(_) => Exit::TryAgain,
        StateError::Failed { source, .. } if is_full(source) => Exit::TryAgain,
        StateError::Failed { .. } => Exit::Internal,
        _ => Exit::Usage,
    };
    Failure::caused(exit, error)
}
