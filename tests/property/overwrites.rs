//! Files of which parts were overwritten.

use std::ops::Range;

use errorfs::media::Medium;
use proptest::prelude::*;

/// Overwrites of a 256 KiB file.
pub(super) fn overwrites() -> impl Strategy<Value = Vec<Range<u64>>> {
    let one = (0_u64..1 << 18, 1_u64..60_000).prop_map(|(start, len)| start..start + len);
    prop::collection::vec(one, 0..6)
}

/// The medium of that file after them.
pub(super) fn overwritten(writes: &[Range<u64>]) -> Medium {
    let medium = Medium::default();
    writes.iter().for_each(|write| medium.written(write.clone(), 1 << 18));
    medium
}
