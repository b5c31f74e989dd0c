//! What is refused before anything is judged, and what it says.

use super::*;

fn refused(arguments: &[&str], status: i32, said: &str) {
    Program::errorfs("drill").args(arguments).run().expect_status(status).expect_said(said);
}

#[test]
fn what_is_missing_is_named_with_the_remedy() {
    let backing = lines();
    let dir = backing.path().to_str().unwrap();
    refused(&[], 2, "no command: errorfs drill DIR -- COMMAND");
    refused(&[dir], 2, "no command");
    refused(&["--", "cat", "{mnt}"], 2, "no directory: errorfs drill DIR -- COMMAND");
    refused(&[dir, "--", "cat", "data"], 2, "write {mnt} there");
    refused(
        &["--golden", "cat x", dir, "--", "cat", "{mnt}/data"],
        2,
        "the golden command does not",
    );
    refused(&["/no/such/dir", "--", "cat", "{mnt}"], 2, "/no/such/dir: No such file");
    refused(&["--until", dir, "--", "cat", "{mnt}"], 2, "give --require RATE");
    refused(&["--require", "95", dir, "--", "cat", "{mnt}"], 2, "a number from 0 to 1");
    refused(&["--detect", "exits", dir, "--", "cat", "{mnt}"], 2, "write `exit != 0`");
    refused(&["--timeout", "5", dir, "--", "cat", "{mnt}"], 2, "has no unit");
    refused(&["--trials", "0", dir, "--", "cat", "{mnt}"], 2, "0");
    refused(&["--recipe", "restic-chek"], 2, "did you mean `restic-check`?");
    refused(&["--recipe", "gzip", dir, "--", "cat", "{mnt}"], 2, "has its command");
    refused(&["/etc", "--", "cat", "{mnt}"], 2, "--force if you mean it");
}

#[test]
fn a_report_inside_the_directory_is_refused() {
    let backing = lines();
    let report = backing.join("report.json");
    let arguments = ["--json", report.to_str().unwrap()];
    let ended = drill(&backing, &arguments, "cat $1/data").run().expect_status(2);
    ended.expect_said("put it somewhere else");
    assert!(!report.exists());
}

#[test]
fn without_a_place_for_the_fault_nothing_is_run() {
    let backing = lines();
    let script = "touch /no/such/place; cat $1/data";
    let ended = drill(&backing, &["--path", "nothing/**"], script).run().expect_status(5);
    ended.expect_said("selects no file that is there now");
}

#[test]
fn a_bad_scenario_is_shown_once() {
    let files = Backing::new().with("s.toml", b"version = 1\n[[rule]]\nname = \"x\"\n");
    let scenario = files.join("s.toml");
    let ended = drill(&lines(), &["--scenario", scenario.to_str().unwrap()], "cat $1/data").run();
    let ended = ended.expect_status(78).expect_said("error[missing-key]");
    assert_eq!(ended.stderr.matches("missing-key").count(), 1);
}

#[test]
fn if_a_control_does_not_end_well_nothing_is_judged() {
    require_fuse!();
    let backing = lines();
    let control = |arguments: &[&str], script: &str, said: &str| {
        let ended = drill(&backing, arguments, script).run().expect_status(5);
        let ended = ended.expect_said(said).expect_said("no verdict stands");
        assert_eq!(ended.stdout, "");
    };
    control(&[], "echo broken >&2; exit 4", "(exit 4: broken)");
    control(&[], "kill -9 $$", "killed by signal 9");
    control(&["--timeout", "200ms"], "sleep 100", "give it more with --timeout");
    control(&["--detect", "stdout ~ bad"], "echo bad $1", "(stdout ~ bad: bad ");
    control(&["--golden", "echo {mnt}; exit 2"], "true", "the golden command fails");
    control(
        &["--golden", "cat /proc/sys/kernel/random/uuid /proc/uptime; seq $$; : {mnt}"],
        "true",
        "something else each time",
    );
    let missing =
        Program::errorfs("drill").arg(backing.path()).args(["--", "no-such-program", "{mnt}"]);
    missing.run().expect_status(5).expect_said("cannot be run: No such file");
}

#[test]
fn a_control_that_fails_later_takes_the_verdicts_with_it() {
    require_fuse!();
    let outside = Backing::new();
    let counter = outside.join("counter");
    let script = format!(
        "echo x >>{0}; [ $(wc -l <{0}) -lt 10 ] || exit 1; cat $1/data >/dev/null",
        counter.display()
    );
    let arguments = ["--path", "data", "--trials", "25", "--jobs", "1"];
    let ended = drill(&lines(), &arguments, &script).run().expect_status(5);
    ended.expect_said("without faults the command already says that something is wrong");
}
