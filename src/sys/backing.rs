//! Files that the kernel reads and writes by itself for a FUSE mount (FUSE passthrough, Linux 6.9;
//! Documentation/filesystems/fuse/fuse-passthrough.rst).
#![expect(unsafe_code, reason = "this is the place for it")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::io::Result;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, Setter, ioctl, opcode};

/// `FUSE_DEV_IOC_BACKING_OPEN`.
const OPEN: Opcode = opcode::write::<Map>(229, 1);
/// `FUSE_DEV_IOC_BACKING_CLOSE`.
const CLOSE: Opcode = opcode::write::<u32>(229, 2);

/// `struct fuse_backing_map`.
#[repr(C)]
struct Map {
    fd: i32,
    flags: u32,
    padding: u64,
}

/// Registers a regular file with the mount of this `/dev/fuse` descriptor and gives the number under
/// which replies may name it. The kernel acts on the file with the rights that the calling thread
/// has now. `EPERM` without CAP_SYS_ADMIN in the initial user namespace, `ELOOP` if the file lies on
/// too many filesystems, `EOPNOTSUPP` if passthrough was not agreed upon.
pub fn register(device: BorrowedFd<'_>, file: impl AsFd) -> Result<u32> {
    let map = Map { fd: file.as_fd().as_raw_fd(), flags: 0, padding: 0 };
    // SAFETY: the kernel reads one `Map` and keeps no pointer to it.
    unsafe { ioctl(device, Register(map)) }
}

/// Ends a registration. What is open by it stays so.
pub fn release(device: BorrowedFd<'_>, number: u32) -> Result<()> {
    // SAFETY: the kernel reads one `u32` and keeps no pointer to it.
    unsafe { ioctl(device, Setter::<CLOSE, u32>::new(number)) }
}

struct Register(Map);

// SAFETY: the pointer is to the `Map`, which is what the opcode says.
unsafe impl Ioctl for Register {
    type Output = u32;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        OPEN
    }

    fn as_ptr(&mut self) -> *mut std::ffi::c_void {
        (&raw mut self.0).cast()
    }

    unsafe fn output_from_ptr(number: IoctlOutput, _: *mut std::ffi::c_void) -> Result<u32> {
        Ok(number as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_kernels_header() {
        assert_eq!(OPEN, 0x4010_e501);
        assert_eq!(CLOSE, 0x4004_e502);
    }
}
