//! Where the sockets of live mounts are: one private directory a user, one socket a mount.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::machine::{Mount, ServerProcess, absolute, mount_at};

/// The variable by which `errorfs run` tells its command where the socket is.
pub const ENVIRONMENT: &str = "ERRORFS_CONTROL";

/// Why no mount was found.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum FindError {
    #[error(
        "no errorfs that can be asked is mounted at {0}; `findmnt -t fuse.errorfs` shows what is"
    )]
    NotThere(PathBuf),
    #[error(
        "no mount of errorfs that can be asked is yours; mount one, or name its socket: --socket"
    )]
    None,
    #[error("several mounts of errorfs are yours: name the mountpoint of one")]
    Several,
    #[error(
        "more than one errorfs serves {mountpoint}, each to others: name the socket of one: {}",
        named(sockets)
    )]
    SeveralThere { mountpoint: PathBuf, sockets: Vec<PathBuf> },
    #[error(
        "there is no directory for control sockets: set XDG_RUNTIME_DIR, or name the socket: --socket"
    )]
    Nowhere,
}

/// Where the sockets of this user's mounts are by default.
fn directory() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some("/run/errorfs".into());
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    Some(runtime.filter(|path| path.is_absolute())?.join("errorfs"))
}

/// The path of a new socket for a mount at `mountpoint` by this process, in a private directory;
/// `None` if there is no place for one. Removes what dead mounts left there.
pub fn default_path(mountpoint: &Path) -> Option<PathBuf> {
    let directory = directory()?;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory).ok()?;
    let found = std::fs::symlink_metadata(&directory).ok()?;
    let private = found.is_dir()
        && found.uid() == rustix::process::geteuid().as_raw()
        && found.mode() & 0o077 == 0;
    if !private {
        return None;
    }
    let orphans = sockets(&directory).into_iter().filter(|path| is_orphan(path));
    orphans.for_each(|path| {
        let _ = if path.is_symlink() {
            std::fs::remove_file(path)
        } else {
            remove_dead(&path).map(drop)
        };
    });
    Some(directory.join(format!("{}.{}.sock", token(mountpoint), std::process::id())))
}

/// A link in the place of the usual socket, for a mount that listens elsewhere: it is found there too.
#[derive(Debug)]
pub(super) struct Pointer {
    path: PathBuf,
    socket: PathBuf,
}

impl Pointer {
    /// Leads from `path` to the socket; `None` if there can be none, without which the mount goes on.
    pub(super) fn new(path: PathBuf, socket: &Path) -> Option<Pointer> {
        std::os::unix::fs::symlink(socket, &path).ok()?;
        Some(Pointer { path, socket: socket.to_owned() })
    }
}

impl Drop for Pointer {
    fn drop(&mut self) {
        if std::fs::read_link(&self.path).is_ok_and(|target| target == self.socket) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes a socket that nobody listens on; whether somebody does, or something else is there.
pub(super) fn remove_dead(path: &Path) -> io::Result<bool> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() || is_alive(path) {
        return Ok(true);
    }
    std::fs::remove_file(path)?;
    Ok(false)
}

/// The socket of the mount at that mountpoint, or of the only one that there is.
pub fn find(mountpoint: Option<&Path>) -> Result<PathBuf, FindError> {
    let directory = directory().ok_or(FindError::Nowhere)?;
    let mut alive = sockets(&directory);
    if let Some(mountpoint) = mountpoint {
        let wanted = token(&resolved(mountpoint));
        let of_mount = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().as_bytes();
            name.starts_with(wanted.as_bytes())
        };
        alive.retain(of_mount);
    }
    alive.retain(|path| is_alive(path));
    if let (Some(mountpoint), true) = (mountpoint, alive.len() > 1) {
        return seen_here(mountpoint, alive);
    }
    match (alive.pop(), alive.is_empty(), mountpoint) {
        (Some(only), true, _) => Ok(only),
        (Some(_), false, _) => Err(FindError::Several),
        (None, _, Some(mountpoint)) => Err(FindError::NotThere(mountpoint.to_owned())),
        (None, _, None) => Err(FindError::None),
    }
}

/// Of the sockets for one mountpoint the one of whoever serves what is mounted there now: another may
/// be about to end, or be a mount that only a command of `errorfs run` sees.
fn seen_here(mountpoint: &Path, sockets: Vec<PathBuf>) -> Result<PathBuf, FindError> {
    let mount = mount_at(&resolved(mountpoint)).ok().flatten().filter(Mount::is_errorfs);
    let server = mount.as_ref().and_then(ServerProcess::of);
    let is_its = |path: &&PathBuf| server.as_ref().is_some_and(|one| pid(path) == Some(one.id()));
    match sockets.iter().find(is_its) {
        Some(socket) => Ok(socket.clone()),
        None => Err(FindError::SeveralThere { mountpoint: mountpoint.to_owned(), sockets }),
    }
}

fn named(sockets: &[PathBuf]) -> String {
    let options = sockets.iter().map(|socket| format!("--socket {}", socket.display()));
    options.collect::<Vec<_>>().join(" or ")
}

fn sockets(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "sock")).collect()
}

/// Whether the process is gone that the socket is named after: one that is about to listen does not
/// answer yet.
fn is_orphan(path: &Path) -> bool {
    pid(path).is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}

/// The process that the socket is named after.
fn pid(path: &Path) -> Option<i32> {
    path.file_stem()?.to_str()?.rsplit('.').next()?.parse().ok()
}

fn is_alive(path: &Path) -> bool {
    UnixStream::connect(path).is_ok()
}

/// Without symbolic links, and without asking what is mounted there anything: that it is no link the
/// kernel knows by itself.
fn resolved(mountpoint: &Path) -> PathBuf {
    /// As the kernel has it.
    const LINKS_MAX: usize = 40;
    let mut path = directly(absolute(mountpoint).unwrap_or_else(|_| mountpoint.to_owned()));
    for _ in 0..LINKS_MAX {
        let Ok(target) = std::fs::read_link(&path) else { break };
        let above = path.parent().unwrap_or(Path::new("/")).to_owned();
        path = directly(above.join(target));
    }
    path
}

/// Without symbolic links above it.
fn directly(path: PathBuf) -> PathBuf {
    let above = path.parent().and_then(|above| std::fs::canonicalize(above).ok());
    match (above, path.file_name()) {
        (Some(above), Some(name)) => above.join(name),
        _ => path,
    }
}

/// Stands for a mountpoint in the name of its socket.
fn token(mountpoint: &Path) -> String {
    blake3::hash(mountpoint.as_os_str().as_bytes()).to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_mountpoint_is_found_behind_links_and_by_any_of_its_names() {
        let scratch = tempfile::tempdir().unwrap();
        let here = std::fs::canonicalize(scratch.path()).unwrap();
        std::fs::create_dir_all(here.join("a/mnt")).unwrap();
        for (target, name) in [("a", "b"), ("b/mnt", "one"), ("../one", "a/two"), ("loop", "loop")]
        {
            symlink(target, here.join(name)).unwrap();
        }
        for name in ["a/mnt", "a/mnt/", "b/mnt", "one", "b/two"] {
            assert_eq!(resolved(&here.join(name)), here.join("a/mnt"), "{name}");
        }
        for name in ["loop", "not/there"] {
            assert_eq!(resolved(&here.join(name)), here.join(name));
        }
    }

    #[test]
    fn a_pointer_goes_with_its_mount_and_no_other_ones() {
        let scratch = tempfile::tempdir().unwrap();
        let (path, socket) = (scratch.path().join("pointer"), scratch.path().join("a.sock"));
        let listener = UnixListener::bind(&socket).unwrap();
        let pointer = Pointer::new(path.clone(), &socket).unwrap();
        assert!(is_alive(&path));
        assert!(Pointer::new(path.clone(), &socket).is_none(), "one is there already");
        drop((pointer, listener));
        assert!(!path.is_symlink());
        let pointer = Pointer::new(path.clone(), &socket).unwrap();
        std::fs::remove_file(&path).unwrap();
        symlink("other", &path).unwrap();
        drop(pointer);
        assert!(path.is_symlink());
    }

    #[test]
    fn a_socket_that_nobody_listens_on_goes_and_everything_else_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("a.sock");
        let listener = UnixListener::bind(&path).unwrap();
        assert!(remove_dead(&path).unwrap());
        drop(listener);
        assert!(!remove_dead(&path).unwrap() && !path.exists());
        assert!(!remove_dead(&path).unwrap());
        std::fs::write(&path, b"mine").unwrap();
        assert!(remove_dead(&path).unwrap() && path.exists());
    }
}
