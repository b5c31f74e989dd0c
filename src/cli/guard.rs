//! `errorfs guard`: the process that removes the mount of an errorfs that was killed. Hidden:
//! `errorfs mount` starts it.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use crate::machine::watch;
use crate::sys::process::close_inherited;

/// Remove a mount when standard input ends, unless it says that there is no need
#[derive(Debug, Args)]
pub(super) struct Guard {
    /// Absolute, as in /proc/self/mountinfo
    mountpoint: PathBuf,
    /// MAJOR:MINOR
    #[arg(value_parser = parse_device)]
    device: (u32, u32),
    /// The process that serves the mount
    server: Option<u32>,
}

fn parse_device(text: &str) -> Result<(u32, u32), String> {
    let numbers = text.split_once(':').and_then(|(major, minor)| {
        let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
        Some((major, minor))
    });
    numbers.ok_or_else(|| "must be two numbers with a colon between them".to_owned())
}

/// Watches until standard input ends.
pub(super) fn run(args: &Guard) -> Result<Exit, Failure> {
    // A pipe of the caller's that stays open here would look to the caller as if errorfs lived on.
    close_inherited();
    match watch(&args.mountpoint, args.device, std::io::stdin().lock()) {
        Ok(_) => Ok(Exit::Done),
        Err(error) => Err(Failure::new(Exit::CannotMount, error.to_string())),
    }
}
