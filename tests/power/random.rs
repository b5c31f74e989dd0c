//! Random operations, then the power goes: `heal` gives back the exact tree that there was.

use std::fs;

use super::Machine;
use crate::damage::operate;
use crate::support::*;

/// "What is lost is lost really, of the whole mount, in the backing directory: it takes
/// `--allow-damage` and `--state`, and `errorfs heal` gives back the exact tree that there was."
#[test]
fn after_random_operations_and_a_cut_heal_gives_back_the_exact_tree() {
    require_fuse!();
    for (seed, place, model) in [
        (1, "/tmp", "torn = 0.3\nnames = \"strict\"\n"),
        (2, "/tmp", "names = \"ordered\"\n"),
        (3, "/dev/shm", "torn = 0.3\nnames = \"strict\"\n"),
        (4, "/tmp", "unsynced = \"old\"\nnames = \"strict\"\n"),
    ] {
        let state = tempfile::tempdir_in(place).unwrap();
        let backing = Backing::new().with("d/f1", &[1; 10_000]).with("f2", &[2; 10_000]);
        let mut machine = Machine::with_state(backing, model, state);
        for (number, step) in noise(seed, 8 * 300).chunks(8).enumerate() {
            let _ = operate(machine.mount.path(), step);
            match number % 20 {
                5 => machine.sync("d"),
                11 => drop(fs::File::open(machine.join("f2")).map(|file| file.sync_all())),
                _ => {}
            }
        }
        let uncut = tree_hash(machine.backing.path());
        machine.cut();
        assert_ne!(tree_hash(machine.backing.path()), uncut, "{seed}: nothing was lost");
        machine.heal().expect_status(0);
        assert_eq!(tree_hash(machine.backing.path()), uncut, "{seed}");
    }
}
