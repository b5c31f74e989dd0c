//! `--require`, `--until`, and exit statuses.

use super::*;

const NOTICES: &str = "cd $1 && sha256sum -c --quiet SUMS";
const IGNORES: &str = "cat $1/data >/dev/null";

fn status(arguments: &[&str], script: &str) -> i32 {
    let flips = ["--path", "data"];
    let ended = drill(&lines(), &[&flips[..], arguments].concat(), script).run();
    ended.status.code().expect("it ends by itself")
}

#[test]
fn the_status_says_whether_enough_was_noticed() {
    require_fuse!();
    let trials = ["--trials", "3"];
    let with = |more: &[&str], script| status(&[&trials[..], more].concat(), script);
    assert_eq!(with(&[], NOTICES), 0);
    assert_eq!(with(&[], IGNORES), 0, "nothing was required");
    assert_eq!(with(&["--require", "1"], NOTICES), 0);
    assert_eq!(with(&["--require", "0.95"], IGNORES), 1);
    assert_eq!(with(&["--require", "0"], IGNORES), 0);
    assert_eq!(with(&[], "ls $1"), 0, "never read, and nothing was required");
    assert_eq!(with(&["--require", "0.95"], "ls $1"), 5, "never read: nothing is shown");
}

#[test]
fn a_part_that_is_noticed_is_measured_against_the_requirement() {
    require_fuse!();
    // Notices damage of the first half only.
    let script = "head -c 1400 $1/data | cmp -s - $1/half && cat $1/data >/dev/null";
    let backing = lines();
    let data = std::fs::read(backing.join("data")).unwrap();
    let backing = backing.with("half", &data[..1400]);
    let flips = ["--path", "data", "--trials", "12"];
    let report = report(&backing, &flips, script);
    let rate = report["rate"].as_f64().unwrap();
    assert!(rate > 0.1 && rate < 0.9, "{report:#}");
    let status = |required: f64| {
        let required = required.to_string();
        let arguments = [&flips[..], &["--require", &required]].concat();
        drill(&backing, &arguments, script).run().status.code()
    };
    assert_eq!((status(rate), status(rate + 0.01)), (Some(0), Some(1)));
}

#[test]
fn until_stops_when_it_is_sure_whatever_runs_beside() {
    require_fuse!();
    let flips = ["--path", "data", "--trials", "60", "--until"];
    for jobs in ["1", "4"] {
        let with = |more: &[&str], script: &str| {
            drill(&lines(), &[&flips[..], &["--jobs", jobs], more].concat(), script).run()
        };
        let ended = with(&["--require", "0.8"], NOTICES).expect_status(0);
        ended.expect_said("14 of 60 trials").expect_said("required: 80.0 %: met");
        let ended = with(&["--require", "0.5"], IGNORES).expect_status(1);
        ended.expect_said("5 of 60 trials").expect_said("required: 50.0 %: not met");
    }
}

#[test]
fn sixty_of_sixty_is_said_as_what_it_shows() {
    require_fuse!();
    let backing = lines();
    let ended = drill(&backing, &["--path", "data", "--require", "0.95", "--until"], NOTICES);
    ended.succeed().expect_said("59 of 59 noticed (at least 95.0 % at 95 % confidence)");
}
