//! `errorfs capture`: what runs inside a trial's mount. Hidden: trials start it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::exit::{Exit, Failure};
use crate::scenario::duration;
use crate::trial;

/// Run a command, and write down how it ended and what it said
#[derive(Debug, Args)]
pub(super) struct Capture {
    /// The directory for outputs and record
    #[arg(long)]
    into: PathBuf,
    /// How long each command may take
    #[arg(long, value_parser = duration::parse)]
    timeout: Duration,
    /// The ledger of the mount
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// A line for the shell, run afterwards
    #[arg(long)]
    golden: Option<OsString>,
    /// NAME=VALUE for the environment
    #[arg(long)]
    set: Vec<String>,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Runs both commands to their ends.
pub(super) fn run(args: &Capture) -> Result<Exit, Failure> {
    let request = trial::Capture {
        into: &args.into,
        timeout: args.timeout,
        ledger: args.ledger.as_deref(),
        environment: &args.set,
        command: &args.command,
        golden: args.golden.as_deref(),
    };
    let internal = |error: std::io::Error| Failure::new(Exit::Internal, format!("trial: {error}"));
    trial::capture(&request).map_err(internal)?;
    Ok(Exit::Done)
}
