//! `errorfs reload`: another scenario for a live mount.

use std::path::PathBuf;

use clap::Args;

use super::asking::Mounted;
use super::exit::{Exit, Failure};
use super::scenarios;
use crate::diagnostic::Consequence;

/// Load scenario files into a live mount, instead of what is loaded
///
///   errorfs reload other.toml --on /mnt
///
/// Rules that are the same as before keep their counts and their damage. With a mistake in a file
/// nothing changes. SIGHUP does the same with the files that the mount was started with.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Reload {
    /// What goes wrong from now on; default: the files that the mount was started with, read anew
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    mounted: Mounted,
    /// Arm no rule that is new
    #[arg(long)]
    disarmed: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Loads.
pub(super) fn run(args: &Reload) -> Result<Exit, Failure> {
    let arm = if args.disarmed { "?arm=0" } else { "" };
    if args.files.is_empty() {
        args.mounted.find()?.change("POST", &format!("/v1/reload{arm}"), None, args.json)?;
        return Ok(Exit::Done);
    }
    let scenario = scenarios::load(&args.files, Consequence::LoadedStays)?;
    let body = scenario.canonical().to_string().into_bytes();
    let body = Some(("application/json", body));
    args.mounted.find()?.change("PUT", &format!("/v1/scenario{arm}"), body, args.json)?;
    Ok(Exit::Done)
}
