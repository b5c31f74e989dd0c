//! The matrix of verdicts.

use super::*;

const FLIP: [&str; 4] = ["--path", "data", "--trials", "4"];

/// How many trials each gets: few here, more by the environment.
fn trials(few: &str) -> String {
    std::env::var("ERRORFS_DRILL_TRIALS").unwrap_or_else(|_| few.to_owned())
}

/// The verdict of a script under flips in `data`, the same in each trial.
fn under_flips(arguments: &[&str], script: &str) -> String {
    let flip = ["--path", "data", "--trials", &trials("4")];
    let report = report(&lines(), &[&flip[..], arguments].concat(), script);
    let verdicts = verdicts(&report);
    assert_eq!(verdicts.len(), 1, "{report:#}");
    verdicts[0].clone()
}

/// The verdict of a script under a scenario.
fn under(scenario: &str, arguments: &[&str], script: &str) -> String {
    let files = Backing::new().with("s.toml", scenario.as_bytes());
    let file = files.join("s.toml");
    let scenario = ["--scenario", file.to_str().unwrap(), "--trials", &trials("2")];
    let report = report(&lines(), &[&scenario[..], arguments].concat(), script);
    let verdicts = verdicts(&report);
    assert_eq!(verdicts.len(), 1, "{report:#}");
    verdicts[0].clone()
}

#[test]
fn what_compares_hashes_and_says_so_detects() {
    require_fuse!();
    assert_eq!(under_flips(&[], "cd $1 && sha256sum -c --quiet SUMS"), "detected");
    let told = "cmp -s $1/data $1/copy || echo corrupt block >&2";
    assert_eq!(under_flips(&["--detect", "stderr ~ ^corrupt"], told), "detected");
    let listed = "cmp -s $1/data $1/copy && echo ok || echo differs";
    assert_eq!(under_flips(&["--detect", "stdout !~ ^ok$"], listed), "detected");
}

#[test]
fn what_says_so_and_gives_the_right_answer_all_the_same_corrects() {
    require_fuse!();
    let script = "cmp -s $1/data $1/copy || echo repaired >&2; cat $1/copy";
    assert_eq!(under_flips(&["--detect", "stderr ~ repaired"], script), "corrected");
}

#[test]
fn what_reads_and_says_nothing_is_benign_or_silent_by_its_answer() {
    require_fuse!();
    assert_eq!(under_flips(&[], "cat $1/data >/dev/null; echo ok"), "benign");
    assert_eq!(under_flips(&[], "cat $1/data"), "silent_corruption");
}

#[test]
fn the_golden_command_tells_silent_from_benign_where_the_command_says_the_same() {
    require_fuse!();
    let script = "cat $1/data $1/copy >/dev/null; echo ok";
    assert_eq!(under_flips(&["--golden", "sha256sum <{mnt}/data"], script), "silent_corruption");
    assert_eq!(under_flips(&["--golden", "sha256sum <{mnt}/copy"], script), "benign");
}

#[test]
fn an_answer_with_a_part_missing_is_data_loss() {
    require_fuse!();
    let script = "grep -x 'good line [0-9]*' $1/data";
    assert_eq!(under(FIRST_BIT, &[], script), "data_loss");
}

#[test]
fn a_refusal_that_nobody_knows_is_unavailable() {
    require_fuse!();
    let script = "cmp -s $1/data $1/copy || exit 3";
    assert_eq!(under_flips(&["--detect", "stderr ~ corrupt"], script), "unavailable");
}

#[test]
fn what_dies_of_a_signal_crashes_also_below_a_shell() {
    require_fuse!();
    let script = "cmp -s $1/data $1/copy || kill -SEGV $$";
    assert_eq!(under_flips(&[], script), "crash");
    let below = "cmp -s $1/data $1/copy || sh -c 'kill -SEGV $$'; exit $?";
    assert_eq!(under_flips(&[], below), "crash");
}

#[test]
fn what_does_not_end_in_time_hangs() {
    require_fuse!();
    let script = "cmp -s $1/data $1/copy || exec sleep 1000";
    assert_eq!(under_flips(&["--timeout", "300ms"], script), "hang");
}

#[test]
fn what_waits_for_a_read_that_is_never_answered_hangs_and_not_for_long() {
    require_fuse!();
    let stuck = "version = 1\n[[rule]]\nname = \"stuck\"\nselect = { path = \"data\", ops = [\"read\"] }\n\
        [rule.fault.latency]\ndistribution = { constant = \"1h\" }\n";
    assert_eq!(under(stuck, &["--timeout", "300ms"], "cat $1/data"), "hang");
}

#[test]
fn what_tries_again_and_succeeds_is_right() {
    require_fuse!();
    let once = "version = 1\n[[rule]]\nname = \"once\"\nselect = { path = \"data\", ops = [\"read\"] }\n\
        when = { nth = 1 }\n[rule.fault.error]\nerrno = \"EIO\"\n";
    let script = "cat $1/data 2>/dev/null || { echo again >&2; cat $1/data; }";
    assert_eq!(under(once, &[], script), "benign");
    assert_eq!(under(once, &["--detect", "stderr ~ again"], script), "corrected");
}

#[test]
fn a_fault_that_is_never_read_is_not_called_undetected() {
    require_fuse!();
    assert_eq!(under_flips(&[], "ls $1"), "not_activated");
    // Read by the golden command only: the command had no chance to notice.
    let golden = ["--golden", "sha256sum <{mnt}/data"];
    assert_eq!(under_flips(&golden, "ls $1"), "not_activated");
}

#[test]
fn a_failure_of_errorfs_itself_is_inconclusive() {
    require_fuse!();
    let script = "cmp -s $1/data $1/copy && exit\n\
        keeper=$(cut -d' ' -f4 /proc/$PPID/stat); kill -9 $(cut -d' ' -f4 /proc/$keeper/stat); sleep 9";
    let ended = drill(&lines(), &FLIP, script).run().expect_status(5);
    ended.expect_said("  inconclusive          4").expect_said("no trial could be judged");
}

#[test]
fn outputs_that_differ_in_their_numbers_are_still_compared() {
    require_fuse!();
    assert_eq!(under_flips(&[], "echo took $$ s; cat $1/data >/dev/null"), "benign");
    assert_eq!(under_flips(&[], "echo took $$ s; cat $1/data"), "silent_corruption");
}

/// Controls read in the same way as trials do: what differs then is by the fault alone.
#[test]
fn what_the_page_cache_holds_is_the_same_in_controls_and_trials() {
    require_fuse!();
    let code = "import ctypes, os, sys\n\
        libc, size, fd = ctypes.CDLL(None), ctypes.c_size_t(1), os.open(sys.argv[1], os.O_RDONLY)\n\
        libc.mmap.restype = ctypes.c_void_p\n\
        at = libc.mmap(None, size, 1, 2, fd, ctypes.c_long(0))\n\
        held = ctypes.create_string_buffer(1)\n\
        assert libc.mincore(ctypes.c_void_p(at), size, held) == 0\n\
        print(held.raw[0] & 1)";
    let script = format!("cat $1/data >/dev/null; python3 -c '{code}' $1/data");
    for arguments in [&[][..], &["--copy"]] {
        assert_eq!(under_flips(arguments, &script), "benign", "{arguments:?}");
    }
}
