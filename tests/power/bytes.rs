//! The bytes of files at a power cut.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use super::Machine;
use crate::support::*;

fn parts(parts: &[(usize, u8)]) -> Vec<u8> {
    parts.iter().flat_map(|(count, byte)| vec![*byte; *count]).collect()
}

fn ones() -> Backing {
    Backing::new().with("file", &[1; 20_000])
}

/// "What was synced is not lost." "**old**: they are as they were last synced."
#[test]
fn what_was_not_synced_is_lost_and_what_was_is_not() {
    require_fuse!();
    let mut machine = Machine::new(ones(), "unsynced = \"old\"\n");
    let file = File::options().write(true).open(machine.join("file")).unwrap();
    file.write_all_at(&[2; 5_000], 0).unwrap();
    file.sync_data().unwrap();
    file.write_all_at(&[3; 5_000], 4_000).unwrap();
    file.write_all_at(&[4; 5_000], 18_000).unwrap();
    fs::write(machine.join("other"), [5; 100]).unwrap();
    machine.sync("other");
    machine.cut();
    assert!(machine.read("file") == parts(&[(5_000, 2), (15_000, 1)]));
    assert!(fs::read(machine.backing.join("file")).unwrap() == machine.read("file"), "it is real");
    assert!(machine.read("other") == [5; 100]);
    machine.heal().expect_status(0);
    let uncut = parts(&[(4_000, 2), (5_000, 3), (9_000, 1), (5_000, 4)]);
    assert!(fs::read(machine.backing.join("file")).unwrap() == uncut);
}

/// "**new**: they are as they were written."
#[test]
fn what_was_written_may_all_be_there() {
    require_fuse!();
    let machine = Machine::new(ones(), "unsynced = \"new\"\n");
    write_at(&machine.join("file"), 19_000, &[7; 9_000]).unwrap();
    machine.cut();
    assert!(machine.read("file") == parts(&[(19_000, 1), (9_000, 7)]));
}

/// "**mixed**: each page of 4 KiB is old or new; `torn` of them get their first sectors only: 1 to
/// 7 of 512 bytes, the rest is old."
#[test]
fn pages_are_old_or_new_or_torn_at_a_sector() {
    require_fuse!();
    let backing = Backing::new().with("file", &vec![1; 400 * 4_096]);
    let mut machine = Machine::new(backing, "torn = 0.5\n");
    write_at(&machine.join("file"), 0, &vec![2; 400 * 4_096]).unwrap();
    machine.cut();
    let (mut old, mut new, mut torn) = (0, 0, 0);
    for page in machine.read("file").chunks(4_096) {
        let sectors: Vec<u8> = page.chunks(512).map(|sector| sector[0]).collect();
        assert!(page.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
        match sectors.iter().filter(|byte| **byte == 2).count() {
            0 => old += 1,
            8 => new += 1,
            count => {
                assert!(sectors[..count].iter().all(|byte| *byte == 2), "the first ones");
                torn += 1;
            }
        }
    }
    // Binomial(400, 1/2) and (400, 1/4): 5 standard deviations are 50 and 43.
    assert!(torn > 150 && old > 57 && new > 57, "{old} {new} {torn}");
    machine.heal().expect_status(0);
    assert!(fs::read(machine.backing.join("file")).unwrap() == vec![2; 400 * 4_096]);
}

/// "A file that was cut off may be as long as it was." "What was appended ends with the last page that
/// arrived."
#[test]
fn a_length_that_was_not_synced_is_lost_as_well() {
    require_fuse!();
    let mut machine = Machine::new(ones().with("grown", &[1; 100]), "unsynced = \"old\"\n");
    let file = File::options().write(true).open(machine.join("file")).unwrap();
    file.set_len(3_000).unwrap();
    file.write_all_at(&[9; 500], 2_900).unwrap();
    write_at(&machine.join("grown"), 50, &[9; 10_000]).unwrap();
    let before = [machine.read("file"), machine.read("grown")];
    machine.cut();
    assert!(machine.read("file") == [1; 20_000] && machine.read("grown") == [1; 100]);
    machine.heal().expect_status(0);
    let healed = ["file", "grown"].map(|name| fs::read(machine.backing.join(name)).unwrap());
    assert!(healed == before);
}

/// "A write through `O_SYNC` or `O_DSYNC` is synced by itself."
#[test]
fn a_synchronous_write_is_not_lost() {
    require_fuse!();
    let machine = Machine::new(ones(), "unsynced = \"old\"\n");
    let script = "fd = os.open(sys.argv[1], os.O_WRONLY | os.O_DSYNC)\nos.pwrite(fd, b'\\x07' * 6000, 100)\n\
        fd = os.open(sys.argv[1], os.O_WRONLY)\nos.pwrite(fd, b'\\x08' * 6000, 8000)\n";
    python(script, [machine.join("file")]).succeed();
    machine.cut();
    assert!(machine.read("file") == parts(&[(100, 1), (6_000, 7), (13_900, 1)]));
}

/// "msync(2) of a mapping is a sync of the file." "**Bytes.** fsync(2), fdatasync(2) and msync(2)
/// make a file last as it is, with its length."
#[test]
fn what_a_mapping_has_written_is_lost_unless_it_is_synced() {
    require_fuse!();
    let machine = Machine::new(ones().with("other", &[1; 20_000]), "unsynced = \"old\"\n");
    let script = "for path, sync in ((sys.argv[1], True), (sys.argv[2], False)):\n\
        \x20 f = open(path, 'r+b')\n  m = mmap.mmap(f.fileno(), 0)\n  m[0:100] = b'\\x07' * 100\n\
        \x20 if sync: m.flush()\n  m.close()\n";
    python(script, [machine.join("file"), machine.join("other")]).succeed();
    machine.cut();
    assert!(machine.read("file") == parts(&[(100, 7), (19_900, 1)]));
    assert!(machine.read("other") == [1; 20_000]);
}

/// "`lies`: that share of syncs is answered and persists nothing"; the ledger has each. "**`lies`**
/// is drawn for each sync of a path; the ledger has each."
#[test]
fn a_sync_that_lies_persists_nothing_and_is_told() {
    require_fuse!();
    let machine = Machine::new(ones(), "unsynced = \"old\"\nlies = 1.0\n");
    let file = File::options().write(true).open(machine.join("file")).unwrap();
    file.write_all_at(&[2; 5_000], 0).unwrap();
    file.sync_all().unwrap();
    machine.cut();
    assert!(machine.read("file") == [1; 20_000]);
    let events = machine.mount.delivered();
    let ops: Vec<_> = events.iter().map(|event| (&*event.op, &*event.path)).collect();
    assert_eq!(ops, [("fsync", "file"), ("power_cut", "file"), ("lookup", "CUT")]);
}
