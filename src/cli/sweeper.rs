//! `errorfs sweeper`: the process that removes the private directory of an errorfs that has ended.
//! Hidden: `errorfs drill` starts it.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use crate::sys::process::close_inherited;
use crate::trial::sweep;

/// Remove a directory when standard input ends
#[derive(Debug, Args)]
pub(super) struct Sweeper {
    /// Absolute, and made by errorfs
    directory: PathBuf,
}

/// Waits, then removes.
pub(super) fn run(args: &Sweeper) -> Result<Exit, Failure> {
    // A pipe of the caller's that stays open here would look to the caller as if errorfs lived on.
    close_inherited();
    sweep(&args.directory, std::io::stdin().lock())
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    Ok(Exit::Done)
}
