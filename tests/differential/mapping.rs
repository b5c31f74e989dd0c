//! Shared mappings and `truncate(2)`, which no safe wrapper in reach offers.
#![expect(unsafe_code, reason = "mmap and truncate have no safe wrapper here")]

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;

const PAGE: u64 = 4096;

/// A shared mapping, gone with its owner.
pub(super) struct Mapping {
    start: *mut libc::c_void,
    len: usize,
    /// What was asked for begins here: mappings begin at pages.
    skip: usize,
}

impl Mapping {
    /// Maps these bytes of a file. The caller must see to it that the file has them all.
    pub(super) fn new(
        file: BorrowedFd<'_>,
        at: u64,
        len: usize,
        writing: bool,
    ) -> Result<Self, Errno> {
        let skip = (at % PAGE) as usize;
        let right = libc::PROT_READ | if writing { libc::PROT_WRITE } else { 0 };
        let (whole, from) = (len + skip, (at - skip as u64) as libc::off_t);
        let fd = file.as_raw_fd();
        // SAFETY: the kernel chooses an unused place; `Drop` gives it back.
        let start =
            unsafe { libc::mmap(std::ptr::null_mut(), whole, right, libc::MAP_SHARED, fd, from) };
        if start == libc::MAP_FAILED {
            Err(last())
        } else {
            Ok(Mapping { start, len: whole, skip })
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        // SAFETY: mapped, readable, and the file has these bytes; nobody else writes them now.
        let place = unsafe { std::slice::from_raw_parts(self.start.cast::<u8>(), self.len) };
        place[self.skip..].to_vec()
    }

    /// Stores these bytes and waits until the file has them.
    pub(super) fn store(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        // SAFETY: as above, and mapped for writing by the caller's contract.
        let place = unsafe { std::slice::from_raw_parts_mut(self.start.cast::<u8>(), self.len) };
        place[self.skip..].copy_from_slice(bytes);
        // SAFETY: the mapping's own bounds.
        match unsafe { libc::msync(self.start, self.len, libc::MS_SYNC) } {
            0 => Ok(()),
            _ => Err(last()),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping's own bounds, and no slice outlives it.
        unsafe { libc::munmap(self.start, self.len) };
    }
}

pub(super) fn truncate(path: &Path, len: u64) -> Result<(), Errno> {
    let path = CString::new(path.as_os_str().as_bytes()).expect("names have no zero byte");
    // SAFETY: the string ends with a zero byte and outlives the call.
    match unsafe { libc::truncate(path.as_ptr(), len as libc::off_t) } {
        0 => Ok(()),
        _ => Err(last()),
    }
}

fn last() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).expect("the call failed")
}
