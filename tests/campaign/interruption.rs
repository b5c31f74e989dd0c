//! Whoever is interrupted or killed loses nothing that was finished, and goes on to the same results.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::*;

fn start(campaign: &Campaign, jobs: &str) -> Child {
    let mut command = Command::new(ERRORFS);
    command.args(["campaign", "run"]).arg(campaign.file()).arg("-o").arg(campaign.dir());
    command.args(["--jobs", jobs]).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Trials that are in a file.
fn kept(campaign: &Campaign) -> usize {
    let dir = campaign.dir().join("results");
    if !dir.exists() {
        return 0;
    }
    let lines = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default().lines().count();
    all_files(&dir).into_iter().map(lines).sum::<usize>().saturating_sub(1)
}

/// How many times to kill: few here, more by the environment.
fn kills() -> usize {
    std::env::var("ERRORFS_CAMPAIGN_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(3)
}

#[test]
fn killed_at_any_moment_and_resumed_the_results_are_those_of_one_left_alone() {
    require_fuse!();
    require_root!();
    let alone = Campaign::new(PLAIN);
    // The same directory: its path is in what the target says.
    let expected = essence(&alone.report(&[]));
    let campaign = Campaign::new(PLAIN);
    let clock = std::time::Instant::now();
    campaign.report(&[]);
    let whole = clock.elapsed();
    std::fs::remove_dir_all(campaign.dir()).unwrap();
    for kill in 0..kills() {
        let mut child = start(&campaign, "2");
        // Anywhere in it, the making of the data and of the runs without faults too.
        let moment = whole.mul_f64((kill as f64 + 0.5) / kills() as f64);
        let begun = std::time::Instant::now();
        wait_until("the moment has come", whole * 2, || begun.elapsed() >= moment);
        let before = kept(&campaign);
        kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap_or(());
        child.wait().unwrap();
        assert!(kept(&campaign) >= before, "finished trials were lost");
    }
    assert_eq!(essence(&campaign.report(&[])), expected);
    campaign.verb("run").succeed().expect_said("already complete");
}

#[test]
fn who_is_asked_to_end_keeps_what_is_done_and_goes_on() {
    require_fuse!();
    require_root!();
    let campaign = Campaign::new(PLAIN);
    let mut child = start(&campaign, "1");
    wait_until("a trial is done", Duration::from_secs(60), || kept(&campaign) >= 2);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = wait_or_kill(&mut child, Duration::from_secs(20));
    assert_eq!(status.code(), Some(75));
    let done = kept(&campaign);
    assert!(done >= 2);
    let status = Program::errorfs("campaign").args(["status", "--json"]).arg(campaign.dir());
    let status: Value = serde_json::from_str(&status.succeed().stdout).unwrap();
    assert_eq!(status["done"], done as u64, "{status}");
    campaign.verb("run").args(["--max-trials", "1", "--jobs", "1"]).run().expect_status(75);
    assert_eq!(kept(&campaign), done + 1);
    campaign.report(&[]);
    campaign.verb("run").succeed().expect_said("already complete");
}

#[test]
fn two_that_run_one_shard_do_not_mix() {
    require_fuse!();
    require_root!();
    let campaign = Campaign::new(PLAIN);
    let mut child = start(&campaign, "1");
    wait_until("a trial is done", Duration::from_secs(60), || kept(&campaign) >= 1);
    campaign
        .verb("run")
        .run()
        .expect_status(75)
        .expect_said("another process is running this shard");
    assert_eq!(wait_or_kill(&mut child, Duration::from_secs(120)).code(), Some(0));
}

#[test]
fn two_runs_agree_trial_by_trial_whatever_runs_beside() {
    require_fuse!();
    require_root!();
    let one = Campaign::new(PLAIN);
    let first = essence(&one.report(&["--jobs", "1"]));
    let other = Campaign::new(PLAIN);
    assert_eq!(essence(&other.report(&["--jobs", "4"])), first);
    assert_eq!(first.len(), 2 * 4 + 2 * 4 + 4 + 2, "data, copy, SUMS and log");
    let diff = Program::errorfs("campaign").arg("diff").arg(one.dir()).arg(other.dir());
    diff.succeed().expect_said("22 the same, 0 differ");
}
