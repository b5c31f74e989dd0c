//! What integration tests share: the mount guard, bounded programs, data, the tree's hash.

mod backing;
mod census;
mod mount;
mod program;
mod python;
mod reading;
mod small;
mod tree;
mod watchdog;
mod way;

pub(crate) use backing::*;
pub(crate) use census::*;
pub(crate) use mount::*;
pub(crate) use program::*;
pub(crate) use python::*;
pub(crate) use reading::*;
pub(crate) use small::Small;
pub(crate) use tree::*;
pub(crate) use watchdog::{minor_of, take_away};
pub(crate) use way::*;

use std::time::{Duration, Instant};

/// Whether this machine can mount. With `ERRORFS_REQUIRE_FUSE=1` (CI) it must.
pub(crate) fn can_mount() -> bool {
    let usable = std::fs::File::options().read(true).write(true).open("/dev/fuse");
    match usable {
        Ok(_) => true,
        Err(error)
            if std::env::var_os("ERRORFS_REQUIRE_FUSE").is_some_and(|value| value == "1") =>
        {
            panic!("/dev/fuse cannot be opened ({error}) and ERRORFS_REQUIRE_FUSE=1")
        }
        Err(error) => {
            println!("skipped: /dev/fuse cannot be opened ({error})");
            false
        }
    }
}

/// Returns from the test where nothing can be mounted; see [`can_mount`].
macro_rules! require_fuse {
    () => {
        if !$crate::support::can_mount() {
            return;
        }
    };
}
pub(crate) use require_fuse;

/// Says why a test shows nothing here. In CI, where `ERRORFS_REQUIRE_FUSE` is set, it fails instead.
pub(crate) fn skipped(why: &str) {
    assert!(std::env::var_os("ERRORFS_REQUIRE_FUSE").is_none(), "must not be skipped: {why}");
    println!("skipped: {why}");
}

/// Returns from the test for ordinary users, saying so.
macro_rules! require_root {
    () => {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root can do this");
            return;
        }
    };
}
pub(crate) use require_root;

/// Polls until the condition holds; panics with `what` when it does not in time.
pub(crate) fn wait_until(what: &str, within: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < within, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
