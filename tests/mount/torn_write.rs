//! Writes of which the medium gets the first sectors only; several faults on the same bytes; replay.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use errorfs::ledger::Outcome;

use super::errno;
use super::lost_write::{backing, of, ones_but, read, start};
use crate::support::*;

const TORN: &str = "[[rule]]\nname = \"torn\"\nwhen = { nth = 1 }\n[rule.fault.torn_write]\n";

/// "The first `keep` sectors of the write are stored. `rest` says what the others read as." "As
/// `lost_write`, but the first `keep` sectors of the write are stored."
#[test]
fn the_first_sectors_of_a_torn_write_are_new_and_the_rest_is_old_or_zero() {
    require_fuse!();
    for (rest, byte) in [("", 1), ("rest = \"old\"\n", 1), ("rest = \"zero\"\n", 0)] {
        let backing = backing();
        let mut mount = start(&backing, &format!("{TORN}keep = 3\n{rest}"));
        let file = File::options().write(true).open(mount.join("file")).unwrap();
        assert_eq!(file.write_at(&[7; 8_192], 4_096).unwrap(), 8_192);
        file.sync_all().unwrap();
        assert!(read(&mount) == ones_but(&[(4_096..5_632, 7), (5_632..12_288, byte)]), "{rest}");
        assert!(fs::read(backing.join("file")).unwrap() == ones_but(&[(4_096..12_288, 7)]));
        file.write_all_at(&[7; 8_192], 4_096).unwrap();
        assert!(read(&mount) == ones_but(&[(4_096..12_288, 7)]), "a rewrite is clean");
        mount.stop();
        let torn = &mount.delivered()[0];
        assert_eq!((&*torn.fault, torn.occurrence), ("torn_write", Some(1)));
        assert_eq!((torn.lost[0].bytes, torn.lost[0].keep), ((5_632, 6_656), Some(3)));
    }
}

/// "Sectors are those of the file: of a write that begins inside one, that is the first."
#[test]
fn sectors_are_those_of_the_file() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, &format!("{TORN}keep = 2\n"));
    write_at(&mount.join("file"), 700, &[7; 2_000]).unwrap();
    assert!(read(&mount) == ones_but(&[(700..1_536, 7)]));
    mount.stop();
}

/// "A write that ends before it would be torn is stored, and uses up none of `times`."
#[test]
fn a_write_that_ends_before_it_would_be_torn_is_stored() {
    require_fuse!();
    let backing = backing();
    let text = format!("{TORN}keep = 2\n").replace("{ nth = 1 }", "{ times = 1 }");
    let mut mount = start(&backing, &text);
    write_at(&mount.join("file"), 0, &[7; 1_024]).unwrap();
    write_at(&mount.join("file"), 4_096, &[7; 1_536]).unwrap();
    assert!(read(&mount) == ones_but(&[(0..1_024, 7), (4_096..5_120, 7)]));
    mount.stop();
}

/// "Without `keep` it is drawn for each write: at least one sector is stored and one is not."
#[test]
fn how_much_is_kept_is_drawn_anew_for_each_write() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, &TORN.replace("when = { nth = 1 }\n", ""));
    let file = File::options().write(true).open(mount.join("file")).unwrap();
    (0..16).for_each(|number| file.write_all_at(&[7; 4_096], number * 4_096).unwrap());
    let seen = read(&mount);
    mount.stop();
    let kept: Vec<usize> =
        seen.chunks(4_096).map(|block| block.iter().filter(|byte| **byte == 7).count()).collect();
    assert!(kept.iter().all(|kept| kept % 512 == 0 && (512..4_096).contains(kept)), "{kept:?}");
    assert!(kept.iter().any(|other| *other != kept[0]), "{kept:?}");
}

/// "With `block`, the first `keep` of the eight sectors of one block of the write are stored."
#[test]
fn one_block_of_a_write_is_torn_drawn_or_given() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, &format!("{TORN}keep = 7\nblock = \"4KiB\"\nat = 9000\n"));
    write_at(&mount.join("file"), 0, &[7; 20_000]).unwrap();
    assert!(read(&mount) == ones_but(&[(0..11_776, 7), (12_288..20_000, 7)]));
    mount.stop();
    let mut mount =
        start(&backing, &format!("{TORN}keep = 3\nblock = \"4KiB\"\nrest = \"zero\"\n"));
    write_at(&mount.join("file"), 0, &[7; 65_536]).unwrap();
    let seen = read(&mount);
    let torn: Vec<_> = seen.chunks(4_096).filter(|block| **block != [7; 4_096]).collect();
    assert_eq!(torn.len(), 1);
    assert!(torn[0][..1_536] == [7; 1_536] && torn[0][1_536..] == [0; 2_560]);
    mount.stop();
}

const FLIP: &str = "[[rule]]\nname = \"flip\"\n[rule.fault.bit_flip]\n\
    at = [{ byte = 5000, bit = 3 }]\n";
const SEVENS: &str = "[[rule]]\nname = \"twos\"\n[rule.fault.corrupt]\ncontent = { byte = 2 }\n\
    at = [{ byte = 8192 }]\n";
const BAD: &str = "[[rule]]\nname = \"bad\"\n[rule.fault.bad_sector]\nat = [16384]\n";
const LOST: &str = "[[rule]]\nname = \"lost\"\nwhen = { nth = 1 }\n[rule.fault.lost_write]\n";

/// "Lost, torn and misdirected writes come before other damage: regions and bits are those of what
/// the medium holds, and a write that is lost repairs none of it, nor does what lands at another
/// place."
#[test]
fn other_damage_is_done_to_what_the_medium_holds_and_a_lost_write_repairs_none() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, &format!("{LOST}{FLIP}{SEVENS}{BAD}"));
    write_at(&mount.join("file"), 4_096, &[0; 16_384]).unwrap();
    let seen = read_at(&mount.join("file"), 0, 16_384).unwrap();
    let mut wanted = ones_but(&[(8_192..12_288, 2)]);
    wanted[5_000] = 9;
    assert!(seen == wanted[..16_384], "old bytes, and the damage that they had");
    let bad = read_at(&mount.join("file"), 16_384, 1);
    assert_eq!(errno(bad), Some(5), "the sector was not written either");
    write_at(&mount.join("file"), 4_096, &[0; 16_384]).unwrap();
    assert!(read(&mount) == ones_but(&[(4_096..20_480, 0)]), "this one was stored");
    mount.stop();
    let bits = mount.delivered().into_iter().flat_map(|event| event.bits);
    assert_eq!(bits.map(|bit| (bit.before, bit.after)).collect::<Vec<_>>(), [(Some(1), Some(9))]);
    let repaired = of(Outcome::Repaired, &mount);
    let mut rules: Vec<_> = repaired.iter().map(|event| &*event.rule).collect();
    rules.sort_unstable();
    assert_eq!(rules, ["bad", "flip", "lost", "twos"]);
}

/// "A write that fails is not lost; of several rules that lose the same byte the first has it."
#[test]
fn a_write_that_fails_is_not_lost_and_the_first_rule_has_a_byte() {
    require_fuse!();
    let backing = backing();
    let error = "[[rule]]\nname = \"e\"\nselect = { ops = [\"write\"] }\nwhen = { nth = 1 }\n\
                 [rule.fault.error]\nerrno = \"EIO\"\n";
    let lost = LOST.replace("{ nth = 1 }", "{ times = 1 }");
    let torn =
        "[[rule]]\nname = \"all\"\nwhen = { times = 1 }\n[rule.fault.torn_write]\nkeep = 1\n";
    let cut = lost.replace("when", "select = { bytes = \"512..1024\" }\nwhen");
    let mut mount = start(&backing, &format!("{error}{cut}{torn}"));
    assert_eq!(errno(write_at(&mount.join("file"), 0, &[7; 2_048])), Some(5));
    assert!(read(&mount) == ones_but(&[]));
    write_at(&mount.join("file"), 0, &[7; 2_048]).unwrap();
    assert!(read(&mount) == ones_but(&[(0..512, 7)]));
    mount.stop();
    let writes = mount.delivered().into_iter().filter(|event| event.op == "write");
    let lost: Vec<_> =
        writes.flat_map(|e| e.lost.into_iter().map(move |l| (e.rule.clone(), l.bytes))).collect();
    assert_eq!(lost, [("lost".into(), (512, 512)), ("all".into(), (1_024, 1_024))]);
}

/// A ledger of lost and torn writes gives the same bytes again, and so does the replay of it.
#[test]
fn the_replayed_ledger_loses_the_same_bytes_and_so_does_the_replay_of_the_replay() {
    require_fuse!();
    let mixed = "[[rule]]\nname = \"l\"\nselect = { path = \"f*\" }\nwhen = { probability = 0.3 }\n\
        [rule.fault.lost_write]\nblock = \"512B\"\n\
        [[rule]]\nname = \"t\"\nwhen = { every = 5 }\n[rule.fault.torn_write]\nrest = \"zero\"\n\
        [[rule]]\nname = \"b\"\nwhen = { every = 3 }\n[rule.fault.torn_write]\nblock = \"4KiB\"\n\
        [[rule]]\nname = \"w\"\nwhen = { nth = [4, 9] }\n[rule.fault.lost_write]\n";
    let observe = |text: &str| {
        let backing = backing();
        let mut mount = start(&backing, text);
        let file = File::options().write(true).open(mount.join("file")).unwrap();
        let mut seen = Vec::new();
        for number in 0..40_u64 {
            file.write_all_at(&[number as u8 + 2; 6_000], number * 1_400).unwrap();
            seen.push(read(&mount));
        }
        mount.stop();
        let again = Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout;
        (seen, again.replacen("version = 1\n", "", 1))
    };
    let (first, replayed) = observe(mixed);
    let (second, again) = observe(&replayed);
    assert!(first == second, "{replayed}");
    assert!(first == observe(&again).0, "{again}");
}
