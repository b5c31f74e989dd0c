//! Several faults on the same bytes: which one is seen, and what the ledger says of each.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use super::errno;
use crate::support::*;

const ZERO: &str = "[[rule]]\nname = \"zero\"\n[rule.fault.corrupt]\ncontent = \"zero\"\n\
    at = [{ byte = 4096 }]\n";
const BYTE: &str = "[[rule]]\nname = \"byte\"\n[rule.fault.corrupt]\ncontent = { byte = 0xFF }\n\
    at = [{ byte = 0 }]\nregion = \"64KiB\"\n";
const FLIP: &str = "[[rule]]\nname = \"flip\"\n[rule.fault.bit_flip]\n\
    at = [{ byte = 5000, bit = 3 }, { byte = 9, bit = 0 }]\n";
const BAD: &str = "[[rule]]\nname = \"bad\"\n[rule.fault.bad_sector]\nat = [6000]\nsector = 512\n";

fn start(backing: &Backing, text: &str) -> Mount {
    Mount::new(backing.path()).scenario(text).seed(1).start()
}

/// "Bits are flipped in what regions read as." "The ledger's `before` of such a bit is that."
#[test]
fn bits_are_flipped_in_what_regions_read_as() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 65_536);
    let stored = fs::read(backing.join("file")).unwrap();
    let mut wanted = stored.clone();
    wanted[4_096..8_192].fill(0);
    wanted[5_000] = 1 << 3;
    wanted[9] ^= 1;
    for text in [format!("{ZERO}{FLIP}"), format!("{FLIP}{ZERO}")] {
        let mut mount = start(&backing, &text);
        assert!(fs::read(mount.join("file")).unwrap() == wanted, "{text}");
        let previewed = mount.preview();
        mount.stop();
        let events = mount.delivered();
        let bits: Vec<_> = events.iter().flat_map(|event| &event.bits).collect();
        let of = |byte: u64| bits.iter().find(|bit| bit.byte == byte).unwrap();
        assert_eq!((of(5_000).before, of(5_000).after), (Some(0), Some(8)), "in the region");
        let old = stored[9];
        assert_eq!((of(9).before, of(9).after), (Some(old), Some(old ^ 1)), "beside it");
        let previewed: Vec<_> =
            previewed.iter().map(|one| (one.byte, one.before, one.after)).collect();
        assert_eq!(previewed, [(9, old, old ^ 1), (5_000, 0, 8)], "preview");
        let region = events.iter().find_map(|event| event.regions.first()).unwrap();
        let zeros = errorfs::ledger::bytes_or_hash(&[0; 4_096]);
        assert_eq!(region.after.as_ref(), Some(&zeros), "before the flips");
    }
}

/// "Regions are filled; the first rule has a byte that two rules corrupt."
#[test]
fn the_first_rule_has_a_byte_that_two_rules_corrupt() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 131_072);
    let stored = fs::read(backing.join("file")).unwrap();
    let mut mount = start(&backing, &format!("{ZERO}{BYTE}"));
    let mut wanted = stored.clone();
    wanted[..65_536].fill(0xFF);
    wanted[4_096..8_192].fill(0);
    assert!(fs::read(mount.join("file")).unwrap() == wanted, "the small one first");
    mount.stop();
    let events = mount.delivered();
    let bytes = |name: &str| -> u64 {
        let of_rule = events.iter().filter(|event| event.rule == name);
        of_rule.flat_map(|event| &event.regions).map(|region| region.bytes.1).sum()
    };
    assert_eq!((bytes("zero"), bytes("byte")), (4_096, 65_536 - 4_096));
    let mut mount = start(&backing, &format!("{BYTE}{ZERO}"));
    wanted[4_096..8_192].fill(0xFF);
    assert!(fs::read(mount.join("file")).unwrap() == wanted, "the large one first");
    mount.stop();
    assert!(mount.delivered().iter().all(|event| event.rule == "byte"));
}

/// "A bad sector wins over regions and bits: what lies in it or behind it is not read."
#[test]
fn a_bad_sector_wins_over_regions_and_bits() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 65_536);
    let mut mount = start(&backing, &format!("{ZERO}{FLIP}{BAD}"));
    let file = File::open(mount.join("file")).unwrap();
    let mut bytes = vec![1; 8_192];
    assert_eq!(errno(file.read_at(&mut bytes, 5_632)), Some(libc::EIO));
    assert!(mount.delivered().iter().all(|event| event.rule == "bad"), "nothing else was seen");
    // The sector begins at 5632: what lies before it is read, corrupt.
    assert_eq!(file.read_at(&mut bytes, 4_096).unwrap(), 1_536);
    let mut wanted = vec![0; 1_536];
    wanted[5_000 - 4_096] = 8;
    assert_eq!(bytes[..1_536], wanted);
    file.read_exact_at(&mut bytes[..2_048], 6_144).unwrap();
    assert_eq!(bytes[..2_048], [0; 2_048]);
    mount.stop();
    let regions = mount.delivered().into_iter().flat_map(|event| event.regions);
    assert_eq!(regions.map(|r| r.bytes).collect::<Vec<_>>(), [(4_096, 1_536), (6_144, 2_048)]);
}

/// "An operation that fails shows no damage."
#[test]
fn a_read_that_fails_shows_no_region_and_a_late_one_does() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 65_536);
    let fails = "[[rule]]\nname = \"fails\"\nselect = { ops = [\"read\"] }\nwhen = { nth = 1 }\n\
                 [rule.fault.error]\nerrno = \"EIO\"\n";
    let late = "[[rule]]\nname = \"late\"\nselect = { ops = [\"read\"] }\nwhen = { nth = 2 }\n\
                [rule.fault.latency]\ndistribution = { constant = \"200ms\" }\n";
    let mut mount = start(&backing, &format!("{ZERO}{fails}{late}"));
    let file = File::open(mount.join("file")).unwrap();
    let mut bytes = [1; 4_096];
    assert_eq!(errno(file.read_at(&mut bytes, 4_096)), Some(libc::EIO));
    assert!(mount.delivered().iter().all(|event| event.rule == "fails"));
    let begin = Instant::now();
    file.read_exact_at(&mut bytes, 4_096).unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(200));
    assert_eq!(bytes, [0; 4_096]);
    mount.stop();
    let rules: Vec<String> = mount.delivered().into_iter().map(|event| event.rule).collect();
    assert_eq!(rules, ["fails", "late", "zero"]);
}
