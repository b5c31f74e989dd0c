//! Real programs on an idle mount do what they do on the backing directory: run on both.

mod cargo;
mod git;
mod postgres;
mod redis;
mod restic;
mod sqlite;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::*;

/// Runs the same work on a plain directory and on an idle mount, as anyone may use it; then the
/// mount must look exactly like its backing directory.
fn on_both(work: impl Fn(&Path)) {
    work(open().path());
    require_fuse!();
    let backing = open();
    let limit = std::time::Duration::from_secs(600);
    let others: &[&str] = if is_root() { &["--allow-other"] } else { &[] };
    let mut mount = Mount::new(backing.path()).args(others).within(limit).start();
    work(mount.path());
    assert_eq!(tree_hash(mount.path()), tree_hash(backing.path()));
    assert!(mount.delivered().is_empty());
    mount.stop();
}

fn open() -> Backing {
    let backing = Backing::new();
    std::fs::set_permissions(backing.path(), PermissionsExt::from_mode(0o777)).unwrap();
    backing
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A shell script with `$0` as the directory and the current one; `set -eu` holds.
fn shell(script: &str, root: &Path) -> Program {
    Program::new("sh").args(["-euc", script]).arg(root).directory(root)
}

/// Whether a program is installed; in CI it must be.
pub(crate) fn is_installed(program: &str) -> bool {
    let found =
        Program::new("sh").args(["-c", "command -v \"$0\"", program]).run().status.success();
    let must = std::env::var_os("ERRORFS_REQUIRE_FUSE").is_some_and(|value| value == "1");
    assert!(found || !must, "{program} is not installed: run scripts/setup");
    if !found {
        println!("skipped: {program} is not installed (scripts/setup)");
    }
    found
}
