//! What happens to whoever is there when the power goes, and after.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Machine;
use crate::support::*;

fn errno<T>(result: std::io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

const EIO: Option<i32> = Some(5);

/// "All that is open then fails with EIO for good; what is opened from then on works, as after a
/// reboot."
#[test]
fn what_was_open_stays_dead_and_the_mount_goes_on() {
    require_fuse!();
    let machine = Machine::new(Backing::new().with("d/file", &[1; 100]), "");
    let mut file = File::options().read(true).write(true).open(machine.join("d/file")).unwrap();
    let directory = File::open(machine.join("d")).unwrap();
    machine.cut();
    assert_eq!(errno(file.read(&mut [0; 10])), EIO);
    assert_eq!(errno(file.write_at(&[0; 10], 0)), EIO);
    assert_eq!(
        [errno(file.sync_all()), errno(file.set_len(7)), errno(directory.sync_all())],
        [EIO; 3]
    );
    assert_eq!(machine.read("d/file"), [1; 100]);
    fs::write(machine.join("d/file"), b"again").unwrap();
    assert_eq!(
        (machine.read("d/file"), machine.names("d")),
        (b"again".to_vec(), vec!["file".into()])
    );
    drop(file);
    let told = machine.mount.delivered();
    let of_file = told.iter().filter(|event| event.path == "d/file" && event.errno.is_some());
    let ops: Vec<_> = of_file.map(|event| &*event.op).collect();
    assert!(["read", "write", "fsync", "setattr"].iter().all(|op| ops.contains(op)), "{ops:?}");
}

/// "`then = "off"`: everything fails from then on."
#[test]
fn the_power_may_stay_off() {
    require_fuse!();
    let mut machine = Machine::new(Backing::new().with("file", b"x"), "then = \"off\"\n");
    fs::write(machine.join("lost"), b"y").unwrap();
    machine.cut();
    assert_eq!(errno(fs::read(machine.join("file"))), EIO);
    assert_eq!(errno(fs::write(machine.join("new"), b"y")), EIO);
    machine.heal().expect_status(0);
}

/// The operation that the power goes at is not done. "The operation at which the power goes is not
/// done: it fails with EIO." "One at which the power goes fails."
#[test]
fn an_fsync_at_which_the_power_goes_persists_nothing() {
    require_fuse!();
    let backing = Backing::new().with("file", &[1; 10_000]);
    let state = tempfile::tempdir().unwrap();
    let rule = "[[rule]]\nname = \"power\"\nselect = { ops = [\"fsync\"] }\nwhen = { nth = 2 }\n\
        [rule.fault.power_cut]\nunsynced = \"old\"\n";
    let setup = Mount::new(backing.path()).scenario(rule).seed(1);
    let setup = setup.args(["--allow-damage", "--state"]).args([state.path().join("state")]);
    let mut mount = setup.start();
    let file = File::options().write(true).open(mount.join("file")).unwrap();
    file.write_all_at(&[2; 10_000], 0).unwrap();
    file.sync_all().unwrap();
    file.write_all_at(&[3; 10_000], 0).unwrap();
    assert_eq!(errno(file.sync_all()), EIO);
    assert!(fs::read(backing.join("file")).unwrap() == [2; 10_000]);
    assert!(fs::read(mount.join("file")).unwrap() == [2; 10_000]);
    mount.stop();
}

/// Many threads at work when the power goes: all is consistent, and all of it comes back.
#[test]
fn a_cut_among_many_writers_is_undone() {
    require_fuse!();
    let mut machine = Machine::new(Backing::new(), "torn = 0.2\nnames = \"strict\"\n");
    let root = machine.mount.path().to_path_buf();
    let done = &AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let root = &root;
            scope.spawn(move || {
                for number in 0..200 {
                    let path = root.join(format!("{thread}-{}", number % 7));
                    let _ = fs::write(&path, vec![number as u8; 5_000]);
                    let _ = fs::rename(&path, root.join(format!("{thread}-{}-x", number % 3)));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let half = || done.load(Ordering::Relaxed) >= 300;
        wait_until("half of it", Duration::from_secs(60), half);
        machine.cut();
    });
    let seen = tree_hash(machine.mount.path());
    assert_eq!(seen, tree_hash(machine.backing.path()));
    let healed = machine.heal();
    assert!([Some(0), Some(1)].contains(&healed.status.code()), "{healed}");
}

/// "What does not fit is taken to be written back": of what is overwritten; what is appended needs no
/// room.
#[test]
fn without_room_what_is_overwritten_is_taken_to_be_written_back() {
    require_fuse!();
    let state = tempfile::tempdir().unwrap();
    let backing = Backing::new().with("file", &[1; 5_000]);
    let rule = "[[rule]]\nname = \"power\"\nselect = { path = \"CUT\" }\nwhen = { every = 1 }\n\
        [rule.fault.power_cut]\nunsynced = \"old\"\n";
    let setup = Mount::new(backing.path()).scenario(rule).seed(1);
    let setup = setup.args(["--keep-max", "0", "--allow-damage", "--state"]);
    let mut mount = setup.args([state.path().join("state")]).start();
    write_at(&mount.join("file"), 4_000, &[7; 5_000]).unwrap();
    assert_eq!(errno(fs::symlink_metadata(mount.join("CUT"))), EIO);
    let mut wanted = vec![1; 4_000];
    wanted.resize(5_000, 7);
    assert!(fs::read(mount.join("file")).unwrap() == wanted);
    mount.stop();
}

/// "`errorfs replay` cuts at the same operations; what is drawn, it draws anew, and says so."
#[test]
fn a_replay_cuts_at_the_same_operations() {
    require_fuse!();
    let state = tempfile::tempdir().unwrap();
    let rule = |model: &str| {
        format!(
            "[[rule]]\nname = \"power\"\nselect = {{ ops = [\"write\"] }}\n\
             when = {{ probability = 0.2 }}\n[rule.fault.power_cut]\n{model}"
        )
    };
    let run = |text: &str, state: &std::path::Path| {
        let backing = Backing::new();
        let setup = Mount::new(backing.path()).scenario(text).seed(3);
        let mut mount = setup.args(["--allow-damage", "--state"]).args([state]).start();
        let lost: Vec<bool> =
            (0..40).map(|n| fs::write(mount.join(&format!("{n}")), b"x").is_err()).collect();
        mount.stop();
        (lost, mount)
    };
    let (first, mount) = run(&rule("unsynced = \"old\"\n"), &state.path().join("1"));
    assert!(first.contains(&true) && first.contains(&false));
    let replay = Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout;
    let (second, _) = run(&replay.replacen("version = 1\n", "", 1), &state.path().join("2"));
    assert_eq!(first, second);
    let (_, mount) = run(&rule("lies = 0.1\n"), &state.path().join("3"));
    let replay = Program::errorfs("replay").arg(mount.ledger_file()).run();
    replay.expect_status(1).expect_said("is drawn anew");
}
