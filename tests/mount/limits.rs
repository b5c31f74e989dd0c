//! The accepted differences that the README names: checked, so that it says so when one is gone.

use std::fs;

use crate::support::*;

#[test]
fn a_file_without_a_name_is_refused_so_that_programs_fall_back() {
    require_fuse!();
    let backing = Backing::new();
    let mut mount = Mount::new(backing.path()).start();
    let flags = rustix::fs::OFlags::TMPFILE | rustix::fs::OFlags::RDWR;
    let opened = rustix::fs::open(mount.path(), flags, rustix::fs::Mode::RWXU);
    assert_eq!(opened.err(), Some(rustix::io::Errno::OPNOTSUPP));
    mount.stop();
}

#[test]
fn the_time_of_birth_is_not_told() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let mut mount = Mount::new(backing.path()).start();
    assert!(fs::metadata(mount.join("file")).unwrap().created().is_err());
    mount.stop();
}

#[test]
fn locks_do_not_reach_the_backing_directory() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let mut mount = Mount::new(backing.path()).start();
    let through = fs::File::open(mount.join("file")).unwrap();
    let direct = fs::File::open(backing.join("file")).unwrap();
    through.try_lock().unwrap();
    assert!(direct.try_lock().is_ok());
    mount.stop();
}
