//! A filesystem that turns read-only: what sets it off, what fails then, and what goes on.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};

use super::errno;
use super::errors::{ATTEMPTS, backing};
use crate::support::*;

const THIRD: &str = "[[rule]]\nname = \"remounted\"\nselect = { ops = [\"write\"] }\n\
    when = { nth = 3 }\n[rule.fault.readonly]\n";

/// What is asked of a file that is open for writing, and which of ten writes fail.
fn writes(file: &File) -> Vec<Option<i32>> {
    (0..5).map(|place| errno(file.write_all_at(b"new", place * 10))).collect()
}

const EROFS: Option<i32> = Some(libc::EROFS);

/// The operations that change something, as attempts name them; `lookup`, which comes before most
/// of them, is none.
const CHANGING: [&str; 14] = [
    "write",
    "create",
    "setattr",
    "mkdir",
    "rmdir",
    "unlink",
    "rename",
    "link",
    "symlink",
    "mknod",
    "setxattr",
    "removexattr",
    "fallocate",
    "copy_file_range",
];

/// The operation that sets it off fails with EROFS, and after it every operation that changes
/// something, whatever `select.ops` says, also on files that are open for writing; the others go
/// on. "`select` and `when` say which of these sets it off." "That one fails with EROFS, and after
/// it all that change something on the selected paths, whatever `ops` and `bytes` say, also on
/// files that are open for writing; reading, fsync(2) and close(2) go on."
#[test]
fn after_the_third_write_what_changes_something_fails_and_the_rest_goes_on() {
    require_fuse!();
    let backing = backing();
    let mut mount = Mount::new(backing.path()).scenario(THIRD).seed(1).start();
    let open = File::options().write(true).open(mount.join("file")).unwrap();
    assert_eq!(writes(&open), [None, None, EROFS, EROFS, EROFS]);
    open.sync_all().unwrap();
    drop(open);
    let hash = tree_hash(backing.path());
    for (op, attempt) in ATTEMPTS {
        let wanted = if CHANGING.contains(op) { EROFS } else { None };
        assert_eq!(errno(attempt(mount.path())), wanted, "{op}");
    }
    assert_eq!(tree_hash(backing.path()), hash, "nothing has changed");
    let events = mount.delivered();
    assert!(events.iter().all(|e| e.fault == "readonly" && e.errno.as_deref() == Some("EROFS")));
    let occurrences: Vec<_> = events.iter().filter_map(|event| event.occurrence).collect();
    assert_eq!((occurrences, events[0].occurrence), (vec![3], Some(3)));
    mount.stop();
}

/// Opening for writing changes something; opening for reading, reading and closing do not set it
/// off.
#[test]
fn the_first_operation_that_changes_something_sets_it_off() {
    require_fuse!();
    let backing = backing();
    let text = "[[rule]]\nname = \"remounted\"\n[rule.fault.readonly]\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    assert_eq!(fs::read(mount.join("file")).unwrap(), b"content");
    assert!(mount.delivered().is_empty());
    let opened = File::options().write(true).open(mount.join("file"));
    assert_eq!(errno(opened), EROFS);
    let event = mount.delivered().remove(0);
    assert_eq!((&*event.op, event.occurrence), ("open", Some(1)));
    let mode = fs::Permissions::from_mode(0o600);
    assert_eq!(errno(fs::set_permissions(mount.join("file"), mode)), EROFS);
    mount.stop();
}

/// Control requests that change something fail, those that ask do not. That the filesystem is
/// read-only neither statfs(2) nor access(2) tells. "That the filesystem is read-only neither
/// statfs(2) nor access(2) tells."
#[test]
fn control_requests_that_change_something_fail_and_nothing_tells_that_it_is_read_only() {
    require_fuse!();
    let backing = backing();
    let mut mount = Mount::new(backing.path()).scenario(THIRD).seed(1).start();
    let open = File::options().write(true).open(mount.join("file")).unwrap();
    assert_eq!(writes(&open)[2], EROFS);
    let file = File::open(mount.join("file")).unwrap();
    match rustix::fs::ioctl_getflags(&file) {
        Ok(flags) => {
            let set = rustix::fs::ioctl_setflags(&file, flags);
            assert_eq!(set.err().map(|error| error.raw_os_error()), EROFS);
        }
        Err(_) => println!("the filesystem below has no flags"),
    }
    let told = rustix::fs::statvfs(mount.path()).unwrap();
    assert!(!told.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    rustix::fs::access(mount.join("file"), rustix::fs::Access::WRITE_OK).unwrap();
    drop((open, file));
    mount.stop();
}

/// Both count the writes that the other one leaves: the third gets the error, the fourth sets off
/// what comes after an error with `errors=remount-ro`.
#[test]
fn an_error_and_then_read_only() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 100);
    let text = format!(
        "[[rule]]\nname = \"fails\"\nselect = {{ ops = [\"write\"] }}\nwhen = {{ nth = 3 }}\n\
         [rule.fault.error]\nerrno = \"EIO\"\n{THIRD}"
    );
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    let open = File::options().write(true).open(mount.join("file")).unwrap();
    assert_eq!(writes(&open), [None, None, Some(libc::EIO), EROFS, EROFS]);
    mount.stop();
}

/// What a program writes to a mapping fails when the kernel writes it back: msync(2) says so. "What
/// a program has written to a mapping cannot be written back, and msync(2) says so."
#[test]
fn what_is_in_a_mapping_cannot_be_written_back_and_msync_says_so() {
    require_fuse!();
    let backing = Backing::new().with("file", &[b'o'; 4096]).with("other", b"x");
    let text = "[[rule]]\nname = \"remounted\"\nselect = { ops = [\"unlink\"] }\n\
                [rule.fault.readonly]\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let text = "f = os.open(sys.argv[1], os.O_RDWR)\nm = mmap.mmap(f, 4096)\nm[0:3] = b'new'\n\
                try: os.unlink(sys.argv[2])\nexcept OSError as e: print(errno.errorcode[e.errno])\n\
                try: m.flush(); print('flushed')\nexcept OSError as e: print('failed')\nos._exit(0)";
    let ended = python(text, [mount.join("file"), mount.join("other")]).succeed();
    assert_eq!(ended.stdout, "EROFS\nfailed\n");
    mount.stop();
    assert_eq!(fs::read(backing.join("file")).unwrap(), [b'o'; 4096]);
}

/// "As `dead` it fires once, with the `occurrence` in the event."
#[test]
fn a_replayed_filesystem_turns_read_only_at_the_same_operation() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 100);
    let run = |text: &str| {
        let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
        let open = File::options().write(true).open(mount.join("file")).unwrap();
        let failed = writes(&open);
        drop(open);
        mount.stop();
        let replay = Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout;
        (failed, replay.replacen("version = 1\n", "", 1))
    };
    let (failed, replay) = run(&THIRD.replace("nth = 3", "every = 2"));
    assert!(failed.contains(&EROFS) && failed.contains(&None), "{failed:?}");
    assert_eq!(run(&replay).0, failed, "{replay}");
}
