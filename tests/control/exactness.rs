//! A change holds when it is answered, for whoever reads in whatever way, under load.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::*;

/// Sticky for `sticky`, which the page cache keeps; at every access for `counted`, which it does not.
const RULES: &str = "[[rule]]\nname = \"sticky\"\nselect = { path = \"sticky\" }\n\
    [rule.fault.bit_flip]\nat = [{ byte = 9000, bit = 0 }]\n\
    [[rule]]\nname = \"counted\"\nselect = { path = \"counted\" }\n\
    [rule.fault.bit_flip]\nat = [{ byte = 9000, bit = 0 }]\npersistence = \"transient\"\n";

/// Reads one byte over and over. Shared with it is a file of 64-bit numbers: how many changes were
/// asked for, how many were answered, whether to stop, and from the fourth on a number for each
/// reader: how often it read. Even changes are armed. What it reads must be the state of some change
/// between the last answered one before it began and the last one asked for when it ended.
const READER: &str = "import struct\n\
    shared = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 0)\n\
    number = lambda at: struct.unpack_from('<Q', shared, 8 * at)[0]\n\
    fd, way, slot = os.open(sys.argv[2], os.O_RDONLY), sys.argv[3], int(sys.argv[4])\n\
    page = mmap.mmap(fd, 0, prot=mmap.PROT_READ) if way == 'mapped' else None\n\
    read = (lambda: page[9000]) if page else (lambda: os.pread(fd, 1, 9000)[0])\n\
    reads = wrong = sure = 0\n\
    while not number(2):\n\
    \x20   answered = number(1)\n\
    \x20   byte = read()\n\
    \x20   asked = number(0)\n\
    \x20   if asked == answered:\n\
    \x20       sure += 1\n\
    \x20       if byte != (asked + 1) % 2: sys.exit(f'{way} read {byte} after change {asked}')\n\
    \x20   reads += 1\n\
    \x20   wrong += byte\n\
    \x20   struct.pack_into('<Q', shared, 8 * (3 + slot), reads)\n\
    print(os.getpid(), reads, wrong, sure, flush=True)";

struct Reader {
    child: Child,
    said: BufReader<ChildStdout>,
    file: &'static str,
    way: &'static str,
}

struct Shared(File);

impl Shared {
    fn set(&self, at: u64, value: u64) {
        self.0.write_all_at(&value.to_le_bytes(), 8 * at).unwrap();
    }

    fn get(&self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, 8 * at).unwrap();
        u64::from_le_bytes(bytes)
    }
}

const READERS: [(&str, &str); 8] = [
    ("sticky", "cached"),
    ("sticky", "cached"),
    ("sticky", "cached"),
    ("counted", "direct"),
    ("counted", "direct"),
    ("counted", "direct"),
    ("sticky", "mapped"),
    ("counted", "mapped"),
];

fn reader(mount: &Mount, shared: &std::path::Path, slot: usize) -> Reader {
    let (file, way) = READERS[slot];
    let mut command = Command::new("python3");
    command.arg("-c").arg(format!("import mmap, os, sys\n{READER}"));
    command.arg(shared).arg(mount.join(file)).args([way, &slot.to_string()]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    Reader { child, said, file, way }
}

/// How many changes: `ERRORFS_ARMINGS`, or a hundred.
fn armings() -> u64 {
    std::env::var("ERRORFS_ARMINGS").map_or(100, |text| text.parse().unwrap())
}

#[test]
fn no_read_that_began_after_the_answer_sees_the_older_generation() {
    require_fuse!();
    let backing = Backing::new().with("sticky", &[0; 20_000]).with("counted", &[0; 20_000]);
    let limit = Duration::from_secs(120 + armings());
    let mut mount = Mount::new(backing.path()).scenario(RULES).seed(1).within(limit).start();
    let numbers = Backing::new().with("shared", &[0; 4096]);
    let shared = File::options().read(true).write(true).open(numbers.join("shared")).unwrap();
    let shared = Shared(shared);
    let mut readers: Vec<Reader> =
        (0..READERS.len()).map(|slot| reader(&mount, &numbers.join("shared"), slot)).collect();
    let reads = || READERS.iter().enumerate().map(|(slot, _)| shared.get(3 + slot as u64));
    let api = Api::of(&mount);
    for change in 1..=armings() {
        let before: Vec<u64> = reads().collect();
        let mut ended = None;
        wait_until("everybody has read", LONG, || {
            ended = readers.iter_mut().find_map(|one| one.child.try_wait().unwrap());
            ended.is_some() || reads().zip(&before).all(|(now, before)| now >= before + 2)
        });
        assert!(ended.is_none(), "a reader ended before change {change}: {ended:?}");
        shared.set(0, change);
        api.post(if change % 2 == 0 { "/v1/arm" } else { "/v1/disarm" });
        shared.set(1, change);
    }
    shared.set(2, 1);
    for reader in &mut readers {
        assert_agrees(reader, &mount);
    }
    mount.stop();
    for file in ["sticky", "counted"] {
        assert_eq!(std::fs::read(backing.join(file)).unwrap(), [0; 20_000], "{file}");
    }
}

/// What a reader saw stands in the ledger: of direct reads each one.
fn assert_agrees(reader: &mut Reader, mount: &Mount) {
    let mut line = String::new();
    reader.said.read_line(&mut line).unwrap();
    assert!(wait_or_kill(&mut reader.child, LONG).success(), "{} {}", reader.file, reader.way);
    let numbers: Vec<u64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [pid, reads, wrong, sure] = numbers[..] else { panic!("it said {line:?}") };
    assert!(sure > 0 && wrong > 0 && wrong < reads, "{} {}: {line}", reader.file, reader.way);
    if reader.way == "direct" {
        let events = mount.delivered().into_iter();
        let own = events.filter(|event| u64::from(event.pid) == pid && event.path == reader.file);
        assert_eq!(own.count() as u64, wrong, "{} events of {wrong}", reader.file);
    }
}

/// What another plan brings holds as exactly as what is armed and disarmed.
#[test]
fn a_file_that_is_open_gets_what_a_new_plan_brings_and_loses_what_it_takes() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).args(["--no-passthrough"]).start();
    let file = File::open(mount.join("file")).unwrap();
    let byte = || {
        let mut byte = [9];
        file.read_exact_at(&mut byte, 5).unwrap();
        byte[0]
    };
    assert_eq!(byte(), 0);
    let api = Api::of(&mount);
    for _ in 0..20 {
        assert!(api.load(ROT).is_done());
        assert_eq!(byte(), 1);
        assert!(api.load("").is_done());
        assert_eq!(byte(), 0);
    }
    drop(file);
    mount.stop();
}

/// That cannot be taken back from whoever has it open: it is told, with the process.
#[test]
fn a_file_that_is_open_with_passthrough_is_pending_and_says_for_whom() {
    require_fuse!();
    require_root!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).start();
    let api = Api::of(&mount);
    if api.get("/v1/status")["passthrough"] != true {
        return skipped("the kernel has no passthrough");
    }
    let text = "f = os.open(sys.argv[1], os.O_RDONLY)\nprint('open', flush=True)\n\
                sys.stdin.read()\nprint(os.pread(f, 6, 0)[5], flush=True)";
    let mut holder = Command::new("python3");
    holder.args(["-c", &format!("import os, sys\n{text}")]).arg(mount.join("file"));
    let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "open");
    let text = format!("version = 1\n{ROT}");
    let reply = api.ask("PUT", "/v1/scenario?holders=1", Some(("application/toml", &text))).json();
    let pending = &reply["pending"][0];
    assert_eq!((&pending["path"], &pending["waits"]), (&json!("file"), &json!("passthrough")));
    assert_eq!(pending["rules"], json!(["rot"]));
    let holders = pending["holders"].as_array().unwrap();
    assert!(holders.contains(&json!({ "pid": holder.id(), "comm": "python3" })), "{reply}");
    let why = api.rule("rot")["why"].as_str().unwrap().to_owned();
    assert!(why.contains("open with kernel passthrough"), "{why}");
    drop(holder.stdin.take());
    assert_eq!(said.next().unwrap().unwrap(), "0", "as it was when it was opened");
    holder.wait().unwrap();
    wait_until("it is closed", LONG, || api.get("/v1/status")["pending"] == json!([]));
    assert_eq!(rotten(&mount), 1);
    mount.stop();
}

/// The outer mount waits for the inner one, which is slow: whoever disarms the outer one is answered
/// when the read that goes by the older plan has been.
#[test]
fn a_change_is_answered_when_what_began_before_it_has_ended() {
    require_fuse!();
    let backing = zeros();
    let slow = "[[rule]]\nname = \"slow\"\nselect = { path = \"other\", ops = [\"read\"] }\n\
                [rule.fault.latency]\ndistribution = { constant = \"1s\" }\n";
    let mut inner = Mount::new(backing.path()).scenario(slow).seed(1).start();
    let mut outer = Mount::new(inner.path()).scenario(FAILS).seed(1).start();
    let (path, api, below) = (outer.join("other"), Api::of(&outer), Api::of(&inner));
    let waiting = || below.get("/v1/status")["waiting"].as_u64().unwrap();
    let reader = std::thread::spawn(move || read_at(&path, 0, 1));
    wait_until("it reads", LONG, || waiting() == 1);
    api.post("/v1/disarm");
    assert_eq!(waiting(), 0, "the read has not ended");
    assert_eq!(reader.join().unwrap().unwrap(), [0]);
    outer.stop();
    inner.stop();
}
