//! Who may do what: files belong to the caller, and what a user may not do on the backing
//! directory they may not do through the mount.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::support::*;

const NOBODY: u32 = 65534;

/// A mount that others may enter, on a backing directory that anyone may write to.
fn open_mount() -> (Backing, Mount) {
    let backing = Backing::new();
    fs::set_permissions(backing.path(), Permissions::from_mode(0o777)).unwrap();
    let mount = Mount::new(backing.path()).args(["--allow-other"]).start();
    (backing, mount)
}

fn as_nobody(script: &str, mount: &Mount) -> Ended {
    Program::new("sh").args(["-c", script]).arg(mount.path()).user(NOBODY).run()
}

#[test]
fn what_a_user_makes_belongs_to_that_user() {
    require_root!();
    require_fuse!();
    let (backing, mut mount) = open_mount();
    let script = "cd $0 && > file && mkdir dir && ln -s x link && mkfifo pipe && ln file hard";
    as_nobody(script, &mount).expect_status(0);
    for name in ["file", "dir", "link", "pipe", "hard"] {
        for root in [mount.path(), backing.path()] {
            let metadata = fs::symlink_metadata(root.join(name)).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (NOBODY, NOBODY), "{name}");
        }
    }
    mount.stop();
}

#[test]
fn what_a_user_may_not_do_they_may_not_do_through_the_mount() {
    require_root!();
    require_fuse!();
    let (backing, mut mount) = open_mount();
    fs::create_dir(backing.join("private")).unwrap();
    fs::set_permissions(backing.join("private"), Permissions::from_mode(0o700)).unwrap();
    fs::write(backing.join("secret"), "x").unwrap();
    fs::set_permissions(backing.join("secret"), Permissions::from_mode(0o600)).unwrap();
    for refused in [
        "cat $0/secret",
        "echo x >> $0/secret",
        "chmod 666 $0/secret",
        "chown 65534 $0/secret",
        "ls $0/private",
        "mkdir $0/private/x",
        "mknod $0/disk b 8 0",
    ] {
        let ended = as_nobody(refused, &mount);
        assert!(!ended.status.success(), "{refused} was allowed\n{ended}");
    }
    assert_eq!(fs::read(backing.join("secret")).unwrap(), b"x");
    mount.stop();
}

#[test]
fn a_directory_that_hands_on_its_group_hands_it_on() {
    require_root!();
    require_fuse!();
    let (backing, mut mount) = open_mount();
    fs::create_dir(backing.join("shared")).unwrap();
    std::os::unix::fs::chown(backing.join("shared"), Some(0), Some(4242)).unwrap();
    fs::set_permissions(backing.join("shared"), Permissions::from_mode(0o2777)).unwrap();
    as_nobody("> $0/shared/file && mkdir $0/shared/dir", &mount).expect_status(0);
    let made = |name: &str| fs::metadata(backing.join(name)).unwrap();
    assert_eq!(made("shared/file").gid(), 4242);
    assert_eq!(made("shared/dir").gid(), 4242);
    assert_eq!(made("shared/dir").mode() & 0o2000, 0o2000);
    mount.stop();
}

#[test]
fn without_allow_other_nobody_else_gets_in() {
    require_root!();
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    fs::set_permissions(backing.path(), Permissions::from_mode(0o777)).unwrap();
    let mut mount = Mount::new(backing.path()).start();
    assert!(!as_nobody("cat $0/file", &mount).status.success());
    mount.stop();
}
