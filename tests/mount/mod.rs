//! Real mounts, real faults, one file per subject.

mod askers;
mod attributes;
mod bad_sector;
mod clusters;
mod composing;
mod confinement;
mod crash;
mod dead;
mod descriptors;
mod directories;
mod errors;
mod exclusive;
mod files;
mod fsync;
mod introductions;
mod kill;
mod killed;
mod latency;
mod lifecycle;
mod limits;
mod lost_random;
mod lost_write;
mod metadata;
mod misdirected;
mod names;
mod one_bit;
mod ownership;
mod page_fills;
mod pairs;
mod passthrough;
mod presets;
mod rate;
mod readonly;
mod refusals;
mod region_order;
mod region_reads;
mod region_repair;
mod region_replay;
mod regions;
mod repair;
mod replay;
mod sharing;
mod short;
mod space;
mod space_races;
mod stale;
mod stall;
mod sticky;
mod throughput;
mod torn_write;
mod transient;

use std::path::Path;

use crate::support::*;

/// Checks the same claim on a plain directory and on an idle mount, and that the mount then looks
/// exactly like its backing directory.
fn on_both(claim: impl Fn(&Path)) {
    claim(Backing::new().path());
    require_fuse!();
    let backing = Backing::new();
    let mut mount = Mount::new(backing.path()).start();
    claim(mount.path());
    assert_eq!(tree_hash(mount.path()), tree_hash(backing.path()));
    assert!(mount.delivered().is_empty());
    mount.stop();
}

/// The error number of what failed.
pub(crate) fn errno<T>(result: std::io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}
