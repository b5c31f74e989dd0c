//! Memory and descriptors: little for each known file, and all of it back when it is forgotten.

use std::fs::{self, File};
use std::time::Duration;

use super::forget_nodes;
use crate::support::*;

/// The bounds.
const BYTES_A_FILE_MAX: u64 = 300;
const LEFT_PERCENT_MAX: u64 = 110;

/// Resident memory in bytes, and open descriptors.
fn usage(mount: &Mount) -> (u64, usize) {
    let status = fs::read_to_string(format!("/proc/{}/status", mount.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    let descriptors = fs::read_dir(format!("/proc/{}/fd", mount.pid())).unwrap().count();
    (kilobytes * 1024, descriptors)
}

/// Looks up so many files, thousands to a directory, and lets them be forgotten.
fn look_up_and_forget(files: usize) {
    let backing = Backing::new();
    let name = |number: usize| format!("d{}/a-usual-name-{number:07}", number / 5000);
    for number in 0..files {
        if number % 5000 == 0 {
            fs::create_dir(backing.join(&format!("d{}", number / 5000))).unwrap();
        }
        File::create(backing.join(&name(number))).unwrap();
    }
    let limit = Duration::from_secs(1800);
    let mut mount = Mount::new(backing.path()).within(limit).start();
    // What a first use makes for good: threads' stacks, arenas, tables.
    let look_up = |number| assert!(fs::metadata(mount.join(&name(number))).unwrap().is_file());
    (0..2000).for_each(look_up);
    forget_nodes();
    std::thread::sleep(Duration::from_millis(500));
    let (start, open) = usage(&mount);
    (0..files).for_each(look_up);
    let (known, open_then) = usage(&mount);
    let bytes = known.saturating_sub(start) / files as u64;
    println!("{files} files: {start} bytes, then {known}: {bytes} a file; {open_then} descriptors");
    assert!(bytes <= BYTES_A_FILE_MAX, "{bytes} bytes a file");
    assert!(open_then <= open + 300, "{open_then} descriptors, {open} before");
    wait_until("memory and descriptors are back", Duration::from_secs(60), || {
        forget_nodes();
        let (memory, descriptors) = usage(&mount);
        memory * 100 <= start * LEFT_PERCENT_MAX && descriptors <= open + open / 10
    });
    mount.stop();
}

#[test]
fn fifty_thousand_known_files_take_300_bytes_each_and_give_them_back() {
    require_fuse!();
    require_root!();
    look_up_and_forget(50_000);
}

/// `cargo test --release --test main a_million -- --ignored`: minutes, and a gigabyte of inodes.
#[test]
#[ignore = "takes minutes"]
fn a_million_known_files_take_300_bytes_each_and_give_them_back() {
    require_fuse!();
    require_root!();
    look_up_and_forget(1_000_000);
}
