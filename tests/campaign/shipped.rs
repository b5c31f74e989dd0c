//! The systems of `scenarios/campaigns` that this machine has, a few trials each.

use std::collections::BTreeMap;

use super::*;

fn runs(name: &str, program: &str, trials: &str) {
    require_fuse!();
    require_root!();
    if Program::new("sh").args(["-c", &format!("command -v {program}")]).run().status.code()
        != Some(0)
    {
        return skipped(&format!("{program} is not installed"));
    }
    let files = Backing::new();
    let file =
        crate::scenario::fixtures::folder("scenarios/campaigns").join(format!("{name}.toml"));
    let run = Program::errorfs("campaign").arg("run").arg(file).arg("-o").arg(files.join("out"));
    run.args(["--sample", trials]).within(Duration::from_secs(300)).succeed();
    let report = report_of(&[files.join("out")]);
    let counts = &report["counts"];
    assert_eq!(counts["inconclusive"], 0, "{counts}");
    let not_activated = counts["not_activated"].as_u64().unwrap();
    assert!(not_activated * 2 < trials.parse::<u64>().unwrap(), "{counts}");
}

#[test]
fn sqlite_is_run() {
    runs("sqlite", "sqlite3", "12");
}

#[test]
fn redis_with_replicas_is_run() {
    runs("redis-replicas", "redis-server", "4");
}

#[test]
fn rocksdb_is_run() {
    runs("rocksdb", "ldb", "6");
}

/// How often each verdict stands in a file of results.
fn verdicts_in(file: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("node,structure,path,block,access,fault,verdict,local,global"),
        "{}",
        file.display()
    );
    let mut counts = BTreeMap::new();
    for line in lines {
        // From the end: names of structures may have commas.
        let verdict = line.rsplit(',').nth(2).unwrap();
        *counts.entry(verdict.to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn the_tables_of_results_are_those_of_the_data() {
    let folder = crate::scenario::fixtures::folder("scenarios/campaigns");
    let text = std::fs::read_to_string(folder.join("RESULTS.md")).unwrap();
    let files = all_files(&folder.join("results"));
    assert!(files.len() >= 6, "the six systems: {files:?}");
    for file in files {
        let name = format!("`results/{}`", file.file_name().unwrap().to_str().unwrap());
        let mut sections = text.split("\n### ");
        let section = sections.find(|section| section.contains(&name)).expect(&name);
        let counts = verdicts_in(&file);
        let told = format!("\n{} of ", counts.values().sum::<usize>());
        assert!(section.contains(&told), "{name}: not {told}");
        for (verdict, count) in counts {
            assert!(section.contains(&format!("{count} {verdict}")), "{name}: {count} {verdict}");
        }
    }
}
