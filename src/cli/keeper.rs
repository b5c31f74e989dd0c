//! `errorfs keeper`: the process between errorfs and a command. Hidden: `errorfs run` starts it.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use super::exit::{Exit, Failure};
use crate::isolation::{Surroundings, keep};
use crate::sys::process::inherited;

/// Run a command and kill all that descends from it when it ends, or errorfs does
#[derive(Debug, Args)]
pub(super) struct Keeper {
    /// Number of the open descriptor that leads to errorfs
    #[arg(long)]
    connection: RawFd,
    /// Process group of the command
    #[arg(long)]
    group: i32,
    /// File mode creation mask of the command
    #[arg(long)]
    umask: u32,
    /// How many files the command may have open; absent: any number
    #[arg(long)]
    open_files: Option<u64>,
    /// Where the command starts
    #[arg(long)]
    cwd: Option<PathBuf>,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Keeps the command until it ends.
pub(super) fn run(args: Keeper) -> Result<Exit, Failure> {
    let internal = |error: std::io::Error| Failure::new(Exit::Internal, format!("keeper: {error}"));
    let errorfs = UnixStream::from(inherited(args.connection).map_err(internal)?);
    let mut words = args.command.into_iter();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).process_group(args.group);
    if let Some(cwd) = args.cwd {
        command.current_dir(cwd);
    }
    let surroundings = Surroundings { umask: args.umask, open_files: args.open_files };
    surroundings.restore();
    keep(errorfs, command).map_err(internal)?;
    Ok(Exit::Done)
}
