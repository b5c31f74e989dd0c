//! `errorfs umount`: removes mounts of errorfs, also dead ones.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use crate::machine::{Detach, UnmountError, unmount};

/// Remove mounts of errorfs, also dead ones, and nothing else
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
    let attempts = args.mountpoint.iter().map(|path| unmount(path, detach));
    let errors: Vec<_> = attempts.filter_map(Result::err).collect();
    let Some(first) = errors.first() else {
        return Ok(Exit::Done);
    };
    let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
    Err(Failure::new(exit_of(first), messages.join("\nerrorfs: ")))
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
