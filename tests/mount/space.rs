//! A mount that holds no more than so much: what fits, what fails, what gives room back.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FallocateFlags, StatVfs, fallocate, statvfs};

use super::errno;
use crate::support::*;

const BLOCK: u64 = 4096;
const ENOSPC: Option<i32> = Some(libc::ENOSPC);

/// Sixteen blocks, of which `old` takes three.
fn small() -> (Backing, Mount) {
    let backing = Backing::new().with_noise("old", 10_000);
    let text = "[[rule]]\nname = \"full\"\n[rule.fault.space]\ncapacity = \"64KiB\"\n";
    let mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    (backing, mount)
}

fn told(path: &Path) -> StatVfs {
    statvfs(path).unwrap()
}

/// Blocks that are left, as statvfs(3) tells it.
fn free(mount: &Mount) -> u64 {
    let told = told(mount.path());
    assert_eq!((told.f_bfree, told.f_blocks * told.f_frsize), (told.f_bavail, 16 * BLOCK));
    told.f_bfree * told.f_frsize / BLOCK
}

fn writing(mount: &Mount, name: &str) -> File {
    File::options().create(true).truncate(false).write(true).open(mount.join(name)).unwrap()
}

/// A write for which there is room in part stores that part and returns its length; the next one
/// fails. statfs(2) tells the capacity and what is left. Overwriting takes nothing. "A write for
/// which there is room in part stores that part and returns its length (`returned`); the next one
/// fails."
#[test]
fn a_write_returns_a_short_count_first_and_then_fails() {
    require_fuse!();
    let (backing, mut mount) = small();
    assert_eq!(free(&mount), 13);
    let file = writing(&mount, "new");
    let data = noise(5, 100_000);
    let count = file.write_at(&data, 0).unwrap();
    assert_eq!(count as u64, 13 * BLOCK);
    assert_eq!(errno(file.write_at(&data, count as u64)), ENOSPC);
    assert_eq!(errno(file.write_at(&data, 1 << 30)), ENOSPC);
    assert!(fs::read(backing.join("new")).unwrap() == data[..count]);
    assert_eq!(free(&mount), 0);
    file.write_all_at(b"over", 10).unwrap();
    let old = writing(&mount, "old");
    old.write_all_at(&[7; 2288], 10_000).unwrap();
    assert_eq!(errno(old.write_at(b"x", 3 * BLOCK)), ENOSPC, "its last block has room, no more");
    let mut events = mount.delivered();
    events.retain(|event| event.op == "write");
    let told: Vec<_> = events.iter().map(|e| (e.returned, e.errno.as_deref())).collect();
    let full = (None, Some("ENOSPC"));
    assert_eq!(told, [(Some(13 * BLOCK), None), full, full, full]);
    assert!(events.iter().all(|event| event.fault == "space" && event.occurrence.is_none()));
    mount.stop();
}

/// One write(2) may be several requests: its count is that of all of them.
#[test]
fn a_large_write_ends_where_the_space_does() {
    require_fuse!();
    let backing = Backing::new();
    let text = "[[rule]]\nname = \"full\"\n[rule.fault.space]\ncapacity = \"3MiB\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let file = writing(&mount, "new");
    assert_eq!(file.write_at(&vec![7; 10 << 20], 0).unwrap(), 3 << 20);
    let copy = Program::new("cp").arg(mount.join("new")).arg(mount.join("copy")).run();
    assert!(!copy.status.success() && copy.stderr.contains("No space left"), "{}", copy.stderr);
    mount.stop();
}

/// What a file takes is its length in whole blocks, holes included. Making it longer by truncate(2)
/// or fallocate(2) gets all or nothing; fallocate(2) that keeps the length takes nothing. "What a
/// file takes is its length in whole blocks, holes included: the same on every machine, whatever
/// the filesystem below makes of it." "Making a file longer by truncate(2) or fallocate(2) gets all
/// or nothing; fallocate(2) that keeps the length takes nothing, nor does overwriting."
#[test]
fn lengths_are_what_counts_and_longer_is_all_or_nothing() {
    require_fuse!();
    let (backing, mut mount) = small();
    let file = writing(&mount, "new");
    file.write_all_at(b"x", 5 * BLOCK).unwrap();
    assert_eq!(free(&mount), 7, "the hole before it counts");
    assert_eq!(errno(file.set_len(14 * BLOCK)), ENOSPC);
    assert_eq!(fs::metadata(backing.join("new")).unwrap().len(), 5 * BLOCK + 1);
    assert_eq!(free(&mount), 7);
    file.set_len(13 * BLOCK).unwrap();
    assert_eq!(free(&mount), 0);
    file.set_len(1).unwrap();
    assert_eq!(free(&mount), 12, "cutting it gives room back");
    let allocate = |flags, len| {
        let allocated = fallocate(&file, flags, 0, len);
        allocated.err().map(|error| error.raw_os_error())
    };
    assert_eq!(allocate(FallocateFlags::empty(), 14 * BLOCK), ENOSPC);
    assert_eq!(free(&mount), 12);
    assert_eq!(allocate(FallocateFlags::KEEP_SIZE, 100 * BLOCK), None);
    assert_eq!(free(&mount), 12);
    assert_eq!(allocate(FallocateFlags::empty(), 8 * BLOCK), None);
    assert_eq!(free(&mount), 5);
    mount.stop();
}

/// Removing a file gives its room back at once, also if it is open; what is written to it then is
/// not counted. A file that a rename replaces is removed. "Cutting a file gives room back; so does
/// removing or replacing it, at once, also if it is open: what is written to it then is not
/// counted."
#[test]
fn what_is_removed_or_replaced_gives_its_room_back_at_once() {
    require_fuse!();
    let (_backing, mut mount) = small();
    let open = writing(&mount, "open");
    open.write_all_at(&[1; 5 * BLOCK as usize], 0).unwrap();
    assert_eq!(free(&mount), 8);
    fs::remove_file(mount.join("open")).unwrap();
    assert_eq!(free(&mount), 13);
    open.write_all_at(&[2; 20 * BLOCK as usize], 0).unwrap();
    assert_eq!(free(&mount), 13);
    drop(open);
    fs::write(mount.join("new"), [3; BLOCK as usize]).unwrap();
    fs::rename(mount.join("new"), mount.join("old")).unwrap();
    assert_eq!(free(&mount), 15);
    fs::hard_link(mount.join("old"), mount.join("link")).unwrap();
    fs::remove_file(mount.join("old")).unwrap();
    assert_eq!(free(&mount), 15, "it has another name");
    fs::remove_file(mount.join("link")).unwrap();
    assert_eq!(free(&mount), 16);
    mount.stop();
}

/// `inodes` counts files of all kinds, directories and the root included. What fails counts
/// nothing. "`inodes` counts directories and the root too; beyond it create, mknod, mkdir and
/// symlink fail."
#[test]
fn no_file_of_any_kind_is_made_beyond_the_inodes() {
    require_fuse!();
    let backing = Backing::new().with("a", b"x");
    fs::create_dir(backing.join("d")).unwrap();
    symlink("a", backing.join("s")).unwrap();
    let text = "[[rule]]\nname = \"quota\"\n[rule.fault.space]\ncapacity = \"1GiB\"\n\
                inodes = 6\nerrno = \"EDQUOT\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let left = || (told(mount.path()).f_files, told(mount.path()).f_ffree);
    assert_eq!(left(), (6, 2));
    fs::hard_link(mount.join("a"), mount.join("link")).unwrap();
    assert_eq!(errno(fs::create_dir(mount.join("a/b"))), Some(libc::ENOTDIR));
    assert!(fs::write(mount.join(&"n".repeat(300)), b"").is_err());
    assert_eq!(left(), (6, 2));
    fs::write(mount.join("b"), b"").unwrap();
    fs::create_dir(mount.join("e")).unwrap();
    let full = Some(libc::EDQUOT);
    assert_eq!(errno(fs::write(mount.join("new"), b"")), full);
    assert_eq!(errno(fs::create_dir(mount.join("new"))), full);
    assert_eq!(errno(symlink("a", mount.join("new"))), full);
    let (pipe, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
    let made = rustix::fs::mknodat(rustix::fs::CWD, mount.join("new"), pipe, mode, 0);
    assert_eq!(made.err().map(|error| error.raw_os_error()), full);
    assert_eq!(left(), (6, 0));
    for (name, remove) in
        [("e", fs::remove_dir as fn(_) -> _), ("b", fs::remove_file), ("s", fs::remove_file)]
    {
        remove(mount.join(name)).unwrap();
    }
    fs::remove_file(mount.join("link")).unwrap();
    assert_eq!(left(), (6, 3));
    fs::write(mount.join("new"), b"").unwrap();
    mount.stop();
}

/// `after` and `for` say when the limit holds; what files take is counted all the time. "What was
/// there at arming counts, and what has come since through the mount, also outside of `after` and
/// `for`."
#[test]
fn the_limit_holds_in_its_window_and_counts_what_came_before() {
    require_fuse!();
    let backing = Backing::new();
    let text = "[[rule]]\nname = \"full\"\nwhen = { after = \"2s\" }\n[rule.fault.space]\n\
                capacity = \"64KiB\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let mut log = File::options().create(true).append(true).open(mount.join("log")).unwrap();
    for _ in 0..100 {
        log.write_all(&[7; 1000]).unwrap();
    }
    let full = || errno(log.write(&[7; 5000])) == ENOSPC;
    let mut full = full;
    wait_until("it is full", Duration::from_secs(20), &mut full);
    mount.stop();
}

/// What there is below is told, if that is less. "statfs(2) tells the capacity and what is left, or
/// what there is below, if that is less; that has an event too."
#[test]
fn a_capacity_beyond_the_disk_changes_nothing() {
    require_fuse!();
    let backing = Backing::new();
    let text = "[[rule]]\nname = \"huge\"\n[rule.fault.space]\ncapacity = \"1EiB\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let (above, below) = (told(mount.path()), told(backing.path()));
    assert_eq!((above.f_blocks, above.f_files), (below.f_blocks, below.f_files));
    fs::write(mount.join("new"), noise(1, 1 << 20)).unwrap();
    mount.stop();
}

/// Room comes last: an operation that another rule fails takes none, a short write what it stores.
/// "Room comes last: an operation that another rule fails takes none, a short write what it
/// stores."
#[test]
fn what_fails_takes_no_room_and_what_is_short_takes_what_it_stores() {
    require_fuse!();
    let backing = Backing::new();
    let text = "[[rule]]\nname = \"fails\"\nselect = { ops = [\"write\", \"create\"] }\n\
                when = { every = 2 }\n[rule.fault.error]\nerrno = \"EIO\"\n\
                [[rule]]\nname = \"short\"\nselect = { ops = [\"write\"] }\n[rule.fault.short]\n\
                at_most = \"8KiB\"\n\
                [[rule]]\nname = \"full\"\n[rule.fault.space]\ncapacity = \"64KiB\"\ninodes = 2\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let file = writing(&mount, "new");
    assert_eq!(errno(file.write_at(&[1; 65_536], 0)), Some(libc::EIO));
    assert_eq!(free(&mount), 16);
    assert_eq!(file.write_at(&[1; 65_536], 0).unwrap(), 8192);
    assert_eq!(free(&mount), 14);
    mount.stop();
    let told: Vec<_> = mount.delivered().iter().map(|event| event.rule.clone()).collect();
    assert_eq!(told, ["fails", "full", "short", "full"]);
}

/// "`errorfs preview` says how much is taken, `errorfs replay` gives the rule itself."
#[test]
fn a_full_mount_is_replayed_and_previewed() {
    require_fuse!();
    let (backing, mut mount) = small();
    let counts = |mount: &Mount| {
        let file = writing(mount, "new");
        [file.write_at(&[1; 100_000], 0).unwrap(), file.write_at(&[1; 9], 0).unwrap()]
    };
    let first = counts(&mount);
    mount.stop();
    let replay = Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout;
    fs::remove_file(backing.join("new")).unwrap();
    let text = replay.replacen("version = 1\n", "", 1);
    let mut again = Mount::new(backing.path()).scenario(&text).seed(1).start();
    assert_eq!(counts(&again), first);
    again.stop();
    fs::remove_file(backing.join("new")).unwrap();
    let scenario = Backing::new().with("full.toml", replay.as_bytes());
    let preview = Program::errorfs("preview").arg("--scenario").arg(scenario.join("full.toml"));
    let said = preview.arg(backing.path()).succeed().stdout;
    assert_eq!(said, "12288 of 65536 bytes are taken, by 2 inodes (full/1)\n");
}
