//! Blocks that a write puts, and a read gets, at another place of the file.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use errorfs::ledger::{Event, Outcome};

use crate::support::*;

const LEN: usize = 16_384;

fn backing() -> Backing {
    Backing::new().with_noise("file", LEN)
}

fn start(backing: &Backing, ops: &str, when: &str, fault: &str) -> Mount {
    let rule = format!(
        "[[rule]]\nname = \"astray\"\nselect = {{ ops = [\"{ops}\"] }}\nwhen = {{ {when} }}\n\
         [rule.fault.misdirected]\n{fault}"
    );
    Mount::new(backing.path()).scenario(&rule).seed(3).start()
}

/// The only write is meant for the first block and lands in the third.
fn misdirected(backing: &Backing) -> Mount {
    let mount = start(backing, "write", "nth = 1", "at = 0\nto = 8192\n");
    let file = File::options().write(true).open(mount.join("file")).unwrap();
    assert_eq!(file.write_at(&[7; 4096], 0).unwrap(), 4096);
    file.sync_all().unwrap();
    mount
}

fn of(mount: &Mount, outcome: Outcome) -> Vec<Event> {
    mount.ledger().into_iter().filter(|event| event.outcome == outcome).collect()
}

/// The write answers its full count and fsync answers 0; the block that was meant reads as it was
/// before, and the other one as what was written. The backing directory has what was written, where
/// it was meant to be. "A **write** answers its full count and fsync answers 0." "The backing
/// directory has what was written, where it was meant to be."
#[test]
fn a_misdirected_write_leaves_one_block_as_it_was_and_overwrites_another() {
    require_fuse!();
    let backing = backing();
    let before = noise(LEN as u64, LEN);
    let mut mount = misdirected(&backing);
    let mut wanted = before.clone();
    wanted[8192..12_288].fill(7);
    assert!(fs::read(mount.join("file")).unwrap() == wanted);
    let mut stored = before.clone();
    stored[..4096].fill(7);
    assert!(fs::read(backing.join("file")).unwrap() == stored);
    mount.stop();
    assert!(fs::read(backing.join("file")).unwrap() == stored, "after the end of the mount");
}

/// "The ledger has two events of such a write, one for each place: `to` and `from` in `lost` say
/// where the other one is." "Each read that got either has an event of its own, with the `id` of
/// the place."
#[test]
fn both_places_are_in_the_ledger_of_the_write_and_of_each_read() {
    require_fuse!();
    let backing = backing();
    let mount = misdirected(&backing);
    let places = |op: &str| -> Vec<_> {
        let events = mount.delivered().into_iter().filter(|event| event.op == op);
        events.map(|event| (event.lost[0].clone(), event.occurrence)).collect()
    };
    let [(meant, once), (landed, again)] = <[_; 2]>::try_from(places("write")).unwrap();
    assert_eq!((meant.bytes, meant.to, meant.from), ((0, 4096), Some(8192), None));
    assert_eq!((landed.bytes, landed.to, landed.from), ((8192, 4096), None, Some(0)));
    assert_eq!((once, again), (Some(1), Some(1)));
    let hash = |bytes: &[u8]| Some(format!("blake3:{}", blake3::hash(bytes).to_hex()));
    let before = noise(LEN as u64, LEN);
    assert_eq!((meant.before, meant.after), (hash(&[7; 4096]), hash(&before[..4096])));
    assert_eq!((landed.before, landed.after), (hash(&before[8192..12_288]), hash(&[7; 4096])));
    fs::read(mount.join("file")).unwrap();
    let read: Vec<_> = places("read").into_iter().map(|(lost, _)| lost.id).collect();
    assert_eq!(read, [meant.id, landed.id]);
}

/// "The block that was meant reads as it was before, and the other one as what was written: two
/// places are wrong, each until it is written again."
#[test]
fn each_place_is_repaired_by_being_written_again() {
    require_fuse!();
    let backing = backing();
    let mount = misdirected(&backing);
    let repaired =
        || of(&mount, Outcome::Repaired).iter().map(|e| e.lost[0].bytes).collect::<Vec<_>>();
    write_at(&mount.join("file"), 8192, &[9; 4096]).unwrap();
    wait_until("the second is told", std::time::Duration::from_secs(20), || repaired().len() == 1);
    assert_eq!(repaired(), [(8192, 4096)]);
    assert_eq!(read_at(&mount.join("file"), 0, 1).unwrap(), noise(LEN as u64, 1), "still old");
    write_at(&mount.join("file"), 0, &[8; 4096]).unwrap();
    wait_until("the first is told", std::time::Duration::from_secs(20), || repaired().len() == 2);
    let read = fs::read(mount.join("file")).unwrap();
    assert!(read == fs::read(backing.join("file")).unwrap());
}

/// "A **read** gets what the medium holds at the other place, once: the next one is right."
#[test]
fn a_misdirected_read_gets_another_block_and_is_right_when_repeated() {
    require_fuse!();
    let backing = backing();
    let stored = noise(LEN as u64, LEN);
    let mount = start(&backing, "read", "nth = 2", "");
    let file = File::open(mount.join("file")).unwrap();
    let mut block = vec![0; 4096];
    let mut read = || {
        file.read_exact_at(&mut block, 4096).unwrap();
        block.clone()
    };
    assert!(read() == stored[4096..8192]);
    let astray = read();
    assert!(read() == stored[4096..8192], "only the second");
    let event = &mount.delivered()[0];
    let line = &event.misread[0];
    assert_eq!((line.bytes, event.occurrence), ((4096, 4096), Some(2)));
    assert!(line.from != 4096 && line.from.is_multiple_of(4096));
    let from = line.from as usize;
    assert!(astray == stored[from..from + 4096], "a block of the same file");
    assert!(line.changed > 4000);
}

/// A read gets what the medium holds at the other place, also where that is not what is stored.
#[test]
fn a_misdirected_read_gets_what_a_lost_write_left() {
    require_fuse!();
    let backing = Backing::new().with("file", &[1; 8192]);
    let rules = "[[rule]]\nname = \"lost\"\n[rule.fault.lost_write]\n\
        [[rule]]\nname = \"astray\"\nselect = { ops = [\"read\"] }\n\
        fault = { misdirected = { at = 0, to = 4096 } }\n";
    let mount = Mount::new(backing.path()).scenario(rules).start();
    write_at(&mount.join("file"), 4096, &[2; 4096]).unwrap();
    write_at(&mount.join("file"), 0, &[3; 100]).unwrap();
    assert_eq!(fs::read(mount.join("file")).unwrap(), [1; 8192]);
    assert_eq!(fs::read(backing.join("file")).unwrap()[4096], 2);
}

/// "A file without another whole block is not hit, and uses up none of `times`."
#[test]
fn a_file_without_another_whole_block_is_not_hit_and_uses_up_no_times() {
    require_fuse!();
    let backing = Backing::new().with("small", &[1; 5000]).with("large", &[1; 8192]);
    let mount = start(&backing, "write", "times = 1", "");
    write_at(&mount.join("small"), 0, &[2; 4096]).unwrap();
    assert_eq!(read_at(&mount.join("small"), 0, 1).unwrap(), [2]);
    write_at(&mount.join("large"), 0, &[2; 4096]).unwrap();
    let [mut first, mut second] = [vec![1; 4096], vec![2; 4096]];
    first.append(&mut second);
    assert!(fs::read(mount.join("large")).unwrap() == first);
}

#[test]
fn a_page_that_is_written_back_from_a_mapping_goes_astray_like_a_write() {
    require_fuse!();
    let backing = Backing::new().with("file", &[1; 8192]);
    let mount = start(&backing, "write", "times = 1", "");
    let text = "f = os.open(sys.argv[1], os.O_RDWR)\n\
        m = mmap.mmap(f, 0); m[0:4096] = b'x' * 4096; m.flush(); m.close()";
    python(text, [mount.join("file")]).succeed();
    let read = fs::read(mount.join("file")).unwrap();
    assert!(read[..4096] == [1; 4096] && read[4096..] == [b'x'; 4096]);
}

#[test]
fn a_replay_sends_the_same_blocks_to_the_same_places() {
    require_fuse!();
    let rule = "[[rule]]\nname = \"astray\"\nwhen = { every = 3 }\nfault = { misdirected = {} }\n";
    let exercise = |scenario: &str| {
        let backing = Backing::new().with_noise("file", 1 << 16);
        let mut mount = Mount::new(backing.path()).scenario(scenario).seed(8).start();
        let file = File::options().read(true).write(true).open(mount.join("file")).unwrap();
        let mut seen = Vec::new();
        for round in 0..20 {
            file.write_all_at(&vec![round; 9000], u64::from(round) * 1500).unwrap();
            let mut all = vec![0; 1 << 16];
            file.read_exact_at(&mut all, 0).unwrap();
            seen.push(blake3::hash(&all));
        }
        drop(file);
        mount.stop();
        (seen, Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout)
    };
    let (seen, replay) = exercise(rule);
    let replay = replay.replace("version = 1\n", "");
    assert!(exercise(&replay).0 == seen, "{replay}");
}

/// Writes of at most a block, every second of which lands in the ninth, against a model of bytes.
#[test]
fn whatever_is_written_and_cut_reads_get_what_the_medium_holds() {
    require_fuse!();
    let backing = Backing::new().with("file", &[1; 65_536]);
    let mount = start(&backing, "write", "every = 2", "to = 32768\n");
    let file = File::options().read(true).write(true).open(mount.join("file")).unwrap();
    let (mut seen, mut stored, mut writes) = (vec![1_u8; 65_536], vec![1_u8; 65_536], 0);
    for step in noise(77, 8 * 300).chunks(8) {
        let at = usize::from(u16::from_le_bytes([step[0], step[1]]));
        if step[4] % 16 == 0 {
            let len = at.max(40_960);
            file.set_len(len as u64).unwrap();
            seen.resize(len, 0);
            stored.resize(len, 0);
            continue;
        }
        let len = (1 + usize::from(step[2]) * 16).min(4096 - at % 4096);
        file.write_all_at(&vec![step[5]; len], at as u64).unwrap();
        writes += 1;
        let whole = seen.len() / 4096;
        for bytes in [&mut seen, &mut stored] {
            bytes.resize(bytes.len().max(at + len), 0);
        }
        stored[at..at + len].fill(step[5]);
        let astray = writes % 2 == 0 && at / 4096 != 8 && whole > 8;
        let lands = if astray { 32_768 + at % 4096 } else { at };
        seen[lands..lands + len].fill(step[5]);
        assert!(fs::read(mount.join("file")).unwrap() == seen, "write {writes}");
    }
    assert!(fs::read(backing.join("file")).unwrap() == stored);
}
