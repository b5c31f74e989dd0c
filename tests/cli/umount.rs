//! `errorfs umount`: what is ours goes, dead or alive; nothing else does.

use std::fs::File;

use super::{DeadMount, errorfs, is_mounted, output, text};

#[test]
fn a_dead_mount_is_removed_also_by_a_roundabout_name() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    let path = dir.join("a b\\c");
    let Some(_mount) = DeadMount::new(&path) else {
        return crate::support::skipped("this user may not mount");
    };
    assert!(std::fs::metadata(&path).is_err(), "it is dead");
    let name = dir.join("x/../a b\\c/.");
    let output = output(errorfs("umount").arg(name));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!is_mounted(&path));
}

#[test]
fn what_is_not_mounted_and_what_is_not_errorfs_is_told_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let output = output(errorfs("umount").arg(dir.path()).arg("/proc"));
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("nothing is mounted there"), "{said}");
    assert!(said.contains("errorfs: /proc: a mount of type proc"), "{said}");
    assert!(is_mounted("/proc".as_ref()));
}

#[test]
fn a_mount_in_use_names_who_uses_it_and_goes_lazily() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap().join("mnt");
    let Some(mount) = DeadMount::new(&path) else {
        return crate::support::skipped("this user may not mount");
    };
    // An O_PATH descriptor of a dead root is one that holds it.
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    let held = rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).map(File::from);
    let Ok(_held) = held else {
        return eprintln!("skipped: nothing can hold a dead mount on this kernel");
    };
    let busy = output(errorfs("umount").arg(&path));
    assert_eq!(busy.status.code(), Some(75), "{busy:?}");
    let said = text(&busy.stderr);
    assert!(said.contains(&format!("in use by {}", std::process::id())), "{said}");
    assert!(said.contains("--lazy"), "{said}");
    let lazy = output(errorfs("umount").arg("--lazy").arg(&path));
    assert_eq!(lazy.status.code(), Some(0), "{lazy:?}");
    assert!(!is_mounted(&mount.path));
}
