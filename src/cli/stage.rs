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
    #[arg(long, required_unless_present = "script")]
    into: Option<PathBuf>,
    /// A script for the shell, to be run instead
    #[arg(long, conflicts_with = "into")]
    script: Option<String>,
    /// This is the first of the processes
    #[arg(long)]
    first: bool,
}

/// Runs it to its end, which is the end of everything that it started.
pub(super) fn run(args: &StageArgs) -> Result<Exit, Failure> {
    let internal = |error: std::io::Error| Failure::new(Exit::Internal, format!("stage: {error}"));
    if args.first {
        show_processes().map_err(internal)?;
        return act(args).map_err(internal);
    }
    seclude().map_err(|error| Failure::caused(Exit::CannotMount, &error))?;
    let mut command = Command::new("/proc/self/exe");
    command.args(["stage", "--first"]);
    if let Some(into) = &args.into {
        command.arg("--into").arg(into);
    }
    if let Some(script) = &args.script {
        command.arg("--script").arg(script);
    }
    match first(command).map_err(internal)? {
        0 => Ok(Exit::Done),
        status => Ok(Exit::Command(u8::try_from(status).unwrap_or(u8::MAX))),
    }
}

/// What the first process does.
fn act(args: &StageArgs) -> std::io::Result<Exit> {
    if let Some(script) = &args.script {
        let status = Command::new("sh").args(["-euc", script]).status()?;
        let status = status.code().and_then(|code| u8::try_from(code).ok());
        return Ok(status.map_or(Exit::Command(u8::MAX), Exit::Command));
    }
    let into = args.into.as_deref().unwrap_or(std::path::Path::new("."));
    let text = std::fs::read(into.join("stage.json"))?;
    let stage: Stage = serde_json::from_slice(&text)?;
    perform(&stage, into)?;
    Ok(Exit::Done)
}
