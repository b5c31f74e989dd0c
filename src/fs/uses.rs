//! What an open file may be used for.

use rustix::fs::OFlags;

/// What a file was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uses {
    /// read(2).
    pub reads: bool,
    /// write(2).
    pub writes: bool,
}

impl Uses {
    /// Of the flags of open(2).
    pub fn of(flags: i32) -> Uses {
        let mode = OFlags::from_bits_retain(flags as u32) & OFlags::RWMODE;
        Uses { reads: mode != OFlags::WRONLY, writes: mode != OFlags::RDONLY }
    }

    /// Shared mappings that are written take both.
    pub fn maps(self) -> bool {
        self.reads && self.writes
    }
}
