//! `errorfs heal`: gives back what a fault replaced, and nothing else.

use std::fs;

use super::Kept;
use crate::support::*;

/// Every write is damaged in a whole block.
const ZEROS: &str = "[[rule]]\nname = \"zeros\"\n[rule.fault.corrupt]\ncontent = \"zero\"\n\
    count = 1\nregion = \"4KiB\"\non = \"write\"\n";

fn file() -> Kept {
    Kept::new(Backing::new().with("file", &[1; 8_192]))
}

fn stored(kept: &Kept) -> Vec<u8> {
    fs::read(kept.backing.join("file")).unwrap()
}

/// "What programs have overwritten since is theirs and stays", whatever they wrote there. "What
/// programs have overwritten since is theirs and stays." "While the mount lasts, what programs
/// overwrite is seen however a file is opened."
#[test]
fn what_programs_have_overwritten_since_stays_theirs() {
    require_fuse!();
    let kept = file();
    let mut mount = kept.mount(&ZEROS.replace("count = 1", "at = [{ byte = 0 }]"));
    write_at(&mount.join("file"), 0, &[7; 4_096]).unwrap();
    assert!(stored(&kept)[..4_096] == [0; 4_096]);
    mount.stop();
    // The next mount has no such rule, and sees what is overwritten all the same.
    let mut mount = kept.mount("[[rule]]\nname = \"n\"\n[rule.fault.error]\nerrno = \"EIO\"\n[rule.select]\npath = \"other\"\n");
    write_at(&mount.join("file"), 100, &[0; 50]).unwrap();
    write_at(&mount.join("file"), 200, &[3; 50]).unwrap();
    mount.stop();
    kept.heal().expect_status(0).expect_said("3996 bytes healed");
    let mut wanted = vec![1; 8_192];
    wanted[..4_096].fill(7);
    wanted[100..150].fill(0);
    wanted[200..250].fill(3);
    assert!(stored(&kept) == wanted);
}

/// "`heal` can be killed and started again; once all is healed it does nothing." "`--dry-run` says
/// what it would do."
#[test]
fn healing_again_does_nothing_and_a_dry_run_changes_nothing() {
    require_fuse!();
    let kept = file();
    let mut mount = kept.mount(ZEROS);
    write_at(&mount.join("file"), 0, &[7; 8_192]).unwrap();
    mount.stop();
    let damaged = tree_hash(kept.backing.path());
    let dry = Program::errorfs("heal").arg("--dry-run").arg(kept.state()).succeed();
    dry.expect_said("4096 bytes would be healed");
    assert_eq!(tree_hash(kept.backing.path()), damaged);
    kept.heal().expect_status(0).expect_said("4096 bytes healed");
    assert!(stored(&kept) == [7; 8_192]);
    write_at(&kept.backing.join("file"), 0, &[0; 8_192]).unwrap();
    kept.heal().expect_status(0).expect_said("nothing to heal");
    assert!(stored(&kept) == [0; 8_192]);
}

#[test]
fn a_heal_is_refused_while_the_mount_lives_and_without_a_state() {
    require_fuse!();
    let kept = file();
    let mut mount = kept.mount(ZEROS);
    write_at(&mount.join("file"), 0, &[7; 8_192]).unwrap();
    kept.heal().expect_status(75).expect_said("is in use by a mount");
    mount.stop();
    kept.heal().expect_status(0);
    Program::errorfs("heal")
        .arg(kept.backing.path())
        .run()
        .expect_status(2)
        .expect_said("no state directory");
}

/// A file that was renamed is found, one that is gone takes its damage with it, and another under
/// its name is left alone.
#[test]
fn a_renamed_file_is_found_and_a_removed_one_is_not_missed() {
    require_fuse!();
    let kept = file();
    let mut mount = kept.mount(ZEROS);
    write_at(&mount.join("file"), 0, &[7; 4_096]).unwrap();
    fs::write(mount.join("gone"), [8; 4_096]).unwrap();
    fs::create_dir(mount.join("d")).unwrap();
    fs::rename(mount.join("file"), mount.join("d/moved")).unwrap();
    mount.stop();
    fs::remove_file(kept.backing.join("gone")).unwrap();
    fs::write(kept.backing.join("file"), [0; 4_096]).unwrap();
    fs::write(kept.backing.join("gone"), [0; 4_096]).unwrap();
    kept.heal().expect_status(0).expect_said("4096 bytes healed");
    assert!(fs::read(kept.backing.join("d/moved")).unwrap()[..4_096] == [7; 4_096]);
    assert!(
        stored(&kept) == [0; 4_096] && fs::read(kept.backing.join("gone")).unwrap() == [0; 4_096]
    );
}

/// "A journal that is damaged itself is told: `heal` undoes what the rest of it says, ends with 1 and
/// leaves the journal as it is, and no mount goes on with it."
#[test]
fn a_damaged_journal_is_told_and_the_rest_of_it_is_undone() {
    require_fuse!();
    let kept = file();
    let mut mount = kept.mount(&ZEROS.replace("count = 1", "rate = 1.0"));
    write_at(&mount.join("file"), 0, &[7; 4_096]).unwrap();
    write_at(&mount.join("file"), 4_096, &[8; 4_096]).unwrap();
    mount.stop();
    assert!(stored(&kept) == [0; 8_192]);
    let undo = kept.state().join("undo");
    let whole = fs::read(&undo).unwrap();
    let mut bytes = whole.clone();
    bytes[whole.iter().position(|byte| *byte == b'{').unwrap() + 3] ^= 1;
    fs::write(&undo, &bytes).unwrap();
    let told = kept.heal().expect_status(1).expect_said("4096 bytes healed");
    assert!(told.stderr.contains("of the journal are damaged"), "{told}");
    assert!(stored(&kept)[..4_096] == [0; 4_096] && stored(&kept)[4_096..] == [8; 4_096]);
    assert!(fs::read(&undo).unwrap() == bytes, "the journal is changed");
    let (mount, mountpoint) = (Program::errorfs("mount").args(["--state"]), Backing::new());
    let mount = mount.arg(kept.state()).arg(kept.backing.path());
    mount.arg(mountpoint.path()).run().expect_said("errorfs heal");
    fs::write(&undo, &whole).unwrap();
    kept.heal().expect_status(0).expect_said("4096 bytes healed");
    assert!(stored(&kept)[..4_096] == [7; 4_096]);
    for empty in ["", "errorfs"] {
        fs::write(&undo, empty).unwrap();
        kept.heal().expect_status(3).expect_said("does not begin with");
    }
}

/// "Only the user who mounted can read or write what is in the state directory."
#[test]
fn the_files_of_a_state_directory_are_the_mounters_alone() {
    require_fuse!();
    let kept = file();
    fs::create_dir(kept.state()).unwrap();
    let mut mount = kept.mount(ZEROS);
    write_at(&mount.join("file"), 0, &[7; 8_192]).unwrap();
    mount.stop();
    use std::os::unix::fs::PermissionsExt as _;
    for entry in fs::read_dir(kept.state()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} has mode {mode:o}", entry.path());
    }
    fs::set_permissions(kept.state(), fs::Permissions::from_mode(0o777)).unwrap();
    let (mount, mountpoint) = (Program::errorfs("mount").args(["--state"]), Backing::new());
    let mount = mount.arg(kept.state()).arg(kept.backing.path());
    mount.arg(mountpoint.path()).run().expect_said("everybody can write into");
}

/// "Where the state directory cannot be written any more, nothing more is damaged, which is told once."
#[test]
fn a_full_state_directory_ends_damage_and_is_told_once() {
    require_fuse!();
    require_root!();
    let (kept, disk) = (Kept::new(Backing::new().with("file", &[1; 1 << 20])), Small::new(262_144));
    let state = disk.path().join("state");
    let rule = ZEROS.replace("count = 1", "rate = 1.0");
    let setup = Mount::new(kept.backing.path()).scenario(&rule).seed(1);
    let mut mount = setup.args(["--allow-damage", "--state"]).args([&state]).start();
    for block in 0..256 {
        write_at(&mount.join("file"), block * 4_096, &[7; 4_096]).unwrap();
    }
    let bytes = stored(&kept);
    assert!(bytes[..4_096] == [0; 4_096], "the first is damaged");
    assert!(bytes[bytes.len() - 4_096..] == [7; 4_096], "the last is not");
    mount.stop();
    let told = mount.said();
    assert_eq!(told.matches("state directory").count(), 1, "{told}");
    Program::errorfs("heal").arg(&state).run().expect_status(0);
    assert!(stored(&kept) == [7; 1 << 20]);
}
