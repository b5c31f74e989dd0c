//! `errorfs metrics`: what a live mount counts, for Prometheus.

use clap::Args;

use super::asking::MountedAt;
use super::exit::{Exit, Failure};
use super::out;

/// What a live mount counts, in the text format of Prometheus
#[derive(Debug, Args)]
pub(super) struct Metrics {
    #[command(flatten)]
    mounted: MountedAt,
}

/// Tells.
pub(super) fn run(args: &Metrics) -> Result<Exit, Failure> {
    let reply = args.mounted.find()?.get("/metrics")?;
    out(String::from_utf8_lossy(&reply.body).trim_end())?;
    Ok(Exit::Done)
}
