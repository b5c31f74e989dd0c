//! `errorfs release`: what is stalled on a live mount is answered.

use clap::Args;

use super::asking::MountedAt;
use super::exit::{Exit, Failure};
use super::out;

/// Answer what is stalled on a live mount
///
/// What comes later is stalled again: `errorfs disarm` ends that.
#[derive(Debug, Args)]
pub(super) struct Release {
    #[command(flatten)]
    mounted: MountedAt,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Releases.
pub(super) fn run(args: &Release) -> Result<Exit, Failure> {
    let released = args.mounted.find()?.ask("POST", "/v1/release", None)?.json();
    match args.json {
        true => out(&released.to_string())?,
        false => out(&format!("{} answered", released["released"]))?,
    }
    Ok(Exit::Done)
}
