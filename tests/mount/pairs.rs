//! Every kind of fault together with every other one on the same file, in both orders of the rules:
//! what comes of it is what scenarios/README.md says of the order of rules, which is written here once
//! more, as a model of bytes.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;

use crate::support::*;

const LEN: usize = 8192;
const BLOCK: usize = 4096;

/// Kinds with what the rule says beside its name: at most one effect on a write of the first block, a
/// sync, a look at the length, and a read of both blocks.
const KINDS: &[(&str, &str)] = &[
    (
        "error",
        "select = { ops = [\"read\"] }\nwhen = { times = 5 }\nfault = { error = { errno = \"EIO\" } }",
    ),
    (
        "dead",
        "select = { ops = [\"read\"] }\nwhen = { times = 1 }\nfault = { dead = { errno = \"ENODEV\" } }",
    ),
    ("readonly", "select = { ops = [\"write\"] }\nfault = { readonly = {} }"),
    ("latency", "fault = { latency = { distribution = { constant = \"1us\" } } }"),
    ("stall", "fault = { stall = { for = \"1us\" } }"),
    ("throughput", "fault = { throughput = { per_second = \"1GiB\" } }"),
    ("space", "fault = { space = { capacity = \"4KiB\" } }"),
    ("short", "select = { ops = [\"read\"] }\nfault = { short = { at_most = 3000 } }"),
    ("bad_sector", "fault = { bad_sector = { at = [4096] } }"),
    (
        "corrupt",
        "fault = { corrupt = { content = { byte = 9 }, at = [{ byte = 512 }], region = \"512B\", persistence = \"permanent\" } }",
    ),
    ("stale", "fault = { corrupt = { content = \"stale\", at = [{ byte = 0 }] } }"),
    (
        "bit_flip",
        "fault = { bit_flip = { at = [{ byte = 600, bit = 6 }], persistence = \"permanent\" } }",
    ),
    ("lost_write", "fault = { lost_write = {} }"),
    ("torn_write", "fault = { torn_write = { keep = 2 } }"),
    ("astray", "select = { ops = [\"write\"] }\nfault = { misdirected = { at = 0, to = 4096 } }"),
    ("misread", "select = { ops = [\"read\"] }\nfault = { misdirected = { at = 0, to = 4096 } }"),
    ("fsync", "fault = { fsync = { model = \"btrfs\" } }"),
    ("metadata", "fault = { metadata = { size = 3 } }"),
];

/// What one program sees.
#[derive(Debug, PartialEq)]
struct Seen {
    written: Result<usize, i32>,
    synced: Result<(), i32>,
    length: u64,
    read: Result<Vec<u8>, i32>,
}

const EIO: i32 = 5;
const ENODEV: i32 = 19;
const EROFS: i32 = 30;

/// What scenarios/README.md says.
fn documented(rules: [&str; 2]) -> Seen {
    let has = |kind: &str| rules.contains(&kind);
    let mut medium = vec![1_u8; LEN];
    let written = if has("readonly") { Err(EROFS) } else { Ok(BLOCK) };
    // A write that fails stores nothing. Of several rules that lose a byte the first has it.
    let got = if written.is_ok() { stored(rules, &mut medium) } else { vec![false; BLOCK] };
    // What is written is in the cache until it is synced, also what the medium will not get.
    let synced = if has("fsync") && written.is_ok() { Err(EIO) } else { Ok(()) };
    if synced.is_err() {
        medium[..BLOCK].fill(1);
    }
    let length = if has("metadata") { 3 } else { LEN as u64 };
    let mut read = medium.clone();
    if has("misread") {
        read.copy_within(BLOCK.., 0);
    }
    // Of two rules that corrupt a byte the first has it.
    for rule in rules.iter().rev() {
        match *rule {
            "stale" => (0..BLOCK).filter(|byte| got[*byte]).for_each(|byte| read[byte] = 1),
            "corrupt" => read[512..1024].fill(9),
            _ => {}
        }
    }
    if has("bit_flip") {
        read[600] ^= 1 << 6;
    }
    let end = if has("short") {
        3000
    } else if has("bad_sector") {
        BLOCK
    } else {
        LEN
    };
    read.truncate(end);
    let failure = rules.iter().find_map(|rule| match *rule {
        "error" => Some(EIO),
        "dead" => Some(ENODEV),
        _ => None,
    });
    Seen { written, synced, length, read: failure.map_or(Ok(read), Err) }
}

/// Writes twos into the first block of the medium; which of its bytes it got.
fn stored(rules: [&str; 2], medium: &mut [u8]) -> Vec<bool> {
    let mut got = vec![true; BLOCK];
    let mut lands = Vec::new();
    for rule in rules {
        let from = match rule {
            "lost_write" | "astray" => 0,
            "torn_write" => 1024,
            _ => continue,
        };
        for (byte, got) in got.iter_mut().enumerate().skip(from) {
            lands.extend((*got && rule == "astray").then_some(byte + BLOCK));
            *got = false;
        }
    }
    (0..BLOCK).filter(|byte| got[*byte]).for_each(|byte| medium[byte] = 2);
    lands.into_iter().for_each(|byte| medium[byte] = 2);
    got
}

fn seen(rules: [&str; 2]) -> Seen {
    let text = |kind: &str| KINDS.iter().find(|(name, _)| *name == kind).unwrap().1;
    let rule = |kind: &str| {
        let path = if kind == "space" { "" } else { "path = \"file\"" };
        let text = text(kind);
        let text = match text.contains("select = {") {
            true => text.replace("select = {", &format!("select = {{ {path},")),
            false if path.is_empty() => text.to_owned(),
            false => format!("select = {{ {path} }}\n{text}"),
        };
        format!("[[rule]]\nname = \"{kind}\"\n{text}\n")
    };
    let backing = Backing::new().with("file", &[1; LEN]);
    let mount = Mount::new(backing.path()).scenario(&rules.map(rule).concat()).seed(1).start();
    let errno = |error: std::io::Error| error.raw_os_error().unwrap();
    let file = File::options().read(true).write(true).open(mount.join("file")).unwrap();
    let written = file.write_at(&[2; BLOCK], 0).map_err(errno);
    let synced = file.sync_all().map_err(errno);
    let length = file.metadata().map_err(errno).unwrap().len();
    let mut bytes = vec![0; LEN];
    let read = file.read_at(&mut bytes, 0).map_err(errno);
    Seen { written, synced, length, read: read.map(|count| bytes[..count].to_vec()) }
}

/// "Damage is a matter of positions: every rule with `bit_flip`, `corrupt`, `bad_sector`,
/// `lost_write`, `torn_write` or `misdirected` applies." "Other damage is that of the place that
/// was asked for." "What metadata tell is as it is told, whatever happens to the data." "Of every
/// two kinds on one file, in either order of the rules, a test compares what a program sees with
/// this list (`tests/mount/pairs.rs`; `kill` is not among them: of an operation whose caller dies
/// nobody sees anything)."
#[test]
fn every_pair_of_kinds_does_in_both_orders_what_the_order_of_rules_says() {
    require_fuse!();
    let kinds: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    let pairs = kinds.iter().flat_map(|one| kinds.iter().map(|other| [*one, *other]));
    let pairs = Mutex::new(pairs.filter(|[one, other]| one != other));
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let next = || pairs.lock().unwrap().next();
                while let Some(pair) = next() {
                    if let Some(difference) = difference(&documented(pair), &seen(pair)) {
                        wrong.lock().unwrap().push(format!("{pair:?}: {difference}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

fn difference(wanted: &Seen, seen: &Seen) -> Option<String> {
    if wanted == seen {
        return None;
    }
    let short = |seen: &Seen| {
        let Seen { written, synced, length, read } = seen;
        let read = read.as_ref().map(|read| {
            let runs = read.chunk_by(|a, b| a == b).map(|run| (run[0], run.len()));
            runs.collect::<Vec<_>>()
        });
        format!("{written:?} {synced:?} {length} {read:?}")
    };
    Some(format!("documented {}, seen {}", short(wanted), short(seen)))
}
