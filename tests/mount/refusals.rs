//! What is refused, before anything is mounted.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::*;

/// Tries to mount; it must end by itself, say why, and leave nothing mounted.
fn refused(mountpoint: &Path, arguments: &[&Path], reason: &str) -> Ended {
    let ended = Program::errorfs("mount")
        .args(["--exit-with-parent"])
        .args(arguments)
        .arg(mountpoint)
        .within(Duration::from_secs(5))
        .run();
    let mounted = minor_of(mountpoint).is_some();
    take_away(mountpoint);
    assert!(!mounted, "it was mounted\n{ended}");
    assert!(matches!(ended.status.code(), Some(2 | 78)), "{ended}");
    assert!(ended.stderr.contains(reason), "no {reason:?} in the message\n{ended}");
    ended
}

#[test]
fn a_mountpoint_inside_the_backing_directory_is_refused() {
    require_fuse!();
    let backing = Backing::new();
    fs::create_dir(backing.join("mnt")).unwrap();
    refused(&backing.join("mnt"), &[backing.path()], "inside the backing directory");
}

#[test]
fn a_backing_directory_inside_the_mountpoint_is_refused() {
    require_fuse!();
    let outer = Backing::new();
    fs::create_dir(outer.join("data")).unwrap();
    refused(outer.path(), &[&outer.join("data")], "is not empty");
}

#[test]
fn a_directory_mounted_on_itself_is_refused_unless_asked_for() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    refused(backing.path(), &[backing.path()], "--in-place");
}

#[test]
fn a_mountpoint_that_is_not_empty_is_refused() {
    require_fuse!();
    let (backing, other) = (Backing::new(), Backing::new().with("file", b"x"));
    refused(other.path(), &[backing.path()], "is not empty");
}

#[test]
fn places_that_are_not_directories_are_refused() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let mountpoint = Backing::new();
    refused(mountpoint.path(), &[&backing.join("file")], "is not a directory");
    refused(mountpoint.path(), &[&backing.join("none")], "No such file");
    refused(&mountpoint.join("none"), &[backing.path()], "No such file");
}

#[test]
fn a_ledger_under_the_mount_is_refused() {
    require_fuse!();
    let (backing, mountpoint) = (Backing::new(), Backing::new());
    for place in [mountpoint.join("ledger"), backing.join("ledger")] {
        let arguments = [Path::new("--ledger"), &place, backing.path()];
        refused(mountpoint.path(), &arguments, "would be inside");
        assert!(!place.exists(), "{} was made", place.display());
    }
}

#[test]
fn a_broken_scenario_is_never_mounted() {
    require_fuse!();
    let (backing, mountpoint) = (Backing::new(), Backing::new());
    let broken = Backing::new()
        .with("syntax.toml", b"version = ")
        .with("key.toml", b"version = 1\nrulez = []\n")
        .with("op.toml", b"version = 1\n[[rule]]\nname = \"a\"\nselect = { ops = [\"raed\"] }\n[rule.fault.error]\nerrno = \"EIO\"\n");
    for name in ["syntax.toml", "key.toml", "op.toml", "none.toml"] {
        let file = broken.join(name);
        let arguments = [Path::new("--scenario"), &file, backing.path()];
        refused(mountpoint.path(), &arguments, name).expect_status(78);
    }
}

/// errorfs reads /proc to serve: over it, it would wait for itself.
#[test]
fn what_errorfs_stands_on_is_refused_for_run_as_well() {
    require_fuse!();
    for (directory, reason) in [("/proc", "belongs to the system"), ("/etc", "--force")] {
        let run = Program::errorfs("run").args(["--on", directory, "--", "true"]);
        run.within(Duration::from_secs(5)).run().expect_status(125).expect_said(reason);
    }
    let forced = Program::errorfs("run").args(["--force", "--on", "/proc", "--", "true"]);
    forced.within(Duration::from_secs(5)).run().expect_status(125).expect_said("not in place");
}

#[test]
fn a_mountpoint_inside_the_backing_directory_is_known_by_any_of_its_names() {
    require_fuse!();
    require_root!();
    let (backing, alias) = (Backing::new().with("mnt/.keep", b""), Backing::new());
    fs::remove_file(backing.join("mnt/.keep")).unwrap();
    rustix::mount::mount_bind(backing.path(), alias.path()).unwrap();
    refused(&alias.join("mnt"), &[backing.path()], "inside the backing directory");
    rustix::mount::unmount(alias.path(), rustix::mount::UnmountFlags::DETACH).unwrap();
}
