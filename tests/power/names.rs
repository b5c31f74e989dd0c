//! Names at a power cut.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::Machine;
use crate::support::*;

/// Writes a file as careful programs do: aside, synced, renamed into place.
fn replace(machine: &Machine, name: &str, bytes: &[u8]) {
    let aside = machine.join(&format!("{name}.tmp"));
    let mut file = File::create(&aside).unwrap();
    file.write_all(bytes).unwrap();
    file.sync_all().unwrap();
    fs::rename(aside, machine.join(name)).unwrap();
}

/// "`strict`: a name lives if its directory was synced after it": a program that renames without an
/// fsync of the directory loses, and one that syncs it does not. "**strict**: a name lives if its
/// directory was synced after it, and no change of a name lasts otherwise; a rename rests on the
/// directory that it leads to."
#[test]
fn a_rename_without_a_sync_of_the_directory_is_lost_and_with_it_is_not() {
    require_fuse!();
    let backing = Backing::new().with("file", b"old");
    let mut machine = Machine::new(backing, "unsynced = \"old\"\nnames = \"strict\"\n");
    replace(&machine, "file", b"new");
    machine.cut();
    assert_eq!((machine.read("file"), machine.names("")), (b"old".to_vec(), vec!["file".into()]));
    replace(&machine, "file", b"newer");
    machine.sync("");
    machine.cut();
    assert_eq!(machine.read("file"), b"newer");
    machine.heal().expect_status(1); // The name of the first one is taken by now.
}

/// "fsync of a new file does not make its name last" in `strict`, and does in `ordered`. "fsync of
/// a new file does not make its name last." "**ordered**: changes of names last in their order: all
/// that come before any fsync, of whatever file, as the journals of ext4 and XFS write them."
/// "fsync of a new file makes its name last."
#[test]
fn a_new_file_that_is_synced_has_its_name_in_one_model_and_not_in_the_other() {
    require_fuse!();
    for (model, there) in [("strict", false), ("ordered", true)] {
        let machine =
            Machine::new(Backing::new(), &format!("unsynced = \"old\"\nnames = \"{model}\"\n"));
        fs::write(machine.join("first"), b"bytes").unwrap();
        fs::write(machine.join("second"), b"bytes").unwrap();
        machine.sync("second");
        fs::write(machine.join("third"), b"bytes").unwrap();
        machine.cut();
        let wanted: &[&str] = if there { &["first", "second"] } else { &[] };
        assert_eq!(machine.names(""), wanted, "{model}");
        if there {
            assert_eq!(machine.read("first"), b"", "a journal has the name and not the bytes");
            assert_eq!(machine.read("second"), b"bytes");
        }
    }
}

/// All kinds of changes of names.
fn change(root: &Path) {
    fs::create_dir(root.join("made")).unwrap();
    fs::write(root.join("made/inside"), b"1").unwrap();
    symlink("nowhere", root.join("made/link")).unwrap();
    fs::hard_link(root.join("a"), root.join("made/hard")).unwrap();
    fs::remove_file(root.join("b")).unwrap();
    fs::remove_file(root.join("link")).unwrap();
    fs::remove_dir(root.join("empty")).unwrap();
    fs::rename(root.join("c"), root.join("a")).unwrap();
    fs::rename(root.join("full"), root.join("made/full")).unwrap();
    fs::write(root.join("made/full/new"), b"2").unwrap();
    fs::write(root.join("b"), b"another").unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("fifo"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
}

fn prepared() -> Backing {
    let backing = Backing::new().with("a", b"aa").with("b", b"bb").with("c", b"cc");
    let backing = backing.with("full/x", b"xx");
    fs::create_dir(backing.join("empty")).unwrap();
    symlink("target", backing.join("link")).unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(backing.join("b"), "user.k", b"v", flags).unwrap();
    backing
}

/// Every kind of change is undone, and redone by `heal`: the trees are the same to the last
/// attribute. On another filesystem the state directory holds copies. "**Names.** Creating,
/// linking, removing and renaming change names of files and directories."
#[test]
fn every_change_of_a_name_is_lost_and_given_back() {
    require_fuse!();
    for (place, model) in [("", "strict"), ("/dev/shm", "strict"), ("", "ordered")] {
        let state = match place {
            "" => tempfile::tempdir().unwrap(),
            place => tempfile::tempdir_in(place).unwrap(),
        };
        let model = format!("unsynced = \"old\"\nnames = \"{model}\"\n");
        let mut machine = Machine::with_state(prepared(), &model, state);
        let before = tree_hash(machine.backing.path());
        let times: Vec<_> = [".", "full"]
            .map(|name| fs::metadata(machine.backing.join(name)).unwrap().modified().unwrap())
            .into();
        change(machine.mount.path());
        let uncut = tree_hash(machine.backing.path());
        machine.cut();
        // What a cut leaves has the times of the last change before it.
        for (name, time) in [".", "full"].iter().zip(times) {
            File::open(machine.backing.join(name)).unwrap().set_modified(time).unwrap();
        }
        assert_eq!(tree_hash(machine.backing.path()), before, "{place} {model}");
        machine.heal().expect_status(0);
        let _ = &uncut;
    }
}

/// The same, healed at once: exactly the tree that there was before the cut.
#[test]
fn heal_gives_back_the_names_that_the_cut_took() {
    require_fuse!();
    for place in ["/tmp", "/dev/shm"] {
        let state = tempfile::tempdir_in(place).unwrap();
        let model = "unsynced = \"old\"\nnames = \"strict\"\n";
        let mut machine = Machine::with_state(prepared(), model, state);
        change(machine.mount.path());
        let uncut = tree_hash(machine.backing.path());
        machine.cut();
        assert_ne!(tree_hash(machine.backing.path()), uncut);
        machine.heal().expect_status(0);
        assert_eq!(tree_hash(machine.backing.path()), uncut, "{place}");
    }
}

/// "What lasts may have been built upon what does not": a file that was moved on lasts where it is.
/// "A directory without a name takes all with it." "What lasts may have been built upon what does
/// not: a file that was moved on lasts where it is."
#[test]
fn a_name_that_was_synced_elsewhere_stays() {
    require_fuse!();
    let backing = Backing::new().with("x/a", b"a").with("y/b", b"b");
    let machine = Machine::new(backing, "unsynced = \"old\"\nnames = \"strict\"\n");
    fs::rename(machine.join("x/a"), machine.join("moving")).unwrap();
    fs::rename(machine.join("moving"), machine.join("y/a")).unwrap();
    machine.sync("y");
    fs::create_dir(machine.join("new")).unwrap();
    fs::write(machine.join("new/file"), b"1").unwrap();
    machine.sync("new");
    machine.cut();
    assert_eq!((machine.names("x"), machine.names("y")), (vec![], vec!["a".into(), "b".into()]));
    assert_eq!(machine.names(""), ["x", "y"], "a directory without a name takes all with it");
}

/// "The ledger has one line for each file that lost bytes and each name that did not last, with the
/// `op` `power_cut`, and one for each operation that failed."
#[test]
fn the_ledger_says_which_names_did_not_last() {
    require_fuse!();
    let backing = Backing::new().with("a", b"a").with("b", b"b");
    let machine = Machine::new(backing, "unsynced = \"old\"\nnames = \"strict\"\n");
    fs::rename(machine.join("a"), machine.join("c")).unwrap();
    fs::remove_file(machine.join("b")).unwrap();
    machine.cut();
    let events = machine.mount.delivered();
    let told = events.iter().filter(|event| event.op == "power_cut");
    let told: Vec<_> =
        told.map(|e| (e.undone.as_deref().unwrap(), &*e.path, e.to.as_deref())).collect();
    assert_eq!(told, [("unlink", "b", None), ("rename", "a", Some("c"))]);
}

/// "A file that was removed and is there again has another inode number." "Two names that are
/// exchanged are so at once. Modes, owners, attributes and times of files stay as they are." "Two
/// names that are exchanged (`RENAME_EXCHANGE`) are so at once." "Modes, owners, attributes and
/// times of files stay as they are."
#[test]
fn what_a_cut_does_not_take_back() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    require_fuse!();
    let backing = Backing::new().with("a", b"a").with("b", b"b").with("gone", b"g");
    let machine = Machine::new(backing, "unsynced = \"old\"\nnames = \"strict\"\n");
    let inode = fs::metadata(machine.join("gone")).unwrap().ino();
    fs::remove_file(machine.join("gone")).unwrap();
    let flags = rustix::fs::RenameFlags::EXCHANGE;
    let (a, b) = (machine.join("a"), machine.join("b"));
    rustix::fs::renameat_with(rustix::fs::CWD, &a, rustix::fs::CWD, &b, flags).unwrap();
    fs::set_permissions(&a, fs::Permissions::from_mode(0o640)).unwrap();
    File::options().write(true).open(&a).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    machine.cut();
    assert_eq!((machine.read("a"), machine.read("b")), (b"b".to_vec(), b"a".to_vec()));
    let after = fs::metadata(machine.join("a")).unwrap();
    assert_eq!(after.mode() & 0o7777, 0o640);
    assert_eq!(after.modified().unwrap(), std::time::UNIX_EPOCH);
    assert_eq!(machine.read("gone"), b"g");
    assert_ne!(fs::metadata(machine.join("gone")).unwrap().ino(), inode);
}
