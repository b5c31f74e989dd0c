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
        os.pwrite(f, b'y' * 8192, 0); assert os.stat(p).st_size == 8192\n\
        os.close(f); os.utime(p, ns=(1, 1)); os.stat(p); m[9:10] = b'z'; m.flush()\n\
        assert os.stat(p).st_mtime_ns > 1, 'after closing'\n";
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

#[test]
fn a_rule_about_syncing_sees_every_way_to_sync() {
    require_fuse!();
    let backing = Backing::new().with("db", &[0; 4096]);
    let text = "[[rule]]\nname = \"no sync\"\nselect = { path = \"db\", ops = [\"fsync\"] }\n\
                [rule.fault.error]\nerrno = \"EIO\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let text = "import errno, mmap, os, sys\np = sys.argv[1]\ndef fails(what, f, *arguments):\n \
        try: f(*arguments)\n except OSError as e: assert e.errno == errno.EIO, e\n else: sys.exit(what)\n\
        f = os.open(p, os.O_RDWR); m = mmap.mmap(f, 4096); m[0:1] = b'x'\n\
        fails('msync', m.flush); fails('fsync', os.fsync, f); fails('fdatasync', os.fdatasync, f)\n\
        for flag in os.O_SYNC, os.O_DSYNC:\n fails('write', os.write, os.open(p, os.O_WRONLY | flag), b'y')\n";
    Program::new("python3").arg("-c").arg(text).arg(mount.join("db")).succeed();
    assert_eq!(mount.delivered().len(), 5);
    mount.stop();
}

#[test]
fn a_rule_about_closing_sees_files_that_were_open_under_another_name() {
    require_fuse!();
    let backing = Backing::new().with("a", b"x");
    let text = "[[rule]]\nname = \"close\"\nselect = { path = \"b\", ops = [\"flush\"] }\n\
                [rule.fault.error]\nerrno = \"EIO\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let text = "import errno, os, sys\nos.chdir(sys.argv[1]); f = os.open('a', os.O_RDWR)\n\
        os.rename('a', 'b')\ntry: os.close(f)\nexcept OSError as e: assert e.errno == errno.EIO, e\n\
        else: sys.exit('closed')\n";
    Program::new("python3").arg("-c").arg(text).arg(mount.path()).succeed();
    mount.stop();
}

const FAILS: &str = "[[rule]]\nname = \"fails\"\nselect = { path = \"data/**\", ops = [\"read\"] }\n\
    [rule.fault.error]\nerrno = \"EIO\"\n";

#[test]
fn a_rule_waits_and_is_told_however_it_comes_to_reach_an_open_file() {
    require_fuse!();
    require_root!();
    let reaches: [fn(&Mount); 3] = [
        |mount| fs::rename(mount.join("dir"), mount.join("data")).unwrap(),
        |mount| {
            fs::create_dir(mount.join("data")).unwrap();
            fs::hard_link(mount.join("dir/file"), mount.join("data/file")).unwrap();
        },
        |mount| {
            fs::create_dir(mount.join("data")).unwrap();
            fs::rename(mount.join("dir/file"), mount.join("data/file")).unwrap();
        },
    ];
    for reach in reaches {
        let backing = Backing::new().with("dir/file", &[7; 4096]);
        let mut mount = Mount::new(backing.path()).scenario(FAILS).seed(1).start();
        let open = File::open(mount.join("dir/file")).unwrap();
        reach(&mount);
        let told = "data/file is open: rules that reach it now hold when all who have it open";
        assert!(mount.said().contains(told), "{}", mount.said());
        assert_eq!(open.read_at(&mut [0; 8], 0).unwrap(), 8);
        mount.stop();
    }
}

#[test]
fn a_file_of_two_mounts_is_open_to_each_as_its_mount_lets_it() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with("rw/file", b"x").with("ro/hidden", b"");
    let mut mount = Mount::new(backing.path()).start();
    let bind = |from: &str, to: &str, flags: &str| {
        let (from, to) = (backing.join(from), backing.join(to));
        Program::new("mount").args(["-o", flags]).arg(from).arg(to).succeed();
    };
    bind("rw", "ro", "bind");
    let _away = Bound(backing.join("ro"));
    bind("rw", "ro", "remount,bind,ro");
    let reader = File::open(mount.join("ro/file")).unwrap();
    let mut writer = File::options().read(true).write(true).open(mount.join("rw/file")).unwrap();
    writer.write_all(b"y").unwrap();
    let refused = File::options().write(true).open(mount.join("ro/file"));
    assert_eq!(super::errno(refused), Some(libc::EROFS));
    drop((reader, writer));
    mount.stop();
}

/// A bind mount that is gone when this is.
struct Bound(std::path::PathBuf);

impl Drop for Bound {
    fn drop(&mut self) {
        let flags = rustix::mount::UnmountFlags::DETACH;
        rustix::mount::unmount(&self.0, flags).unwrap();
    }
}

#[test]
fn direct_io_that_the_backing_filesystem_does_not_know_is_refused_as_it_refuses_it() {
    require_fuse!();
    require_root!();
    let backing = Backing::new();
    Program::new("mount").args(["-t", "ramfs", "ramfs"]).arg(backing.path()).succeed();
    let _away = Bound(backing.path().to_owned());
    fs::write(backing.join("file"), "x").unwrap();
    let mut mount = Mount::new(backing.path()).start();
    let direct = |root: &std::path::Path| {
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECT;
        rustix::fs::open(root.join("file"), flags, rustix::fs::Mode::empty()).map(drop)
    };
    assert_eq!(direct(mount.path()), direct(backing.path()));
    assert_eq!(direct(mount.path()), Err(rustix::io::Errno::INVAL));
    mount.stop();
}

#[test]
fn root_keeps_set_id_bits_however_many_write_at_once() {
    require_fuse!();
    require_root!();
    let backing = Backing::new();
    let mut mount = Mount::new(backing.path()).start();
    let text = "import os, struct, sys\nos.chdir(sys.argv[1]); lost = 0\n\
        def work(n):\n for round in range(20):\n  name = f'{n}-{round}'; open(name, 'w').close()\n  \
         os.chmod(name, 0o4755)\n  os.setxattr(name, 'security.capability', struct.pack('<IIIII', 0x02000001, 1 << 10, 0, 0, 0))\n  \
         f = os.open(name, os.O_WRONLY); os.write(f, b'x'); os.close(f)\n  \
         assert os.stat(name).st_mode & 0o4000, name\n os._exit(0)\n\
        pids = []\nfor n in range(4):\n pid = os.fork()\n if pid: pids.append(pid)\n else: work(n)\n\
        assert all(os.waitpid(pid, 0)[1] == 0 for pid in pids)\n";
    Program::new("python3").arg("-c").arg(text).arg(mount.path()).succeed();
    mount.stop();
}
