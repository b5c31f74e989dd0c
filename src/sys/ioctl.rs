//! The control requests of files that filesystems share: flags, extended flags, version, label.
#![expect(unsafe_code, reason = "this is the place for it")]

use std::os::fd::AsFd;

use rustix::io::{Errno, Result};
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};

/// The longest argument of those known here: a label.
const ARGUMENT_MAX: usize = 256;

/// A request whose argument is a plain structure of known size, without pointers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    number: u32,
    /// Whether it changes the file.
    pub changes: bool,
}

/// By number: `_IOR('f', 1, long)` and so on.
const KNOWN: [Request; 6] = [
    Request { number: 0x8008_6601, changes: false }, // FS_IOC_GETFLAGS
    Request { number: 0x4008_6602, changes: true },  // FS_IOC_SETFLAGS
    Request { number: 0x8008_7601, changes: false }, // FS_IOC_GETVERSION
    Request { number: 0x801c_581f, changes: false }, // FS_IOC_FSGETXATTR
    Request { number: 0x401c_5820, changes: true },  // FS_IOC_FSSETXATTR
    Request { number: 0x8100_9431, changes: false }, // FS_IOC_GETFSLABEL
];

impl Request {
    /// The request of that number; `None`: not one that can be passed on.
    pub fn known(number: u32) -> Option<Request> {
        KNOWN.into_iter().find(|request| request.number == number)
    }

    /// Makes it on an open file: from the argument that it takes to the one that it gives.
    pub fn call(self, file: impl AsFd, input: &[u8]) -> Result<Vec<u8>> {
        let mut argument = Argument { number: self.number, bytes: [0; ARGUMENT_MAX] };
        let place = argument.bytes.get_mut(..input.len()).ok_or(Errno::INVAL)?;
        place.copy_from_slice(input);
        // SAFETY: each known request reads and writes at most the bytes that its number encodes,
        // none of them more than ARGUMENT_MAX, and keeps no reference to them.
        unsafe { ioctl(file, argument) }
    }
}

/// Room for any argument, aligned as structures in C may have to be.
#[repr(C, align(8))]
struct Argument {
    bytes: [u8; ARGUMENT_MAX],
    number: u32,
}

// SAFETY: the pointer is to `bytes`, which are as many as any known request touches.
unsafe impl Ioctl for Argument {
    type Output = Vec<u8>;

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        self.number as Opcode
    }

    fn as_ptr(&mut self) -> *mut std::ffi::c_void {
        self.bytes.as_mut_ptr().cast()
    }

    unsafe fn output_from_ptr(
        _output: IoctlOutput,
        argument: *mut std::ffi::c_void,
    ) -> Result<Vec<u8>> {
        // SAFETY: it is the pointer to `bytes` from above.
        Ok(unsafe { std::slice::from_raw_parts(argument.cast::<u8>(), ARGUMENT_MAX) }.to_vec())
    }
}
