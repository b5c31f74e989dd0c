//! `count = 1`: exactly one byte differs, in exactly one bit, and everyone names the same bit.

use std::collections::HashSet;
use std::fs;

use crate::support::*;

const ONE_BIT: &str = "[[rule]]\nname = \"one\"\n[rule.fault.bit_flip]\ncount = 1\n";

#[test]
fn one_bit_of_64_mib_flips_and_ledger_and_preview_name_it_for_20_seeds() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 64 << 20);
    let stored = fs::read(backing.join("file")).unwrap();
    let hash = tree_hash(backing.path());
    let mut places = HashSet::new();
    for seed in 1..=20 {
        let mut mount = Mount::new(backing.path()).scenario(ONE_BIT).seed(seed).start();
        let bits = differing_bits(&stored, &fs::read(mount.join("file")).unwrap());
        let [(byte, bit)] = bits[..] else {
            panic!("seed {seed}: {} bits differ", bits.len());
        };
        let before = stored[byte as usize];
        let [previewed] = &mount.preview()[..] else {
            panic!("seed {seed}: the preview does not name one bit");
        };
        assert_eq!((&*previewed.path, previewed.byte, previewed.bit), ("file", byte, bit));
        assert_eq!((previewed.before, previewed.after), (before, before ^ (1 << bit)));
        assert_in_ledger(&mount, previewed);
        places.insert((byte, bit));
        mount.stop();
    }
    assert!(places.len() >= 19, "seeds give the same places: {places:?}");
    assert_eq!(tree_hash(backing.path()), hash, "the backing directory changed");
}

/// Every delivered event is this one bit, read by this process.
fn assert_in_ledger(mount: &Mount, previewed: &Previewed) {
    let events = mount.delivered();
    assert!(!events.is_empty());
    for event in events {
        assert_eq!((&*event.rule, &*event.fault, &*event.op), ("one", "bit_flip", "read"));
        assert_eq!((&*event.path, event.pid != 0), ("file", true));
        assert_eq!(event.uid, rustix::process::geteuid().as_raw());
        assert!(event.offset <= previewed.byte && previewed.byte < event.offset + event.len);
        let [bit] = &event.bits[..] else {
            panic!("{event:?}");
        };
        assert_eq!((bit.byte, bit.bit, &bit.id), (previewed.byte, previewed.bit, &previewed.id));
        let served = (Some(previewed.before), Some(previewed.after));
        assert_eq!((bit.before, bit.after), served);
    }
}

/// "`count` is drawn once, uniformly over the selected bytes of all files that are there at
/// arming."
#[test]
fn count_is_exact_over_all_selected_files_together() {
    require_fuse!();
    let mut backing = Backing::new().with_noise("not-selected", 1 << 20);
    for number in 0..50 {
        backing = backing.with_noise(&format!("data/file-{number}"), 10_000 + number * 977);
    }
    let text = "[[rule]]\nname = \"seven\"\nselect = { path = \"data/*\" }\n\
                [rule.fault.bit_flip]\ncount = 7\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(3).start();
    let mut bits = 0;
    for number in 0..50 {
        let name = format!("data/file-{number}");
        let stored = fs::read(backing.join(&name)).unwrap();
        bits += differing_bits(&stored, &fs::read(mount.join(&name)).unwrap()).len();
    }
    assert_eq!(bits, 7);
    assert_eq!(mount.preview().len(), 7);
    let other = fs::read(mount.join("not-selected")).unwrap();
    assert!(other == fs::read(backing.join("not-selected")).unwrap());
    mount.stop();
}

#[test]
fn damage_that_nobody_read_is_said_to_be_never_read() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 1 << 20);
    let mut mount = Mount::new(backing.path()).scenario(ONE_BIT).seed(1).start();
    fs::metadata(mount.join("file")).unwrap();
    mount.stop();
    let events = mount.ledger();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].outcome, errorfs::ledger::Outcome::NeverRead);
}
