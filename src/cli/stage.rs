//! `errorfs stage`: what runs inside a campaign's mounts, with processes and a network of its own.
//! Hidden: campaigns start it.

use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use super::exit::{Exit, Failure};
use crate::campaign::{Stage, perform};
use crate::isolation::{first, seclude, show_processes};

/// Run the nodes, workload and checks of one trial, and write down how they ended
#[derive(Debug, Args)]
pub(super) struct StageArgs {
    /// The directory with the stage, for outputs and record
    #[arg(long)]
    into: PathBuf,
    /// This is the first of the processes
    #[arg(long)]
    first: bool,
}

/// Runs it to its end, which is the end of everything that it started.
pub(super) fn run(args: &StageArgs) -> Result<Exit, Failure> {
    let internal = |error: std::io::Error| Failure::new(Exit::Internal, format!("stage: {error}"));
    if args.first {
        show_processes().map_err(internal)?;
        let text = std::fs::read(args.into.join("stage.json")).map_err(internal)?;
        let stage: Stage = serde_json::from_slice(&text).map_err(|error| internal(error.into()))?;
        perform(&stage, &args.into).map_err(internal)?;
        return Ok(Exit::Done);
    }
    seclude().map_err(|error| Failure::caused(Exit::CannotMount, &error))?;
    let mut command = Command::new("/proc/self/exe");
    command.args(["stage", "--first", "--into"]).arg(&args.into);
    match first(command).map_err(internal)? {
        0 => Ok(Exit::Done),
        _ => Err(Failure::new(Exit::Internal, "")),
    }
}
