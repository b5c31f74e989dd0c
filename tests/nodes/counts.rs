//! What the kernel knows and forgets: many threads, many names, many levels.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, OFlags, mkdirat, unlinkat};

use super::{by_path, forget_nodes, open_in};
use crate::support::*;

fn descriptors(mount: &Mount) -> usize {
    fs::read_dir(format!("/proc/{}/fd", mount.pid())).unwrap().count()
}

/// Makes, finds, moves and removes a few names, which others do as well: whatever fails, fails as
/// names do that come and go.
fn churn(root: &Path, thread: u64, until: Instant) {
    let mut state = thread;
    while Instant::now() < until {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let path = |bits: u64| root.join(format!("d{}/n{}", bits & 1, bits >> 1 & 3));
        let (one, other) = (path(state >> 33), path(state >> 37));
        let done = match (state >> 41) % 6 {
            0 => fs::write(&one, "x"),
            1 => fs::metadata(&one).map(drop),
            2 => fs::rename(&one, &other),
            3 => fs::remove_file(&one),
            4 => fs::hard_link(&one, &other),
            _ => File::open(&one).and_then(|file| file.metadata()).map(drop),
        };
        let usual = [libc::ENOENT, libc::EEXIST];
        let failed = done.err().and_then(|error| error.raw_os_error());
        assert!(failed.is_none_or(|errno| usual.contains(&errno)), "{one:?} {other:?} {failed:?}");
    }
}

#[test]
fn eight_threads_on_the_same_names_leave_mount_and_backing_directory_equal() {
    require_fuse!();
    let backing = Backing::new().with("d0/n0", b"x").with("d1/n1", b"x");
    let mut mount = Mount::new(backing.path()).start();
    let before = descriptors(&mount);
    let until = Instant::now() + Duration::from_secs(3);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let root = mount.path();
            scope.spawn(move || churn(root, thread, until));
        }
    });
    assert_eq!(tree_hash(mount.path()), tree_hash(backing.path()));
    for entry in fs::read_dir(backing.join("d0")).unwrap() {
        let name = entry.unwrap().file_name();
        let ino = |root: &Path| fs::metadata(root.join("d0").join(&name)).unwrap().ino();
        assert_eq!(ino(mount.path()), ino(backing.path()));
    }
    let patience = Duration::from_secs(10);
    wait_until("descriptors are back", patience, || descriptors(&mount) <= before + 8);
    mount.stop();
}

#[test]
fn files_that_lost_the_name_they_were_known_by_take_no_descriptors() {
    require_fuse!();
    require_root!();
    let backing = Backing::new();
    for number in 0..1000 {
        File::create(backing.join(&format!("a{number}"))).unwrap();
        let [from, to] = ["a", "b"].map(|name| backing.join(&format!("{name}{number}")));
        fs::hard_link(from, to).unwrap();
    }
    let mut mount = Mount::new(backing.path()).start();
    let before = descriptors(&mount);
    let held: Vec<_> = (0..1000).map(|n| by_path(&mount.join(&format!("a{n}")))).collect();
    for number in 0..1000 {
        fs::remove_file(mount.join(&format!("a{number}"))).unwrap();
    }
    for (number, file) in held.iter().enumerate() {
        let stat = rustix::fs::fstat(file).unwrap();
        assert_eq!(stat.st_nlink, 1);
        if number % 2 == 0 {
            let ino = fs::metadata(mount.join(&format!("b{number}"))).unwrap().ino();
            assert_eq!(ino, stat.st_ino);
        }
    }
    let by_number = errorfs::sys::file_handle::handle_of(by_path(backing.path()));
    if by_number.is_ok_and(|handle| handle.kind == 1) {
        assert!(descriptors(&mount) <= before + 16, "{} descriptors", descriptors(&mount));
    }
    drop(held);
    mount.stop();
}

#[test]
fn a_tree_may_be_deeper_than_any_path_is_long() {
    require_fuse!();
    const LEVELS: usize = 10_000;
    let backing = Backing::new();
    let mut mount = Mount::new(backing.path()).start();
    let mut place = by_path(mount.path());
    let start = Instant::now();
    for _ in 0..LEVELS {
        mkdirat(&place, "d", 0o755.into()).unwrap();
        place = open_in(&place, "d", OFlags::PATH | OFlags::DIRECTORY).unwrap().into();
    }
    drop(open_in(&place, "file", OFlags::CREATE | OFlags::RDWR).unwrap());
    fs::rename(mount.join("d"), mount.join("moved")).unwrap();
    if rustix::process::geteuid().is_root() {
        forget_nodes();
    }
    assert_eq!(open_in(&place, "file", OFlags::RDONLY).unwrap().metadata().unwrap().len(), 0);
    unlinkat(&place, "file", AtFlags::empty()).unwrap();
    for level in (0..LEVELS).rev() {
        place = open_in(&place, "..", OFlags::PATH | OFlags::DIRECTORY).unwrap().into();
        let name = if level == 0 { "moved" } else { "d" };
        unlinkat(&place, name, AtFlags::REMOVEDIR).unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    drop(place);
    mount.stop();
}
