//! What is told of files is wrong, and what is stored stays right.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use errorfs::ledger::{Event, Outcome};
use rustix::fs::{XattrFlags, getxattr, setxattr};

use crate::support::*;

fn start(backing: &Backing, keys: &str) -> Mount {
    Mount::new(backing.path()).scenario(&rule(keys)).seed(12).start()
}

fn rule(keys: &str) -> String {
    format!(
        "[[rule]]\nname = \"wrong\"\nselect = {{ path = \"a*\" }}\n[rule.fault.metadata]\n{keys}\n"
    )
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn told(mount: &Mount, what: &str) -> Vec<(String, String, String)> {
    let events = mount.delivered().into_iter().flat_map(|event| {
        let path = event.path;
        event.mistold.into_iter().map(move |told| (path.clone(), told))
    });
    let of = events.filter(|(_, told)| told.what == what);
    of.map(|(path, told)| (path, told.before, told.after)).collect()
}

#[test]
fn attributes_are_told_wrong_and_data_are_read_as_they_are() {
    require_fuse!();
    let backing = Backing::new().with("a.db", &[7; 5000]).with("b.db", &[7; 5000]);
    let before = tree_hash(backing.path());
    let mount = start(&backing, "size = 100\nmtime = 86400\nnlink = 7");
    let (wrong, right) = (fs::metadata(mount.join("a.db")), fs::metadata(mount.join("b.db")));
    let (wrong, right) = (wrong.unwrap(), right.unwrap());
    assert_eq!(
        (wrong.len(), wrong.mtime(), wrong.mtime_nsec(), wrong.nlink()),
        (100, 86_400, 0, 7)
    );
    let stored = fs::metadata(backing.join("b.db")).unwrap();
    assert_eq!((right.len(), right.mtime(), right.nlink()), (5000, stored.mtime(), 1));
    assert_eq!(
        read_at(&mount.join("a.db"), 0, 5000).unwrap(),
        [7; 5000],
        "read(2) goes by what is stored"
    );
    assert_eq!(fs::metadata(mount.join("a.db")).unwrap().len(), 100, "also after that");
    assert!(told(&mount, "size").contains(&("a.db".into(), "5000".into(), "100".into())));
    assert!(told(&mount, "nlink").contains(&("a.db".into(), "1".into(), "7".into())));
    assert!(
        told(&mount, "mtime").iter().all(|(path, _, after)| path == "a.db" && after == "86400")
    );
    drop(mount);
    assert!(tree_hash(backing.path()) == before);
}

/// "**`size`**: read(2) and write(2) go by what is stored; lseek(2) to the end, mappings, and
/// programs that ask before they read go by what is told."
#[test]
fn what_goes_by_the_length_goes_by_what_is_told() {
    require_fuse!();
    let backing = Backing::new().with("a", &[7; 5000]);
    let mount = start(&backing, "size = 100");
    let text = "f = os.open(sys.argv[1], os.O_RDONLY)\n\
        assert os.lseek(f, 0, os.SEEK_END) == 100\n\
        assert len(mmap.mmap(f, 0, prot=mmap.PROT_READ)) == 100\n\
        assert len(os.pread(f, 9999, 0)) == 5000";
    python(text, [mount.join("a")]).succeed();
}

/// "**`mode`** takes bits and never gives any, since the kernel lets people in by what it is told."
#[test]
fn permissions_are_taken_and_never_given() {
    require_fuse!();
    let backing = Backing::new().with("a", b"x").with("aa", b"x");
    for (name, mode) in [("a", 0o640), ("aa", 0o600)] {
        fs::set_permissions(backing.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let mount = start(&backing, "mode = 0o477");
    let mode = |name| fs::metadata(mount.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!([mode("a"), mode("aa")], [0o440, 0o400]);
    assert!(told(&mount, "mode").contains(&("a".into(), "0o640".into(), "0o440".into())));
}

#[test]
fn a_missing_entry_is_in_no_listing_and_cannot_be_looked_up() {
    require_fuse!();
    let mut backing = Backing::new();
    for number in 0..2000 {
        backing = backing.with(&format!("a{number}"), b"x");
    }
    backing = backing.with("b", b"x");
    let mount = start(&backing, "entry = \"missing\"\nrate = 0.3");
    let listed: BTreeSet<String> = names(mount.path()).into_iter().collect();
    let all: BTreeSet<String> = names(backing.path()).into_iter().collect();
    let missing: Vec<&String> = all.difference(&listed).collect();
    // Binomial(2000, 0.3): 5 standard deviations are 103.
    assert!(missing.len().abs_diff(600) < 103 && listed.contains("b"), "{}", missing.len());
    for name in &all {
        let there = fs::metadata(mount.join(name)).is_ok();
        assert_eq!(there, listed.contains(name), "{name}");
    }
    assert_eq!(names(mount.path()).into_iter().collect::<BTreeSet<_>>(), listed, "the same again");
    assert!(
        told(&mount, "entry")
            .iter()
            .any(|(path, _, after)| path == missing[0] && after == "missing")
    );
    let enoent = |event: &Event| event.op == "lookup" && event.errno.as_deref() == Some("ENOENT");
    assert!(mount.delivered().iter().filter(|event| enoent(event)).count() >= missing.len());
}

#[test]
fn a_directory_of_which_all_is_missing_is_empty() {
    require_fuse!();
    let mut backing = Backing::new();
    for number in 0..1500 {
        backing = backing.with(&format!("d/a{number}"), b"x");
    }
    let scenario = rule("entry = \"missing\"").replace("a*", "d/**");
    let mount = Mount::new(backing.path()).scenario(&scenario).start();
    assert!(names(&mount.join("d")).is_empty());
    fs::remove_dir(mount.join("d")).unwrap_err();
}

/// Whatever the kernel asks for at a time, and asks for again.
#[test]
fn a_listing_has_one_event_for_each_entry_that_is_told_wrong_in_it() {
    require_fuse!();
    for files in [30, 3000] {
        let mut backing = Backing::new();
        for number in 0..files {
            backing = backing.with(&format!("a{number:04}-of-a-longer-name"), b"x");
        }
        for entry in ["missing", "duplicated", "mistyped"] {
            let mount = start(&backing, &format!("entry = \"{entry}\"\nrate = 0.5"));
            let listed = names(mount.path());
            let mut events: Vec<String> =
                told(&mount, "entry").into_iter().map(|(path, ..)| path).collect();
            events.sort();
            let count = events.len();
            events.dedup();
            assert_eq!(events.len(), count, "{entry}: events that are there twice");
            let hidden = files - listed.iter().collect::<BTreeSet<_>>().len();
            let twice = listed.len() + hidden - files;
            assert_eq!(hidden + twice, if entry == "mistyped" { 0 } else { count }, "{entry}");
            assert!(count > files / 5, "{entry}: {count}");
        }
    }
}

/// "**`entry`**: `missing` is in no listing, and looking it up fails with ENOENT; `duplicated` is
/// listed twice; `mistyped` is listed as a directory if it is a regular file, else as a regular
/// file, and is what it is when it is looked up."
#[test]
fn entries_are_there_twice_or_of_another_kind() {
    require_fuse!();
    let backing = Backing::new().with("a", b"x").with("b", b"x");
    let mount = start(&backing, "entry = \"duplicated\"");
    let mut listed = names(mount.path());
    listed.sort();
    assert_eq!(listed, ["a", "a", "b"]);
    drop(mount);
    let mount = start(&backing, "entry = \"mistyped\"");
    for entry in fs::read_dir(mount.path()).unwrap().map(Result::unwrap) {
        assert_eq!(entry.file_type().unwrap().is_dir(), entry.file_name() == "a");
    }
    assert!(fs::metadata(mount.join("a")).unwrap().is_file(), "looked up it is what it is");
}

#[test]
fn links_lead_elsewhere_attributes_have_other_values_and_files_cannot_be_opened() {
    require_fuse!();
    let backing = Backing::new().with("a", b"x").with("b", b"x");
    symlink("b", backing.join("a-link")).unwrap();
    if setxattr(backing.join("a"), "user.sum", b"\x01\xff", XattrFlags::empty()).is_err() {
        return skipped("the temporary directory takes no extended attributes");
    }
    let mount = start(&backing, "target = \"nowhere\"\nxattr = \"inverted\"\nopen = \"EUCLEAN\"");
    assert_eq!(fs::read_link(mount.join("a-link")).unwrap(), Path::new("nowhere"));
    let mut value = [0; 8];
    let len = getxattr(mount.join("a"), "user.sum", &mut value).unwrap();
    assert_eq!(value[..len], [0xfe, 0x00]);
    let refused = fs::File::open(mount.join("a")).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(rustix::io::Errno::UCLEAN.raw_os_error()));
    assert_eq!(fs::read(mount.join("b")).unwrap(), b"x");
    assert_eq!(told(&mount, "xattr"), [("a".into(), "01ff".into(), "fe00".into())]);
    assert_eq!(told(&mount, "target").len(), 1);
}

#[test]
fn the_kernel_remembers_nothing_of_it_also_where_it_may_remember_all() {
    require_fuse!();
    let backing = Backing::new().with("a", b"x");
    let scenario = rule("nlink = 9\n").replace("a*\" }", "a*\" }\nwhen = { for = \"1h\" }");
    let mount = Mount::new(backing.path()).scenario(&scenario).args(["--exclusive"]).start();
    for _ in 0..3 {
        assert_eq!(fs::metadata(mount.join("a")).unwrap().nlink(), 9);
    }
    assert!(mount.ledger().iter().filter(|event| event.outcome == Outcome::Delivered).count() >= 3);
}

#[test]
fn the_same_paths_are_hit_after_a_remount_and_in_a_replay() {
    require_fuse!();
    let mut backing = Backing::new();
    for number in 0..200 {
        backing = backing.with(&format!("a{number}"), b"x");
    }
    let hit = |mount: &Mount| -> Vec<bool> {
        (0..200).map(|n| fs::metadata(mount.join(&format!("a{n}"))).unwrap().len() == 3).collect()
    };
    let mut mount = start(&backing, "size = 3\nrate = 0.2");
    let first = hit(&mount);
    assert!((10..80).contains(&first.iter().filter(|hit| **hit).count()));
    mount.stop();
    assert!(hit(&start(&backing, "size = 3\nrate = 0.2")) == first);
    let replay = Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout;
    let again = Mount::new(backing.path()).scenario(&replay.replace("version = 1\n", "")).start();
    assert!(hit(&again) == first, "{replay}");
}
