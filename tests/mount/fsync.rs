//! Writing back that fails: what fsync answers, what reads get before and after pages leave the
//! cache, who is told. Each model as Rebello et al., ATC'20, found its filesystem.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use errorfs::ledger::Outcome;

use super::errno;
use super::lost_write::{backing, of, ones_but, read, start, stretches};
use crate::support::*;

const EIO: Option<i32> = Some(5);
const KEEPING: [&str; 3] = ["ext4-ordered", "ext4-data", "xfs"];

fn rule(model: &str, more: &str) -> String {
    format!("[[rule]]\nname = \"f\"\n[rule.fault.fsync]\nmodel = \"{model}\"\n{more}")
}

fn open(mount: &Mount) -> File {
    File::options().read(true).write(true).open(mount.join("file")).unwrap()
}

/// The first byte, by this descriptor.
fn first(file: &File) -> u8 {
    let mut byte = [0];
    file.read_exact_at(&mut byte, 0).unwrap();
    byte[0]
}

/// "ext4-ordered, xfs: EIO; what was written; what was there before." A second fsync answers 0. "A
/// second fsync has nothing to write back, and answers 0."
#[test]
fn ext4_ordered_and_xfs_fail_once_and_keep_what_was_written_until_it_is_evicted() {
    require_fuse!();
    for model in ["ext4-ordered", "xfs"] {
        let backing = backing();
        let mut mount = start(&backing, &rule(model, "evict = \"close\"\n"));
        let file = open(&mount);
        file.write_all_at(&[7; 5_000], 0).unwrap();
        assert_eq!(errno(file.sync_all()), EIO, "{model}");
        assert_eq!(first(&file), 7, "{model}: in the cache");
        assert_eq!(errno(file.sync_all()), None, "{model}: the pages are clean");
        assert_eq!(errno(file.sync_data()), None);
        assert_eq!(first(&file), 7);
        drop(file);
        assert!(read(&mount) == ones_but(&[]), "{model}: evicted");
        assert!(fs::read(backing.join("file")).unwrap() == ones_but(&[(0..5_000, 7)]));
        mount.stop();
    }
}

/// "ext4-data: 0, and the next one EIO; what was written; what was there before."
#[test]
fn ext4_data_fails_the_next_fsync() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, &rule("ext4-data", "evict = \"close\"\nsequence = \"xW\"\n"));
    let file = open(&mount);
    file.write_all_at(&[7; 5_000], 0).unwrap();
    assert_eq!(errno(file.sync_all()), None);
    assert_eq!(first(&file), 7);
    file.write_all_at(&[8; 10], 60_000).unwrap();
    assert_eq!(errno(file.sync_all()), EIO, "although this one wrote everything back");
    assert_eq!(errno(file.sync_all()), None);
    drop(file);
    assert!(read(&mount) == ones_but(&[(60_000..60_010, 8)]));
    mount.stop();
    let fsyncs = mount.delivered().into_iter().filter(|event| event.op == "fsync");
    let said: Vec<_> = fsyncs.map(|e| (e.occurrence, e.errno, e.lost.len())).collect();
    assert_eq!(said, [(Some(1), None, 1), (None, Some("EIO".into()), 0)]);
}

/// "btrfs: EIO; what was there before; the same." "The backing directory has what was written, as
/// with `lost_write`; the same holds of the ledger and of `--keep-max`."
#[test]
fn btrfs_fails_and_goes_back_to_what_was_there_before() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, &rule("btrfs", ""));
    let file = open(&mount);
    file.write_all_at(&[7; 5_000], 0).unwrap();
    assert_eq!(first(&file), 7);
    assert_eq!(errno(file.sync_data()), EIO);
    assert_eq!(first(&file), 1);
    assert_eq!(errno(file.sync_all()), None);
    assert!(read(&mount) == ones_but(&[]));
    assert!(fs::read(backing.join("file")).unwrap() == ones_but(&[(0..5_000, 7)]));
    mount.stop();
    let [failed, reads @ ..] = &mount.delivered()[..] else { panic!("no event") };
    assert_eq!((&*failed.op, failed.errno.as_deref()), ("fsync", Some("EIO")));
    assert_eq!((failed.occurrence, failed.lost[0].bytes), (Some(1), (0, 5_000)));
    assert!(!reads.is_empty() && reads.iter().all(|event| event.op == "read"));
    assert_eq!(reads[0].lost[0].id, failed.lost[0].id);
}

/// "To write the bytes again, and fsync, puts them on the medium."
#[test]
fn what_is_written_again_and_synced_is_on_the_medium() {
    require_fuse!();
    for model in ["ext4-ordered", "ext4-data", "xfs", "btrfs"] {
        let backing = backing();
        let text = rule(model, "evict = \"close\"\nsequence = \"xW\"\n");
        let mut mount = start(&backing, &text);
        let file = open(&mount);
        file.write_all_at(&[7; 5_000], 0).unwrap();
        let _ = file.sync_all();
        file.write_all_at(&[7; 5_000], 0).unwrap();
        let _ = file.sync_all();
        assert_eq!(errno(file.sync_all()), None, "{model}");
        drop(file);
        assert!(read(&mount) == ones_but(&[(0..5_000, 7)]), "{model}");
        mount.stop();
        assert_eq!(stretches(&of(Outcome::Repaired, &mount)), [(0, 5_000)], "{model}");
    }
}

/// "Writing any byte of such a page makes all of it dirty again", while it is in the cache. "To
/// write the bytes again, and fsync, puts them on the medium; writing any byte of such a page while
/// it is in the cache makes all of it dirty again."
#[test]
fn writing_a_byte_of_a_page_that_failed_writes_all_of_it_back() {
    require_fuse!();
    for (model, healed) in [("xfs", 0..4_096), ("btrfs", 10..11)] {
        let backing = backing();
        let text = rule(model, "evict = \"close\"\nsequence = \"xW\"\n");
        let mut mount = start(&backing, &text);
        let file = open(&mount);
        file.write_all_at(&[7; 8_192], 0).unwrap();
        assert_eq!(errno(file.sync_all()), EIO);
        file.write_all_at(&[7; 1], 10).unwrap();
        file.sync_all().unwrap();
        drop(file);
        assert!(read(&mount) == ones_but(&[(healed, 7)]), "{model}");
        mount.stop();
    }
}

/// "The error is told once to everybody who has the file open."
#[test]
fn everybody_who_has_the_file_open_is_told_once() {
    require_fuse!();
    for model in KEEPING {
        let backing = backing();
        let mut mount = start(&backing, &rule(model, ""));
        let (file, other) = (open(&mount), open(&mount));
        file.write_all_at(&[7; 10], 0).unwrap();
        let now = errno(file.sync_all());
        assert_eq!(now, if model == "ext4-data" { None } else { EIO });
        assert_eq!(errno(other.sync_all()), EIO, "{model}");
        assert_eq!(errno(other.sync_all()), None, "{model}");
        let later = open(&mount);
        assert_eq!(errno(later.sync_all()), None, "{model}: opened after somebody was told");
        mount.stop();
    }
}

/// "The error is told once to everybody who has the file open; if nobody has been told, to the
/// first who opens it later."
#[test]
fn an_error_that_nobody_was_told_of_waits_for_the_next_one_to_open_the_file() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, &rule("ext4-data", ""));
    let file = open(&mount);
    file.write_all_at(&[7; 10], 0).unwrap();
    file.sync_all().unwrap();
    drop(file);
    assert_eq!(errno(open(&mount).sync_all()), EIO);
    assert_eq!(errno(open(&mount).sync_all()), None);
    mount.stop();
}

/// An fsync with nothing to write back takes no letter. "**`sequence`** is read for each file by
/// itself: `x` fails, `w` succeeds, once each; the last letter is a capital one and holds for
/// ever."
#[test]
fn a_sequence_is_read_letter_by_letter_for_each_file() {
    require_fuse!();
    let backing = backing().with("other", &[1; 100]);
    let mut mount = start(&backing, &rule("btrfs", "sequence = \"xxwxW\"\n"));
    for name in ["file", "other"] {
        let file = File::options().write(true).open(mount.join(name)).unwrap();
        let letters: String = (0..7)
            .map(|number| {
                file.write_all_at(&[number + 10; 1], 0).unwrap();
                let failed = file.sync_all().is_err();
                assert!(file.sync_all().is_ok(), "nothing to write back");
                if failed { 'x' } else { 'w' }
            })
            .collect();
        assert_eq!(letters, "xxwxwww", "{name}");
    }
    mount.stop();
}

/// "`when` must agree": its occurrences are those fsyncs that have something to write back. "What
/// programs write is in a simulated cache until an fsync writes it back; an fsync is an occurrence
/// of the rule if it has something to write back." "`when` must agree."
#[test]
fn when_counts_what_is_written_back() {
    require_fuse!();
    let backing = backing();
    let text = rule("btrfs", "").replace("[rule.fault", "when = { nth = 2 }\n[rule.fault");
    let mut mount = start(&backing, &text);
    let file = open(&mount);
    let failed = [1, 0, 1, 1].map(|writes| {
        (0..writes).for_each(|_| file.write_all_at(&[7; 1], 0).unwrap());
        file.sync_all().is_err()
    });
    assert_eq!(failed, [false, false, true, false]);
    mount.stop();
}

/// "**`bytes`** in `select` selects the pages of 4 KiB that are not written back; the others are."
#[test]
fn a_page_that_fails_keeps_no_other_from_being_written() {
    require_fuse!();
    for model in ["ext4-ordered", "btrfs"] {
        let backing = backing();
        let text = rule(model, "evict = \"close\"\n").replace(
            "[rule.fault",
            "select = { path = \"file\", bytes = \"16384..16385\" }\n[rule.fault",
        );
        let mut mount = start(&backing, &text);
        let file = open(&mount);
        file.write_all_at(&[8; 100], 0).unwrap();
        file.sync_all().unwrap();
        file.write_all_at(&[7; 40_000], 0).unwrap();
        assert_eq!(errno(file.sync_all()), EIO);
        drop(file);
        assert!(read(&mount) == ones_but(&[(0..16_384, 7), (20_480..40_000, 7)]), "{model}");
        mount.stop();
    }
}

/// "`close` is when the last who has the file open closes it."
#[test]
fn pages_stay_while_anybody_has_the_file_open() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, &rule("xfs", "evict = \"close\"\n"));
    let (file, other) = (open(&mount), open(&mount));
    file.write_all_at(&[7; 10], 0).unwrap();
    assert_eq!(errno(file.sync_all()), EIO);
    drop(file);
    assert_eq!(first(&other), 7);
    drop(other);
    assert_eq!(first(&open(&mount)), 1);
    mount.stop();
}

/// "`drop`: when the kernel drops the file from its caches", and closing alone does not.
/// "**`evict`**: `drop` is when the kernel drops the file from its caches, as
/// `/proc/sys/vm/drop_caches` makes it do with files that nobody has open; this evicts always."
#[test]
fn dropping_caches_evicts() {
    require_fuse!();
    require_root!();
    for evict in ["", "evict = \"close\"\n", "evict = \"1h\"\n"] {
        let backing = backing();
        let mut mount = start(&backing, &rule("ext4-ordered", evict));
        let file = open(&mount);
        file.write_all_at(&[7; 10], 0).unwrap();
        assert_eq!(errno(file.sync_all()), EIO);
        drop(file);
        if evict.is_empty() {
            assert_eq!(first(&open(&mount)), 7, "closing is not enough");
        }
        // Looking it up too early holds the file: a pause, and all over again.
        wait_until("the kernel has dropped the file", Duration::from_secs(60), || {
            drop_caches();
            std::thread::sleep(Duration::from_millis(300));
            fs::read(mount.join("file")).unwrap()[0] == 1
        });
        mount.stop();
    }
}

/// "A duration is so long after the failure."
#[test]
fn pages_are_evicted_after_a_while() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, &rule("ext4-ordered", "evict = \"200ms\"\n"));
    let file = open(&mount);
    file.write_all_at(&[7; 10], 0).unwrap();
    assert_eq!(errno(file.sync_all()), EIO);
    wait_until("evicted", Duration::from_secs(20), || first(&file) == 1);
    mount.stop();
}

/// "Without `--state` the next mount starts with what was written; with it the pages are evicted by
/// the end of the mount."
#[test]
fn the_next_mount_starts_with_what_was_written() {
    require_fuse!();
    let backing = backing();
    let text = rule("btrfs", "");
    let mut mount = start(&backing, &text);
    let file = open(&mount);
    file.write_all_at(&[7; 10], 0).unwrap();
    assert_eq!(errno(file.sync_all()), EIO);
    drop(file);
    mount.stop();
    let waiting = of(Outcome::NeverRead, &mount);
    assert_eq!(stretches(&waiting), [(0, 10)]);
    let mut mount = start(&backing, &text);
    assert!(read(&mount) == ones_but(&[(0..10, 7)]));
    mount.stop();
}

/// "An fsync that an `error` rule fails writes nothing back", and is no occurrence. "An fsync that
/// an `error` rule fails writes nothing back."
#[test]
fn an_fsync_that_an_error_rule_fails_writes_nothing_back() {
    require_fuse!();
    let backing = backing();
    let error = "[[rule]]\nname = \"e\"\nselect = { ops = [\"fsync\"] }\nwhen = { nth = 1 }\n\
                 [rule.fault.error]\nerrno = \"ENOSPC\"\n";
    let mut mount = start(&backing, &format!("{error}{}", rule("btrfs", "sequence = \"xW\"\n")));
    let file = open(&mount);
    file.write_all_at(&[7; 10], 0).unwrap();
    assert_eq!(errno(file.sync_all()), Some(28));
    assert_eq!(first(&file), 7);
    assert_eq!(errno(file.sync_all()), EIO);
    assert_eq!(first(&file), 1);
    mount.stop();
}

/// "What does not fit is taken for written back (`skipped`)."
#[test]
fn what_cannot_be_kept_is_taken_for_written_back() {
    require_fuse!();
    let backing = backing();
    let text = rule("btrfs", "");
    let mut mount = Mount::new(backing.path()).scenario(&text).args(["--keep-max", "5KiB"]).start();
    let file = open(&mount);
    file.write_all_at(&[7; 4_096], 0).unwrap();
    file.write_all_at(&[7; 4_096], 4_096).unwrap();
    assert_eq!(errno(file.sync_all()), EIO);
    assert!(read(&mount) == ones_but(&[(4_096..8_192, 7)]));
    mount.stop();
    assert_eq!(of(Outcome::Skipped, &mount).len(), 1);
}

/// "msync(2) is an fsync too. What is written through O_SYNC or O_DSYNC is on the medium at once."
/// "What is written through O_SYNC or O_DSYNC is on the medium at once."
#[test]
fn msync_and_synchronous_writes_write_back_too() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, &rule("btrfs", ""));
    let program = "f = os.open(sys.argv[1], os.O_RDWR); m = mmap.mmap(f, 0); m[0:3] = b'abc'\n\
                   try: m.flush()\n\
                   except OSError as e: assert e.errno == 5\n\
                   else: raise SystemExit('msync succeeded')\n\
                   s = os.open(sys.argv[1], os.O_WRONLY | os.O_SYNC); os.pwrite(s, b'xyz', 9000)\n\
                   d = os.open(sys.argv[1], os.O_WRONLY | os.O_DSYNC); os.pwrite(d, b'uvw', 19000)\n\
                   os.fsync(s)";
    python(program, [mount.join("file")]).succeed();
    let mut wanted = ones_but(&[]);
    wanted[9_000..9_003].copy_from_slice(b"xyz");
    wanted[19_000..19_003].copy_from_slice(b"uvw");
    assert!(read(&mount) == wanted);
    mount.stop();
    let stored = fs::read(backing.join("file")).unwrap();
    assert_eq!((&stored[..3], &stored[9_000..9_003]), (&b"abc"[..], &b"xyz"[..]));
}

/// A write that is lost, and an fsync that fails: what is lost stays lost when the rest is synced.
/// "An fsync that fails is about what was written, whether or not the medium would have got it."
#[test]
fn what_a_write_lost_no_fsync_brings_back() {
    require_fuse!();
    let backing = backing();
    let lost = "[[rule]]\nname = \"l\"\nwhen = { nth = 1 }\n[rule.fault.lost_write]\n";
    let text = format!("{lost}{}", rule("ext4-ordered", "sequence = \"xW\"\nevict = \"close\"\n"));
    let mut mount = start(&backing, &text);
    let file = open(&mount);
    file.write_all_at(&[7; 4_096], 0).unwrap();
    file.write_all_at(&[8; 4_096], 4_096).unwrap();
    assert_eq!(errno(file.sync_all()), EIO);
    assert_eq!(first(&file), 1);
    file.write_all_at(&[9; 4_096], 4_096).unwrap();
    file.sync_all().unwrap();
    drop(file);
    assert!(read(&mount) == ones_but(&[(4_096..8_192, 9)]));
    mount.stop();
}

/// Keeps the kernel from forgetting a file without opening it.
fn held(path: &std::path::Path) -> std::os::fd::OwnedFd {
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open(path, flags, rustix::fs::Mode::empty()).unwrap()
}

/// A ledger of failing fsyncs gives the same answers again, and so does the replay of it. Nothing is
/// evicted meanwhile: a process that another test forks closes our descriptors when it likes.
#[test]
fn the_replayed_ledger_fails_the_same_fsyncs_and_so_does_the_replay_of_the_replay() {
    require_fuse!();
    let observe = |text: &str| {
        let backing = backing().with("other", &[1; 4_096]);
        let mut mount = start(&backing, text);
        let mut seen = Vec::new();
        // Other tests have the kernel drop what nobody holds, which evicts it.
        let _held = ["file", "other"].map(|name| held(&mount.join(name)));
        for round in 0..6 {
            for name in ["file", "other"] {
                let file = File::options().read(true).write(true).open(mount.join(name)).unwrap();
                file.write_all_at(&[round + 10; 100], 100 * u64::from(round)).unwrap();
                seen.push((file.sync_all().is_err(), fs::read(mount.join(name)).unwrap()));
                seen.push((file.sync_all().is_err(), fs::read(mount.join(name)).unwrap()));
            }
        }
        mount.stop();
        let again = Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout;
        (seen, again.replacen("version = 1\n", "", 1))
    };
    for model in ["ext4-ordered", "ext4-data", "btrfs"] {
        let (first, replayed) = observe(&rule(model, "sequence = \"wxxwX\"\nevict = \"1h\"\n"));
        assert!(first.iter().any(|(failed, _)| *failed), "{model}");
        let (second, again) = observe(&replayed);
        assert!(first == second, "{model}: {replayed}");
        assert!(first == observe(&again).0, "{model}: {again}");
    }
}
