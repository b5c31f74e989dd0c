//! Transient flips belong to one access: the next one is not damaged, or damaged elsewhere.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use crate::support::*;

/// "**transient**: this access only."
#[test]
fn a_transient_flip_is_gone_when_read_again() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 65536);
    let stored = fs::read(backing.join("file")).unwrap();
    let text = "[[rule]]\nname = \"wire\"\nwhen = { nth = 2 }\n[rule.fault.bit_flip]\n\
                count = 1\npersistence = \"transient\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let file = File::open(mount.join("file")).unwrap();
    let read = || {
        let mut bytes = vec![0; 8192];
        file.read_exact_at(&mut bytes, 4096).unwrap();
        differing_bits(&stored[4096..12288], &bytes)
    };
    assert_eq!(read().len(), 0);
    let flipped = read();
    assert_eq!((flipped.len(), read().len()), (1, 0));
    let events = mount.delivered();
    assert_eq!(events.len(), 1);
    let bit = &events[0].bits[0];
    assert_eq!((bit.byte - 4096, bit.bit), flipped[0]);
    assert_eq!((events[0].offset, events[0].len), (4096, 8192));
    mount.stop();
}

#[test]
fn transient_flips_fall_elsewhere_on_every_access() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 65536);
    let (stored, hash) = (fs::read(backing.join("file")).unwrap(), tree_hash(backing.path()));
    let text = "[[rule]]\nname = \"wire\"\n[rule.fault.bit_flip]\ncount = 1\n\
                persistence = \"transient\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let file = File::open(mount.join("file")).unwrap();
    let mut places = std::collections::HashSet::new();
    for _ in 0..50 {
        let mut bytes = vec![0; 65536];
        file.read_exact_at(&mut bytes, 0).unwrap();
        let bits = differing_bits(&stored, &bytes);
        assert_eq!(bits.len(), 1);
        places.insert(bits[0]);
    }
    assert!(places.len() >= 49, "{} places", places.len());
    mount.stop();
    assert_eq!(tree_hash(backing.path()), hash, "the backing directory changed");
}
