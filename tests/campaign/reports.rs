//! Reports: the matrix, the drill-down, and the command that repeats a trial.

use super::*;

#[test]
fn the_reports_agree_and_a_trial_is_repeated_by_its_command() {
    require_fuse!();
    require_root!();
    let campaign = Campaign::new(PLAIN);
    let report = campaign.report(&[]);
    let counts = &report["counts"];
    assert_eq!(
        counts["detected"],
        2 * 4 + 4 + 2,
        "data, SUMS, and what cannot be written: {report:#}"
    );
    let html = campaign.files.join("r.html");
    let told =
        Program::errorfs("campaign").arg("report").arg(campaign.dir()).arg("--html").arg(&html);
    let told = told.succeed();
    let told = told.expect_said("plain: 22 of 22 trials");
    assert!(told.stdout.contains("one:checked"), "{told}");
    let page = std::fs::read_to_string(html).unwrap();
    for trial in report["trials"].as_array().unwrap() {
        assert!(page.contains(trial["result"]["trial"].as_str().unwrap()), "{trial}");
    }
    for word in
        ["global effect", "local behaviour", "before and after", "ledger", "as it is stored"]
    {
        assert!(page.contains(word), "no {word}");
    }
    for chosen in [
        "<option id=\"s0\">checked</option>",
        "<div class=\"plot\">",
        "<svg class=\"bar\"",
        "counter(shown)",
    ] {
        assert!(page.contains(chosen), "no {chosen}");
    }
    let hidden = "body:has(#s0:checked) .trial:not(.s0){display:none}";
    assert_eq!(page.matches(hidden).count(), 1, "the choice of a structure hides the others");
    let of_checked = report["trials"].as_array().unwrap().iter();
    let of_checked = of_checked.filter(|one| one["result"]["point"]["structure"] == "checked");
    assert_eq!(page.matches(" s0 ").count(), of_checked.count());
    for foreign in ["http:", "https:", "<script", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let silent = report["trials"].as_array().unwrap().iter();
    let mut silent = silent.filter(|trial| trial["result"]["verdict"] == "silent_corruption");
    let trial = silent.next_back().expect("what is not checked is silently wrong");
    let bin = Path::new(ERRORFS).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let line = trial["repeat"].as_str().unwrap();
    let ended = Program::new("sh").args(["-c", line]).env("PATH", path).succeed();
    ended.expect_said("silent_corruption: another answer").expect_said("scenario:\nversion = 1");
}

#[test]
fn findings_fail_only_if_that_is_asked_for() {
    require_fuse!();
    require_root!();
    let campaign = Campaign::new(PLAIN);
    campaign.verb("run").succeed();
    campaign.verb("run").args(["--fail-on", "findings"]).run().expect_status(1);
}

#[test]
fn two_versions_are_compared_point_by_point() {
    require_fuse!();
    require_root!();
    let (one, other) = (
        Campaign::new(PLAIN),
        Campaign::new(&PLAIN.replace("cat copy;", "cmp data copy >&2 || exit 1; cat copy;")),
    );
    one.report(&[]);
    other.report(&[]);
    let diff = Program::errorfs("campaign").arg("diff").arg(one.dir()).arg(other.dir()).run();
    diff.expect_status(1).expect_said("-> detected (detect_and_ignore, query_failure)");
}
