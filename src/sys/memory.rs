//! The process's own memory.
#![expect(unsafe_code, reason = "this is the place for it")]

/// Gives memory that was freed back to the system. The allocator by itself keeps what lies below
/// its last live block: after a million small blocks, nearly all of it.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer and may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
