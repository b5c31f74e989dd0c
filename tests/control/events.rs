//! The ledger as a stream.

use super::*;

#[test]
fn events_come_from_a_number_on_and_of_one_rule() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(&format!("{ROT}{FAILS}")).seed(1).start();
    for _ in 0..4 {
        let _ = read_at(&mount.join("other"), 0, 1);
    }
    assert_eq!(rotten(&mount), 1);
    let api = Api::of(&mount);
    let seqs = |options: &str| -> Vec<u64> {
        let reply = api.ask("GET", &format!("/v1/events{options}"), None);
        let lines = String::from_utf8(reply.body).unwrap();
        let seq =
            |line: &str| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap();
        lines.lines().map(seq).collect()
    };
    assert_eq!(seqs(""), [1, 2, 3]);
    assert_eq!(seqs("?after=1"), [2, 3]);
    assert_eq!(seqs("?rule=rot"), [3]);
    assert!(seqs("?after=1&rule=nobody").is_empty());
    mount.stop();
}

/// Without a scenario there is no ledger; it begins with the first plan.
#[test]
fn a_mount_without_a_scenario_has_its_ledger_from_the_first_plan_on() {
    require_fuse!();
    let (backing, state) = (zeros(), Backing::new());
    let ledger = state.join("ledger");
    let mut mount = Mount::new(backing.path())
        .args(["--ledger".into(), ledger.clone().into_os_string()])
        .start();
    assert!(Api::of(&mount).load(ROT).is_done());
    assert_eq!(rotten(&mount), 1);
    mount.stop();
    let read = errorfs::ledger::read(&ledger).unwrap();
    assert_eq!(read.events.last().unwrap().rule, "rot");
}

/// The path of the ledger is its owner's: what was recorded is told wherever it is by now.
#[test]
fn events_are_told_also_when_the_ledger_has_been_moved_away() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(1).start();
    assert_eq!(rotten(&mount), 1);
    let moved = mount.ledger_file().with_extension("moved");
    std::fs::rename(mount.ledger_file(), &moved).unwrap();
    std::fs::write(mount.ledger_file(), b"no ledger\n{}\n").unwrap();
    let told = Program::errorfs("events").arg(mount.path()).succeed();
    told.expect_said("rot bit_flip delivered");
    std::fs::rename(&moved, mount.ledger_file()).unwrap();
    mount.stop();
}
