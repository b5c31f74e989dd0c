//! What the kernel is asked for when a mount begins: its capabilities, and how large requests may be.

use fuser::{InitFlags, KernelConfig};

use super::adapter::Adapter;

/// One read(2) or write(2) up to this size is one request: the kernel's own limit on the pages of a
/// request (`fs.fuse.max_pages_limit`) at its default.
pub(super) const REQUEST_BYTES_MAX: u32 = 1 << 20;

/// Read-ahead and asynchronous requests that may be under way. With the kernel's default of 12, as
/// many delayed ones would hold up all others.
const BACKGROUND_MAX: u16 = 16 * 1024;

/// Directories are listed with the attributes of their files (READDIRPLUS) to whoever looks at those.
/// Of use only while the kernel remembers them, when no rule is about looking.
const WITH_ATTRIBUTES: InitFlags =
    InitFlags::FUSE_DO_READDIRPLUS.union(InitFlags::FUSE_READDIRPLUS_AUTO);

/// What came with Linux 6.9: by then the kernel refused sizes that no file can have, see
/// [`super::convert::listed`].
const ATTRIBUTES_CHECKED: InitFlags = InitFlags::FUSE_PASSTHROUGH;

/// What a mount is to have wherever the kernel offers it.
const WANTED: InitFlags = InitFlags::FUSE_AUTO_INVAL_DATA
    .union(InitFlags::FUSE_EXPORT_SUPPORT)
    .union(InitFlags::FUSE_PARALLEL_DIROPS)
    .union(InitFlags::FUSE_POSIX_ACL)
    .union(InitFlags::FUSE_DONT_MASK)
    .union(InitFlags::FUSE_HANDLE_KILLPRIV_V2)
    .union(InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP);

impl Adapter {
    /// Settles with the kernel what it does for us, and we for it.
    pub(super) fn negotiate(&self, config: &mut KernelConfig) {
        let offered = config.capabilities();
        if offered.contains(InitFlags::FUSE_HANDLE_KILLPRIV_V2) {
            self.fs.take_set_id_bits();
        }
        if self.passthrough {
            let _ = config.add_capabilities(offered & InitFlags::FUSE_PASSTHROUGH);
            let _ = config.set_max_stack_depth(self.fs.depth_below());
        }
        if !self.ttl.is_zero() && offered.contains(ATTRIBUTES_CHECKED) {
            let _ = config.add_capabilities(offered & WITH_ATTRIBUTES);
        }
        let _ = config.add_capabilities(WANTED & offered);
        let _ = config.set_max_write(REQUEST_BYTES_MAX);
        let _ = config.set_max_background(BACKGROUND_MAX);
    }
}
