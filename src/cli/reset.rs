//! `errorfs reset`: the counts of a live mount begin anew.

use clap::Args;

use super::asking::MountedAt;
use super::exit::{Exit, Failure};

/// Set all counts of a live mount to zero
///
/// `nth`, `every` and `times` count from here on, `after` and `for` run from here on, and a device
/// that is dead works again. Damage of stored bytes stays as it is, and so does what `errorfs metrics`
/// counts. An injection that has hit does not come again.
#[derive(Debug, Args)]
pub(super) struct Reset {
    #[command(flatten)]
    mounted: MountedAt,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Resets.
pub(super) fn run(args: &Reset) -> Result<Exit, Failure> {
    args.mounted.find()?.change("POST", "/v1/reset", None, args.json)?;
    Ok(Exit::Done)
}
