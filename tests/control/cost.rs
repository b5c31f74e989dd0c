//! What it costs that a mount can be asked, while nobody does: in instructions, counted by valgrind, as
//! times say little on a machine that does other things as well.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::*;

/// So many reads: `ERRORFS_COST_READS`, or four thousand.
fn reads() -> u64 {
    std::env::var("ERRORFS_COST_READS").map_or(4_000, |text| text.parse().unwrap())
}

/// Reads that are part of starting: whatever is done once is done by then.
const FEW: u64 = 500;

/// A process that does not outlive the test; what it mounted its guard takes away.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Instructions of a whole mount with so many reads.
fn instructions(arguments: &[&str], reads: u64) -> f64 {
    let (backing, place, files) = (zeros(), Backing::new(), Backing::new());
    let said = File::create(files.join("said")).unwrap();
    let mut mount = Command::new("valgrind");
    mount.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    mount.args([ERRORFS, "mount", "--direct"]).args(arguments);
    mount.arg(backing.path()).arg(place.path()).stdout(Stdio::null()).stderr(said);
    let mut mount = Ends(mount.spawn().expect("valgrind is there (scripts/setup)"));
    wait_until("it is mounted", 6 * LONG, || {
        assert!(mount.0.try_wait().unwrap().is_none(), "it ended");
        place.join("file").exists()
    });
    let file = File::open(place.join("file")).unwrap();
    let mut page = [0; 4096];
    for number in 0..reads {
        file.read_exact_at(&mut page, number % 4 * 4096).unwrap();
    }
    drop(file);
    kill_process(Pid::from_raw(mount.0.id() as i32).unwrap(), Signal::TERM).unwrap();
    let ended = wait_or_kill(&mut mount.0, 6 * LONG);
    let said = std::fs::read_to_string(files.join("said")).unwrap();
    let counted = said.lines().find_map(|line| Some(line.split_once("refs:")?.1));
    let counted = counted.filter(|_| ended.success()).unwrap_or_else(|| panic!("{said}"));
    counted.trim().replace(',', "").parse().unwrap()
}

/// Instructions of one read.
fn of_a_read(arguments: &[&str]) -> f64 {
    (instructions(arguments, FEW + reads()) - instructions(arguments, FEW)) / reads() as f64
}

/// Threads wake each other as it happens, so that two counts are never quite the same.
#[test]
fn a_mount_that_can_be_asked_and_is_not_costs_no_more_than_one_that_cannot() {
    require_fuse!();
    let (without, with) = (of_a_read(&["--no-control"]), of_a_read(&[]));
    println!("instructions of a read: {with:.0} where it can be asked, {without:.0} where not");
    let most = if reads() >= 50_000 { 1.01 } else { 1.05 };
    assert!(with <= without * most, "{with} instructions, and {without} without control");
}
