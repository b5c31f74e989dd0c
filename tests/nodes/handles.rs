//! File handles on the mount: they find a file that the kernel forgot, and nothing that they should
//! not.

use std::fs::{self, File};
use std::io::Read;

use errorfs::sys::file_handle::{FileHandle, handle_of, open_handle};

use super::{by_path, errno, forget_nodes};
use crate::support::*;

fn read(root: &File, handle: &FileHandle) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::from(open_handle(root, handle, libc::O_RDONLY)?).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether the backing filesystem's handles are what `fs::by_inode` understands.
fn plain_handles(backing: &Backing) -> bool {
    let plain = handle_of(by_path(backing.path())).is_ok_and(|handle| handle.kind == 1);
    if !plain {
        println!("left out: the handles of this filesystem are no plain numbers");
    }
    plain
}

#[test]
fn a_handle_finds_its_file_whatever_the_kernel_forgot() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with("dir/sub/file", b"found").with("gone", b"x");
    if !plain_handles(&backing) {
        return;
    }
    let mut mount = Mount::new(backing.path()).start();
    let root = File::open(mount.path()).unwrap();
    let of = |name: &str| handle_of(by_path(&mount.join(name))).unwrap();
    let (file, gone, directory) = (of("dir/sub/file"), of("gone"), of("dir/sub"));
    assert_eq!(read(&root, &file).unwrap(), b"found");
    forget_nodes();
    assert_eq!(read(&root, &file).unwrap(), b"found");
    fs::rename(backing.join("dir/sub/file"), backing.join("dir/renamed")).unwrap();
    forget_nodes();
    assert_eq!(read(&root, &file).unwrap(), b"found");
    fs::remove_file(backing.join("gone")).unwrap();
    forget_nodes();
    assert_eq!(errno(read(&root, &gone)), Some(libc::ESTALE));

    fs::write(backing.join("dir/sub/new"), "new").unwrap();
    let opened = open_handle(&root, &directory, libc::O_RDONLY | libc::O_DIRECTORY).unwrap();
    let new = super::open_in(&opened, "new", rustix::fs::OFlags::RDONLY).unwrap();
    assert_eq!(new.metadata().unwrap().len(), 3);
    let above = super::open_in(&opened, "../renamed", rustix::fs::OFlags::RDONLY).unwrap();
    assert_eq!(above.metadata().unwrap().len(), 5);
    drop((root, opened, new, above));
    mount.stop();
}

#[test]
fn a_made_up_handle_leads_nowhere() {
    require_fuse!();
    require_root!();
    let outside = Backing::new().with("secret", b"x");
    let backing = Backing::new().with("file", b"x");
    let mut mount = Mount::new(backing.path()).start();
    let root = File::open(mount.path()).unwrap();
    let mut handle = handle_of(by_path(&mount.join("file"))).unwrap();
    assert_eq!(read(&root, &handle).unwrap(), b"x");
    // A number of another file, with each of a few generations that one might guess.
    let ino = std::os::unix::fs::MetadataExt::ino(&fs::metadata(outside.join("secret")).unwrap());
    for (half, bytes) in [(0..4, (ino >> 32) as u32), (4..8, ino as u32)] {
        handle.bytes[half].copy_from_slice(&bytes.to_ne_bytes());
    }
    let backings = handle_of(by_path(&outside.join("secret"))).unwrap();
    for generation in [&handle.bytes[8..12].to_vec(), &vec![0; 4], &backings.bytes[4..8].to_vec()] {
        handle.bytes[8..12].copy_from_slice(generation);
        assert_eq!(errno(read(&root, &handle)), Some(libc::ESTALE));
    }
    drop(root);
    mount.stop();
}
