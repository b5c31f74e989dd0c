//! Acting as the caller where the backing filesystem writes an owner into what it creates.
//!
//! Whether the caller may, the kernel has decided before it asked (`default_permissions`); so the
//! thread keeps the right to override that check, which knows nothing of the caller's
//! supplementary groups, and takes over only the ids.

use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use rustix::thread::{set_thread_res_gid, set_thread_res_uid};

use super::Answer;
use crate::op::Caller;

/// This thread acts as a caller until the guard is dropped.
#[derive(Debug)]
pub(super) struct AsCaller {
    switched: bool,
}

/// What creating a file for somebody else takes: their names in their directories, any mode bits.
const KEPT: CapabilitySet = CapabilitySet::DAC_OVERRIDE
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::MKNOD);

impl AsCaller {
    /// Takes over the ids of the caller, if errorfs runs as root and the caller does not.
    pub(super) fn new(caller: Caller, errorfs_is_root: bool) -> Answer<AsCaller> {
        if !errorfs_is_root || (caller.uid == 0 && caller.gid == 0) {
            return Ok(AsCaller { switched: false });
        }
        let guard = AsCaller { switched: true };
        set_thread_res_gid(None, gid(caller.gid), None)?;
        set_thread_res_uid(None, uid(caller.uid), None)?;
        if caller.uid != 0 {
            let mut sets = capabilities(None)?;
            sets.effective = sets.permitted & KEPT;
            set_capabilities(None, sets)?;
        }
        Ok(guard)
    }
}

impl Drop for AsCaller {
    /// Going back must not fail: a thread that kept a caller's ids would act for the next caller
    /// with the rights of this one.
    fn drop(&mut self) {
        if self.switched {
            set_thread_res_uid(None, uid(0), None).expect("the saved uid is still 0");
            set_thread_res_gid(None, gid(0), None).expect("root may change its group");
        }
    }
}

fn uid(raw: u32) -> Uid {
    Uid::from_raw(raw)
}

fn gid(raw: u32) -> Gid {
    Gid::from_raw(raw)
}
