//! What others do to the backing directory is seen through the mount at once.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::time::Duration;

use rustix::fs::OFlags;

use super::{by_path, errno, open_in};
use crate::support::*;

#[test]
fn names_come_go_and_change_at_once() {
    require_fuse!();
    let backing = Backing::new().with("dir/inside", b"1").with("other/inside", b"22");
    let mut mount = Mount::new(backing.path()).start();
    let (there, here) = (|name: &str| backing.join(name), |name: &str| mount.join(name));
    for round in 0..50 {
        assert_eq!(errno(fs::metadata(here("new"))), Some(libc::ENOENT));
        fs::write(there("new"), "x").unwrap();
        assert_eq!(fs::read(here("new")).unwrap(), b"x", "round {round}");
        fs::write(there("next"), "next").unwrap();
        fs::rename(there("next"), there("new")).unwrap();
        assert_eq!(fs::read(here("new")).unwrap(), b"next");
        assert_eq!(errno(fs::metadata(here("next"))), Some(libc::ENOENT));
        fs::remove_file(there("new")).unwrap();
        fs::create_dir(there("new")).unwrap();
        assert!(fs::metadata(here("new")).unwrap().is_dir());
        fs::remove_dir(there("new")).unwrap();
        symlink(format!("target {round}"), there("new")).unwrap();
        let target = format!("target {round}");
        assert_eq!(fs::read_link(here("new")).unwrap().to_str(), Some(&*target));
        fs::remove_file(there("new")).unwrap();

        let wanted = fs::metadata(there("other/inside")).unwrap().len();
        fs::rename(there("dir"), there("aside")).unwrap();
        fs::rename(there("other"), there("dir")).unwrap();
        fs::rename(there("aside"), there("other")).unwrap();
        assert_eq!(fs::metadata(here("dir/inside")).unwrap().len(), wanted);
    }
    assert_eq!(tree_hash(mount.path()), tree_hash(backing.path()));
    mount.stop();
}

#[test]
fn sizes_and_bytes_change_under_those_who_have_the_file_open() {
    require_fuse!();
    let backing = Backing::new().with("file", b"before");
    let mut mount = Mount::new(backing.path()).start();
    let open = File::open(mount.join("file")).unwrap();
    let mut bytes = [0; 16];
    assert_eq!(open.read_at(&mut bytes, 0).unwrap(), 6);
    for round in 0..20 {
        let text = format!("{round:016}");
        write_at(&backing.join("file"), 0, text.as_bytes()).unwrap();
        assert_eq!(open.metadata().unwrap().len(), 16);
        assert_eq!(open.read_at(&mut bytes, 0).unwrap(), 16);
        assert_eq!(bytes, text.as_bytes());
    }
    File::options().write(true).open(backing.join("file")).unwrap().set_len(3).unwrap();
    assert_eq!(open.read_at(&mut bytes, 0).unwrap(), 3);
    drop(open);
    mount.stop();
}

/// Through the page cache the kernel would have to ask before each read(2).
#[test]
fn a_change_is_seen_within_a_second_where_sticky_damage_is_read_from_the_page_cache() {
    require_fuse!();
    let backing = Backing::new().with("file", b"before");
    let text = "[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-15\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let open = File::open(mount.join("file")).unwrap();
    let mut bytes = [0; 16];
    assert_eq!(open.read_at(&mut bytes, 0).unwrap(), 6);
    fs::write(backing.join("file"), "after").unwrap();
    // The longest that any answer may be old, and no more: what is read then is the truth.
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(open.read_at(&mut bytes, 0).unwrap(), 5);
    assert_eq!(&bytes[..5], b"after");
    mount.stop();
}

/// Everything that a descriptor is good for.
fn use_open(file: &mut File, round: u32) {
    file.write_all(b"more").unwrap();
    assert_eq!(file.metadata().unwrap().len(), 4);
    let mut bytes = [0; 4];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"more");
    file.set_permissions(Permissions::from_mode(0o600 + round)).unwrap();
    assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600 + round);
    file.set_len(0).unwrap();
    std::io::Seek::rewind(file).unwrap();
}

#[test]
fn open_files_stay_usable_when_they_are_renamed_moved_and_removed() {
    require_fuse!();
    let backing = Backing::new().with("dir/file", b"").with("else/file", b"other");
    let mut mount = Mount::new(backing.path()).start();
    let options = File::options().read(true).write(true).to_owned();
    let mut file = options.open(mount.join("dir/file")).unwrap();
    drop(options.open(mount.join("dir/file")).unwrap());
    use_open(&mut file, 0);
    fs::rename(backing.join("dir/file"), backing.join("dir/renamed")).unwrap();
    use_open(&mut file, 1);
    fs::rename(backing.join("dir/renamed"), backing.join("else/moved")).unwrap();
    fs::remove_dir(backing.join("dir")).unwrap();
    use_open(&mut file, 2);
    fs::rename(backing.join("else/file"), backing.join("else/moved")).unwrap();
    assert_eq!(file.metadata().unwrap().nlink(), 0);
    use_open(&mut file, 3);
    assert_eq!(fs::read(mount.join("else/moved")).unwrap(), b"other");
    drop(file);
    mount.stop();
}

#[test]
fn a_directory_that_somebody_stands_in_may_be_moved_or_removed() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with("up/dir/file", b"x");
    (0..600).for_each(|number| fs::create_dir(backing.join(&format!("d{number}"))).unwrap());
    let mut mount = Mount::new(backing.path()).start();
    let standing = by_path(&mount.join("up/dir"));
    fs::rename(backing.join("up"), backing.join("moved")).unwrap();
    fs::rename(backing.join("moved/dir"), backing.join("elsewhere")).unwrap();
    // So many that errorfs no longer has the directory open.
    (0..600).for_each(|n| assert!(!mount.join(&format!("d{n}/none")).exists()));
    assert_eq!(open_in(&standing, "file", OFlags::RDONLY).unwrap().metadata().unwrap().len(), 1);
    assert_eq!(rustix::fs::fstat(&standing).unwrap().st_nlink, 2);
    fs::remove_dir_all(backing.join("elsewhere")).unwrap();
    assert_eq!(errno(open_in(&standing, "file", OFlags::RDONLY)), Some(libc::ENOENT));
    let made = rustix::fs::mkdirat(standing.as_fd(), "x", 0o755.into());
    assert_eq!(made, Err(rustix::io::Errno::NOENT));
    drop(standing);
    mount.stop();
}

#[test]
fn directories_that_change_places_behind_the_mount_make_no_circle() {
    require_fuse!();
    let backing = Backing::new().with("b/a/file", b"x");
    let mut mount = Mount::new(backing.path()).start();
    let standing = by_path(&mount.join("b/a"));
    fs::rename(backing.join("b/a"), backing.join("a")).unwrap();
    fs::rename(backing.join("b"), backing.join("a/b")).unwrap();
    // The kernel still has `a` in `b`, and now finds `b` in `a`.
    let _ = open_in(&standing, "b", OFlags::PATH);
    assert!(fs::metadata(mount.join("a/b")).is_ok());
    assert_eq!(fs::read(mount.join("a/file")).unwrap(), b"x");
    drop(standing);
    mount.stop();
}
