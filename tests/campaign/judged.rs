//! Every verdict, local behaviour and global effect, from a server that truly does each thing.

use super::*;

/// A server of one file, and what it does with damage.
fn server(behaviour: &str, kinds: &str) -> Campaign {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/campaign/server.py");
    Campaign::new(&format!(
        r#"
version = 1
name = "{behaviour}"
prepare = "mkdir one; for i in 1 2 3 4 5 6; do echo good $i; done > one/data; cp one/data one/copy"
workload = "exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/7000 && cat <&3'"
check.read = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/7000'"
timeout = "10s"
golden = 2
[faults]
read = {kinds}
path = "data"
[[node]]
name = "one"
start = "exec python3 {program} {behaviour} {{mnt}}"
ready = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/7000'"
detect = ["stdout ~ damage found", "stderr ~ damage found|cannot read"]
"#
    ))
}

/// How often each is judged: once here, more by the environment.
fn rounds() -> usize {
    std::env::var("ERRORFS_CAMPAIGN_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// Verdict, local behaviour and global effects of the only trial.
fn judged(behaviour: &str, kind: &str) -> [String; 3] {
    let campaign = server(behaviour, &format!("[\"{kind}\"]"));
    // Each in a network of its own: all of them listen on one port.
    let mut report = campaign.report(&["--jobs", "2"]);
    for _ in 1..rounds() {
        std::fs::remove_dir_all(campaign.dir().join("results")).unwrap();
        let again = campaign.report(&["--jobs", "2"]);
        assert_eq!(again["matrix"], report["matrix"], "{behaviour}, {kind}: {again:#}");
        report = again;
    }
    let trials = report["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 1, "{report:#}");
    let result = &trials[0]["result"];
    let global: Vec<&str> =
        result["global"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    let word = |key: &str| result[key].as_str().unwrap().to_owned();
    [word("verdict"), word("local"), global.join(" ")]
}

#[test]
fn a_server_that_ignores_damage_returns_it() {
    require_fuse!();
    require_root!();
    assert_eq!(judged("ignore", "bit_flip"), ["silent_corruption", "no_detection", "corruption"]);
    assert_eq!(judged("ignore", "zero"), ["silent_corruption", "no_detection", "corruption"]);
}

#[test]
fn a_server_that_refuses_is_down_and_has_said_so() {
    require_fuse!();
    require_root!();
    let effects = "read_unavailable query_failure reduced_redundancy";
    assert_eq!(judged("refuse", "junk"), ["detected", "crash", effects]);
    assert_eq!(judged("refuse", "eio"), ["detected", "crash", effects]);
}

#[test]
fn a_server_that_dies_of_a_signal_crashes() {
    require_fuse!();
    require_root!();
    let effects = "read_unavailable query_failure reduced_redundancy";
    assert_eq!(judged("crash", "bit_flip"), ["crash", "crash", effects]);
}

#[test]
fn a_server_that_never_gets_ready_crashes_in_part() {
    require_fuse!();
    require_root!();
    let effects = "read_unavailable query_failure reduced_redundancy";
    assert_eq!(judged("stuck", "bit_flip"), ["unavailable", "partial_crash", effects]);
}

#[test]
fn a_server_that_never_answers_hangs() {
    require_fuse!();
    require_root!();
    assert_eq!(judged("hang", "bit_flip"), ["hang", "no_detection", "query_failure"]);
}

#[test]
fn a_server_that_repairs_and_says_so_is_right() {
    require_fuse!();
    require_root!();
    assert_eq!(judged("repair", "bit_flip"), ["corrected", "local_redundancy", "correct"]);
    assert_eq!(judged("tell", "bit_flip"), ["detected", "detect_and_ignore", "corruption"]);
}

#[test]
fn a_server_that_drops_what_is_damaged_loses_data() {
    require_fuse!();
    require_root!();
    // The first byte of junk is never the stored one, and takes the rest of its line with it.
    assert_eq!(judged("lose", "zero"), ["data_loss", "no_detection", "data_loss"]);
}

#[test]
fn a_server_that_reads_again_retries() {
    require_fuse!();
    require_root!();
    assert_eq!(judged("retry", "eio"), ["benign", "retry", "correct"]);
}

#[test]
fn what_only_the_oracle_reads_was_not_activated() {
    require_fuse!();
    require_root!();
    let text = "version = 1\nname = \"late\"\nprepare = \"mkdir one; echo a > one/a; echo b > one/b\"\n\
        workload = \"cat {mnt}/a\"\noracle = \"cat {mnt}/b\"\ngolden = 2\n[[node]]\nname = \"one\"\n\
        [faults]\npath = \"b\"\nread = [\"zero\"]\n";
    let report = Campaign::new(text).report(&[]);
    assert_eq!(report["trials"][0]["result"]["verdict"], "not_activated", "{report:#}");
    assert_eq!(report["trials"][0]["result"]["local"], "unknown");
}

#[test]
fn what_is_written_under_another_name_and_read_back_is_damaged() {
    require_fuse!();
    require_root!();
    let text = "version = 1\nname = \"renamed\"\nprepare = \"mkdir one; seq 99 > one/a\"\n\
        workload = \"cd {mnt}; cp a t; mv t b; cat b\"\ngolden = 2\n[[node]]\nname = \"one\"\n\
        [faults]\npath = \"b\"\nwrite = []\nappend = []\n";
    let report = Campaign::new(text).report(&[]);
    let counts = &report["counts"];
    assert_eq!([&counts["silent_corruption"], &counts["unavailable"]], [3, 1], "{report:#}");
}

#[test]
fn a_system_that_is_not_well_without_faults_is_not_judged() {
    require_fuse!();
    require_root!();
    let refused = |change: (&str, &str), said: &str| {
        let text = PLAIN.replace(change.0, change.1);
        assert_ne!(text, PLAIN);
        Campaign::new(&text).verb("run").run().expect_status(5).expect_said(said);
    };
    refused(("exit = 1", "exit = 0"), "`detect` holds without any fault: exit 0");
    refused(("echo x >> log", "kill -9 $$"), "the workload: killed by signal 9");
    refused(("mkdir one;", "mkdir two one; exit 3;"), "`prepare` failed (exit status: 3)");
    refused(
        ("mkdir one; seq", "mkdir two; false || mkdir -p one; rm -r one; exit 0; seq"),
        "no directory `one`",
    );
    refused(
        ("cd {mnt}; sha256sum -c --quiet SUMS >&2 || exit 1; cat copy; echo x >> log", "true"),
        "touches no block",
    );
    let check = ("timeout = \"20s\"", "timeout = \"20s\"\ncheck.write = \"false\"");
    refused(check, "without faults: write_unavailable");
}
