//! Devices that are gone: what sets them off, what fails then, and when they come back.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use super::errno;
use super::errors::{ATTEMPTS, backing};
use crate::support::*;

const LONG: Duration = Duration::from_secs(20);

/// The third write to what lies below `data` is the last thing that works there.
const THIRD: &str = "[[rule]]\nname = \"gone\"\nselect = { path = \"data/**\", ops = [\"write\"] }\n\
    when = { nth = 3 }\n[rule.fault.dead]\n";

fn third_write_fails(mount: &Mount) -> Vec<Option<i32>> {
    let file = File::options().write(true).open(mount.join("data/file")).unwrap();
    (0..4).map(|place| errno(file.write_all_at(b"new", place * 10))).collect()
}

/// The operation that sets it off fails, and after it every operation on the selected paths,
/// whatever `select.ops` says, also on files that are open; other paths are as they were. The event
/// of the one that set it off has the occurrence, those of the others have none. "`select` and
/// `when` say which operation sets it off." "That one fails, and after it every operation on the
/// selected paths, whatever `ops` and `bytes` say, also on files that are open; none but `release`
/// and `releasedir`, whose answers the kernel drops."
#[test]
fn the_operation_that_sets_it_off_fails_and_after_it_every_operation_on_the_selected_paths() {
    require_fuse!();
    let backing = Backing::new().with_noise("data/file", 100).with("other", b"x");
    let before = fs::read(backing.join("data/file")).unwrap();
    let mut mount = Mount::new(backing.path()).scenario(THIRD).seed(1).start();
    let open = File::open(mount.join("data/file")).unwrap();
    assert_eq!(open.read_at(&mut [0; 9], 0).unwrap(), 9);
    let eio = Some(libc::EIO);
    assert_eq!(third_write_fails(&mount), [None, None, eio, eio]);
    let stored = fs::read(backing.join("data/file")).unwrap();
    assert_eq!((&stored[..3], &stored[10..13]), (&b"new"[..], &b"new"[..]));
    assert!(stored[20..] == before[20..], "what fails stores nothing");
    assert_eq!(errno(open.read_at(&mut [0; 9], 0)), eio, "open before");
    assert_eq!(errno(fs::read(mount.join("data/file"))), eio);
    assert_eq!(errno(fs::metadata(mount.join("data/file"))), eio);
    assert_eq!(errno(File::create(mount.join("data/new"))), eio);
    assert_eq!(fs::read(mount.join("other")).unwrap(), b"x");
    fs::write(mount.join("new"), b"y").unwrap();
    let events = mount.delivered();
    assert!(events.iter().all(|e| e.fault == "dead" && e.errno.as_deref() == Some("EIO")));
    let occurrences: Vec<_> = events.iter().filter_map(|event| event.occurrence).collect();
    assert_eq!((occurrences, events[0].occurrence), (vec![3], Some(3)));
    mount.stop();
}

/// "What was stored stays as it is, and the mount ends as any other."
#[test]
fn on_a_dead_mount_every_operation_fails_with_its_errno_and_it_ends_as_any_other() {
    require_fuse!();
    for way in ["signal", "umount"] {
        let backing = backing();
        let hash = tree_hash(backing.path());
        let text = "[[rule]]\nname = \"gone\"\n[rule.fault.dead]\nerrno = \"ENODEV\"\n";
        let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
        for (op, attempt) in ATTEMPTS {
            assert_eq!(errno(attempt(mount.path())), Some(libc::ENODEV), "{op}");
        }
        if way == "umount" {
            Program::errorfs("umount").arg(mount.path()).succeed();
            assert!(mount.wait().success());
        }
        mount.stop();
        assert_eq!(tree_hash(backing.path()), hash, "what was stored stays as it is");
    }
}

/// What the kernel may remember by itself, it asks for where a rule may say something else.
#[test]
fn names_and_attributes_of_what_is_dead_are_not_remembered() {
    require_fuse!();
    let backing = Backing::new().with_noise("data/file", 100);
    let setup = Mount::new(backing.path()).scenario(THIRD).seed(1).args(["--exclusive"]);
    let mut mount = setup.start();
    fs::metadata(mount.join("data/file")).unwrap();
    third_write_fails(&mount);
    assert_eq!(errno(fs::metadata(mount.join("data/file"))), Some(libc::EIO));
    mount.stop();
}

/// Operations on two paths are dead if either is.
#[test]
fn a_rename_into_what_is_dead_fails() {
    require_fuse!();
    let backing = Backing::new().with_noise("data/file", 100).with("other", b"x");
    let mut mount = Mount::new(backing.path()).scenario(THIRD).seed(1).start();
    third_write_fails(&mount);
    let moved = fs::rename(mount.join("other"), mount.join("data/other"));
    assert_eq!(errno(moved), Some(libc::EIO));
    assert!(backing.join("other").exists());
    mount.stop();
}

/// "With `for` it is there again, and stays so: the rule fires once, so that `times` above 1 and
/// several `nth` are refused."
#[test]
fn with_for_it_is_there_again_and_stays_so() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let text = "[[rule]]\nname = \"gone\"\nselect = { ops = [\"read\"] }\n\
                [rule.fault.dead]\nfor = \"1s\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let start = Instant::now();
    let file = File::open(mount.join("file")).unwrap();
    let read = || errno(file.read_at(&mut [0; 1], 0));
    assert_eq!(read(), Some(libc::EIO));
    wait_until("it is there again", LONG, || read().is_none());
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert!((0..20).all(|_| read().is_none()), "it fires once");
    mount.stop();
}

#[test]
fn a_flapping_device_is_gone_for_down_and_there_for_up_and_so_on() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let text = "[[rule]]\nname = \"flaps\"\nselect = { ops = [\"read\"] }\n\
                [rule.fault.dead]\nerrno = \"ENXIO\"\ndown = \"300ms\"\nup = \"600ms\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let file = File::open(mount.join("file")).unwrap();
    let read = || errno(file.read_at(&mut [0; 1], 0));
    assert_eq!(read(), Some(libc::ENXIO), "gone first");
    for _ in 0..3 {
        wait_until("it comes", LONG, || read().is_none());
        wait_until("it goes", LONG, || read() == Some(libc::ENXIO));
    }
    mount.stop();
}

/// An error that is first in the file wins, and the rule that is asked no more counts nothing.
#[test]
fn an_operation_that_an_earlier_rule_fails_sets_nothing_off() {
    require_fuse!();
    let backing = Backing::new().with_noise("data/file", 100);
    let text = format!(
        "[[rule]]\nname = \"full\"\nselect = {{ ops = [\"write\"] }}\nwhen = {{ nth = 3 }}\n\
         [rule.fault.error]\nerrno = \"ENOSPC\"\n{THIRD}"
    );
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    let (full, eio) = (Some(libc::ENOSPC), Some(libc::EIO));
    assert_eq!(third_write_fails(&mount), [None, None, full, eio]);
    mount.stop();
}

/// "The event of the operation that set it off has the `occurrence`, those of the others have none;
/// `errorfs replay` has it set off at the same one."
#[test]
fn a_replayed_device_dies_at_the_same_operation() {
    require_fuse!();
    let backing = Backing::new().with_noise("data/file", 100);
    let run = |text: &str| {
        let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
        let failed = third_write_fails(&mount);
        mount.stop();
        let replay = Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout;
        (failed, replay.replacen("version = 1\n", "", 1))
    };
    let text = THIRD.replace("nth = 3", "every = 3");
    let (failed, replay) = run(&text);
    assert!(replay.contains("nth = [3]") && replay.contains("[rule.fault.dead]"), "{replay}");
    assert_eq!(run(&replay).0, failed);
}
