//! A new file under a reused inode number is a new file: for the kernel and for the medium.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use errorfs::sys::file_handle::{handle_of, open_handle};

use super::{by_path, errno};
use crate::support::*;

/// Replaces a file behind the mount by one with the same inode number; false if the filesystem
/// does not give it again.
fn replaced(path: &Path, bytes: &[u8]) -> bool {
    let ino = fs::metadata(path).unwrap().ino();
    fs::remove_file(path).unwrap();
    let spare = |number| path.with_file_name(format!("spare-{number}"));
    for number in 0..200 {
        fs::write(spare(number), bytes).unwrap();
        if fs::metadata(spare(number)).unwrap().ino() == ino {
            fs::rename(spare(number), path).unwrap();
            return true;
        }
    }
    println!("left out: the inode number did not come again");
    false
}

#[test]
fn a_reused_inode_number_is_another_generation_and_old_handles_are_stale() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with("file", b"old");
    let mut mount = Mount::new(backing.path()).start();
    let handle = || handle_of(by_path(&mount.join("file"))).unwrap();
    let root = fs::File::open(mount.path()).unwrap();
    for round in 0..20 {
        let old = handle();
        assert_eq!(handle(), old);
        if !replaced(&backing.join("file"), format!("new {round}").as_bytes()) {
            break;
        }
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        assert_eq!(inode(&mount.join("file")), inode(&backing.join("file")));
        assert_ne!(handle(), old, "round {round}");
        assert_eq!(errno(open_handle(&root, &old, libc::O_RDONLY)), Some(libc::ESTALE));
        assert_eq!(fs::read_to_string(mount.join("file")).unwrap(), format!("new {round}"));
    }
    drop(root);
    mount.stop();
}

#[test]
fn a_reused_inode_number_inherits_nothing_of_what_the_medium_remembers() {
    require_fuse!();
    const FLIP: &str = "[[rule]]\nname = \"flip\"\nselect = { path = \"file\" }\n\
        [rule.fault.bit_flip]\nat = [{ byte = 1, bit = 0 }]\n";
    let backing = Backing::new().with("file", b"aaaa");
    let mut mount = Mount::new(backing.path()).scenario(FLIP).seed(1).start();
    let path = mount.join("file");
    assert_eq!(fs::read(&path).unwrap(), b"a`aa");
    write_at(&path, 0, b"bbbb").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"bbbb", "overwriting repairs");
    if replaced(&backing.join("file"), b"cccc") {
        assert_eq!(fs::read(&path).unwrap(), b"cbcc", "the new file was never overwritten");
    }
    mount.stop();
}
