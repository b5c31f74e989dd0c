//! Four processes at once change one directory through the mount; then mount and backing directory
//! hold the same, to the last nanosecond. `ERRORFS_ROUNDS` (default 1) times.

use crate::support::*;

const LOAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compliance/load.py");

#[test]
fn concurrent_changes_leave_equal_trees_while_idle() {
    leaves_equal_trees(Way::Idle);
}

#[test]
fn concurrent_changes_leave_equal_trees_without_passthrough() {
    leaves_equal_trees(Way::Cached);
}

#[test]
fn concurrent_changes_leave_equal_trees_under_sticky_flips_that_never_come() {
    leaves_equal_trees(Way::Sticky);
}

#[test]
fn concurrent_changes_leave_equal_trees_under_counted_errors_that_never_come() {
    leaves_equal_trees(Way::Counted);
}

fn leaves_equal_trees(way: Way) {
    require_fuse!();
    let operations = number("ERRORFS_OPERATIONS").unwrap_or(400).to_string();
    for seed in 1..=number("ERRORFS_ROUNDS").unwrap_or(1) {
        let backing = Backing::new();
        let mut mount = way.mount(backing.path()).start();
        let load = Program::new("python3").arg(LOAD).arg(mount.path());
        load.arg(seed.to_string()).arg(&operations).succeed();
        let found = tree_differences(mount.path(), backing.path(), Identity::Same);
        assert!(found.is_empty(), "{way:?}, seed {seed}:\n{}", found.join("\n"));
        mount.stop();
    }
}
