//! Reads and writes that move less than was asked for: how much less, and what is then stored.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;

use super::errno;
use crate::support::*;

fn rule(name: &str, select: &str, fault: &str) -> String {
    format!("[[rule]]\nname = \"{name}\"\nselect = {{ {select} }}\n{fault}\n")
}

fn drawn() -> String {
    rule("short", "ops = [\"read\", \"write\"]", "[rule.fault.short]")
}

fn returned(mount: &Mount) -> Vec<u64> {
    mount.delivered().iter().map(|event| event.returned.unwrap()).collect()
}

/// A read gets the first bytes of what it asked for, and the next call goes on behind them.
#[test]
fn reads_get_the_first_bytes_of_what_they_asked_for_and_go_on_behind_them() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 100_000);
    let stored = fs::read(backing.join("file")).unwrap();
    let mut mount = Mount::new(backing.path()).scenario(&drawn()).seed(1).start();
    let mut file = File::open(mount.join("file")).unwrap();
    let (mut all, mut counts) = (Vec::<u8>::new(), Vec::new());
    let mut bytes = [0; 8192];
    loop {
        let asked = bytes.len().min(stored.len() - all.len());
        let count = file.read(&mut bytes).unwrap();
        assert!(count > 0 || asked == 0, "at least one byte");
        assert!(count < asked || asked <= 1, "less than there was to read: {count} of {asked}");
        if count == 0 {
            break;
        }
        all.extend(&bytes[..count]);
        counts.push(count as u64);
    }
    assert!(all == stored);
    // What is too small for it, the last byte of the file, is not short.
    assert_eq!(counts.pop(), Some(1));
    assert_eq!(returned(&mount), counts);
    let event = mount.delivered().remove(0);
    assert_eq!((&*event.fault, event.len, event.occurrence), ("short", 8192, Some(1)));
    mount.stop();
}

/// A write stores exactly the bytes that it says that it stored. "A read gets the first bytes of
/// what it asked for; a write stores exactly the bytes that it says that it stored; the next call
/// goes on behind them." "The event says how many (`returned`)."
#[test]
fn writes_store_exactly_the_bytes_that_they_say_they_stored() {
    require_fuse!();
    let backing = Backing::new().with("file", &[0; 10_000]).with("log", b"");
    let mut mount = Mount::new(backing.path()).scenario(&drawn()).seed(1).start();
    let file = File::options().write(true).open(mount.join("file")).unwrap();
    let count = file.write_at(&[7; 10_000], 0).unwrap();
    assert!((1..10_000).contains(&count), "{count}");
    let stored = fs::read(backing.join("file")).unwrap();
    assert!(stored[..count] == vec![7; count] && stored[count..] == vec![0; 10_000 - count]);
    let mut log = File::options().append(true).open(mount.join("log")).unwrap();
    let lines = noise(3, 5000);
    log.write_all(&lines).unwrap();
    assert!(fs::read(backing.join("log")).unwrap() == lines, "a caller that goes on stores all");
    assert_eq!(returned(&mount)[0], count as u64);
    mount.stop();
}

#[test]
fn a_part_and_a_bound_in_multiples() {
    require_fuse!();
    let half = "[rule.fault.short]\nkeep = 0.5\nmultiple = 512";
    let bound = "[rule.fault.short]\nat_most = \"1KiB\"";
    let text = rule("half", "path = \"half\"", half) + &rule("bound", "path = \"bound\"", bound);
    let backing = Backing::new().with_noise("half", 1 << 20).with_noise("bound", 5000);
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    let read = |name: &str, len: usize| {
        File::open(mount.join(name)).unwrap().read_at(&mut vec![0; len], 0).unwrap()
    };
    assert_eq!(
        [4096, 5000, 1000, 513, 512].map(|len| read("half", len)),
        [2048, 2048, 512, 512, 512]
    );
    assert_eq!([4096, 1025, 1024].map(|len| read("bound", len)), [1024, 1024, 1024]);
    assert_eq!(returned(&mount), [2048, 2048, 512, 512, 1024, 1024]);
    mount.stop();
}

/// What the kernel reads for its page cache, or writes back from it, is never short, and is not
/// counted. "What the kernel reads for its page cache (mappings, sendfile(2)), or writes back from
/// it, is never short, and is not counted: it would take that for the end of the file."
#[test]
fn mappings_and_copies_inside_the_kernel_are_never_short() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 300_000);
    let stored = fs::read(backing.join("file")).unwrap();
    let mut mount = Mount::new(backing.path()).scenario(&drawn()).seed(1).start();
    let text = "f = os.open(sys.argv[1], os.O_RDWR)\nm = mmap.mmap(f, 0)\n\
                print(hashlib.sha256(m[:]).hexdigest())\n\
                out = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)\nat = 0\n\
                while (n := os.sendfile(out, f, at, 1 << 20)): at += n\n\
                print(at, hashlib.sha256(os.pread(out, 1 << 20, 0)).hexdigest())\n\
                m[0:20000] = b'n' * 20000\nm.flush()";
    let copy = Backing::new();
    let ended = python(text, [mount.join("file"), copy.join("copy")]).succeed();
    let lines: Vec<_> = ended.stdout.split_whitespace().collect();
    assert_eq!((lines[0], lines[1]), (lines[2], "300000"));
    assert!(mount.delivered().is_empty(), "{:?}", mount.delivered());
    mount.stop();
    let now = fs::read(backing.join("file")).unwrap();
    assert!(now[..20_000] == [b'n'; 20_000] && now[20_000..] == stored[20_000..]);
}

/// An operation that fails is not short; of one that is, what lies behind its end does not matter:
/// neither damage nor a bad sector.
#[test]
fn a_failure_comes_first_and_what_lies_behind_the_end_does_not_matter() {
    require_fuse!();
    let select = "ops = [\"read\"]";
    let text = rule("short", select, "[rule.fault.short]\nat_most = 1000")
        + &rule("fails", select, "when = { nth = 2 }\n[rule.fault.error]\nerrno = \"EIO\"")
        + &rule(
            "flips",
            "",
            "[rule.fault.bit_flip]\nat = [{ byte = 999, bit = 0 }, { byte = 1000, bit = 0 }]",
        )
        + &rule("bad", "", "[rule.fault.bad_sector]\nat = [4096]");
    let backing = Backing::new().with("file", &[0; 8192]);
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    let file = File::open(mount.join("file")).unwrap();
    let mut bytes = [0; 8192];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 1000);
    assert_eq!((bytes[999], bytes[1000]), (1, 0));
    assert_eq!(errno(file.read_at(&mut bytes, 0)), Some(libc::EIO));
    assert_eq!(file.read_at(&mut bytes, 3096).unwrap(), 1000);
    let told: Vec<_> = mount.delivered().into_iter().map(|event| event.rule).collect();
    assert_eq!(told, ["short", "flips", "fails", "short"]);
    mount.stop();
}

#[test]
fn replayed_operations_are_short_by_the_same_bytes() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 1 << 20);
    let run = |text: &str| {
        let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
        let file = File::open(mount.join("file")).unwrap();
        let counts: Vec<_> = (0..30).map(|_| file.read_at(&mut [0; 4096], 0).unwrap()).collect();
        mount.stop();
        let replay = Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout;
        (counts, replay.replacen("version = 1\n", "", 1))
    };
    let (counts, replay) =
        run(&rule("short", "ops = [\"read\"]", "when = { probability = 0.5 }\n[rule.fault.short]"));
    assert!(counts.iter().any(|count| *count < 4096) && counts.contains(&4096), "{counts:?}");
    assert_eq!(run(&replay).0, counts, "{replay}");
}
