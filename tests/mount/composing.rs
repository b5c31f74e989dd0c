//! Rules that come and go, wait for each other, and are the same on several mounts.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use crate::support::*;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_cycle_fails_reads_and_lets_them_be_in_turn() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 4096);
    let mount = Mount::new(backing.path()).scenario(
        "[[rule]]\nname = \"r\"\nselect = { ops = [\"read\"] }\n\
         when = { cycle = { on = \"300ms\", off = \"300ms\" } }\nfault = { error = { errno = \"EIO\" } }\n",
    );
    let mount = mount.start();
    let file = File::open(mount.join("file")).unwrap();
    let fails = || file.read_at(&mut [0; 1], 0).is_err();
    for _ in 0..2 {
        wait_until("it fails", SOON, fails);
        wait_until("it does not", SOON, || !fails());
    }
}

const AFTER: &str = "[[rule]]\nname = \"damage\"\nwhen = { after_event = \"first-error\" }\n\
    fault = { bit_flip = { at = [{ byte = 0, bit = 0 }] } }\n\
    [[rule]]\nname = \"first-error\"\nselect = { ops = [\"write\"] }\nwhen = { nth = 2 }\n\
    fault = { error = { errno = \"EIO\" } }\n";

/// "A rule has fired with the first operation that it did something to; what comes after that one
/// is in time for `after_event`."
#[test]
fn a_rule_waits_for_the_event_of_another() {
    require_fuse!();
    let backing = Backing::new().with("file", &[0; 4096]).with("other", &[0; 10]);
    let mount = Mount::new(backing.path()).scenario(AFTER).start();
    let first = || fs::read(mount.join("file")).unwrap()[0];
    let write = || write_at(&mount.join("other"), 5, b"x");
    assert_eq!(first(), 0);
    write().unwrap();
    assert_eq!(first(), 0, "the other rule looked, and did not fire");
    write().unwrap_err();
    assert_eq!(first(), 1);
    let rules: Vec<_> = mount.delivered().into_iter().map(|event| event.rule).collect();
    assert_eq!(rules, ["first-error", "damage"]);
}

#[test]
fn a_replay_waits_for_what_is_made_of_the_other_rule() {
    require_fuse!();
    let backing = Backing::new().with("file", &[0; 4096]).with("other", &[0; 10]);
    let exercise = |mount: &Mount| {
        let read = || fs::read(mount.join("file")).unwrap()[0];
        let write = || write_at(&mount.join("other"), 5, b"x").is_ok();
        [read(), u8::from(write()), read(), u8::from(write()), read()]
    };
    let mut mount = Mount::new(backing.path()).scenario(AFTER).start();
    let seen = exercise(&mount);
    mount.stop();
    assert_eq!(seen, [0, 1, 0, 0, 1]);
    let again = Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout;
    let again = again.replace("version = 1\n", "");
    assert_eq!(exercise(&Mount::new(backing.path()).scenario(&again).start()), seen, "{again}");
}

#[test]
fn mounts_of_one_domain_have_the_same_damage_and_others_do_not() {
    require_fuse!();
    let backing = Backing::new().with("file", &[0; 1 << 20]);
    let damaged = |domain: &str, id: &str| {
        let rule =
            format!("[[rule]]\nname = \"r\"\n{domain}fault = {{ bit_flip = {{ rate = 1e-5 }} }}\n");
        let mount = Mount::new(backing.path()).scenario(&rule).seed(5).args(["--id", id]).start();
        let bytes = fs::read(mount.join("file")).unwrap();
        let ids: Vec<_> =
            mount.delivered().into_iter().flat_map(|e| e.bits).map(|bit| bit.id).collect();
        (differing_bits(&bytes, &[0; 1 << 20]), ids)
    };
    let shared = "domain = \"controller\"\n";
    assert!(damaged(shared, "node-1") == damaged(shared, "node-2"));
    assert!(damaged("", "node-1") != damaged("", "node-2"));
    assert!(damaged("", "node-1").0 != damaged(shared, "node-1").0);
    assert!(damaged("", "controller").0 == damaged(shared, "node-1").0, "a domain is a name");
}
