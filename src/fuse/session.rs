//! One mount, from mount to unmount.

use std::os::fd::AsFd as _;
use std::sync::Arc;

use super::adapter::Adapter;
use super::capabilities::REQUEST_BYTES_MAX;
use super::mounting::{MountError, MountOptions, Route};
use super::vigil::Vigil;
use crate::errno::Errno;
use crate::fs::{Filesystem, Kernel, NodeId};
use crate::machine::{Detach, Mount, UnmountError, mount_at, remove};
use crate::sys::confinement::confine;

/// A filesystem that is mounted and answers.
#[derive(Debug)]
pub struct Session {
    fs: Arc<Filesystem>,
    mount: Mount,
    passthrough: Result<(), Passthrough>,
}

/// Why the kernel does not move any file's data by itself.
#[derive(Clone, Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum Passthrough {
    #[error("not wanted")]
    Declined,
    #[error("this takes Linux 6.9 or later, built with CONFIG_FUSE_PASSTHROUGH")]
    Unknown,
    #[error("this takes CAP_SYS_ADMIN in the initial user namespace")]
    Forbidden,
    #[error("the kernel refuses: {0}")]
    Refused(Errno),
}

impl From<Errno> for Passthrough {
    fn from(errno: Errno) -> Passthrough {
        match errno {
            Errno::EPERM => Passthrough::Forbidden,
            Errno::ENOTTY | Errno::EOPNOTSUPP | Errno::EINVAL => Passthrough::Unknown,
            other => Passthrough::Refused(other),
        }
    }
}

impl Session {
    /// Mounts the filesystem. From its return on the mount answers. `ended` is called when the
    /// mount is gone, whoever removed it.
    pub fn mount(
        fs: Arc<Filesystem>,
        options: &MountOptions,
        ended: impl FnOnce(std::io::Result<()>) + Send + 'static,
    ) -> Result<Session, MountError> {
        let session = start(fs.clone(), options)?;
        fs.talk_to(Box::new(Notices(session.notifier())));
        let passthrough = match options.passthrough {
            true => hand_files_over(&fs, &session),
            false => Err(Passthrough::Declined),
        };
        let unseen = || options.refused(std::io::ErrorKind::NotFound.into());
        let mount = mount_at(&options.mountpoint).ok().flatten().ok_or_else(unseen)?;
        if let Err(error) = mount.read_ahead(REQUEST_BYTES_MAX) {
            tracing::debug!("the kernel's read-ahead stays as it is: {error}");
        }
        let served = fs.clone();
        let serve = move || {
            let end = serve(session);
            served.end_handing_over();
            ended(end);
        };
        let thread = std::thread::Builder::new().name("session".into());
        thread.spawn(serve).map_err(MountError::Handshake)?;
        Ok(Session { fs, mount, passthrough })
    }

    /// What is mounted.
    pub fn mounted(&self) -> &Mount {
        &self.mount
    }

    /// Whether the kernel moves the data of files that no rule can reach, by itself.
    pub fn passthrough(&self) -> Result<(), Passthrough> {
        self.passthrough.clone()
    }

    /// The filesystem behind the mount.
    pub fn filesystem(&self) -> &Arc<Filesystem> {
        &self.fs
    }

    /// Answers what waits and takes the mount away: at once if nobody uses it, else from the names
    /// of the system; then whoever still has files open keeps them until errorfs ends.
    pub fn unmount(&self) -> Result<(), UnmountError> {
        self.fs.release_delayed();
        let lazily = |_| remove(&self.mount, Detach::Lazily);
        remove(&self.mount, Detach::IfUnused).or_else(lazily)
    }
}

/// What the kernel is told unasked.
struct Notices(fuser::Notifier);

impl std::fmt::Debug for Notices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notices")
    }
}

impl Kernel for Notices {
    fn forget_pages(&self, id: NodeId) {
        // A file that the kernel has forgotten has no pages.
        if let Err(error) = self.0.inval_inode(fuser::INodeNo(id.0), 0, 0) {
            tracing::debug!("the kernel drops no pages: {error}");
        }
    }
}

fn start(
    fs: Arc<Filesystem>,
    options: &MountOptions,
) -> Result<fuser::Session<Adapter>, MountError> {
    let vigil = Arc::<Vigil>::default();
    let (ttl, passthrough) = (options.ttl, options.passthrough);
    let adapter = Adapter { fs, ttl, passthrough, vigil: vigil.clone() };
    let session = match options.mount_directly()? {
        Route::Direct(device) => {
            let config = options.session_config();
            fuser::Session::from_fd(adapter, device, options.acl(), config)
                .map_err(MountError::Handshake)
        }
        Route::Helper => {
            fuser::Session::new(adapter, &options.mountpoint, &options.helper_config()?)
                .map_err(|error| options.refused(error))
        }
    }?;
    vigil.begin(session.as_fd().try_clone_to_owned().map_err(MountError::Handshake)?);
    Ok(session)
}

fn hand_files_over(fs: &Filesystem, session: &fuser::Session<Adapter>) -> Result<(), Passthrough> {
    let device = session.as_fd().try_clone_to_owned().map_err(Errno::from)?;
    Ok(fs.hand_files_to(device)?)
}

/// Answers requests until the mount is gone. The workers inherit the confinement of this thread;
/// the rest of the process keeps what unmounting takes.
fn serve(session: fuser::Session<Adapter>) -> std::io::Result<()> {
    if let Err(error) = confine() {
        tracing::warn!("the workers are not confined: {error}");
    }
    session.run()
}
