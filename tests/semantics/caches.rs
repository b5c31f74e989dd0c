//! What caches show, and to whom.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use crate::mount::errno;
use crate::support::*;

const FLIP: &str = "[rule.fault.bit_flip]\nat = [{ byte = 5, bit = 0 }]\n";

/// "What the kernel asks for on behalf of its cache (a page fault, read-ahead, writing back) counts as
/// whoever made it ask; the ledger says `cached` then." "Caught in a page that others have mapped as
/// well, damage is seen by them too."
#[test]
fn damage_for_one_program_is_seen_by_others_in_a_page_that_they_share() {
    require_fuse!();
    let backing = Backing::new().with("file", &[0; 9_000]);
    let rule = format!("[[rule]]\nname = \"r\"\nselect = {{ comm = \"chosen\" }}\n{FLIP}");
    let mount = Mount::new(backing.path()).scenario(&rule).start();
    let program = "f = os.open(sys.argv[1], os.O_RDONLY)\n\
        def call_me(name): open('/proc/self/comm', 'w').write(name)\n\
        call_me('other'); assert os.pread(f, 1, 5) == b'\\0'\n\
        call_me('chosen'); assert os.pread(f, 1, 5) == b'\\1'\n\
        m, n = (mmap.mmap(f, 0, prot=mmap.PROT_READ) for _ in range(2)); assert m[5] == 1\n\
        call_me('other'); assert os.pread(f, 1, 5) == b'\\0'\n\
        assert (m[5], n[5]) == (1, 1)\n";
    python(program, [mount.join("file")]).succeed();
    let told: Vec<_> =
        mount.delivered().into_iter().map(|event| (event.comm, event.cached)).collect();
    let chosen = "chosen".to_owned();
    assert_eq!(told, [(chosen.clone(), false), (chosen, true)]);
}

/// "A program that reads bytes while another one overwrites them may get either, as on any storage."
#[test]
fn who_reads_while_another_one_writes_gets_either() {
    require_fuse!();
    let backing = Backing::new().with("file", &[1; 8_192]);
    let rule = "[[rule]]\nname = \"r\"\n[rule.fault.bit_flip]\n\
        at = [{ byte = 9000, bit = 0, generation = 1 }]\n";
    let mount = Mount::new(backing.path()).scenario(rule).start();
    let file = File::options().read(true).write(true).open(mount.join("file")).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            (0..400_u32).for_each(|n| file.write_all_at(&[1 + (n % 2) as u8; 8_192], 0).unwrap());
        });
        let reader = File::open(mount.join("file")).unwrap();
        while !writer.is_finished() {
            let mut bytes = [0; 8_192];
            reader.read_exact_at(&mut bytes, 0).unwrap();
            assert!(bytes.iter().all(|byte| [1, 2].contains(byte)));
        }
    });
}

/// "Where a rule makes reads fail, the kernel fills its page cache one page at a time for mappings,
/// sendfile(2) and copies inside the kernel, and each page is one occurrence." "A copy inside the kernel
/// that has got some pages already ends short instead of failing."
#[test]
fn where_reads_may_fail_each_page_of_a_copy_is_one_occurrence() {
    require_fuse!();
    for (nth, copied) in [(1, Err(5)), (3, Ok(8_192)), (5, Ok(16_384))] {
        let backing = Backing::new().with("file", &[7; 16_384]);
        let rule = format!(
            "[[rule]]\nname = \"r\"\nselect = {{ ops = [\"read\"] }}\nwhen = {{ nth = {nth} }}\n\
             [rule.fault.error]\nerrno = \"EIO\"\n"
        );
        let mount = Mount::new(backing.path()).scenario(&rule).start();
        let program = "f = os.open(sys.argv[1], os.O_RDONLY); t = os.open('/tmp', os.O_RDWR | os.O_TMPFILE)\n\
            try: print(os.sendfile(t, f, 0, 16384))\n\
            except OSError as error: print(-error.errno)\n";
        let ended = python(program, [mount.join("file")]).succeed();
        let told: i64 = ended.stdout.trim().parse().unwrap();
        let wanted = copied.unwrap_or_else(|errno: i64| -errno);
        assert_eq!(told, wanted, "page {nth}: {:?}", mount.delivered());
    }
}

/// "A page that failed fails once more if the same thread asks for it within a second, as that is how
/// the kernel repeats a read-ahead that went wrong; each time has its event."
#[test]
fn a_page_that_failed_fails_once_more() {
    require_fuse!();
    let backing = Backing::new().with("file", &[7; 4_096]);
    let rule = "[[rule]]\nname = \"r\"\nselect = { ops = [\"read\"] }\nwhen = { nth = 1 }\n\
        [rule.fault.error]\nerrno = \"EIO\"\n";
    let mount = Mount::new(backing.path()).scenario(rule).start();
    let program = "f = os.open(sys.argv[1], os.O_RDONLY); t = os.open('/tmp', os.O_RDWR | os.O_TMPFILE)\n\
        def fails():\n\
        \x20 try: return os.sendfile(t, f, 0, 4096) != 4096\n\
        \x20 except OSError: return True\n\
        print([fails() for _ in range(4)].count(True))\n";
    let ended = python(program, [mount.join("file")]).succeed();
    // The kernel itself has asked twice for what the program has asked for once, if it read ahead.
    let failures: usize = ended.stdout.trim().parse().unwrap();
    let events = mount.delivered();
    assert!((1..=2).contains(&failures) && events.len() == 2, "{failures} {events:?}");
    assert!(events.iter().all(|event| event.occurrence == Some(1)), "{events:?}");
}

/// "Pages that a program has mapped stay as they were filled: neither `after` and `for` nor `dead` reach
/// what is in a mapping already."
#[test]
fn what_is_in_a_mapping_already_stays_as_it_was() {
    require_fuse!();
    let backing = Backing::new().with("file", &[0; 9_000]).with("other", b"x");
    let rules = "[[rule]]\nname = \"gone\"\nselect = { path = \"other\", ops = [\"read\"] }\n\
        [rule.fault.error]\nerrno = \"EIO\"\n\
        [[rule]]\nname = \"flip\"\nwhen = { after_event = \"gone\" }\n[rule.fault.bit_flip]\n\
        at = [{ byte = 5, bit = 0 }]\n\
        [[rule]]\nname = \"later\"\nselect = { path = \"file\" }\nwhen = { after = \"1s\" }\n\
        [rule.fault.bit_flip]\nat = [{ byte = 6, bit = 0 }]\n\
        [[rule]]\nname = \"dead\"\nselect = { path = \"file\", ops = [\"fsync\"] }\n[rule.fault.dead]\n";
    let mount = Mount::new(backing.path()).scenario(rules).start();
    let program = "f = os.open(sys.argv[1], os.O_RDONLY); m = mmap.mmap(f, 0, prot=mmap.PROT_READ)\n\
        if m[5:7] != b'\\0\\0': sys.exit(7)\n\
        try: os.pread(os.open(sys.argv[2], os.O_RDONLY), 1, 0); assert False\n\
        except OSError: pass\n\
        while os.pread(f, 2, 5) != b'\\1\\1': time.sleep(0.01)\n\
        assert m[5:7] == b'\\0\\0'\n\
        try: os.fsync(f); assert False\n\
        except OSError: pass\n\
        try: os.pread(f, 1, 0); assert False\n\
        except OSError: pass\n\
        assert m[5:7] == b'\\0\\0'\n\
        m[5000]\n";
    let ended = python(program, [mount.join("file"), mount.join("other")]).run();
    // On a machine that is too slow the window opens first: then this shows nothing.
    if ended.status.code() != Some(7) {
        ended.expect_signal(libc::SIGBUS);
    }
}

/// "While a rule may cut the power, every file is opened for direct I/O."
#[test]
fn while_power_may_go_every_file_is_asked_for_each_time() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 1 << 20);
    for (rule, asked) in [("[rule.fault.power_cut]\n", true), ("[rule.fault.dead]\n", false)] {
        let state = tempfile::tempdir().unwrap();
        let rule = format!(
            "[[rule]]\nname = \"r\"\nselect = {{ path = \"other\" }}\nwhen = {{ nth = 1 }}\n{rule}"
        );
        let setup = Mount::new(backing.path()).scenario(&rule);
        let setup = setup.args(["--allow-damage", "--state"]).args([state.path().join("state")]);
        let mount = setup.args(["--no-passthrough"]).start();
        let file = File::open(mount.join("file")).unwrap();
        let read = || file.read_exact_at(&mut vec![0; 1 << 20], 0).unwrap();
        read();
        let before = bytes_moved(&mount);
        (0..4).for_each(|_| read());
        let moved = bytes_moved(&mount) - before;
        assert_eq!(moved > 4 << 20, asked, "{rule}: {moved}");
    }
}

/// Bytes that errorfs itself has read and written so far.
fn bytes_moved(mount: &Mount) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/io", mount.pid())).unwrap();
    let of = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
    let [read, written]: [Option<u64>; 2] = ["rchar:", "wchar:"].map(of);
    read.unwrap() + written.unwrap()
}

/// "A process that errorfs cannot see (another namespace) has no `pid`, `comm` or `cgroup`."
#[test]
fn a_process_that_errorfs_cannot_see_has_no_name() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with("file", &[0; 9_000]).with("spared", b"x");
    let rules = format!(
        "version = 1\n[[rule]]\nname = \"named\"\nselect = {{ comm = \"od\" }}\n{FLIP}\
         [[rule]]\nname = \"group\"\nselect = {{ cgroup = \"/\" }}\n[rule.fault.bit_flip]\n\
         at = [{{ byte = 5, bit = 1 }}]\n\
         [[rule]]\nname = \"everybody\"\n[rule.fault.bit_flip]\nat = [{{ byte = 5, bit = 2 }}]\n\
         [[rule]]\nname = \"kill\"\nselect = {{ path = \"spared\", ops = [\"read\"] }}\n\
         fault = {{ kill = {{}} }}\n\
         [[rule]]\nname = \"uid\"\nselect = {{ uid = 0 }}\n[rule.fault.bit_flip]\n\
         at = [{{ byte = 5, bit = 3 }}]\n"
    );
    let scratch = Backing::new().with("s.toml", rules.as_bytes());
    fs::create_dir(scratch.join("mnt")).unwrap();
    for (unseen, seen) in [("unshare --pid --fork --kill-child", "12"), ("env", "15\nkilled")] {
        let script = format!(
            "{unseen} \"$1\" mount --scenario \"$0/s.toml\" --ledger \"$0/ledger-$3\" \"$2\" \"$0/mnt\" &\n\
             errorfs=$!\n\
             until grep -q \"$0/mnt fuse.errorfs\" /proc/mounts; do sleep 0.05; done\n\
             od -An -tu1 -j5 -N1 \"$0/mnt/file\"\n\
             cat \"$0/mnt/spared\" >&2 || echo killed\n\
             \"$1\" umount \"$0/mnt\" >&2; wait $errorfs\n"
        );
        let program = Program::new("bash").args(["-euc", &script]).arg(scratch.path());
        let ended =
            program.arg(ERRORFS).arg(backing.path()).arg(unseen.len().to_string()).succeed();
        assert_eq!(ended.stdout.trim(), seen, "{ended}");
    }
}

/// "If a rename brings a file that is open already under a rule that counts, fails or delays accesses,
/// that holds for what is opened from then on; errorfs says so on stderr." "A file is opened for what the
/// rules may do to it then (README, caches)."
#[test]
fn a_file_is_opened_for_what_rules_may_do_to_it_then() {
    require_fuse!();
    let backing = Backing::new().with("old", &[0; 9_000]);
    let rule = "[[rule]]\nname = \"r\"\nselect = { path = \"new\", ops = [\"read\"] }\n\
        [rule.fault.error]\nerrno = \"EIO\"\n";
    let mount = Mount::new(backing.path()).scenario(rule).start();
    let before = File::open(mount.join("old")).unwrap();
    before.read_exact_at(&mut [0; 9_000], 0).unwrap();
    fs::rename(mount.join("old"), mount.join("new")).unwrap();
    before.read_exact_at(&mut [0; 9_000], 0).unwrap();
    wait_until("that is said", Duration::from_secs(10), || mount.said().contains("new"));
    drop(before);
    let mut failed = || errno(fs::read(mount.join("new"))) == Some(5);
    wait_until("what is opened from then on fails", Duration::from_secs(10), &mut failed);
}
