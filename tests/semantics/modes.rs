//! What a kind of fault does is the same in every cache mode and way of access: read(2) and write(2),
//! direct I/O, mappings, copies inside the kernel; for files that the page cache serves and for files
//! that are always asked for, because some other rule counts.

use std::ops::Range;
use std::sync::Mutex;

use crate::support::*;

const LEN: usize = 16_384;
const BLOCK: usize = 4_096;

/// A kind, and what the file reads as once its first block was overwritten with twos and synced: ones
/// but for these parts, and blocks that cannot be read.
struct Kind {
    name: &'static str,
    fault: &'static str,
    sync: i64,
    parts: &'static [(Range<usize>, u8)],
    bad: Option<usize>,
    /// Which operations.
    select: &'static str,
}

const KIND: Kind = Kind { name: "", fault: "", sync: 0, parts: &[], bad: None, select: "" };
const OVERWRITTEN: (Range<usize>, u8) = (0..BLOCK, 2);

const KINDS: &[Kind] = &[
    Kind {
        name: "sticky flips",
        fault: "bit_flip = { at = [{ byte = 600, bit = 6 }, { byte = 5000, bit = 6 }, { byte = 700, bit = 7, generation = 1 }] }",
        parts: &[OVERWRITTEN, (5000..5001, 65), (700..701, 130)],
        ..KIND
    },
    Kind {
        name: "permanent flips",
        fault: "bit_flip = { at = [{ byte = 600, bit = 6 }, { byte = 5000, bit = 6 }], persistence = \"permanent\" }",
        parts: &[OVERWRITTEN, (600..601, 66), (5000..5001, 65)],
        ..KIND
    },
    Kind {
        name: "sticky regions",
        fault: "corrupt = { content = { byte = 9 }, at = [{ byte = 512 }, { byte = 4608 }, { byte = 1024, generation = 1 }], region = \"512B\" }",
        parts: &[OVERWRITTEN, (1024..1536, 9), (4608..5120, 9)],
        ..KIND
    },
    Kind {
        name: "permanent regions",
        fault: "corrupt = { content = \"zero\", at = [{ byte = 512 }, { byte = 4608 }], region = \"512B\", persistence = \"permanent\" }",
        parts: &[OVERWRITTEN, (512..1024, 0), (4608..5120, 0)],
        ..KIND
    },
    Kind {
        name: "stale",
        fault: "corrupt = { content = \"stale\", at = [{ byte = 512 }, { byte = 4608 }], region = \"512B\" }",
        parts: &[OVERWRITTEN, (512..1024, 1)],
        ..KIND
    },
    Kind {
        name: "always stale",
        fault: "corrupt = { content = \"stale\", at = [{ byte = 512 }, { byte = 4608 }], persistence = \"permanent\" }",
        ..KIND
    },
    Kind {
        name: "bad sectors",
        fault: "bad_sector = { at = [8192] }",
        parts: &[OVERWRITTEN],
        bad: Some(2),
        ..KIND
    },
    Kind { name: "lost", fault: "lost_write = {}", ..KIND },
    Kind { name: "torn", fault: "torn_write = { keep = 2 }", parts: &[(0..1024, 2)], ..KIND },
    Kind {
        name: "astray",
        fault: "misdirected = { at = 0, to = 4096 }",
        select: ", ops = [\"write\"]",
        parts: &[(BLOCK..2 * BLOCK, 2)],
        ..KIND
    },
    Kind { name: "fsync of btrfs", fault: "fsync = { model = \"btrfs\" }", sync: 5, ..KIND },
    Kind {
        name: "fsync of ext4",
        fault: "fsync = { model = \"ext4-ordered\" }",
        sync: 5,
        parts: &[OVERWRITTEN],
        ..KIND
    },
    Kind {
        name: "fsync of ext4 with data=journal",
        fault: "fsync = { model = \"ext4-data\" }",
        parts: &[OVERWRITTEN],
        ..KIND
    },
    Kind {
        name: "stored flips",
        fault: "bit_flip = { at = [{ byte = 600, bit = 6 }, { byte = 5000, bit = 6 }], on = \"write\" }",
        parts: &[OVERWRITTEN, (600..601, 66)],
        ..KIND
    },
    Kind {
        name: "stored regions",
        fault: "corrupt = { content = \"zero\", at = [{ byte = 512 }], region = \"512B\", on = \"write\" }",
        parts: &[OVERWRITTEN, (512..1024, 0)],
        ..KIND
    },
];

/// Another rule that never fires makes the file be opened in another way.
const MODES: [(&str, &str); 2] = [
    ("by itself", ""),
    (
        "beside a count",
        "[[rule]]\nname = \"never\"\nselect = { ops = [\"read\", \"write\"] }\n\
         when = { nth = 1000000000 }\n[rule.fault.error]\nerrno = \"EIO\"\n",
    ),
];

const WAYS_TO_WRITE: [&str; 4] = ["write", "direct", "mapping", "copy"];

/// Overwrites the first block in the way of `argv[1]`, syncs, and tells what each way of reading gets of
/// each block: in hexadecimal, or nothing if that fails or ends in SIGBUS.
const PROGRAM: &str = r#"
import json
way, path, source = sys.argv[1], sys.argv[2] + '/file', sys.argv[2] + '/source'
B, blocks = 4096, range(4)
page = mmap.mmap(-1, B)
page.write(b'\x02' * B)
def attempt(call):
    try: call(); return 0
    except OSError as error: return error.errno
def forget():
    f = os.open(path, os.O_RDONLY); os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED); os.close(f)
f = os.open(path, os.O_RDWR | (os.O_DIRECT if way == 'direct' else 0))
if way == 'mapping':
    m = mmap.mmap(f, 4 * B); m[0:B] = b'\x02' * B
    sync = attempt(m.flush); m.close()
else:
    if way == 'copy':
        s = os.open(source, os.O_RDONLY); wrote = os.copy_file_range(s, f, B, 0, 0); os.close(s)
    else: wrote = os.pwritev(f, [page], 0)
    assert wrote == B, wrote
    sync = attempt(lambda: os.fsync(f))
os.close(f)
def whole(get):
    def one(block):
        try: got = get(block)
        except OSError as error:
            assert error.errno == errno.EIO, error
            return None
        assert len(got) in (0, B), len(got)
        return got.hex() or None
    return [one(block) for block in blocks]
def read(flags):
    f = os.open(path, os.O_RDONLY | flags); into = mmap.mmap(-1, B)
    got = whole(lambda block: into[:os.preadv(f, [into], block * B)]); os.close(f)
    return got
def mapped():
    def one(block):
        r, w = os.pipe()
        if (child := os.fork()) == 0:
            m = mmap.mmap(os.open(path, os.O_RDONLY), 4 * B, prot=mmap.PROT_READ)
            os.write(w, m[block * B:block * B + B]); os._exit(0)
        os.close(w); got = b''
        while (part := os.read(r, B)): got += part
        os.close(r); status = os.waitpid(child, 0)[1]
        assert status in (0, signal.SIGBUS) or status & 127 == signal.SIGBUS, status
        return got
    return whole(one)
def sent():
    f = os.open(path, os.O_RDONLY); t = os.open('/tmp', os.O_RDWR | os.O_TMPFILE)
    def one(block):
        os.ftruncate(t, 0); os.lseek(t, 0, 0); os.sendfile(t, f, block * B, B)
        return os.pread(t, B, 0)
    got = whole(one); os.close(f); os.close(t)
    return got
seen = {}
seen['read'] = read(0); seen['again'] = read(0); forget(); seen['direct'] = read(os.O_DIRECT)
forget(); seen['mapping'] = mapped(); seen['beside a mapping'] = read(0)
forget(); seen['sendfile'] = sent(); forget(); seen['after all'] = read(0)
print(json.dumps([sync, seen]))
"#;

#[derive(serde::Deserialize)]
struct Told(i64, std::collections::BTreeMap<String, Vec<Option<String>>>);

fn told(kind: &Kind, mode: usize, way: &str) -> Told {
    let (_, rule) = MODES[mode];
    let backing = Backing::new().with("file", &[1; LEN]).with("source", &[2; LEN]);
    let state = tempfile::tempdir().unwrap();
    let scenario = format!(
        "[[rule]]\nname = \"kind\"\nselect = {{ path = \"file\"{} }}\nfault = {{ {} }}\n{rule}",
        kind.select, kind.fault
    );
    let setup = Mount::new(backing.path()).scenario(&scenario).seed(1);
    let setup = setup.args(["--allow-damage", "--state"]).args([state.path().join("state")]);
    let mount = setup.start();
    let ended = python(PROGRAM, [way.as_ref(), mount.path()]).succeed();
    serde_json::from_str(&ended.stdout).unwrap()
}

fn wanted(kind: &Kind) -> (i64, Vec<Option<String>>) {
    let mut bytes = vec![1_u8; LEN];
    kind.parts.iter().for_each(|(range, byte)| bytes[range.clone()].fill(*byte));
    let block = |(number, block): (usize, &[u8])| {
        let hex = || block.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        (kind.bad != Some(number)).then(hex)
    };
    (kind.sync, bytes.chunks(BLOCK).enumerate().map(block).collect())
}

/// What differs, shortly.
fn difference(kind: &Kind, mode: usize, way: &str) -> Vec<String> {
    let (sync, blocks) = wanted(kind);
    let Told(synced, seen) = told(kind, mode, way);
    let place = format!("{}, {}, written by {way}", kind.name, MODES[mode].0);
    let mut wrong = Vec::new();
    if synced != sync {
        wrong.push(format!("{place}: the sync says {synced}, not {sync}"));
    }
    for (reading, got) in seen {
        for (number, (got, wanted)) in got.iter().zip(&blocks).enumerate() {
            if got != wanted {
                let runs = got.as_ref().map(|hex| runs(hex));
                wrong.push(format!("{place}, read by {reading}: block {number} is {runs:?}"));
            }
        }
    }
    wrong
}

fn runs(hex: &str) -> Vec<(&str, usize)> {
    let bytes: Vec<&str> = (0..hex.len() / 2).map(|byte| &hex[2 * byte..2 * byte + 2]).collect();
    bytes.chunk_by(|one, other| one == other).map(|run| (run[0], run.len())).collect()
}

/// "So is each piece that it moves for copy_file_range(2) into a file whose writes a rule may lose or
/// damage."
#[test]
fn every_kind_does_the_same_in_every_mode_and_way_of_access() {
    require_fuse!();
    let every = KINDS.iter().flat_map(|kind| {
        (0..MODES.len()).flat_map(move |mode| WAYS_TO_WRITE.map(|way| (kind, mode, way)))
    });
    let every = Mutex::new(every);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let next = || every.lock().unwrap().next();
                while let Some((kind, mode, way)) = next() {
                    let found = difference(kind, mode, way);
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
