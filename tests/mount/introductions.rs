//! Listing a directory tells the kernel of the files in it, where it may remember them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{DirEntryExt, FileTypeExt, MetadataExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::*;

const FILES: usize = 1200;

fn many() -> Backing {
    (0..FILES).fold(Backing::new(), |backing, number| backing.with(&format!("d/f{number}"), b"x"))
}

/// How often a name of `d` was asked for while `look` ran on a mount with these options.
fn lookups(backing: &Backing, options: &[&str], look: impl Fn(&Path)) -> usize {
    let files = Backing::new();
    let trace = files.join("t.jsonl");
    let options: Vec<_> = options.iter().map(Into::into).chain(["--trace".into()]).collect();
    let options = options.into_iter().chain([trace.clone().into_os_string()]);
    let mut mount = Mount::new(backing.path()).args(options.collect::<Vec<_>>()).start();
    look(&mount.join("d"));
    mount.stop();
    let text = fs::read_to_string(trace).unwrap();
    let asked = |line: &&str| line.contains("\"op\":\"lookup\"") && line.contains("\"d/");
    text.lines().filter(asked).count()
}

/// Everything that a directory lists, with what a look at it gives: number, kind, length, links.
fn seen(directory: &Path) -> BTreeMap<String, (u64, u32, u64, u64)> {
    let look = |entry: fs::DirEntry| {
        let meta = entry.metadata().unwrap();
        assert_eq!(entry.ino(), meta.ino(), "{entry:?}");
        assert_eq!(entry.file_type().unwrap(), meta.file_type(), "{entry:?}");
        let told = (meta.ino(), meta.mode(), meta.len(), meta.nlink());
        (entry.file_name().into_string().unwrap(), told)
    };
    fs::read_dir(directory).unwrap().map(|entry| look(entry.unwrap())).collect()
}

#[test]
fn who_looks_at_all_that_is_listed_asks_for_no_name() {
    require_fuse!();
    let backing = many();
    let look = |directory: &Path| assert_eq!(seen(directory).len(), FILES);
    let (remembered, asked) =
        (lookups(&backing, &["--exclusive"], look), lookups(&backing, &[], look));
    assert!(remembered < FILES / 10, "{remembered}");
    assert!(asked >= FILES, "the kernel may remember nothing there: {asked}");
}

#[test]
fn what_is_listed_is_what_is_there_also_after_changes() {
    require_fuse!();
    let backing = many().with("d/sub/inner", b"y").with("d/long", &[7; 70_000]);
    symlink("long", backing.join("d/link")).unwrap();
    fs::hard_link(backing.join("d/long"), backing.join("d/other")).unwrap();
    mknodat(CWD, backing.join("d/fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let mut mount = Mount::new(backing.path()).args(["--exclusive"]).start();
    let same = || {
        for _ in 0..2 {
            assert_eq!(seen(&mount.join("d")), seen(&backing.join("d")));
        }
    };
    same();
    assert!(fs::symlink_metadata(mount.join("d/fifo")).unwrap().file_type().is_fifo());
    fs::write(mount.join("d/new"), "new").unwrap();
    fs::remove_file(mount.join("d/f7")).unwrap();
    fs::rename(mount.join("d/f8"), mount.join("d/f9")).unwrap();
    fs::rename(mount.join("d/sub"), mount.join("d/moved")).unwrap();
    fs::write(mount.join("d/f10"), "longer").unwrap();
    fs::remove_file(mount.join("d/other")).unwrap();
    same();
    assert_eq!(fs::read(mount.join("d/moved/inner")).unwrap(), b"y");
    for number in (0..FILES).filter(|number| ![7, 8].contains(number)) {
        fs::remove_file(mount.join(&format!("d/f{number}"))).unwrap();
    }
    same();
    mount.stop();
}

/// Against the promise; but what is listed after what went must not be lost with it.
#[test]
fn what_goes_while_a_directory_is_listed_does_not_end_the_list() {
    require_fuse!();
    let backing = many();
    let mount = Mount::new(backing.path()).args(["--exclusive"]).start();
    let mut list = fs::read_dir(mount.join("d")).unwrap().map(|entry| entry.unwrap().file_name());
    let first = list.next();
    let stays = |number: &usize| number.is_multiple_of(100);
    for number in (0..FILES).filter(|number| !stays(number)) {
        fs::remove_file(backing.join(&format!("d/f{number}"))).unwrap();
    }
    let listed: BTreeSet<_> = first.into_iter().chain(list).collect();
    for number in (0..FILES).filter(stays) {
        assert!(listed.contains(OsStr::new(&format!("f{number}"))), "{number}: {listed:?}");
    }
}

#[test]
fn a_name_that_is_not_there_is_asked_for_once_until_it_is() {
    require_fuse!();
    let look = |directory: &Path| {
        let file = directory.join("absent");
        (0..10).for_each(|_| assert!(fs::symlink_metadata(&file).is_err()));
        fs::write(&file, "there").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"there");
        fs::remove_file(&file).unwrap();
        (0..10).for_each(|_| assert!(fs::symlink_metadata(&file).is_err()));
        fs::hard_link(directory.join("kept"), &file).unwrap();
        assert!(fs::symlink_metadata(&file).is_ok());
        fs::remove_file(&file).unwrap();
    };
    let backing = Backing::new().with("d/kept", b"x");
    let remembered = lookups(&backing, &["--exclusive"], look);
    assert!(remembered < 8, "{remembered}");
    assert!(lookups(&backing, &[], look) >= 20);
}

fn rule(fault: &str, when: &str) -> String {
    format!(
        "[[rule]]\nname = \"lists\"\nselect = {{ path = \"**\", ops = [\"readdir\"] }}\n{when}\n\
         [rule.fault.{fault}\n"
    )
}

#[test]
fn rules_about_listing_see_every_listing_also_where_the_kernel_remembers() {
    require_fuse!();
    let backing = Backing::new().with("d/a", b"x");
    let text = rule("error]\nerrno = \"EIO\"", "when = { nth = 5 }");
    let mount = Mount::new(backing.path()).scenario(&text).seed(1).args(["--exclusive"]).start();
    let fails = |_| fs::read_dir(mount.join("d")).unwrap().any(|entry| entry.is_err());
    // One for the entry, one for the end.
    assert_eq!((0..4).map(fails).collect::<Vec<_>>(), [false, false, true, false]);
}

#[test]
fn entries_are_told_wrong_and_files_are_what_they_are() {
    require_fuse!();
    let backing = Backing::new().with("d/a", b"x").with("d/sub/inner", b"y");
    let text = rule("metadata]\nentry = \"mistyped\"", "");
    let mount = Mount::new(backing.path()).scenario(&text).seed(1).args(["--exclusive"]).start();
    for _ in 0..3 {
        for entry in fs::read_dir(mount.join("d")).unwrap().map(Result::unwrap) {
            assert_eq!(entry.file_type().unwrap().is_dir(), entry.file_name() == "a");
            let path = mount.join("d").join(entry.file_name());
            assert_eq!(fs::metadata(path).unwrap().is_dir(), entry.file_name() == "sub");
        }
        assert_eq!(fs::read(mount.join("d/sub/inner")).unwrap(), b"y");
        assert_eq!(fs::read(mount.join("d/a")).unwrap(), b"x");
    }
}

#[test]
fn a_rule_about_listing_that_is_armed_later_holds_for_what_the_kernel_remembers() {
    require_fuse!();
    let backing = Backing::new().with("d/a", b"x");
    let text = rule("error]\nerrno = \"EIO\"", "");
    let arguments = ["--exclusive", "--disarmed"];
    let mount = Mount::new(backing.path()).scenario(&text).seed(1).args(arguments).start();
    let fails = || fs::read_dir(mount.join("d")).unwrap().any(|entry| entry.is_err());
    let change = |verb| drop(Program::errorfs(verb).arg("--on").arg(mount.path()).succeed());
    for _ in 0..2 {
        assert!(!fails() && !fails());
        change("arm");
        assert!(fails() && fails());
        change("disarm");
    }
}
