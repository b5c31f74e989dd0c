//! One hash over a whole directory: names, kinds, modes, owners, modification times to the
//! nanosecond, link targets, extended attributes, bytes. Not access times.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The hash of everything below a directory, and of the directory itself.
pub(crate) fn tree_hash(root: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    add(&mut hasher, root, Path::new(""));
    hasher.finalize().to_hex().to_string()
}

fn add(hasher: &mut blake3::Hasher, root: &Path, relative: &Path) {
    let path = root.join(relative);
    let metadata = std::fs::symlink_metadata(&path).unwrap();
    piece(hasher, relative.as_os_str().as_bytes());
    for number in [
        u64::from(metadata.mode()),
        u64::from(metadata.uid()),
        u64::from(metadata.gid()),
        metadata.rdev(),
        metadata.nlink(),
        metadata.mtime() as u64,
        metadata.mtime_nsec() as u64,
    ] {
        hasher.update(&number.to_le_bytes());
    }
    attributes(hasher, &path);
    if metadata.is_symlink() {
        piece(hasher, std::fs::read_link(&path).unwrap().as_os_str().as_bytes());
    } else if metadata.is_file() {
        hasher.update(&metadata.len().to_le_bytes());
        hasher.update_reader(std::fs::File::open(&path).unwrap()).unwrap();
    } else if metadata.is_dir() {
        let mut names: Vec<_> =
            std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names.iter().for_each(|name| add(hasher, root, &relative.join(name)));
    }
}

fn attributes(hasher: &mut blake3::Hasher, path: &Path) {
    let mut buffer = vec![0; 65536];
    let len = rustix::fs::llistxattr(path, &mut buffer[..]).unwrap_or(0);
    let mut names: Vec<Vec<u8>> = buffer[..len]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(<[u8]>::to_vec)
        .collect();
    names.sort();
    for name in names {
        let mut value = vec![0; 65536];
        let len = rustix::fs::lgetxattr(path, &name[..], &mut value[..]).unwrap();
        piece(hasher, &name);
        piece(hasher, &value[..len]);
    }
}

/// With its length, so that two pieces cannot pass for one.
fn piece(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

#[test]
fn the_hash_of_a_tree_sees_names_modes_times_attributes_and_bytes() {
    use std::os::unix::fs::PermissionsExt;
    let backing = crate::support::Backing::new().with("d/a", b"x").with("d/b", b"y");
    let mut seen = std::collections::HashSet::new();
    let mut changed =
        |what: &str| assert!(seen.insert(tree_hash(backing.path())), "{what} is not seen");
    changed("the beginning");
    std::fs::rename(backing.join("d/a"), backing.join("d/c")).unwrap();
    changed("a name");
    std::fs::set_permissions(backing.join("d/b"), PermissionsExt::from_mode(0o600)).unwrap();
    changed("a mode");
    let file = std::fs::File::options().write(true).open(backing.join("d/b")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_nanos(1)).unwrap();
    changed("a time");
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(backing.join("d/b"), "user.k", b"v", flags).unwrap();
    changed("an attribute");
    std::fs::write(backing.join("d/c"), b"z").unwrap();
    changed("bytes");
}
