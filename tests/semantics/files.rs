//! Which file is which: rules about operations go by the path of the moment, damage does not.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt;

use errorfs::ledger::Event;

use crate::mount::errno;
use crate::support::*;

/// Kinds that go by the present path, with what makes them act.
const OF_PATHS: &[(&str, &str)] = &[
    ("metadata = { nlink = 9 }", ""),
    ("error = { errno = \"EIO\" }", "ops = [\"read\"]"),
    ("latency = { distribution = { constant = \"1us\" } }", "ops = [\"read\"]"),
    ("stall = { for = \"1us\" }", "ops = [\"read\"]"),
    ("dead = {}", "ops = [\"read\"]"),
    ("readonly = {}", "ops = [\"write\"]"),
    ("short = {}", ""),
    ("throughput = { per_second = 1000000 }", ""),
    ("fsync = { model = \"xfs\" }", ""),
    ("lost_write = {}", ""),
    ("torn_write = {}", ""),
    ("misdirected = {}", "ops = [\"read\"]"),
    ("misdirected = {}", "ops = [\"write\"]"),
    ("bit_flip = { count = 1, persistence = \"transient\" }", ""),
    ("corrupt = { content = \"zero\", count = 1, persistence = \"transient\" }", ""),
    ("bit_flip = { count = 1, on = \"write\" }", ""),
    ("corrupt = { content = \"zero\", count = 1, on = \"write\" }", ""),
    ("power_cut = {}", "ops = [\"fsync\"]"),
];

/// What happens to a file that was renamed from `old` to `new`, under a rule about one of the two.
fn happens(path: &str, fault: &str, select: &str) -> bool {
    let when = if fault.starts_with("power_cut") { "when = { every = 1 }\n" } else { "" };
    let comma = if select.is_empty() { "" } else { ", " };
    let rule = format!(
        "[[rule]]\nname = \"r\"\nselect = {{ path = \"{path}\"{comma}{select} }}\n{when}fault = {{ {fault} }}\n"
    );
    let backing = Backing::new().with("old", &[1; 16_384]);
    let state = tempfile::tempdir().unwrap();
    let setup = Mount::new(backing.path()).scenario(&rule).seed(2);
    let setup = setup.args(["--allow-damage", "--state"]).args([state.path().join("state")]);
    let mut mount = setup.start();
    fs::rename(mount.join("old"), mount.join("new")).unwrap();
    let before = mount.ledger().len();
    let _ = fs::metadata(mount.join("new"));
    let file = File::options().read(true).write(true).open(mount.join("new")).unwrap();
    let _ = file.read_at(&mut [0; 8_192], 0);
    let _ = file.write_at(&[2; 8_192], 0);
    let _ = file.sync_all();
    let _ = file.read_at(&mut [0; 8_192], 0);
    drop(file);
    mount.stop();
    let events = mount.ledger().split_off(before);
    // A cut of the power tells of the renaming as well, which it undoes.
    let of_an_operation = |event: &Event| event.op != "power_cut";
    let events: Vec<_> = events.into_iter().filter(of_an_operation).collect();
    assert!(events.iter().all(|event| event.path == "new"), "{fault}: {events:?}");
    !events.is_empty()
}

/// "Rules about operations and paths (`metadata`, `error`, `kill`, `latency`, `stall`, `dead`,
/// `readonly`, `short`, `throughput`, `fsync`, `power_cut`, lost, torn and misdirected transfers,
/// transient flips and regions, and those `on = "write"`) go by the path that a file has at that time."
#[test]
fn rules_about_operations_go_by_the_path_of_the_moment() {
    require_fuse!();
    for (fault, select) in OF_PATHS {
        assert!(happens("new", fault, select), "{fault} {select} does nothing to a file called so");
        assert!(
            !happens("old", fault, select),
            "{fault} {select} remembers what a file was called"
        );
    }
}

/// "All draws are for the path at the time of the write."
#[test]
fn damage_of_writes_is_drawn_for_the_path_of_the_moment() {
    require_fuse!();
    let rule = "[[rule]]\nname = \"r\"\n[rule.fault.bit_flip]\nrate = 0.001\non = \"write\"\n";
    let stored = |name: &str| {
        let backing = Backing::new().with(name, &[1; 65_536]);
        let state = tempfile::tempdir().unwrap();
        let setup = Mount::new(backing.path()).scenario(rule).seed(2);
        let setup = setup.args(["--allow-damage", "--state"]).args([state.path().join("state")]);
        let mount = setup.start();
        if name != "file" {
            fs::rename(mount.join(name), mount.join("file")).unwrap();
        }
        write_at(&mount.join("file"), 0, &[2; 65_536]).unwrap();
        fs::read(backing.join("file")).unwrap()
    };
    let wanted = stored("file");
    assert!(wanted != [2; 65_536] && stored("other") == wanted);
}

/// "Of a file with several names that is the one that was looked up last."
#[test]
fn of_several_names_the_one_that_was_looked_up_last_counts() {
    require_fuse!();
    let backing = Backing::new().with("a", b"x");
    fs::hard_link(backing.join("a"), backing.join("b")).unwrap();
    // The other rule never fires: the file is opened so that each read is asked for.
    let rules = "[[rule]]\nname = \"r\"\nselect = { path = \"b\", ops = [\"read\"] }\n\
        [rule.fault.error]\nerrno = \"EIO\"\n\
        [[rule]]\nname = \"never\"\nselect = { path = \"a\", ops = [\"read\"] }\n\
        when = { nth = 1000000 }\n[rule.fault.error]\nerrno = \"EIO\"\n";
    let mount = Mount::new(backing.path()).scenario(rules).start();
    let file = File::open(mount.join("a")).unwrap();
    let read_after = |name: &str| {
        fs::metadata(mount.join(name)).unwrap();
        errno(file.read_at(&mut [0; 1], 0))
    };
    assert_eq!(["a", "b", "a", "b"].map(read_after), [None, Some(5), None, Some(5)]);
}

/// "An operation on two paths (`rename`, `link`, `copy_file_range`) is selected by either; the `bytes` of
/// a copy are those of its target."
#[test]
fn the_bytes_of_a_copy_are_those_of_its_target() {
    require_fuse!();
    for name in ["source", "target"] {
        let backing = Backing::new().with("source", &[1; 16_384]).with("target", &[2; 16_384]);
        let rule = format!(
            "[[rule]]\nname = \"r\"\n\
             select = {{ path = \"{name}\", ops = [\"copy_file_range\"], bytes = \"8192..\" }}\n\
             [rule.fault.error]\nerrno = \"EIO\"\n"
        );
        let mount = Mount::new(backing.path()).scenario(&rule).start();
        let source = File::open(mount.join("source")).unwrap();
        let target = File::options().write(true).open(mount.join("target")).unwrap();
        let copy = |mut from: u64, mut to: u64| {
            let copied =
                rustix::fs::copy_file_range(&source, Some(&mut from), &target, Some(&mut to), 100);
            copied.map_err(|error| error.raw_os_error())
        };
        assert_eq!([copy(9_000, 0), copy(0, 9_000)], [Ok(100), Err(5)], "{name}");
    }
}

/// "A file that is cut to nothing and written anew is overwritten; one that is removed and made again is
/// another file." "A byte's **generation** is how often it has been overwritten since it was first
/// stored; bytes appended to a file are of generation 0." "The rest of the block of 4 KiB in which a file
/// ends is stored with its last byte: what is appended there has been overwritten as often as that."
#[test]
fn a_file_that_is_cut_is_overwritten_and_one_that_is_removed_is_another() {
    require_fuse!();
    let backing = Backing::new().with("file", &[0; 100]);
    let rule = "[[rule]]\nname = \"r\"\nselect = { path = \"file\" }\n[rule.fault.bit_flip]\n\
        at = [{ byte = 0, bit = 0 }, { byte = 0, bit = 1, generation = 1 }, { byte = 5000, bit = 2 }, \
        { byte = 0, bit = 3, generation = 2 }, { byte = 200, bit = 4, generation = 1 }, \
        { byte = 300, bit = 5 }]\n";
    let mount = Mount::new(backing.path()).scenario(rule).start();
    let first = || fs::read(mount.join("file")).unwrap();
    assert_eq!(first()[0], 1);
    fs::write(mount.join("file"), [0; 6_000]).unwrap();
    let places = || [0, 200, 300, 5_000].map(|place| first()[place]);
    assert_eq!(places(), [2, 16, 0, 4], "overwritten, stored with the last byte, appended");
    write_at(&mount.join("file"), 0, &[0]).unwrap();
    assert_eq!(places(), [8, 16, 0, 4]);
    fs::remove_file(mount.join("file")).unwrap();
    fs::write(mount.join("file"), [0; 100]).unwrap();
    assert_eq!(first()[0], 1, "another file, of generation 0");
    File::options().append(true).open(mount.join("file")).unwrap().write_all(&[0; 5_900]).unwrap();
    assert_eq!(places(), [1, 0, 32, 4], "appended");
}

/// "What was overwritten is known as long as the mount lasts: the next mount, and `preview`, start with
/// the files as they are then, every byte of them of generation 0; but see `--state` below."
#[test]
fn the_next_mount_starts_with_generation_0() {
    require_fuse!();
    let backing = Backing::new().with("file", &[0; 100]);
    let rule = "[[rule]]\nname = \"r\"\n[rule.fault.bit_flip]\nat = [{ byte = 7, bit = 0 }]\n";
    let start = || Mount::new(backing.path()).scenario(rule).seed(1).start();
    let read = |mount: &Mount| fs::read(mount.join("file")).unwrap()[7];
    let mut mount = start();
    write_at(&mount.join("file"), 0, &[0; 100]).unwrap();
    assert_eq!((read(&mount), mount.preview().len()), (0, 1));
    mount.stop();
    assert_eq!(read(&start()), 1);
}
