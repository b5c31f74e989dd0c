//! Files by the number that their filesystem keeps for them: name_to_handle_at(2) and
//! open_by_handle_at(2), which no safe crate offers.
#![expect(unsafe_code, reason = "this is the place for it")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd as _, OwnedFd};

/// The bytes of the largest handle that the kernel makes (`MAX_HANDLE_SZ`).
const BYTES_MAX: usize = 128;

/// What a filesystem calls one of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHandle {
    /// The form of the bytes.
    pub kind: i32,
    /// The filesystem's own.
    pub bytes: Vec<u8>,
}

/// `struct file_handle` with room for every handle.
#[repr(C)]
struct Raw {
    len: u32,
    kind: i32,
    bytes: [u8; BYTES_MAX],
}

/// The handle of an open file, `O_PATH` included.
pub fn handle_of(file: impl AsFd) -> io::Result<FileHandle> {
    let mut raw = Raw { len: BYTES_MAX as u32, kind: 0, bytes: [0; BYTES_MAX] };
    let mut mount: libc::c_int = 0;
    // SAFETY: `raw` is laid out as the kernel wants it and has the room that it says; the path is
    // an empty C string; `mount` outlives the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            file.as_fd().as_raw_fd(),
            c"".as_ptr(),
            &raw mut raw,
            &raw mut mount,
            libc::AT_EMPTY_PATH,
        )
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    let len = BYTES_MAX.min(raw.len as usize);
    Ok(FileHandle { kind: raw.kind, bytes: raw.bytes[..len].to_vec() })
}

/// Opens the file of a handle. `on` is any file of its filesystem that is not open as `O_PATH`.
/// Takes CAP_DAC_READ_SEARCH.
pub fn open_handle(on: impl AsFd, handle: &FileHandle, flags: i32) -> io::Result<OwnedFd> {
    let len = BYTES_MAX.min(handle.bytes.len());
    let mut raw = Raw { len: len as u32, kind: handle.kind, bytes: [0; BYTES_MAX] };
    raw.bytes[..len].copy_from_slice(&handle.bytes[..len]);
    let on = on.as_fd().as_raw_fd();
    let flags = flags | libc::O_CLOEXEC;
    // SAFETY: `raw` is laid out as the kernel wants it, and outlives the call.
    let fd = unsafe { libc::syscall(libc::SYS_open_by_handle_at, on, &raw mut raw, flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
