//! Names: renames with their flags, links, odd bytes, and errors that pass through unchanged.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{errno, on_both};

fn rename(from: &Path, to: &Path, flags: RenameFlags) -> std::io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, flags)?)
}

#[test]
fn a_rename_replaces_refuses_or_exchanges_as_it_is_told() {
    on_both(|root| {
        let (one, other) = (root.join("one"), root.join("other"));
        fs::write(&one, "1").unwrap();
        fs::write(&other, "2").unwrap();
        let refused = rename(&one, &other, RenameFlags::NOREPLACE);
        assert_eq!(errno(refused), Some(libc::EEXIST));
        rename(&one, &other, RenameFlags::EXCHANGE).unwrap();
        assert_eq!(fs::read_to_string(&one).unwrap(), "2");
        assert_eq!(fs::read_to_string(&other).unwrap(), "1");
        fs::rename(&one, &other).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "2");
        assert!(!one.exists());
        rename(&other, &one, RenameFlags::NOREPLACE).unwrap();
        let nothing = rename(&one, &other, RenameFlags::EXCHANGE);
        assert_eq!(errno(nothing), Some(libc::ENOENT));
    });
}

#[test]
fn a_directory_that_moved_takes_its_files_along() {
    on_both(|root| {
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        fs::write(root.join("a/b/c/file"), "x").unwrap();
        let open = File::open(root.join("a/b/c/file")).unwrap();
        fs::rename(root.join("a/b"), root.join("moved")).unwrap();
        assert_eq!(fs::read_to_string(root.join("moved/c/file")).unwrap(), "x");
        assert_eq!(errno(fs::metadata(root.join("a/b"))), Some(libc::ENOENT));
        assert_eq!(open.metadata().unwrap().len(), 1);
        let inside = fs::rename(root.join("moved"), root.join("moved/c/d"));
        assert_eq!(errno(inside), Some(libc::EINVAL));
    });
}

#[test]
fn hard_links_are_one_file_and_symlinks_are_data() {
    on_both(|root| {
        fs::write(root.join("file"), "x").unwrap();
        fs::hard_link(root.join("file"), root.join("link")).unwrap();
        fs::write(root.join("link"), "changed").unwrap();
        assert_eq!(fs::read_to_string(root.join("file")).unwrap(), "changed");
        let inode = |name| fs::metadata(root.join(name)).unwrap().ino();
        assert_eq!(inode("file"), inode("link"));
        assert_eq!(fs::metadata(root.join("file")).unwrap().nlink(), 2);
        fs::remove_file(root.join("file")).unwrap();
        assert_eq!(fs::metadata(root.join("link")).unwrap().nlink(), 1);

        symlink("link", root.join("relative")).unwrap();
        symlink("/no/such/place", root.join("dangling")).unwrap();
        symlink("x".repeat(4095), root.join("long")).unwrap();
        assert_eq!(fs::read_to_string(root.join("relative")).unwrap(), "changed");
        let target = fs::read_link(root.join("dangling")).unwrap();
        assert_eq!(target, Path::new("/no/such/place"));
        assert_eq!(fs::read_link(root.join("long")).unwrap().as_os_str().len(), 4095);
    });
}

#[test]
fn names_are_bytes() {
    on_both(|root| {
        let long = "n".repeat(255);
        let names = [&b"new\nline"[..], b"\xff\xfe not text", b" ", b"*?[\\", long.as_bytes()];
        for name in names {
            fs::write(root.join(OsStr::from_bytes(name)), name).unwrap();
        }
        let mut found: Vec<_> = fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().as_bytes().to_vec())
            .collect();
        found.sort();
        let mut wanted = names.map(<[u8]>::to_vec);
        wanted.sort();
        assert_eq!(found, wanted);
        for name in names {
            assert_eq!(fs::read(root.join(OsStr::from_bytes(name))).unwrap(), name);
        }
    });
}

#[test]
fn genuine_errors_pass_through_unchanged() {
    on_both(|root| {
        fs::create_dir_all(root.join("dir/sub")).unwrap();
        fs::write(root.join("file"), "x").unwrap();
        let long = root.join("n".repeat(256));
        assert_eq!(errno(fs::write(long, "")), Some(libc::ENAMETOOLONG));
        assert_eq!(errno(File::open(root.join("none"))), Some(libc::ENOENT));
        assert_eq!(errno(File::open(root.join("file/x"))), Some(libc::ENOTDIR));
        assert_eq!(errno(fs::create_dir(root.join("dir"))), Some(libc::EEXIST));
        assert_eq!(errno(fs::remove_dir(root.join("dir"))), Some(libc::ENOTEMPTY));
        assert_eq!(errno(fs::write(root.join("dir"), "")), Some(libc::EISDIR));
        assert_eq!(errno(fs::remove_file(root.join("dir"))), Some(libc::EISDIR));
        assert_eq!(errno(fs::remove_dir(root.join("file"))), Some(libc::ENOTDIR));
        assert_eq!(errno(fs::rename(root.join("dir"), root.join("file"))), Some(libc::ENOTDIR));
        assert_eq!(errno(fs::read_link(root.join("file"))), Some(libc::EINVAL));
        symlink("loop", root.join("loop")).unwrap();
        assert_eq!(errno(File::open(root.join("loop"))), Some(libc::ELOOP));
        assert_eq!(errno(fs::hard_link(root.join("dir"), root.join("x"))), Some(libc::EPERM));
    });
}
