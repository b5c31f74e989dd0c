//! `--exclusive`: nobody changes the backing directory but through the mount.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::support::*;

#[test]
fn changes_through_an_exclusive_mount_are_seen_at_once() {
    require_fuse!();
    let backing = Backing::new().with("file", b"old").with("dir/inner", b"x");
    let mut mount = Mount::new(backing.path()).args(["--exclusive"]).start();
    let file = mount.join("file");
    assert_eq!(fs::metadata(&file).unwrap().len(), 3);
    fs::write(&file, "longer").unwrap();
    assert_eq!(fs::metadata(&file).unwrap().len(), 6);
    fs::hard_link(&file, mount.join("link")).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().nlink(), 2);
    fs::remove_file(&file).unwrap();
    assert_eq!(fs::metadata(mount.join("link")).unwrap().nlink(), 1);
    assert!(fs::metadata(&file).is_err());
    fs::rename(mount.join("dir"), mount.join("moved")).unwrap();
    assert_eq!(fs::read(mount.join("moved/inner")).unwrap(), b"x");
    assert!(fs::metadata(mount.join("dir/inner")).is_err());
    fs::set_permissions(mount.join("link"), fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(fs::metadata(mount.join("link")).unwrap().mode() & 0o777, 0o400);
    assert_eq!(tree_hash(mount.path()), tree_hash(backing.path()));
    mount.stop();
}

/// What the promise is worth: without it, the same change is seen.
#[test]
fn the_kernel_does_not_ask_again_under_the_promise_and_does_without() {
    require_fuse!();
    for promise in [true, false] {
        let backing = Backing::new().with("file", b"old");
        let arguments: &[&str] = if promise { &["--exclusive"] } else { &[] };
        let mut mount = Mount::new(backing.path()).args(arguments.to_vec()).start();
        assert_eq!(fs::metadata(mount.join("file")).unwrap().mode() & 0o777, 0o644);
        let hidden = fs::Permissions::from_mode(0o600);
        fs::set_permissions(backing.join("file"), hidden).unwrap();
        let seen = fs::metadata(mount.join("file")).unwrap().mode() & 0o777;
        assert_eq!(seen, if promise { 0o644 } else { 0o600 });
        mount.stop();
    }
}

#[test]
fn rules_about_looking_see_every_look_all_the_same() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let text = "[[rule]]\nname = \"third\"\nselect = { path = \"file\", ops = [\"getattr\"] }\n\
                when = { nth = 3 }\n[rule.fault.error]\nerrno = \"EIO\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).args(["--exclusive"]).start();
    let file = fs::File::open(mount.join("file")).unwrap();
    let failed: Vec<bool> = (0..5).map(|_| file.metadata().is_err()).collect();
    assert_eq!(failed.iter().filter(|failed| **failed).count(), 1, "{failed:?}");
    mount.stop();
}
