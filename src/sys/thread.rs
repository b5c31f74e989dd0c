//! What belongs to one thread here, and to the whole process by default.
#![expect(unsafe_code, reason = "this is the place for it")]

use std::cell::Cell;

use rustix::io::Result;
use rustix::thread::{UnshareFlags, unshare_unsafe};

thread_local! {
    /// Whether this thread has a umask of its own.
    static HAS_ITS_OWN: Cell<bool> = const { Cell::new(false) };
}

/// Sets the umask of this thread alone. The first call also gives it a working directory and a root
/// of its own, which nobody here changes.
pub fn set_umask(mask: u32) -> Result<()> {
    if !HAS_ITS_OWN.get() {
        // SAFETY: unsafe only because of `UnshareFlags::FILES`, which is not in the set.
        unsafe { unshare_unsafe(UnshareFlags::FS) }?;
        HAS_ITS_OWN.set(true);
    }
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask & 0o777));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_its_own_umask() {
        let masked = |mask| {
            set_umask(mask).unwrap();
            let old = rustix::process::umask(rustix::fs::Mode::empty());
            set_umask(mask).unwrap();
            old.bits()
        };
        masked(0o027);
        std::thread::spawn(move || assert_eq!(masked(0o007), 0o007)).join().unwrap();
        assert_eq!(rustix::process::umask(rustix::fs::Mode::empty()).bits(), 0o027);
    }
}
