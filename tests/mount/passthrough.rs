//! Files that no rule can reach: the kernel moves their data by itself, and errorfs never sees it.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::time::Duration;

use crate::support::*;

const MEBIBYTE: usize = 1 << 20;

/// Bytes that errorfs itself has read and written so far, requests of the kernel included.
fn moved(mount: &Mount) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/io", mount.pid())).unwrap();
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    value("rchar:") + value("wchar:")
}

/// Reads one file and makes another; how many bytes errorfs moved for that.
fn copy_within(mount: &Mount, from: &str, to: &str) -> u64 {
    let before = moved(mount);
    let bytes = fs::read(mount.join(from)).unwrap();
    fs::write(mount.join(to), &bytes).unwrap();
    assert_eq!(fs::read(mount.join(to)).unwrap().len(), bytes.len());
    moved(mount) - before
}

const ELSEWHERE: &str = "[[rule]]\nname = \"rot\"\nselect = { path = \"rules/**\" }\n\
    [rule.fault.bit_flip]\nrate = 1e-4\n";

#[test]
fn data_of_files_that_no_rule_reaches_does_not_pass_through_errorfs() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with_noise("file", 16 * MEBIBYTE);
    let mut idle = Mount::new(backing.path()).start();
    assert!(copy_within(&idle, "file", "copy") < MEBIBYTE as u64);
    idle.stop();
    let mut elsewhere = Mount::new(backing.path()).scenario(ELSEWHERE).seed(1).start();
    assert!(copy_within(&elsewhere, "file", "copy 2") < MEBIBYTE as u64);
    fs::create_dir(elsewhere.join("rules")).unwrap();
    assert!(copy_within(&elsewhere, "file", "rules/copy") > 16 * MEBIBYTE as u64);
    elsewhere.stop();
    assert!(fs::read(backing.join("copy")).unwrap() == fs::read(backing.join("file")).unwrap());
}

/// Also where a rule does nothing to reads or to writes themselves.
#[test]
fn files_whose_writes_may_not_reach_the_medium_pass_through_errorfs_and_no_others_do() {
    require_fuse!();
    require_root!();
    for fault in ["lost_write]\n", "torn_write]\n", "fsync]\nmodel = \"btrfs\"\n"] {
        let backing = Backing::new().with_noise("file", 4 * MEBIBYTE).with("rules/x", b"x");
        let rule = format!(
            "[[rule]]\nname = \"r\"\nselect = {{ path = \"rules/**\" }}\n[rule.fault.{fault}"
        );
        let mut mount = Mount::new(backing.path()).scenario(&rule).start();
        assert!(copy_within(&mount, "file", "copy") < MEBIBYTE as u64, "{fault}");
        assert!(copy_within(&mount, "file", "rules/copy") > 4 * MEBIBYTE as u64, "{fault}");
        mount.stop();
    }
}

#[test]
fn of_many_files_under_a_count_only_the_damaged_one_passes_through_errorfs() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with_noise("a", 16 * MEBIBYTE).with_noise("b", 16 * MEBIBYTE);
    let text = "[[rule]]\nname = \"one\"\n[rule.fault.bit_flip]\ncount = 1\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let damaged = mount.preview().remove(0).path;
    for name in ["a", "b"] {
        let before = moved(&mount);
        let same = fs::read(mount.join(name)).unwrap() == fs::read(backing.join(name)).unwrap();
        assert_eq!(same, name != damaged);
        assert_eq!(moved(&mount) - before < MEBIBYTE as u64, name != damaged);
    }
    mount.stop();
}

#[test]
fn without_passthrough_all_data_passes_through_errorfs() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 16 * MEBIBYTE);
    let mut mount = Mount::new(backing.path()).args(["--no-passthrough"]).start();
    assert!(copy_within(&mount, "file", "copy") > 32 * MEBIBYTE as u64);
    mount.stop();
}

#[test]
fn a_file_that_was_removed_gives_its_space_back_when_it_is_closed() {
    require_fuse!();
    require_root!();
    let backing = Backing::new();
    let mut mount = Mount::new(backing.path()).start();
    for round in 0..3 {
        let path = mount.join("file");
        let mut file = File::create_new(&path).unwrap();
        file.write_all(&noise(round, 8 * MEBIBYTE)).unwrap();
        let again = File::open(&path).unwrap();
        let ino = file.metadata().unwrap().ino();
        fs::remove_file(&path).unwrap();
        let mut byte = [0];
        again.read_exact_at(&mut byte, 5).unwrap();
        assert!(holds(&mount, ino), "errorfs has it open while others have");
        drop((file, again));
        wait_until("errorfs lets go of it", Duration::from_secs(20), || !holds(&mount, ino));
    }
    mount.stop();
}

/// Whether errorfs has a removed file of this inode open.
fn holds(mount: &Mount, ino: u64) -> bool {
    let fds = fs::read_dir(format!("/proc/{}/fd", mount.pid())).unwrap();
    fds.filter_map(|fd| fs::metadata(fd.unwrap().path()).ok()).any(|fd| fd.ino() == ino)
}

#[test]
fn a_rule_that_a_rename_brings_over_a_file_waits_for_its_last_closing_and_is_told() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with("a", &[0; 4096]);
    let text = "[[rule]]\nname = \"fails\"\nselect = { path = \"b\", ops = [\"read\"] }\n\
                [rule.fault.error]\nerrno = \"EIO\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let open = File::open(mount.join("a")).unwrap();
    fs::rename(mount.join("a"), mount.join("b")).unwrap();
    let told = "b is open: rules that reach it now hold when all who have it open have closed it \
                (kernel passthrough)";
    assert!(mount.said().contains(told), "{}", mount.said());
    // One file, one way: whoever opens it now still goes the way of those who have it open.
    assert_eq!(fs::read(mount.join("b")).unwrap(), [0; 4096]);
    assert_eq!(open.read_at(&mut [1; 8], 0).unwrap(), 8);
    drop(open);
    let fails = || super::errno(fs::read(mount.join("b"))) == Some(libc::EIO);
    wait_until("the rule holds", Duration::from_secs(20), fails);
    mount.stop();
}

#[test]
fn opening_and_closing_by_many_at_once_fails_for_none_of_them() {
    require_fuse!();
    let backing = Backing::new().with_noise("one", 65_536).with_noise("two", 65_536);
    let mut mount = Mount::new(backing.path()).scenario(ELSEWHERE).seed(1).start();
    let expected = ["one", "two"].map(|name| fs::read(backing.join(name)).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (mount, expected) = (&mount, &expected);
            scope.spawn(move || {
                for round in 0..300 {
                    let which = (thread + round) % 2;
                    let bytes = fs::read(mount.join(["one", "two"][which])).unwrap();
                    assert!(bytes == expected[which]);
                }
            });
        }
    });
    mount.stop();
}

#[test]
fn a_change_through_a_mapping_is_seen_although_the_kernel_may_remember_attributes() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with("file", &[0; 4096]);
    let mut mount = Mount::new(backing.path()).args(["--exclusive"]).start();
    let text = "import mmap, os, sys, time\np = sys.argv[1]\nos.utime(p, ns=(1, 1)); os.stat(p)\n\
        f = os.open(p, os.O_RDWR); os.stat(p); m = mmap.mmap(f, 4096); m[7:8] = b'x'; m.flush()\n\
        assert os.stat(p).st_mtime_ns > 1, os.stat(p)\n\
        os.pwrite(f, b'y' * 8192, 0); assert os.stat(p).st_size == 8192\n";
    Program::new("python3").arg("-c").arg(text).arg(mount.join("file")).succeed();
    mount.stop();
}

#[test]
fn set_id_bits_that_come_while_it_is_open_go_with_the_write_of_one_who_may_not_leave_them() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with("file", &[0; 16]);
    let mut mount = Mount::new(backing.path()).args(["--allow-other"]).start();
    let path = mount.join("file");
    let mode = |bits| fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
    mode(0o777);
    let text = "import os, sys\np = sys.argv[1]; f = os.open(p, os.O_RDWR)\n\
        def as_nobody(do):\n pid = os.fork()\n if not pid: os.setuid(65534); do(); os._exit(0)\n \
         assert os.waitpid(pid, 0)[1] == 0\n\
        os.chmod(p, 0o6777); os.pwrite(f, b'r', 0); assert os.stat(p).st_mode & 0o6000 == 0o6000\n\
        as_nobody(lambda: os.pwrite(f, b'n', 0)); assert os.stat(p).st_mode & 0o6000 == 0\n";
    Program::new("python3").arg("-c").arg(text).arg(&path).succeed();
    assert_eq!(fs::metadata(backing.join("file")).unwrap().mode() & 0o7777, 0o777);
    mount.stop();
}
