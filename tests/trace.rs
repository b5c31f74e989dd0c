//! `errorfs trace`: every operation is a line, what the kernel's cache asks for is marked, CORDS'
//! traces are read, and counts are CORDS'.

use serde_json::Value;

use crate::support::*;

/// Traces a line for the shell that runs in the directory; the records of these kinds.
fn trace(backing: &Backing, script: &str, ops: &[&str]) -> Vec<Value> {
    let files = Backing::new();
    let file = files.join("t.jsonl");
    let traced = Program::errorfs("trace").arg("--on").arg(backing.path()).arg("-o").arg(&file);
    let script = format!("cd \"$1\"; {script}");
    traced.args(["--", "sh", "-euc", &script, "sh"]).arg(backing.path()).succeed();
    let lines = records(&std::fs::read_to_string(&file).unwrap());
    lines.into_iter().filter(|line| ops.contains(&line["op"].as_str().unwrap())).collect()
}

/// The lines after the header; their numbers have no gap.
fn records(text: &str) -> Vec<Value> {
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(lines.next().unwrap()["trace"], 1);
    let records: Vec<Value> = lines.collect();
    for (place, record) in records.iter().enumerate() {
        assert_eq!(record["seq"], place as u64 + 1, "{record}");
    }
    records
}

fn numbers(record: &Value) -> [Option<u64>; 4] {
    ["offset", "len", "moved", "size"].map(|key| record[key].as_u64())
}

#[test]
fn each_read_and_write_is_one_line_however_often_the_bytes_are_read() {
    require_fuse!();
    let backing = Backing::new().with_noise("a", 10_000);
    let script = "for i in 1 2 3; do dd if=a of=/dev/null bs=6000 skip=1 status=none; done; \
        printf abc >>a; printf x | dd of=a bs=1 seek=5 conv=notrunc status=none";
    let seen = trace(&backing, script, &["read", "write"]);
    let reads: Vec<_> = seen.iter().filter(|line| line["op"] == "read").collect();
    let first = [Some(6000), Some(6000), Some(4000), None];
    assert_eq!(reads.iter().filter(|line| numbers(line) == first).count(), 3, "{seen:#?}");
    assert!(reads.iter().all(|line| line["path"] == "a" && line["comm"] == "dd"), "{seen:#?}");
    assert!(reads.iter().all(|line| line["cached"].is_null()), "{seen:#?}");
    let writes: Vec<_> = seen.iter().filter(|line| line["op"] == "write").map(numbers).collect();
    let appended = [Some(10_000), Some(3), Some(3), Some(10_000)];
    assert_eq!(writes, [appended, [Some(5), Some(1), Some(1), Some(10_003)]]);
}

#[test]
fn names_errors_and_both_paths_are_told() {
    require_fuse!();
    let backing = Backing::new().with("a", b"a").with("d/b", b"b");
    let script = "mv a c; ln c e; rm e; rmdir d 2>/dev/null || true; cat c >/dev/null";
    let seen = trace(&backing, script, &["rename", "link", "unlink", "rmdir"]);
    let told: Vec<_> = seen
        .iter()
        .map(|line| [&line["op"], &line["path"], &line["to"], &line["errno"]].map(|v| v.as_str()))
        .collect();
    let expected = [
        [Some("rename"), Some("a"), Some("c"), None],
        [Some("link"), Some("c"), Some("e"), None],
        [Some("unlink"), Some("e"), None, None],
        [Some("rmdir"), Some("d"), None, Some("ENOTEMPTY")],
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_is_read_through_a_mapping_is_marked() {
    require_fuse!();
    let backing = Backing::new().with_noise("a", 10_000);
    let script = "python3 -c 'import mmap; f = open(\"a\", \"rb\"); \
        m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); m[5000]; m[5001]'";
    let seen = trace(&backing, script, &["read"]);
    assert!(!seen.is_empty() && seen.iter().all(|line| line["cached"] == true), "{seen:#?}");
}

#[test]
fn the_directory_can_stay_as_it_is_and_the_status_is_the_commands() {
    require_fuse!();
    let (backing, files) = (Backing::new().with("a", b"a"), Backing::new());
    let before = tree_hash(backing.path());
    let trace = |name: &str| {
        let trace = Program::errorfs("trace").arg("--discard-writes").arg("--on");
        let trace = trace.arg(backing.path()).arg("-o").arg(files.join(name));
        trace.args(["--", "sh", "-c", "echo b >>$0/a; exit 3"]).arg(backing.path()).run()
    };
    trace("one").expect_status(3);
    assert_eq!(tree_hash(backing.path()), before);
    trace("one").expect_status(125).expect_said("a trace is never overwritten");
    trace(backing.join("t").to_str().unwrap()).expect_status(125).expect_said("the trace");
}

/// A trace as CORDS writes it: one file read and rewritten, one appended and renamed.
const CORDS: &str = "/d/a\tr\t0\t4096\n/d/a\tr\t4096\t4096\n/d/a\tr\t0\t4096\n/d/a\tw\t0\t4096\n\
    /d/b\ta\t0\t4096\n/d/b\ta\t4096\t100\nrename\t/d/b\t/d/c\nunlink\t/d/a\t\n/d/c\tr\t0\t4096\n";

#[test]
fn the_count_of_experiments_is_that_of_cords_before_and_after_the_import() {
    let files = Backing::new().with("cords", CORDS.as_bytes());
    let count = |name: &str| {
        let counted = Program::errorfs("trace").args(["count", "--json"]).arg(files.join(name));
        serde_json::from_str::<Value>(&counted.succeed().stdout).unwrap()
    };
    let import = Program::errorfs("trace").args(["import", "--format", "cords", "-o"]);
    import.arg(files.join("ours")).arg(files.join("cords")).succeed();
    assert_eq!(records(&std::fs::read_to_string(files.join("ours")).unwrap()).len(), 9);
    for counted in [count("cords"), count("ours")] {
        assert_eq!(counted["experiments"], 3 * 3 + 1 + 2 * 2, "{counted}");
        assert_eq!(counted["blocks"], serde_json::json!({"read": 3, "write": 1, "append": 2}));
    }
    let bad =
        Backing::new().with("bad", b"/d/a\tr\t0\t1\nnonsense\n").with("old", b"{\"trace\":9}\n");
    let counted = |name: &str| Program::errorfs("trace").arg("count").arg(bad.join(name)).run();
    counted("bad").expect_status(78).expect_said("bad:2: not a line of a trace");
    counted("old").expect_status(78).expect_said("format 9, and this errorfs reads format 1");
    counted("none").expect_status(78);
}

#[test]
fn a_trace_of_our_own_counts_as_cords_would() {
    require_fuse!();
    let (backing, files) = (Backing::new().with_noise("a", 8192), Backing::new());
    let file = files.join("t");
    let script = "cd $1; cat a >/dev/null; cat a >>b; printf x | dd of=b conv=notrunc status=none";
    let traced = Program::errorfs("trace").arg("--on").arg(backing.path()).arg("-o").arg(&file);
    traced.args(["--", "sh", "-c", script, "sh"]).arg(backing.path()).succeed();
    let counted = Program::errorfs("trace").arg("count").arg(&file).succeed();
    counted.expect_said("2 read, 1 written, 2 appended\n11 experiments");
}

#[test]
fn a_trace_that_is_not_there_is_named_once_and_so_is_why() {
    let files = Backing::new();
    let file = files.join("none");
    let ended = Program::errorfs("trace").arg("count").arg(&file).run().expect_status(78);
    let why = "No such file or directory (os error 2)";
    assert_eq!(ended.stderr, format!("errorfs: {}: {why}\n", file.display()));
}
