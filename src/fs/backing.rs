//! Files whose data the kernel moves by itself, because no rule can reach it: kernel passthrough.
//!
//! Per inode the kernel allows one way at a time: all who have a file open have it open through the
//! same backing file, or none has. So the way is settled at the first opening and kept until the
//! last closing.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, RwLock, Weak};

use rustix::fs::MemfdFlags;

use super::{reading, writing};
use crate::errno::Errno;
use crate::sys::backing::{register, release};

/// Whether, and with which device, files can be handed to the kernel.
#[derive(Debug, Default)]
pub(super) struct Backings {
    device: RwLock<Option<Arc<OwnedFd>>>,
}

/// A backing file that is registered with the kernel until this is dropped.
#[derive(Debug)]
pub struct Backing {
    /// What replies call it.
    pub number: u32,
    device: Weak<OwnedFd>,
}

impl Backings {
    /// From now on files are handed to the kernel, if it takes one: its refusal otherwise.
    pub(super) fn begin(&self, device: OwnedFd) -> Result<(), Errno> {
        let device = Arc::new(device);
        let trial = rustix::fs::memfd_create("errorfs-trial", MemfdFlags::CLOEXEC)?;
        let number = register(device.as_fd(), &trial)?;
        let _ = release(device.as_fd(), number);
        *writing(&self.device) = Some(device);
        Ok(())
    }

    /// The mount is gone.
    pub(super) fn end(&self) {
        *writing(&self.device) = None;
    }

    /// Whether files are handed to the kernel at all.
    pub(super) fn are_used(&self) -> bool {
        reading(&self.device).is_some()
    }

    /// Hands a file to the kernel; `None` if it cannot be, whatever the reason: errorfs then moves
    /// the data itself. The kernel writes with our rights, and asks us beforehand to take the set-id
    /// bits of a file if whoever writes may not leave them.
    pub(super) fn hand_over(&self, file: &OwnedFd) -> Option<Backing> {
        let device = reading(&self.device).clone()?;
        let number = register(device.as_fd(), file)
            .inspect_err(|errno| tracing::debug!("not handed to the kernel: {errno}"))
            .ok()?;
        Some(Backing { number, device: Arc::downgrade(&device) })
    }
}

impl Backing {
    /// The device of the mount that it is registered with, while there is one.
    pub fn device(&self) -> Option<Arc<OwnedFd>> {
        self.device.upgrade()
    }
}

impl Drop for Backing {
    fn drop(&mut self) {
        if let Some(device) = self.device.upgrade() {
            let _ = release(device.as_fd(), self.number); // the mount may be going
        }
    }
}
