//! The backing directory fills up, becomes read-only, fails, or goes away.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;

use super::Small;
use crate::support::*;

fn errno<T>(result: std::io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

#[test]
fn a_full_backing_directory_is_told_and_what_was_acknowledged_stays() {
    require_fuse!();
    require_root!();
    let small = Small::new(1 << 20);
    let mut mount = Mount::new(small.path()).start();
    let mut file = File::create(mount.join("file")).unwrap();
    let mut acknowledged = 0;
    let full = loop {
        match file.write(&[7; 8192]) {
            Ok(written) => acknowledged += written,
            Err(error) => break error.raw_os_error(),
        }
        assert!(acknowledged <= 1 << 20);
    };
    assert_eq!(full, Some(libc::ENOSPC));
    assert_eq!(fs::read(small.path().join("file")).unwrap(), vec![7; acknowledged]);
    fs::remove_file(mount.join("file")).unwrap();
    drop(file);
    // The kernel tells errorfs of the last closing when it likes.
    let fits = || fs::write(mount.join("again"), [1; 8192]).is_ok();
    wait_until("the room is there again", std::time::Duration::from_secs(20), fits);
    mount.stop();
}

#[test]
fn a_backing_directory_that_becomes_read_only_is_read_on() {
    require_fuse!();
    require_root!();
    let small = Small::new(1 << 20);
    fs::write(small.path().join("file"), "there").unwrap();
    let mut mount = Mount::new(small.path()).start();
    small.make_read_only();
    assert_eq!(fs::read(mount.join("file")).unwrap(), b"there");
    assert_eq!(errno(fs::write(mount.join("new"), "x")), Some(libc::EROFS));
    assert_eq!(errno(fs::remove_file(mount.join("file"))), Some(libc::EROFS));
    assert_eq!(errno(fs::write(mount.join("file"), "x")), Some(libc::EROFS));
    mount.stop();
}

#[test]
fn an_error_from_below_comes_through_unchanged() {
    require_fuse!();
    let backing = Backing::new().with("file", b"0123456789");
    let text = "[[rule]]\nname = \"dying\"\nselect = { ops = [\"read\", \"write\", \"fsync\"] }\n\
                [rule.fault.error]\nerrno = \"EUCLEAN\"\n";
    let mut below = Mount::new(backing.path()).scenario(text).seed(1).start();
    let mut mount = Mount::new(below.path()).start();
    let file = File::options().read(true).write(true).open(mount.join("file")).unwrap();
    assert_eq!(errno(file.read_at(&mut [0; 4], 0)), Some(libc::EUCLEAN));
    assert_eq!(errno(file.write_at(&[0; 4], 0)), Some(libc::EUCLEAN));
    assert_eq!(errno(file.sync_all()), Some(libc::EUCLEAN));
    drop(file);
    mount.stop();
    below.stop();
}

#[test]
fn a_backing_directory_that_is_removed_or_replaced_leaves_a_mount_that_answers() {
    require_fuse!();
    let backing = Backing::new().with("file", b"old").with("dir/inner", b"x");
    let mut mount = Mount::new(backing.path()).start();
    let open = File::open(mount.join("file")).unwrap();
    fs::read(mount.join("dir/inner")).unwrap();
    let moved = backing.path().with_extension("moved");
    fs::rename(backing.path(), &moved).unwrap();
    assert_eq!(fs::read(mount.join("file")).unwrap(), b"old", "the directory, not its name");
    fs::remove_dir_all(&moved).unwrap();
    fs::create_dir(backing.path()).unwrap();
    assert_eq!(errno(fs::read(mount.join("file"))), Some(libc::ENOENT));
    assert_eq!(errno(fs::write(mount.join("new"), "x")), Some(libc::ENOENT));
    assert_eq!(fs::read_dir(mount.path()).unwrap().count(), 0);
    let mut bytes = [0; 3];
    open.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"old", "an open file outlives its directory");
    drop(open);
    mount.stop();
}

#[test]
fn a_filesystem_that_is_taken_from_below_leaves_a_mount_that_ends_in_order() {
    require_fuse!();
    require_root!();
    let small = Small::new(1 << 20);
    fs::write(small.path().join("file"), "there").unwrap();
    let mut mount = Mount::new(small.path()).start();
    drop(small);
    assert_eq!(fs::read(mount.join("file")).unwrap(), b"there", "the mount keeps it alive");
    mount.stop();
}
