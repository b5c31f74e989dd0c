//! A corrupt region is a property of the stored bytes: however they are read, they are the same.

use std::fs;

use crate::support::*;

const SIZE: usize = 4 << 20;
const JUNK: &str = "[[rule]]\nname = \"junk\"\n[rule.fault.corrupt]\ncontent = \"junk\"\n\
    rate = 0.1\n";

/// Small and large regions, zeros and junk, some over others, and flips on top.
const MIXED: &str = "[[rule]]\nname = \"small\"\n[rule.fault.corrupt]\ncontent = \"junk\"\n\
    rate = 0.05\nregion = \"512B\"\n\
    [[rule]]\nname = \"large\"\n[rule.fault.corrupt]\ncontent = \"junk\"\nrate = 0.2\n\
    region = \"64KiB\"\n\
    [[rule]]\nname = \"zero\"\n[rule.fault.corrupt]\ncontent = \"zero\"\nrate = 0.1\n\
    persistence = \"permanent\"\n\
    [[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-5\n";

#[test]
fn every_way_of_reading_gives_the_same_regions() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", SIZE);
    let hash = tree_hash(backing.path());
    // The second opens for direct I/O: a rule with a window is one that must see every access.
    let windowed = MIXED.replacen("[rule.fault", "when = { for = \"1h\" }\n[rule.fault", 1);
    let mut seen = Vec::new();
    for text in [MIXED, &windowed] {
        let mut mount = Mount::new(backing.path()).scenario(text).seed(11).start();
        let wanted = fs::read(mount.join("file")).unwrap();
        assert!(wanted != fs::read(backing.join("file")).unwrap());
        assert_every_way_of_reading_gives(&mount.join("file"), &wanted);
        mount.stop();
        seen.push(wanted);
    }
    assert!(seen[0] == seen[1], "cached or not");
    assert_eq!(tree_hash(backing.path()), hash, "the backing directory changed");
}

#[test]
fn regions_are_the_same_after_dropping_caches_and_remounting_and_on_a_copy() {
    assert_every_time_of_reading_gives_the_same(MIXED, SIZE);
}

/// "**junk** is without a pattern, other junk for every seed, rule, file, place and generation, and
/// the same in every way of reading."
#[test]
fn another_seed_rule_id_or_file_gives_other_regions_and_other_junk() {
    require_fuse!();
    let bytes = noise(1, 1 << 20);
    let backing = Backing::new().with("file", &bytes).with("other", &bytes);
    let read = |name: &str, text: &str, arguments: &[&str]| {
        let setup = Mount::new(backing.path()).scenario(text).args(arguments);
        fs::read(setup.start().join(name)).unwrap()
    };
    let everywhere = JUNK.replace("rate = 0.1", "rate = 1.0");
    for text in [JUNK, &everywhere] {
        let renamed = text.replace("\"junk\"\n[rule", "\"other\"\n[rule");
        let all = [
            read("file", text, &["--seed", "1"]),
            read("other", text, &["--seed", "1"]),
            read("file", text, &["--seed", "2"]),
            read("file", &renamed, &["--seed", "1"]),
            read("file", text, &["--seed", "1", "--id", "a"]),
        ];
        for (number, one) in all.iter().enumerate() {
            assert!(all[number + 1..].iter().all(|other| other != one), "number {number}");
        }
    }
}

/// Junk has no pattern: all bytes equally often, also at every place of a region.
#[test]
fn junk_is_even_over_bytes_and_unlike_what_is_stored() {
    require_fuse!();
    let backing = Backing::new().with("file", &[0x55; SIZE]);
    let text = JUNK.replace("rate = 0.1", "rate = 1.0");
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(4).start();
    let read = fs::read(mount.join("file")).unwrap();
    mount.stop();
    let mut counts = [0_f64; 256];
    read.iter().for_each(|byte| counts[usize::from(*byte)] += 1.0);
    let expected = SIZE as f64 / 256.0;
    let chi: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
    // df 255: 330.5 at 1e-3.
    assert!(chi < 330.5, "chi-square {chi}");
    for (number, region) in read.chunks(4_096).enumerate() {
        assert_ne!(region[0], 0x55, "region {number} differs at its first byte");
    }
}
