//! Operations on extended attributes.

use std::ffi::OsStr;

use rustix::fs::{XattrFlags, getxattr, listxattr, removexattr, setxattr};

use super::{Answer, Filesystem, NodeId};
use crate::errno::Errno;

/// Of one attribute's value, and of one file's list of names (xattr(7)).
const XATTR_SIZE_MAX: usize = 64 * 1024;

impl Filesystem {
    /// `setxattr`.
    pub fn setxattr(&self, id: NodeId, name: &OsStr, value: &[u8], flags: i32) -> Answer<()> {
        let (_file, path) = self.path_of(&self.node(id)?)?;
        Ok(setxattr(path, name, value, XattrFlags::from_bits_retain(flags as u32))?)
    }

    /// `getxattr`: the value, whatever the size that the caller has room for.
    pub fn getxattr(&self, id: NodeId, name: &OsStr, room: u32) -> Answer<Vec<u8>> {
        let (_file, path) = self.path_of(&self.node(id)?)?;
        whole(room, |buffer| getxattr(path.as_str(), name, buffer))
    }

    /// `listxattr`: the names, each ended by a zero byte.
    pub fn listxattr(&self, id: NodeId, room: u32) -> Answer<Vec<u8>> {
        let (_file, path) = self.path_of(&self.node(id)?)?;
        whole(room, |buffer| listxattr(path.as_str(), buffer))
    }

    /// `removexattr`.
    pub fn removexattr(&self, id: NodeId, name: &OsStr) -> Answer<()> {
        let (_file, path) = self.path_of(&self.node(id)?)?;
        Ok(removexattr(path, name)?)
    }
}

/// A caller that asks for the size (room 0) needs the value as well: both are one call below.
fn whole(room: u32, call: impl FnOnce(&mut [u8]) -> rustix::io::Result<usize>) -> Answer<Vec<u8>> {
    let mut buffer = vec![0; XATTR_SIZE_MAX];
    let len = call(&mut buffer)?;
    if room != 0 && len > room as usize {
        return Err(Errno::ERANGE);
    }
    buffer.truncate(len);
    Ok(buffer)
}
