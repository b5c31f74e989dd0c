//! One mount, from mount to unmount.

use std::sync::Arc;

use fuser::BackgroundSession;

use super::adapter::Adapter;
use super::mounting::{MountError, MountOptions, Route};
use crate::fs::Filesystem;
use crate::machine::{Detach, Mount, UnmountError, mount_at, remove};

/// A filesystem that is mounted and answers.
#[derive(Debug)]
pub struct Session {
    fs: Arc<Filesystem>,
    mount: Mount,
}

impl Session {
    /// Mounts the filesystem. From its return on the mount answers. `ended` is called when the
    /// mount is gone, whoever removed it.
    pub fn mount(
        fs: Filesystem,
        options: &MountOptions,
        ended: impl FnOnce(std::io::Result<()>) + Send + 'static,
    ) -> Result<Session, MountError> {
        let fs = Arc::new(fs);
        let session = start(fs.clone(), options)?;
        let unseen = || options.refused(std::io::ErrorKind::NotFound.into());
        let mount = mount_at(&options.mountpoint).ok().flatten().ok_or_else(unseen)?;
        let wait = move || ended(session.join());
        let thread = std::thread::Builder::new().name("session".into());
        thread.spawn(wait).map_err(MountError::Handshake)?;
        Ok(Session { fs, mount })
    }

    /// What is mounted.
    pub fn mounted(&self) -> &Mount {
        &self.mount
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

fn start(fs: Arc<Filesystem>, options: &MountOptions) -> Result<BackgroundSession, MountError> {
    let adapter = Adapter { fs };
    let session = match options.mount_directly()? {
        Route::Direct(device) => {
            let config = options.session_config();
            fuser::Session::from_fd(adapter, device, options.acl(), config)
                .map_err(MountError::Handshake)?
        }
        Route::Helper => {
            fuser::Session::new(adapter, &options.mountpoint, &options.helper_config()?)
                .map_err(|error| options.refused(error))?
        }
    };
    session.spawn().map_err(MountError::Handshake)
}
