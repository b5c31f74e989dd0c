//! Two directories compared in one walk: names, kinds, every field of `stat`, link targets,
//! extended attributes, bytes. Each entry is looked at through both before its bytes are read, so
//! that reading one does not change what the other says.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::Path;

/// What two directories are to each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Identity {
    /// One directory seen twice: inode numbers, times and blocks are equal too.
    Same,
    /// Two directories in which the same was done.
    Another,
}

/// Every difference between two trees, a line each; empty when they are equal.
pub(crate) fn tree_differences(one: &Path, other: &Path, identity: Identity) -> Vec<String> {
    let mut walk = Walk { identity, found: Vec::new() };
    walk.entry(one, other);
    walk.found
}

struct Walk {
    identity: Identity,
    found: Vec<String>,
}

impl Walk {
    fn entry(&mut self, one: &Path, other: &Path) {
        let stats = [fields(one, self.identity), fields(other, self.identity)];
        self.expect(one, "stat", &stats[0], &stats[1]);
        self.expect(one, "attributes", &attributes(one), &attributes(other));
        let Ok(metadata) = std::fs::symlink_metadata(one) else { return };
        if metadata.is_symlink() {
            self.expect(one, "target", &target(one), &target(other));
        } else if metadata.is_file() {
            self.expect(one, "bytes", &hash(one), &hash(other));
        } else if metadata.is_dir() {
            self.directory(one, other);
        }
    }

    fn directory(&mut self, one: &Path, other: &Path) {
        let names = listing(one, self.identity);
        self.expect(one, "names", &names, &listing(other, self.identity));
        for name in names.unwrap_or_default().keys() {
            self.entry(&one.join(name), &other.join(name));
        }
    }

    fn expect<T: PartialEq + std::fmt::Debug>(&mut self, path: &Path, what: &str, a: &T, b: &T) {
        if a != b {
            self.found.push(format!("{path:?}: {what}: {a:?} against {b:?}"));
        }
    }
}

type Tried<T> = Result<T, Option<i32>>;

fn errno(error: std::io::Error) -> Option<i32> {
    error.raw_os_error()
}

fn fields(path: &Path, identity: Identity) -> Tried<BTreeMap<&'static str, i64>> {
    let m = std::fs::symlink_metadata(path).map_err(errno)?;
    let mut fields = BTreeMap::from([
        ("mode", i64::from(m.mode())),
        ("nlink", m.nlink() as i64),
        ("uid", i64::from(m.uid())),
        ("gid", i64::from(m.gid())),
        ("rdev", m.rdev() as i64),
    ]);
    if identity == Identity::Same || !m.is_dir() {
        fields.insert("size", m.size() as i64);
    }
    if identity == Identity::Same {
        fields.extend([
            ("ino", m.ino() as i64),
            ("blocks", m.blocks() as i64),
            ("blksize", m.blksize() as i64),
            ("atime", m.atime()),
            ("atime_nsec", m.atime_nsec()),
            ("mtime", m.mtime()),
            ("mtime_nsec", m.mtime_nsec()),
            ("ctime", m.ctime()),
            ("ctime_nsec", m.ctime_nsec()),
        ]);
    }
    Ok(fields)
}

/// Names with their kinds, and the inode numbers of one directory seen twice.
fn listing(path: &Path, identity: Identity) -> Tried<BTreeMap<OsString, (String, u64)>> {
    let entries = std::fs::read_dir(path).map_err(errno)?;
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.map_err(errno)?;
        let ino = if identity == Identity::Same { entry.ino() } else { 0 };
        let kind = format!("{:?}", entry.file_type().map_err(errno)?);
        Ok((entry.file_name(), (kind, ino)))
    };
    entries.map(read).collect()
}

fn target(path: &Path) -> Tried<std::path::PathBuf> {
    std::fs::read_link(path).map_err(errno)
}

fn hash(path: &Path) -> Tried<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(path).map_err(errno)?).map_err(errno)?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn attributes(path: &Path) -> Tried<BTreeMap<String, Vec<u8>>> {
    let mut text = vec![0; 65_536];
    let number = |errno: rustix::io::Errno| Some(errno.raw_os_error());
    let len = rustix::fs::llistxattr(path, &mut text[..]).map_err(number)?;
    let names = text[..len].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let read = |name: &[u8]| {
        let mut value = vec![0; 65_536];
        let len = rustix::fs::lgetxattr(path, name, &mut value[..]).map_err(number)?;
        value.truncate(len);
        Ok((String::from_utf8_lossy(name).into_owned(), value))
    };
    names.map(read).collect()
}

#[test]
fn a_difference_of_any_kind_between_two_trees_is_found() {
    let one = super::Backing::new().with("d/a", b"x");
    let other = super::Backing::new().with("d/a", b"x");
    let found = |identity| tree_differences(one.path(), other.path(), identity);
    assert!(found(Identity::Another).is_empty(), "{:?}", found(Identity::Another));
    assert!(!found(Identity::Same).is_empty(), "two directories have two inode numbers");
    std::fs::write(other.join("d/a"), "y").unwrap();
    assert_eq!(found(Identity::Another).len(), 1, "bytes");
    std::fs::write(other.join("d/b"), "y").unwrap();
    assert_eq!(found(Identity::Another).len(), 2, "a name");
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(other.join("d"), "user.k", b"v", flags).unwrap();
    assert_eq!(found(Identity::Another).len(), 3, "an attribute");
    assert!(tree_differences(one.path(), one.path(), Identity::Same).is_empty());
}
