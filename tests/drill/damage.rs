//! What a drill does while it runs is damaged too: names that are new, bytes that are written, power
//! that goes. Nothing of it reaches the directory.

use super::*;

/// The verdict of a script under a scenario, and that the directory is as it was.
fn under(scenario: &str, arguments: &[&str], script: &str) -> String {
    let (backing, files) = (lines(), Backing::new().with("s.toml", scenario.as_bytes()));
    let (before, file) = (tree_hash(backing.path()), files.join("s.toml"));
    let scenario = ["--scenario", file.to_str().unwrap(), "--trials", "2"];
    let report = report(&backing, &[&scenario[..], arguments].concat(), script);
    assert_eq!(tree_hash(backing.path()), before, "the directory itself was damaged");
    let verdicts = verdicts(&report);
    assert_eq!(verdicts.len(), 1, "{report:#}");
    verdicts[0].clone()
}

fn rule(select: &str, fault: &str) -> String {
    format!("version = 1\n[[rule]]\nname = \"r\"\nselect = {{ {select} }}\n{fault}\n")
}

#[test]
fn what_is_written_under_another_name_and_read_back_is_damaged() {
    require_fuse!();
    let zeros = "[rule.fault.corrupt]\ncontent = \"zero\"\nregion = 512\nat = [{ byte = 0 }]\n\
        persistence = \"permanent\"";
    let scenario = rule("path = \"copy\"", zeros);
    assert_eq!(under(&scenario, &[], "cd $1; cp data t; mv t copy; cat copy"), "silent_corruption");
    let script = "cd $1; cp data t; mv t copy; cmp -s data copy";
    assert_eq!(under(&scenario, &[], script), "detected");
}

#[test]
fn bytes_that_are_damaged_on_their_way_are_stored_so_until_the_trial_ends() {
    require_fuse!();
    let scenario = rule(
        "path = \"new\", ops = [\"write\"]",
        "[rule.fault.bit_flip]\ncount = 1\non = \"write\"",
    );
    for arguments in [&[][..], &["--copy"]] {
        let script = "cd $1; cp data new; cmp -s data new";
        assert_eq!(under(&scenario, arguments, script), "detected", "{arguments:?}");
        assert_eq!(under(&scenario, arguments, "cd $1; cp data new; cat new"), "silent_corruption");
    }
}

#[test]
fn the_power_goes_in_a_trial_and_is_back_in_the_next() {
    require_fuse!();
    let cut = "when = { nth = 1 }\n[rule.fault.power_cut]\nunsynced = \"old\"";
    let scenario = rule("path = \"log\", ops = [\"fsync\"]", cut);
    let script = "cd $1; cp data new; echo x > log; sync log 2>/dev/null; cmp -s data new && echo kept || echo lost";
    for arguments in [&[][..], &["--copy"]] {
        assert_eq!(under(&scenario, arguments, script), "silent_corruption", "{arguments:?}");
    }
}
