//! Who may do what: files belong to the caller, and what a user may not do on the backing
//! directory they may not do through the mount.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::time::Duration;

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

#[test]
fn an_ordinary_user_mounts_by_the_setuid_helper_and_leaves_nothing() {
    require_fuse!();
    require_root!();
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::KILL] {
        let (backing, mountpoint) = (Backing::new().with("file", b"x"), Backing::new());
        // Copied by another process: what this one has open for writing, children of other tests may
        // hold a moment longer, and then it cannot be run.
        let program = Backing::new();
        Program::new("cp").arg(ERRORFS).arg(program.join("errorfs")).succeed();
        fs::set_permissions(program.join("errorfs"), PermissionsExt::from_mode(0o755)).unwrap();
        for path in [backing.path(), mountpoint.path(), &backing.join("file")] {
            std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
        }
        let mut errorfs = std::process::Command::new(program.join("errorfs"));
        errorfs.arg("mount").arg(backing.path()).arg(mountpoint.path());
        let mut errorfs = errorfs.uid(65534).gid(65534).spawn().unwrap();
        let there = || minor_of(mountpoint.path()).is_some();
        wait_until("it is mounted", Duration::from_secs(10), there);
        let read = Program::new("cat").arg(mountpoint.join("file")).user(65534).run();
        assert_eq!(read.stdout, "x", "{read}");
        // The guard comes right after the mount.
        std::thread::sleep(Duration::from_millis(300));
        let pid = rustix::process::Pid::from_child(&errorfs);
        rustix::process::kill_process(pid, signal).unwrap();
        errorfs.wait().unwrap();
        wait_until("nothing is left", Duration::from_secs(10), || !there());
    }
}
