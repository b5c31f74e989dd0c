//! What the threads that answer requests may do besides.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::*;

/// Reads one field of a thread's status.
fn field(task: &Path, name: &str) -> String {
    let status = fs::read_to_string(task.join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().trim().to_owned()
}

/// The threads that answer requests.
fn workers(mount: &Mount) -> Vec<PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{}/task", mount.pid())).unwrap();
    let tasks = tasks.map(|task| task.unwrap().path());
    tasks.filter(|task| field(task, "Name:").starts_with("fuser-")).collect()
}

#[test]
fn the_workers_keep_no_capability_that_files_do_not_take_and_run_no_program() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let mut mount = Mount::new(backing.path()).start();
    assert_eq!(fs::read(mount.join("file")).unwrap(), b"x");
    // A thread that was just started has no name of its own yet.
    wait_until("two workers", Duration::from_secs(20), || workers(&mount).len() >= 2);
    for worker in &workers(&mount) {
        let kept = u64::from_str_radix(&field(worker, "CapPrm:"), 16).unwrap();
        // CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID SETGID SETUID LINUX_IMMUTABLE SYS_ADMIN
        // SYS_RESOURCE MKNOD SETFCAP, by their numbers in capabilities(7).
        let allowed = [0, 1, 2, 3, 4, 6, 7, 9, 21, 24, 27, 31].iter().map(|bit| 1u64 << bit);
        assert_eq!(kept & !allowed.sum::<u64>(), 0, "{kept:x}");
        assert_eq!(field(worker, "Seccomp:"), "2");
        assert_eq!(field(worker, "NoNewPrivs:"), "1");
    }
    mount.stop();
}
