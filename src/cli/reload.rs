//! `errorfs reload`: another scenario for a live mount.

use std::path::PathBuf;

use clap::Args;

use super::asking::Loading;
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
    loading: Loading,
}

/// Loads.
pub(super) fn run(args: &Reload) -> Result<Exit, Failure> {
    if args.files.is_empty() {
        return args.loading.load("POST", "/v1/reload", None);
    }
    let scenario = scenarios::load(&args.files, Consequence::LoadedStays)?;
    let body = scenario.canonical().to_string().into_bytes();
    args.loading.load("PUT", "/v1/scenario", Some(("application/json", body)))
}
