//! What it costs that a mount can be asked, while nobody does.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::*;

/// So often the two mounts take turns: `ERRORFS_COST_ROUNDS`, or five times.
fn rounds() -> usize {
    std::env::var("ERRORFS_COST_ROUNDS").map_or(5, |text| text.parse().unwrap())
}

/// Reads of one round.
const READS: u64 = 20_000;

/// The time on processors that errorfs took so far, in nanoseconds.
fn taken(mount: &Mount) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", mount.pid())).unwrap();
    let of = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0)
    };
    tasks.flatten().map(|task| of(task.path())).sum()
}

/// Processor time of errorfs for one read, in nanoseconds.
fn round(mount: &Mount, file: &File) -> f64 {
    let before = taken(mount);
    let mut page = [0; 4096];
    for number in 0..READS {
        file.read_exact_at(&mut page, number % 4 * 4096).unwrap();
    }
    (taken(mount) - before) as f64 / READS as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Turn by turn, so that whatever else the machine does is done to both; by the median of the ratios.
/// The short form says that nothing is grossly wrong, the long one (`scripts/control-load`) that it is
/// within one in a hundred.
#[test]
fn a_mount_that_can_be_asked_and_is_not_costs_no_more_than_one_that_cannot() {
    require_fuse!();
    let backing = zeros();
    let mount = || Mount::new(backing.path()).args(["--direct"]);
    let (mut mute, mut asked) = (mount().args(["--no-control"]).start(), mount().start());
    let open = |mount: &Mount| File::open(mount.join("file")).unwrap();
    let (one, other) = (open(&mute), open(&asked));
    let mut ratios = Vec::new();
    for number in 0..rounds() + 1 {
        // Who is first changes, and the first round only warms up.
        let (without, with) = match number % 2 {
            0 => (round(&mute, &one), round(&asked, &other)),
            _ => {
                let with = round(&asked, &other);
                (round(&mute, &one), with)
            }
        };
        if number > 0 {
            ratios.push(with / without);
        }
    }
    let most = if rounds() >= 40 { 1.01 } else { 1.25 };
    let ratio = median(ratios);
    println!("a mount that can be asked takes {ratio:.4} times what one takes that cannot");
    assert!(ratio <= most, "{ratio} times");
    drop((one, other));
    mute.stop();
    asked.stop();
}
