//! `errorfs power-cut`: the power of a live mount goes, now.

use clap::Args;

use super::asking::MountedAt;
use super::exit::{Exit, Failure};
use super::out;

/// Cut the power of a live mount, as the first rule about it says
///
/// What was not synced is lost, and whatever is open fails from then on; with `then = "off"` all else
/// as well. Takes a mount whose scenario has a `power_cut`; `errorfs heal` undoes it afterwards.
#[derive(Debug, Args)]
pub(super) struct PowerCut {
    #[command(flatten)]
    mounted: MountedAt,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Cuts.
pub(super) fn run(args: &PowerCut) -> Result<Exit, Failure> {
    let cut = args.mounted.find()?.ask("POST", "/v1/power-cut", None)?.json();
    out(&if args.json { cut.to_string() } else { "the power was cut".to_owned() })?;
    Ok(Exit::Done)
}
