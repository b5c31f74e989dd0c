//! Getting a `/dev/fuse` descriptor that is mounted somewhere: mount(2) where we may, else the
//! setuid helper of the distribution.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fuser::{Config, MountOption, SessionACL};
use rustix::fs::{Mode, OFlags};

use super::restrictions::Restrictions;
use crate::machine::FSTYPE;

/// Where and how to mount.
#[derive(Clone, Debug)]
pub struct MountOptions {
    /// What `findmnt` shows as the source: the backing directory.
    pub source: OsString,
    /// An existing directory.
    pub mountpoint: PathBuf,
    /// Whether users other than the mounting one may use the mount.
    pub allow_other: bool,
    /// What the kernel is not to allow or do there.
    pub restrictions: Restrictions,
    /// How long the kernel may remember names and attributes. Zero: it asks every time, so that what
    /// changes behind the mount is seen, and rules see every operation.
    pub ttl: Duration,
    /// Whether the kernel may move the data of files that no rule can reach by itself.
    pub passthrough: bool,
    /// Threads that answer requests.
    pub workers: usize,
}

/// Why a mount did not come about.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum MountError {
    #[error("cannot open /dev/fuse: {0}; `errorfs doctor` says what this machine lacks")]
    Device(std::io::Error),
    #[error(
        "cannot mount on {mountpoint}: {reason}; `errorfs doctor` says what this machine lacks"
    )]
    Refused { mountpoint: PathBuf, reason: std::io::Error },
    #[error(
        "fusermount3 cannot mount a source with a comma or a backslash in its path: {0:?}; \
         mount it as root, or under another name"
    )]
    Source(OsString),
    #[error("the kernel and errorfs do not understand each other: {0}")]
    Handshake(std::io::Error),
}

/// A mounted device, or the sign that only the setuid helper can mount.
pub(super) enum Route {
    /// Mounted by mount(2).
    Direct(OwnedFd),
    /// mount(2) is not for us.
    Helper,
}

impl MountOptions {
    /// Mounts by mount(2), which takes CAP_SYS_ADMIN in the user namespace of the mount namespace.
    pub(super) fn mount_directly(&self) -> Result<Route, MountError> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let device = rustix::fs::open("/dev/fuse", flags, Mode::empty())
            .map_err(|errno| MountError::Device(errno.into()))?;
        let data = c_string(self.kernel_options(&device).as_ref());
        let source = self.source.as_os_str();
        let flags = self.restrictions.flags();
        match rustix::mount::mount(source, &self.mountpoint, FSTYPE, flags, &*data) {
            Ok(()) => Ok(Route::Direct(device)),
            Err(rustix::io::Errno::PERM) if !rustix::process::geteuid().is_root() => {
                Ok(Route::Helper)
            }
            Err(errno) => Err(self.refused(errno.into())),
        }
    }

    /// `default_permissions` always: whether a caller may is for the kernel to decide, by the owners
    /// and modes of the backing files, before errorfs does anything with its own rights.
    fn kernel_options(&self, device: &OwnedFd) -> String {
        let (fd, directory) = (device.as_raw_fd(), 0o40000);
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let (uid, gid) = (uid.as_raw(), gid.as_raw());
        let ids = format!("fd={fd},rootmode={directory:o},user_id={uid},group_id={gid}");
        let others = if self.allow_other { ",allow_other" } else { "" };
        format!("{ids},default_permissions{others}")
    }

    /// Options for fuser, which calls the helper.
    pub(super) fn helper_config(&self) -> Result<Config, MountError> {
        let source = self.source.to_str().filter(|source| !source.contains([',', '\\']));
        let source = source.ok_or_else(|| MountError::Source(self.source.clone()))?;
        let mut config = self.session_config();
        config.mount_options = vec![
            MountOption::FSName(source.to_owned()),
            MountOption::Subtype("errorfs".to_owned()),
            MountOption::DefaultPermissions,
        ];
        config.mount_options.extend(self.restrictions.for_helper());
        Ok(config)
    }

    /// Options for the session alone.
    pub(super) fn session_config(&self) -> Config {
        let mut config = Config::default();
        config.acl = self.acl();
        config.n_threads = Some(self.workers);
        config
    }

    pub(super) fn acl(&self) -> SessionACL {
        if self.allow_other { SessionACL::All } else { SessionACL::Owner }
    }

    pub(super) fn refused(&self, reason: std::io::Error) -> MountError {
        MountError::Refused { mountpoint: self.mountpoint.clone(), reason }
    }
}

fn c_string(text: &OsStr) -> CString {
    CString::new(text.as_bytes()).expect("made of numbers and words")
}

/// Threads for this machine: more than two gain nothing on two cores, and a single one would make
/// every request wait for the slowest.
pub(super) fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8))
}

impl MountOptions {
    /// The usual options.
    pub fn new(source: &Path, mountpoint: &Path) -> MountOptions {
        MountOptions {
            source: source.as_os_str().to_owned(),
            mountpoint: mountpoint.to_owned(),
            allow_other: false,
            restrictions: Restrictions::default(),
            ttl: Duration::ZERO,
            passthrough: true,
            workers: workers(),
        }
    }
}
