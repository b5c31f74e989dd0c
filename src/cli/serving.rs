//! From what was typed to a filesystem under an armed plan: what `mount` and `run` have in common.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::place::Place;
use crate::fs::{Filesystem, Settings};
use crate::fuse::{MountOptions, Session};
use crate::injector::Injector;
use crate::ledger::Writer;
use crate::media::Media;

/// What is to go wrong, and where that is recorded.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// A file of rules; several add up
    #[arg(long, value_name = "FILE")]
    scenario: Vec<PathBuf>,
    /// The root of all randomness; without it the scenario's, else one is drawn and printed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// A new file for the events; without it one below the state directory, whose name is printed
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Tells this mount's damage from that of others with the same seed
    #[arg(long, value_name = "NAME", default_value = "")]
    id: String,
}

/// A mount with a plan.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) session: Session,
}

impl Serving {
    /// Mounts.
    pub(super) fn start(
        _args: &PlanArgs,
        place: Place,
        ended: impl FnOnce(std::io::Result<()>) + Send + 'static,
    ) -> Result<Serving, Failure> {
        let settings = Settings {
            errorfs_is_root: rustix::process::geteuid().is_root(),
        };
        let injector = Injector::default();
        let options = MountOptions {
            allow_other: place.allow_other,
            ..MountOptions::new(&place.backing, &place.mountpoint)
        };
        let own = |error: std::io::Error| Failure::new(Exit::Internal, error.to_string());
        let fs = Filesystem::new(
            place.root,
            settings,
            injector,
            Media::default(),
            Writer::none(),
        )
        .map_err(own)?;
        let refused =
            |error: crate::fuse::MountError| Failure::new(Exit::CannotMount, error.to_string());
        let session = Session::mount(fs, &options, ended).map_err(refused)?;
        Ok(Serving { session })
    }

    /// What `--ready-fd` tells.
    pub(super) fn summary(&self) -> serde_json::Value {
        let mounted = self.session.mounted();
        serde_json::json!({
            "ready": true,
            "mountpoint": mounted.mountpoint.to_string_lossy(),
            "pid": std::process::id(),
        })
    }
}
