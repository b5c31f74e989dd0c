//! The benchmark measures what it says in every way that it names, and leaves nothing mounted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::support::*;

/// What the benchmark compares when nobody names a peer.
const WAYS: [&str; 8] =
    ["native", "idle", "exclusive", "never", "thousand", "sticky", "counted", "faulty"];

/// A workload that needs neither fio nor many files.
const WORKLOAD: &str = "stat";

#[test]
fn the_benchmark_gives_a_ratio_for_every_way_and_leaves_nothing_behind() {
    require_fuse!();
    let outputs = tempfile::tempdir().unwrap();
    let json = outputs.path().join("result.json");
    let peer = format!("twin={ERRORFS} mount {{backing}} {{mnt}}");
    bench(outputs.path())
        .args(["--quick", "--over", "tmpfs", "--only", WORKLOAD, "--errorfs", ERRORFS])
        .args(["--peer", &peer])
        .arg("--json")
        .arg(&json)
        .succeed();
    let result: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    let expected: BTreeSet<_> = WAYS.into_iter().chain(["twin"]).collect();
    assert_eq!(names(&result["ways"], "name"), expected, "the ways that it says it compared");
    assert_eq!(names(&result["ratios"], "way"), expected, "the ways that have a ratio");
    for ratio in result["ratios"].as_array().unwrap() {
        assert_eq!(ratio["workload"], WORKLOAD, "{ratio}");
        assert!(ratio["median"].as_f64().is_some_and(|median| median > 0.0), "{ratio}");
    }
    let left: Vec<_> = std::fs::read_dir(outputs.path()).unwrap().map(|it| it.unwrap()).collect();
    assert_eq!(left.len(), 1, "only what was asked for is left: {left:?}");
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(outputs.path().to_str().unwrap()), "{mounts}");
    tells_every_way(outputs.path(), &json, &expected);
}

/// The page and the chart come from the JSON alone.
fn tells_every_way(outputs: &Path, json: &Path, ways: &BTreeSet<&str>) {
    let [page, chart] = ["page.md", "chart.svg"].map(|name| outputs.join(name));
    let told = bench(outputs)
        .arg("--from")
        .arg(json)
        .arg("--markdown")
        .arg(&page)
        .arg("--svg")
        .arg(&chart)
        .succeed();
    let page = std::fs::read_to_string(page).unwrap();
    let chart = std::fs::read_to_string(chart).unwrap();
    for way in ways {
        assert!(page.contains(&format!("| `{way}` |")), "{way} is not in\n{page}");
        if *way != "native" {
            assert!(told.stdout.contains(way), "{way} is not in\n{}", told.stdout);
            assert!(chart.contains(&format!(">{way}<")), "{way} is not in\n{chart}");
        }
    }
}

#[test]
fn the_benchmark_refuses_what_it_cannot_measure() {
    let outputs = tempfile::tempdir().unwrap();
    for wrong in [["--only", "nonsense"], ["--peer", "x=mount {backing}"], ["--rounds", "0"]] {
        bench(outputs.path()).args(wrong).run().expect_status(2);
    }
}

/// The script, its scratch below a directory of ours.
fn bench(scratch: &Path) -> Program {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/bench");
    Program::new(script).env("TMPDIR", scratch).within(Duration::from_secs(120))
}

/// What a list of objects has under this key.
fn names<'a>(list: &'a Value, key: &str) -> BTreeSet<&'a str> {
    list.as_array().unwrap().iter().map(|item| item[key].as_str().unwrap()).collect()
}
