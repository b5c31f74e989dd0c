//! Sticky damage is a property of the stored bytes: however they are read, they are the same.

use std::fs;

use crate::support::*;

const SIZE: usize = 16 << 20;
const ROT: &str = "[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-5\n";

/// What the file must read as: the stored bytes with the previewed flips.
fn damaged(stored: &[u8], mount: &Mount) -> Vec<u8> {
    let mut bytes = stored.to_vec();
    let flips = mount.preview();
    assert!(flips.len() > 1000, "only {} flips", flips.len());
    flips.iter().for_each(|flip| bytes[flip.byte as usize] ^= 1 << flip.bit);
    bytes
}

/// "**sticky**: a property of the stored bytes: every read gives the same wrong bit, until that
/// byte is overwritten."
#[test]
fn every_way_of_reading_gives_the_same_damage() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", SIZE);
    let hash = tree_hash(backing.path());
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(11).start();
    let wanted = damaged(&fs::read(backing.join("file")).unwrap(), &mount);
    assert_every_way_of_reading_gives(&mount.join("file"), &wanted);
    mount.stop();
    assert_eq!(tree_hash(backing.path()), hash, "the backing directory changed");
}

#[test]
fn damage_is_the_same_after_dropping_caches_and_remounting_and_on_a_copy() {
    assert_every_time_of_reading_gives_the_same(ROT, SIZE);
}

#[test]
fn another_seed_another_rule_or_another_id_gives_other_damage() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 1 << 20);
    let read = |text: &str, arguments: &[&str]| {
        let setup = Mount::new(backing.path()).scenario(text).args(arguments);
        fs::read(setup.start().join("file")).unwrap()
    };
    let other = ROT.replace("\"rot\"", "\"other\"");
    let all = [
        read(ROT, &["--seed", "1"]),
        read(ROT, &["--seed", "2"]),
        read(&other, &["--seed", "1"]),
        read(ROT, &["--seed", "1", "--id", "a"]),
        read(ROT, &["--seed", "1", "--id", "b"]),
    ];
    for (number, one) in all.iter().enumerate() {
        assert!(all[number + 1..].iter().all(|other| other != one), "number {number}");
    }
}
