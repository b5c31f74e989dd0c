//! Closing a descriptor whose end somebody wants to know of.
#![expect(unsafe_code, reason = "this is the place for it")]

use std::os::fd::{IntoRawFd, OwnedFd};

use rustix::io::{Errno, Result};

/// Of the flags of an open file: what is written is synced by itself (`O_DSYNC`, which is a part of
/// `O_SYNC`; rustix has one name for both).
pub const SYNCED: i32 = libc::O_DSYNC;

/// close(2), and what it says: a filesystem of another machine may have to say then that data were
/// not stored. The descriptor is gone in any case.
pub fn close(file: OwnedFd) -> Result<()> {
    // SAFETY: it was owned, and nobody else has its number.
    match unsafe { libc::close(file.into_raw_fd()) } {
        0 => Ok(()),
        _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_closed() {
        let (ours, theirs) = rustix::pipe::pipe().unwrap();
        close(ours).unwrap();
        assert!(rustix::io::write(&theirs, b"x").is_err(), "nobody reads");
    }
}
