//! `errorfs populate`: rules for a live mount, beside those that are there.

use std::path::{Path, PathBuf};

use clap::Args;

use super::asking::Loading;
use super::exit::{Exit, Failure};
use super::scenarios;
use crate::diagnostic::Consequence;

/// Add rules to a live mount, and replace those of the same names
///
///   errorfs populate more.toml --on /mnt
///
/// Rules that are the same as before keep their counts and their damage; those that the file does not
/// name stay. `after_event` may name a rule that is loaded. Done twice, it changes nothing the second
/// time. A `seed` that is not the one of the mount is refused.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Populate {
    /// A scenario file
    file: PathBuf,
    #[command(flatten)]
    loading: Loading,
}

/// Populates. What is wrong with the file only the mount knows: it has the other rules.
pub(super) fn run(args: &Populate) -> Result<Exit, Failure> {
    let body = Some(("application/toml", text(&args.file)?));
    args.loading.load("POST", "/v1/populate", body)
}

fn text(file: &Path) -> Result<Vec<u8>, Failure> {
    match scenarios::read(file) {
        Ok(text) => Ok(text.into_bytes()),
        Err(diagnostic) => {
            let name = file.display().to_string();
            scenarios::print_of(&name, "", &[diagnostic], Consequence::LoadedStays);
            Err(Failure::new(Exit::BadFile, ""))
        }
    }
}
