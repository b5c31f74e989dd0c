//! Operations on extended attributes.

use std::ffi::OsStr;

use rustix::fs::{XattrFlags, getxattr, listxattr, removexattr, setxattr};
use rustix::thread::CapabilitySet;

use super::credentials::{AsCaller, Powers};
use super::stat::stat_fd;
use super::{Answer, Filesystem, NodeId, locked};
use crate::errno::Errno;
use crate::op::Op;

/// Of one attribute's value, and of one file's list of names (xattr(7)).
const XATTR_SIZE_MAX: usize = 64 * 1024;

impl Filesystem {
    /// `setxattr`.
    pub fn setxattr(
        &self,
        op: Op,
        id: NodeId,
        name: &OsStr,
        value: &[u8],
        flags: i32,
    ) -> Answer<()> {
        let (_file, path) = self.path_of(&self.node(id)?)?;
        // Takes the set-group-id bit from a file of a group that the caller is not in.
        let _caller = match name == "system.posix_acl_access" {
            true => Some(AsCaller::entirely(op.caller, self.settings.errorfs_is_root)?),
            false => None,
        };
        Ok(setxattr(path, name, value, XattrFlags::from_bits_retain(flags as u32))?)
    }

    /// `getxattr`: the value, whatever the size that the caller has room for.
    pub fn getxattr(&self, id: NodeId, name: &OsStr, room: u32) -> Answer<Vec<u8>> {
        let (_file, path) = self.path_of(&self.node(id)?)?;
        whole(room, |buffer| getxattr(path.as_str(), name, buffer))
    }

    /// `listxattr`: the names, each ended by a zero byte; of those in `trusted.` only the
    /// privileged learn.
    pub fn listxattr(&self, op: Op, id: NodeId, room: u32) -> Answer<Vec<u8>> {
        let (_file, path) = self.path_of(&self.node(id)?)?;
        let mut names = whole(0, |buffer| listxattr(path.as_str(), buffer))?;
        if each(&names).any(is_trusted) && !may_see_trusted(op) {
            names = each(&names).filter(|name| !is_trusted(name)).flatten().copied().collect();
        }
        fits(room, names)
    }

    /// `removexattr`. Of those who may not take a file's capabilities themselves (CAP_SETFCAP) the
    /// kernel asks it on its own, before it asks for a change that takes them with it, if the caller
    /// may make that.
    pub fn removexattr(&self, op: Op, id: NodeId, name: &OsStr) -> Answer<()> {
        let (file, path) = self.path_of(&self.node(id)?)?;
        if name == "security.capability" && self.is_told_of_set_id() {
            let powers = Powers::of(op.caller);
            if powers.may(CapabilitySet::FSETID) {
                locked(&self.capability_taken).insert((id, op.caller.pid));
            }
            let owns = || stat_fd(&*file).is_ok_and(|attr| attr.uid == op.caller.uid);
            if !(powers.may(CapabilitySet::SETFCAP) || powers.may_elsewhere() && owns()) {
                return Ok(());
            }
        }
        Ok(removexattr(path, name)?)
    }
}

/// A caller that asks for the size (room 0) needs the value as well: both are one call below.
fn whole(room: u32, call: impl FnOnce(&mut [u8]) -> rustix::io::Result<usize>) -> Answer<Vec<u8>> {
    let mut buffer = vec![0; XATTR_SIZE_MAX];
    let len = call(&mut buffer)?;
    buffer.truncate(len);
    fits(room, buffer)
}

fn fits(room: u32, value: Vec<u8>) -> Answer<Vec<u8>> {
    if room != 0 && value.len() > room as usize { Err(Errno::ERANGE) } else { Ok(value) }
}

/// The names of a list, with the zero bytes that end them.
fn each(names: &[u8]) -> impl Iterator<Item = &[u8]> {
    names.split_inclusive(|byte| *byte == 0)
}

fn is_trusted(name: &[u8]) -> bool {
    name.starts_with(b"trusted.")
}

fn may_see_trusted(op: Op) -> bool {
    Powers::of(op.caller).may(CapabilitySet::SYS_ADMIN)
}
