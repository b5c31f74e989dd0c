//! `ioctl`: control requests that mean the backing file itself. All others are unknown here, as
//! they are to most filesystems.

use super::credentials::AsCaller;
use super::{Answer, FileHandle, Filesystem};
use crate::errno::Errno;
use crate::op::Op;
use crate::sys::ioctl::Request;

/// On what a control request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controlled {
    /// An open file.
    File(FileHandle),
    /// An open directory.
    Directory(FileHandle),
}

impl Controlled {
    /// Whether a request of that number changes what it is made on.
    pub fn changes(self, number: u32) -> bool {
        Request::known(number).is_some_and(|request| request.changes)
    }
}

impl Filesystem {
    /// `ioctl`: the argument that comes back, as long as the caller has room for.
    pub fn control(
        &self,
        op: Op,
        on: Controlled,
        number: u32,
        input: &[u8],
        room: u32,
    ) -> Answer<Vec<u8>> {
        let request = Request::known(number).ok_or(Errno::ENOTTY)?;
        // Some flags take rights that the kernel cannot know of: its own filesystem has none such.
        let _caller = match request.changes {
            true => Some(AsCaller::entirely(op.caller, self.settings.errorfs_is_root)?),
            false => None,
        };
        let mut output = match on {
            Controlled::File(handle) => request.call(&*self.open_files.get(handle)?.file, input)?,
            Controlled::Directory(handle) => {
                request.call(&self.open_directories.get(handle)?.directory, input)?
            }
        };
        output.truncate(room as usize);
        Ok(output)
    }
}
