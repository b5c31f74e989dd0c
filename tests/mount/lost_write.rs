//! Writes that are answered and never stored: what reads get, what the backing directory has, and
//! for how long.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt;

use errorfs::ledger::{Event, Outcome};

use crate::support::*;

const LOST: &str = "[[rule]]\nname = \"lost\"\nselect = { path = \"file*\" }\nwhen = { nth = 1 }\n\
    [rule.fault.lost_write]\n";

pub(super) fn start(backing: &Backing, text: &str) -> Mount {
    Mount::new(backing.path()).scenario(text).seed(1).start()
}

pub(super) fn backing() -> Backing {
    Backing::new().with("file", &[1; 65_536])
}

/// As a program reads it that has just been started.
pub(super) fn read(mount: &Mount) -> Vec<u8> {
    forget_cached(&mount.join("file"));
    fs::read(mount.join("file")).unwrap()
}

/// Ones, and another byte in each of some ranges.
pub(super) fn ones_but(parts: &[(std::ops::Range<usize>, u8)]) -> Vec<u8> {
    let mut bytes = vec![1; 65_536];
    parts.iter().for_each(|(range, byte)| bytes[range.clone()].fill(*byte));
    bytes
}

pub(super) fn of(outcome: Outcome, mount: &Mount) -> Vec<Event> {
    mount.ledger().into_iter().filter(|event| event.outcome == outcome).collect()
}

pub(super) fn stretches(events: &[Event]) -> Vec<(u64, u64)> {
    events.iter().flat_map(|event| &event.lost).map(|lost| lost.bytes).collect()
}

/// "The write answers its full count and fsync answers 0; reads give what was there before, until
/// the bytes are overwritten by a write that is not lost." "The backing directory has what the
/// program wrote, also afterwards: what the medium holds instead is kept in memory, and forgotten
/// at the end of the mount (with `--state` it is not)."
#[test]
fn a_lost_write_is_answered_and_synced_and_reads_give_what_was_there_before() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, LOST);
    let file = File::options().read(true).write(true).open(mount.join("file")).unwrap();
    assert_eq!(file.write_at(&[7; 10_000], 5_000).unwrap(), 10_000);
    file.sync_all().unwrap();
    file.sync_data().unwrap();
    let mut seen = vec![0; 65_536];
    file.read_exact_at(&mut seen, 0).unwrap();
    assert!(seen == ones_but(&[]), "its own descriptor");
    assert!(read(&mount) == ones_but(&[]), "another one");
    assert!(fs::read(backing.join("file")).unwrap() == ones_but(&[(5_000..15_000, 7)]));
    file.write_all_at(&[9; 2_000], 6_000).unwrap();
    assert!(read(&mount) == ones_but(&[(6_000..8_000, 9)]), "exactly what is written again");
    let wanted = ones_but(&[(5_000..6_000, 7), (6_000..8_000, 9), (8_000..15_000, 7)]);
    assert!(fs::read(backing.join("file")).unwrap() == wanted);
    mount.stop();
    assert!(fs::read(backing.join("file")).unwrap() == wanted, "after the end");
    let mut mount = start(&backing, &LOST.replace("{ nth = 1 }", "{ nth = 1000 }"));
    assert!(read(&mount) == wanted, "the next mount remembers nothing");
    mount.stop();
}

/// "The ledger has an event of the write, and one of each read that got old bytes." "What is
/// written again is `repaired`."
#[test]
fn the_ledger_says_what_was_lost_who_read_it_and_how_it_ended() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, LOST);
    write_at(&mount.join("file"), 100, &[7; 32]).unwrap();
    write_at(&mount.join("file"), 100, &[8; 8]).unwrap();
    assert_eq!(read_at(&mount.join("file"), 90, 20).unwrap(), {
        let mut wanted = [1; 20];
        wanted[10..18].fill(8);
        wanted.map(|byte| if byte == 8 { 8 } else { 1 })
    });
    mount.stop();
    let events = mount.ledger();
    let said: Vec<_> = events.iter().map(|event| (event.outcome, &*event.op)).collect();
    let [write, repair, read] = events.as_slice() else { panic!("{said:?}") };
    assert_eq!(
        (write.outcome, &*write.op, write.occurrence),
        (Outcome::Delivered, "write", Some(1))
    );
    assert_eq!((&*write.fault, write.offset, write.len), ("lost_write", 100, 32));
    let lost = &write.lost[0];
    assert_eq!((lost.bytes, lost.changed), ((100, 32), Some(32)));
    assert_eq!(lost.before, Some("07".repeat(32)));
    assert_eq!(lost.after, Some("01".repeat(32)));
    assert_eq!((repair.outcome, repair.occurrence), (Outcome::Repaired, None));
    assert_eq!(repair.lost[0].bytes, (100, 8));
    assert_eq!((read.outcome, &*read.op, read.occurrence), (Outcome::Delivered, "read", None));
    assert_eq!((read.lost[0].bytes, &read.lost[0].id), ((108, 2), &lost.id));
    assert_eq!(read.file.as_deref(), Some("file"));
}

/// "What nobody read is told at the end."
#[test]
fn what_nobody_read_is_told_at_the_end() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, LOST);
    write_at(&mount.join("file"), 100, &[7; 32]).unwrap();
    mount.stop();
    let waiting = of(Outcome::NeverRead, &mount);
    assert_eq!((stretches(&waiting), &*waiting[0].path), (vec![(100, 32)], "file"));
}

/// "Behind the former end of the file there were zeros; the file is as long as was written."
#[test]
fn a_lost_append_leaves_zeros_and_the_length_that_was_written() {
    require_fuse!();
    let backing = Backing::new().with("file", b"abc");
    let mut mount = start(&backing, LOST);
    let mut file = File::options().append(true).open(mount.join("file")).unwrap();
    file.write_all(b"defg").unwrap();
    file.write_all(b"hi").unwrap();
    assert_eq!(fs::read(mount.join("file")).unwrap(), b"abc\0\0\0\0hi");
    assert_eq!(fs::metadata(mount.join("file")).unwrap().len(), 9);
    assert_eq!(fs::read(backing.join("file")).unwrap(), b"abcdefghi");
    mount.stop();
}

/// "`select` and `when` pick the writes."
#[test]
fn writes_are_picked_as_other_operations_are() {
    require_fuse!();
    for (when, lost) in [
        ("{ nth = [2, 4] }", vec![1, 3]),
        ("{ every = 3 }", vec![2, 5]),
        ("{ every = 2, times = 2 }", vec![1, 3]),
        ("{ probability = 1.0 }", (0..7).collect()),
    ] {
        let backing = backing();
        let text = LOST.replace("{ nth = 1 }", when);
        let mut mount = start(&backing, &text);
        let file = File::options().write(true).open(mount.join("file")).unwrap();
        (0..7).for_each(|number| file.write_all_at(&[7; 512], number * 512).unwrap());
        let seen = read(&mount);
        let old = (0..7).filter(|number| seen[number * 512] == 1).collect::<Vec<usize>>();
        assert_eq!(old, lost, "{when}");
        mount.stop();
    }
    let backing = backing().with("other", &[1; 100]);
    let mut mount = start(&backing, &LOST.replace("when = { nth = 1 }\n", ""));
    write_at(&mount.join("other"), 0, &[7; 100]).unwrap();
    assert_eq!(fs::read(mount.join("other")).unwrap(), [7; 100]);
    mount.stop();
    assert!(mount.ledger().is_empty());
}

/// "The same seed loses the same writes": whichever way they are chosen.
#[test]
fn the_same_seed_loses_the_same_writes() {
    require_fuse!();
    let text = LOST.replace("{ nth = 1 }", "{ probability = 0.5 }") + "block = 512\n";
    let observe = || {
        let backing = backing();
        let mut mount = start(&backing, &text);
        let file = File::options().write(true).open(mount.join("file")).unwrap();
        (0..16).for_each(|number| file.write_all_at(&[7; 4_096], number * 4_096).unwrap());
        let seen = read(&mount);
        mount.stop();
        seen
    };
    let first = observe();
    assert!(first.contains(&1) && first.contains(&7));
    assert!(first == observe());
}

/// "Where `bytes` cuts a write, the selected part of it is lost."
#[test]
fn of_a_write_that_bytes_cut_the_selected_part_is_lost() {
    require_fuse!();
    let backing = backing();
    let text = LOST.replace("\"file*\" }", "\"file*\", bytes = \"4096..8192\" }");
    let mut mount = start(&backing, &text);
    write_at(&mount.join("file"), 0, &[7; 100]).unwrap();
    write_at(&mount.join("file"), 4_000, &[7; 5_000]).unwrap();
    assert!(read(&mount) == ones_but(&[(0..100, 7), (4_000..4_096, 7), (8_192..9_000, 7)]));
    mount.stop();
    assert_eq!(stretches(&of(Outcome::Delivered, &mount))[0], (4_096, 4_096));
}

/// "With `block`, one block of each such write is lost, each equally likely, aligned to its size."
#[test]
fn one_block_of_a_write_is_lost_drawn_or_given() {
    require_fuse!();
    for (keys, size, wanted) in
        [("block = 4096\n", 4_096, None), ("block = 512\nat = 9000\n", 512, Some(8_704))]
    {
        let backing = backing();
        let mut mount = start(&backing, &format!("{LOST}{keys}"));
        write_at(&mount.join("file"), 4_096, &[7; 40_960]).unwrap();
        let seen = read(&mount);
        let old: Vec<usize> = (4_096..45_056).filter(|byte| seen[*byte] == 1).collect();
        assert_eq!(old.len(), size, "{keys}");
        assert!(old[0].is_multiple_of(size) && old[size - 1] == old[0] + size - 1);
        assert!(wanted.is_none_or(|start| start == old[0]));
        mount.stop();
    }
}

/// "Cutting and punching are no writes: they end what was lost there. Renames and links keep it."
/// "Cutting and punching are no writes: they end what was lost there (`gone`)." "Renames and links
/// keep it."
#[test]
fn what_is_cut_or_punched_is_gone_and_renames_and_links_keep_what_is_lost() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, LOST);
    write_at(&mount.join("file"), 0, &[7; 20_000]).unwrap();
    fs::hard_link(mount.join("file"), mount.join("link")).unwrap();
    fs::rename(mount.join("file"), mount.join("unselected")).unwrap();
    for name in ["link", "unselected"] {
        let seen = fs::read(mount.join(name)).unwrap();
        assert!(seen == ones_but(&[]), "{name}: {:?}", &seen[..4]);
    }
    let file = File::options().write(true).open(mount.join("link")).unwrap();
    let punch = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(&file, punch, 4_096, 4_096).unwrap();
    file.set_len(10_000).unwrap();
    file.set_len(65_536).unwrap();
    let seen = fs::read(mount.join("unselected")).unwrap();
    assert!(seen == ones_but(&[(4_096..8_192, 0), (10_000..65_536, 0)]));
    mount.stop();
    assert_eq!(stretches(&of(Outcome::Gone, &mount)), [(4_096, 4_096), (10_000, 10_000)]);
}

#[test]
fn a_removed_file_takes_what_it_lost_with_it() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, LOST);
    write_at(&mount.join("file"), 0, &[7; 100]).unwrap();
    fs::remove_file(mount.join("file")).unwrap();
    fs::write(mount.join("file"), [8; 100]).unwrap();
    assert_eq!(fs::read(mount.join("file")).unwrap(), [8; 100]);
    mount.stop();
    assert_eq!(stretches(&of(Outcome::Gone, &mount)), [(0, 100)]);
    assert!(of(Outcome::NeverRead, &mount).is_empty());
}

/// "What is lost twice is what it was before the first time."
#[test]
fn what_is_lost_twice_is_what_it_was_before_the_first_time() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, &LOST.replace("{ nth = 1 }", "{ nth = [1, 2] }"));
    write_at(&mount.join("file"), 0, &[7; 1_000]).unwrap();
    write_at(&mount.join("file"), 500, &[8; 1_000]).unwrap();
    assert!(read(&mount) == ones_but(&[]));
    write_at(&mount.join("file"), 0, &[9; 1_200]).unwrap();
    assert!(read(&mount) == ones_but(&[(0..1_200, 9)]));
    mount.stop();
    assert_eq!(stretches(&of(Outcome::Gone, &mount)), [(500, 500)]);
}

/// Zeros take little of it. "`--keep-max` says how much of it may be kept (256 MiB by default,
/// zeros take little)." "What does not fit is not lost: its event has the outcome `skipped`, and
/// errorfs says so once."
#[test]
fn what_cannot_be_kept_is_not_lost_and_the_ledger_says_so() {
    require_fuse!();
    let backing = backing();
    let mut mount = Mount::new(backing.path())
        .scenario(&LOST.replace("when = { nth = 1 }\n", ""))
        .args(["--keep-max", "9KiB"])
        .start();
    let file = File::options().write(true).open(mount.join("file")).unwrap();
    (0..4).for_each(|number| file.write_all_at(&[7; 4_096], number * 4_096).unwrap());
    file.write_all_at(&[7; 4_096], 1 << 20).unwrap();
    let seen = read(&mount);
    assert!(seen[..65_536] == ones_but(&[(8_192..16_384, 7)]));
    assert!(seen[1 << 20..] == [0; 4_096], "there was nothing");
    mount.stop();
    let skipped = of(Outcome::Skipped, &mount);
    let occurrences: Vec<_> = skipped.iter().map(|event| event.occurrence).collect();
    assert_eq!(occurrences, [Some(3), Some(4)]);
    assert_eq!(mount.said().matches("`--keep-max`").count(), 1, "{}", mount.said());
    Program::errorfs("mount").arg("--help").succeed().expect_said("[default: 256MiB]");
}

/// "A page that the kernel writes back from a mapping is one write. The mapping shows what was
/// written to it as long as the kernel keeps the page; read(2) gives what the medium holds." "A
/// page that the kernel writes back from a mapping is one write." "The mapping shows what was
/// written to it as long as the kernel keeps the page; read(2) gives what the medium holds."
#[test]
fn a_mapping_shows_what_was_written_to_it_until_its_page_is_dropped() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, LOST);
    let mapped = "f = os.open(sys.argv[1], os.O_RDWR); m = mmap.mmap(f, 0)\n\
                  m[5000:5004] = b'abcd'; m.flush(); assert m[5000:5004] == b'abcd'\n\
                  assert os.pread(f, 4, 5000) == b'\\x01\\x01\\x01\\x01', os.pread(f, 4, 5000)\n\
                  m.close(); os.close(f)\n\
                  f = os.open(sys.argv[1], os.O_RDWR)\n\
                  os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)\n\
                  m = mmap.mmap(f, 0); assert m[5000:5004] == b'\\x01' * 4, m[5000:5004]\n\
                  m[5002:5003] = b'x'; m.flush(); os.fsync(f)";
    python(mapped, [mount.join("file")]).succeed();
    let mut wanted = ones_but(&[]);
    wanted[5_002] = b'x';
    assert!(read(&mount) == wanted, "only what was written again has arrived");
    wanted[5_000..5_004].copy_from_slice(b"abxd");
    assert!(fs::read(backing.join("file")).unwrap() == wanted, "the backing file has all of it");
    mount.stop();
    assert_eq!(stretches(&of(Outcome::Repaired, &mount)), [(5_002, 1)]);
}

/// A page cache that was filled before must not hide what is lost, nor that it was written again.
/// "(A real page cache hides all this from programs until the page leaves it; here every read(2)
/// sees it.)"
#[test]
fn readers_that_have_the_file_open_see_what_the_medium_holds() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, LOST);
    let reader = File::open(mount.join("file")).unwrap();
    let see = || {
        let mut bytes = [0; 4];
        reader.read_exact_at(&mut bytes, 5_000).unwrap();
        bytes
    };
    assert_eq!(see(), [1; 4]);
    write_at(&mount.join("file"), 5_000, &[7; 4]).unwrap();
    assert_eq!(see(), [1; 4]);
    write_at(&mount.join("file"), 5_000, &[8; 4]).unwrap();
    assert_eq!(see(), [8; 4]);
    mount.stop();
}

/// Nobody ever reads a byte of a write that is lost, however reads and writes come together.
#[test]
fn no_read_ever_sees_a_byte_of_a_lost_write() {
    require_fuse!();
    let backing = backing();
    // Sevens are lost, nines are not.
    let mut mount = start(&backing, &LOST.replace("{ nth = 1 }", "{ every = 2 }"));
    let file = File::options().read(true).write(true).open(mount.join("file")).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..300 {
                file.write_all_at(&[9; 512], 0).unwrap();
                file.write_all_at(&[7; 512], 0).unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let reader = File::open(mount.join("file")).unwrap();
                while !done.load(std::sync::atomic::Ordering::Acquire) {
                    let mut bytes = [0; 512];
                    reader.read_exact_at(&mut bytes, 0).unwrap();
                    assert!(!bytes.contains(&7), "{:?}", &bytes[..8]);
                }
            });
        }
    });
    mount.stop();
}
