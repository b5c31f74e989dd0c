//! Whether anybody has a file open for writing: fcntl(2) `F_SETLEASE`, which no safe crate offers.
#![expect(unsafe_code, reason = "this is the place for it")]

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

/// From fcntl(2): the signal that tells of somebody who comes to write. libc has it for few targets.
const F_SETSIG: libc::c_int = 10;

/// Whether anybody has this file open for writing, which itself is open for reading only. Fails where
/// the kernel does not tell: another's file (without CAP_LEASE), a filesystem without leases.
pub fn is_being_written(file: impl AsFd) -> io::Result<bool> {
    // Whoever comes while the lease is held waits until it is given back, and the kernel says so by a
    // signal: by one that does nothing, as SIGIO would end the process.
    control(&file, F_SETSIG, libc::SIGURG)?;
    match control(&file, libc::F_SETLEASE, libc::F_RDLCK) {
        Ok(()) => control(&file, libc::F_SETLEASE, libc::F_UNLCK).map(|()| false),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}

fn control(file: &impl AsFd, command: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: these commands take a number and touch no memory; the descriptor is open.
    match unsafe { libc::fcntl(file.as_fd().as_raw_fd(), command, value) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_file_is_being_written_while_it_is_open_for_that() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        let writer = File::create(&path).unwrap();
        let reader = File::open(&path).unwrap();
        assert!(is_being_written(&reader).unwrap());
        drop(writer);
        assert!(!is_being_written(&reader).unwrap());
        // The lease was given back: nobody waits for it.
        File::create(&path).unwrap();
    }
}
