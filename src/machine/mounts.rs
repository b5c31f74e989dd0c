//! What is mounted where, as `/proc/self/mountinfo` has it.
//!
//! Never asks a mounted filesystem anything: it may be dead, or answer never.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

/// The filesystem type of every mount of ours.
pub const FSTYPE: &str = "fuse.errorfs";

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Major and minor number of its device: who serves it. Not used again while it is mounted.
    pub device: (u32, u32),
    /// Where.
    pub mountpoint: PathBuf,
    /// Filesystem type, with subtype: `fuse.errorfs`.
    pub fstype: String,
    /// What was given as its source; for errorfs the backing directory.
    pub source: OsString,
}

impl Mount {
    /// How far ahead the kernel reads files of this mount, in bytes: as far as one request goes,
    /// instead of its default of 128 KiB. For root alone; for others it stays as it is.
    pub fn read_ahead(&self, bytes: u32) -> io::Result<()> {
        let (major, minor) = self.device;
        let file = format!("/sys/class/bdi/{major}:{minor}/read_ahead_kb");
        std::fs::write(file, (bytes / 1024).to_string())
    }

    /// Whether errorfs serves it, or did.
    pub fn is_errorfs(&self) -> bool {
        self.fstype == FSTYPE
    }
}

/// Everything that this process sees mounted, in the order of mounting.
pub fn mounts() -> io::Result<Vec<Mount>> {
    Ok(parse(&std::fs::read("/proc/self/mountinfo")?))
}

/// What is mounted at this path: of several the uppermost, which is the one in force.
pub fn mount_at(mountpoint: &Path) -> io::Result<Option<Mount>> {
    let mut mounts = mounts()?.into_iter();
    Ok(mounts.rfind(|mount| mount.mountpoint == mountpoint))
}

fn parse(mountinfo: &[u8]) -> Vec<Mount> {
    let lines = mountinfo.split(|byte| *byte == b'\n');
    lines.filter_map(parse_line).collect()
}

/// `36 35 98:0 /root /mountpoint options optional... - fstype source superoptions`
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = std::str::from_utf8(fields.nth(2)?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let mountpoint = decode(fields.nth(1)?);
    fields.find(|field| *field == b"-")?;
    let fstype = decode(fields.next()?);
    Some(Mount {
        device: (major.parse().ok()?, minor.parse().ok()?),
        mountpoint: PathBuf::from(OsString::from_vec(mountpoint)),
        fstype: String::from_utf8_lossy(&fstype).into_owned(),
        source: OsString::from_vec(decode(fields.next()?)),
    })
}

/// The kernel writes space, tab, newline and backslash as `\ooo`.
fn decode(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                tail
            }
            (byte, tail) => {
                bytes.push(*byte);
                tail
            }
        };
    }
    bytes
}

/// The path of a mountpoint as the kernel would list it, without a look at the mountpoint itself:
/// absolute and without `.` and `..` first; only if nothing is mounted there, also without
/// symbolic links.
pub fn find(path: &Path) -> io::Result<Option<Mount>> {
    let lexical = absolute(path)?;
    if let Some(mount) = mount_at(&lexical)? {
        return Ok(Some(mount));
    }
    // Nothing is mounted there, so that looking cannot meet a dead root.
    let real = match std::fs::read_link(&lexical) {
        Ok(link) => absolute(&lexical.parent().unwrap_or(&lexical).join(link))?,
        Err(_) => lexical,
    };
    match (real.parent(), real.file_name()) {
        (Some(parent), Some(name)) => match std::fs::canonicalize(parent) {
            Ok(parent) => mount_at(&parent.join(name)),
            Err(_) => Ok(None),
        },
        _ => mount_at(&real),
    }
}

/// A path from the root, without `.` and `..`, without asking the filesystem.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    if path.as_os_str().as_bytes().is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut absolute = PathBuf::new();
    for component in std::path::absolute(path)?.components() {
        match component {
            Component::ParentDir => drop(absolute.pop()),
            Component::CurDir => {}
            other => absolute.push(other),
        }
    }
    Ok(absolute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_and_without_optional_fields() {
        let text = b"22 27 0:21 / /proc rw,relatime shared:1 master:2 - proc proc rw\n\
            90 27 0:55 / /tmp/a\\040b\\134c rw - fuse.errorfs /data\\011x rw,user_id=0\n\nnonsense\n";
        let mounts = parse(text);
        assert_eq!(mounts.len(), 2);
        assert!(!mounts[0].is_errorfs());
        let expected = Mount {
            device: (0, 55),
            mountpoint: "/tmp/a b\\c".into(),
            fstype: FSTYPE.into(),
            source: "/data\tx".into(),
        };
        assert_eq!(mounts[1], expected);
    }

    #[test]
    fn paths_are_made_absolute_without_asking_the_filesystem() {
        let absolute = |path: &str| absolute(Path::new(path)).unwrap();
        assert_eq!(absolute("/a/./b/../c/"), Path::new("/a/c"));
        assert_eq!(absolute("/../.."), Path::new("/"));
        assert_eq!(absolute("x"), std::env::current_dir().unwrap().join("x"));
    }

    #[test]
    fn what_is_mounted_is_found_by_any_of_its_names() {
        let found = find(Path::new("/proc/../proc/.")).unwrap();
        assert_eq!(found.map(|mount| mount.fstype).as_deref(), Some("proc"));
        let link = tempfile::tempdir().unwrap();
        let link = link.path().join("link");
        std::os::unix::fs::symlink("/proc", &link).unwrap();
        let found = find(&link).unwrap();
        assert_eq!(found.map(|mount| mount.fstype).as_deref(), Some("proc"));
        assert_eq!(find(Path::new("/no/such/place")).unwrap(), None);
    }
}
