//! `errorfs umount`: removes mounts of errorfs, also dead ones.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::eprint;
use super::exit::{Exit, Failure};
use crate::machine::{Detach, Mount, ServerProcess, UnmountError, find, mounts, unmount};

/// How long the errorfs that served a mount may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Remove mounts of errorfs, also dead ones, and nothing else
///
/// Returns when the errorfs that served the mount has ended: its ledger is whole then, and the
/// backing directory is free. It waits for that up to 10 seconds, and not with --lazy.
///
/// Ordinary users need fusermount3 for it. Exit status: 0 removed; 1 nothing, or something else
/// than errorfs, is mounted there; 4 not permitted; 75 in use.
#[derive(Debug, Args)]
pub(super) struct Umount {
    /// Take it from sight at once, even if it is in use; it ends when nobody uses it any more
    #[arg(short, long, visible_short_alias = 'z')]
    lazy: bool,
    /// Where errorfs is mounted
    #[arg(required = true)]
    mountpoint: Vec<PathBuf>,
}

/// Removes all that can be removed; the first that cannot decides the exit status.
pub(super) fn run(args: &Umount) -> Result<Exit, Failure> {
    let detach = match args.lazy {
        true => Detach::Lazily,
        false => Detach::IfUnused,
    };
    let attempts = args.mountpoint.iter().map(|path| remove(path, detach));
    let errors: Vec<_> = attempts.filter_map(Result::err).collect();
    let Some(first) = errors.first() else {
        return Ok(Exit::Done);
    };
    let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
    Err(Failure::new(exit_of(first), messages.join("\nerrorfs: ")))
}

/// Removes one, and waits for whoever served it. With --lazy that ends with its last user.
fn remove(path: &Path, detach: Detach) -> Result<(), UnmountError> {
    let mount = find(path).ok().flatten().filter(|_| detach == Detach::IfUnused);
    let server = mount.as_ref().and_then(ServerProcess::of);
    unmount(path, detach)?;
    if let (Some(mount), Some(server)) = (mount, server) {
        wait_for(&server, &mount);
    }
    Ok(())
}

fn wait_for(server: &ServerProcess, mount: &Mount) {
    let elsewhere = |other: Mount| other.is_errorfs() && other.device == mount.device;
    if mounts().is_ok_and(|mounts| mounts.into_iter().any(elsewhere)) {
        return;
    }
    if !server.ends_within(PATIENCE).unwrap_or(true) {
        let (pid, place) = (server.id(), mount.mountpoint.display());
        eprint(&format!(
            "{place}: removed, but the errorfs that served it (process {pid}) has not ended within \
             {} s: its ledger may still grow, and the backing directory be in use",
            PATIENCE.as_secs()
        ));
    }
}

fn exit_of(error: &UnmountError) -> Exit {
    match error {
        UnmountError::NotMounted { .. } | UnmountError::NotErrorfs { .. } => {
            Exit::ExpectationFailed
        }
        UnmountError::Busy { .. } | UnmountError::Covered { .. } => Exit::TryAgain,
        UnmountError::Refused { .. } => Exit::CannotMount,
    }
}
