//! errorfs' open descriptors do not grow with the number of files that the kernel knows.

use std::fs::{self, File};

use crate::support::*;

#[test]
fn knowing_5_000_files_takes_no_more_descriptors_than_knowing_none() {
    require_fuse!();
    let backing = Backing::new();
    for number in 0..5000 {
        if number % 100 == 0 {
            fs::create_dir(backing.join(&format!("d{}", number / 100))).unwrap();
        }
        File::create(backing.join(&format!("d{}/f{number}", number / 100))).unwrap();
    }
    let mut mount = Mount::new(backing.path()).start();
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", mount.pid())).unwrap().count();
    let before = descriptors();
    let mut kept = Vec::new();
    for number in 0..5000 {
        let path = mount.join(&format!("d{}/f{number}", number / 100));
        fs::metadata(&path).unwrap();
        // Open by path only: the kernel keeps the node and asks errorfs for nothing.
        let flags = rustix::fs::OFlags::PATH;
        if number < 500 {
            kept.push(rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).unwrap());
        }
    }
    let after = descriptors();
    assert!(after <= before + 64, "{before} descriptors before, {after} after");
    drop(kept);
    mount.stop();
}

#[test]
fn closed_files_give_their_descriptors_back() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let mut mount = Mount::new(backing.path()).start();
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", mount.pid())).unwrap().count();
    let before = descriptors();
    for _ in 0..2000 {
        fs::read(mount.join("file")).unwrap();
    }
    let within = std::time::Duration::from_secs(10);
    wait_until("the descriptors are back", within, || descriptors() <= before + 4);
    mount.stop();
}
