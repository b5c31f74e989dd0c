//! Mounts under the backing directory: crossed, never mistaken for one another, and free to go.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::PathBuf;
use std::time::Duration;

use super::errno;
use crate::support::*;

/// Something mounted under the backing directory, gone with its guard.
struct Below(PathBuf);

impl Below {
    fn mount(arguments: &[&str], place: PathBuf) -> Below {
        Program::new("mount").args(arguments).arg(&place).succeed();
        Below(place)
    }

    /// As an operator would: refused while anybody uses it. That a file was closed, the kernel tells
    /// errorfs after the caller.
    fn unmount(self) {
        let free = || Program::new("umount").arg(&self.0).run().status.success();
        wait_until("nobody uses what is mounted below", Duration::from_secs(20), free);
        std::mem::forget(self);
    }
}

impl Drop for Below {
    fn drop(&mut self) {
        Program::new("umount").arg("-l").arg(&self.0).run();
    }
}

#[test]
fn equal_inode_numbers_on_two_filesystems_are_two_files() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with("one/under", b"u").with("two/under", b"u").with("f", b"f");
    let tmpfs = |name: &str| Below::mount(&["-t", "tmpfs", "tmpfs"], backing.join(name));
    let (one, two) = (tmpfs("one"), tmpfs("two"));
    let mut mount = Mount::new(backing.path()).start();
    for name in ["one", "two"] {
        fs::create_dir(backing.join(&format!("{name}/dir"))).unwrap();
        fs::write(backing.join(&format!("{name}/dir/file")), name).unwrap();
    }
    let ino = |name: &str| fs::symlink_metadata(mount.join(name)).unwrap().ino();
    let below = |name: &str| fs::metadata(backing.join(name)).unwrap().ino();
    assert_eq!(below("one/dir/file"), below("two/dir/file"), "else nothing is tried");
    let names = ["", "f", "one", "two", "one/dir", "two/dir", "one/dir/file", "two/dir/file"];
    assert_eq!(names.map(ino).into_iter().collect::<HashSet<_>>().len(), names.len());
    assert_eq!(ino("f"), below("f"));
    for name in ["one", "two"] {
        let file = mount.join(&format!("{name}/dir/file"));
        assert_eq!(fs::read_to_string(&file).unwrap(), name);
        let listed = fs::read_dir(mount.join(&format!("{name}/dir"))).unwrap().next().unwrap();
        assert_eq!(listed.unwrap().ino(), fs::metadata(&file).unwrap().ino());
    }
    let (from, to) = (mount.join("one/dir/file"), mount.join("two/dir/moved"));
    assert_eq!(errno(fs::rename(&from, &to)), Some(libc::EXDEV));
    assert_eq!(errno(fs::hard_link(&from, mount.join("moved"))), Some(libc::EXDEV));

    one.unmount();
    assert_eq!(fs::read(mount.join("one/under")).unwrap(), b"u");
    assert_eq!(errno(fs::metadata(&from)), Some(libc::ENOENT));
    two.unmount();
    assert_eq!(tree_hash(mount.path()), tree_hash(backing.path()));
    mount.stop();
}

#[test]
fn a_bind_mount_may_show_a_directory_twice_even_the_root() {
    require_fuse!();
    require_root!();
    let backing =
        Backing::new().with("dir/sub/file", b"x").with("twice/under", b"").with("r/u", b"");
    let dir = backing.join("dir").into_os_string().into_string().unwrap();
    let root = backing.path().as_os_str().to_str().unwrap();
    let twice = Below::mount(&["--bind", &dir], backing.join("twice"));
    let again = Below::mount(&["--bind", root], backing.join("r"));
    let mut mount = Mount::new(backing.path()).start();
    for _ in 0..3 {
        for name in ["dir", "twice", "r/dir", "."] {
            fs::metadata(mount.join(name)).unwrap();
        }
        for name in ["dir/sub/file", "twice/sub/file", "r/dir/sub/file"] {
            assert_eq!(fs::read(mount.join(name)).unwrap(), b"x", "{name}");
        }
        assert_eq!(fs::read(mount.join("r/twice/under")).unwrap(), b"");
    }
    again.unmount();
    twice.unmount();
    assert!(mount.join("r/u").exists() && mount.join("twice/under").exists());
    mount.stop();
}
