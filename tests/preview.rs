//! `errorfs preview`: names the damage exactly, repeats itself, and says what it cannot know.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn preview(scenario: &str, dir: &Path, arguments: &[&str]) -> Output {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let file = scratch.path().join("s.toml");
    fs::write(&file, scenario).expect("a scenario file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_errorfs"));
    command.args(["preview", "--scenario"]).arg(&file).args(arguments).arg(dir);
    command.output().expect("errorfs runs")
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).expect("lines of text");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// A directory of two files and a symbolic link out of it.
fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a scratch directory");
    fs::create_dir(dir.path().join("sub")).expect("a file is made");
    fs::write(dir.path().join("a.sst"), vec![0x41; 300_000]).expect("a file is made");
    fs::write(dir.path().join("sub/b.sst"), vec![0x42; 100_000]).expect("a file is made");
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("c.sst")).expect("a file is made");
    dir
}

const ONE_BIT: &str = r#"
version = 1
[[rule]]
name = "one"
[rule.fault.bit_flip]
count = 1
"#;

#[test]
fn one_bit_is_named_with_the_byte_before_and_after() {
    let dir = directory();
    for seed in ["1", "2", "3", "4", "5"] {
        let found = lines(&preview(ONE_BIT, dir.path(), &["--seed", seed, "--json"]));
        let [line] = &found[..] else { panic!("{found:?}") };
        let [before, after] = ["before", "after"].map(|key| line[key].as_u64().unwrap());
        assert_eq!(before ^ after, 1 << line["bit"].as_u64().unwrap());
        assert!(matches!(
            (line["path"].as_str().unwrap(), before),
            ("a.sst", 0x41) | ("sub/b.sst", 0x42)
        ));
        assert_eq!(line["id"].as_str().unwrap().len(), 16);
        let again = lines(&preview(ONE_BIT, dir.path(), &["--seed", seed, "--json"]));
        assert_eq!(found, again);
    }
}

#[test]
fn every_copy_has_the_same_damage_unless_the_mounts_have_ids() {
    let [one, other] = [directory(), directory()];
    let of = |dir: &tempfile::TempDir, id| {
        lines(&preview(ONE_BIT, dir.path(), &["--seed", "9", "--json", "--id", id]))
    };
    assert_eq!(of(&one, ""), of(&other, ""));
    assert_ne!(of(&one, "node-1"), of(&other, "node-2"));
}

#[test]
fn sectors_are_listed_and_other_faults_are_said_to_be_unpredictable() {
    let scenario = r#"
version = 1
seed = 7
[[rule]]
name = "lse"
select = { path = "a.sst" }
[rule.fault.bad_sector]
count = 3
sector = 512
[[rule]]
name = "slow"
[rule.fault.latency]
distribution = { constant = "1ms" }
"#;
    let dir = directory();
    let output = preview(scenario, dir.path(), &["--json"]);
    let found = lines(&output);
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|line| line["sector"][1] == 512 && line["path"] == "a.sst"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("rule `slow` (latency) depends on the operations"), "{said}");
    let human = preview(scenario, dir.path(), &[]);
    let text = String::from_utf8(human.stdout).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains(" unreadable (lse, ")).count(), 3);
}

#[test]
fn what_is_taken_of_a_limit_is_told_and_not_called_unpredictable() {
    let scenario = "version = 1\n[[rule]]\nname = \"full\"\n[rule.fault.space]\n\
                    capacity = \"1GiB\"\ninodes = 10\n";
    let dir = directory();
    let output = preview(scenario, dir.path(), &["--json"]);
    let found = lines(&output);
    assert_eq!((found.len(), &found[0]["fault"]), (1, &"space".into()));
    assert_eq!((&found[0]["capacity"], &found[0]["inodes"]), (&(1u64 << 30).into(), &10.into()));
    let all = std::process::Command::new("find").arg(dir.path()).output().unwrap().stdout;
    let inodes = all.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(found[0]["inodes_taken"], inodes as u64, "the root and all below it");
    assert!(found[0]["taken"].as_u64().unwrap().is_multiple_of(4096));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("depends on the operations"), "{said}");
}

#[test]
fn regions_are_listed_with_what_they_read_as_and_whether_that_changes_anything() {
    let scenario = r#"
version = 1
seed = 7
[[rule]]
name = "lost"
select = { path = "hole" }
[rule.fault.corrupt]
content = "zero"
at = [{ byte = 0 }]
[[rule]]
name = "junk"
select = { path = "hole" }
[rule.fault.corrupt]
content = "junk"
at = [{ byte = 4096 }]
[[rule]]
name = "same"
select = { path = "a.sst" }
[rule.fault.corrupt]
content = { byte = 0x41 }
at = [{ byte = 299_999 }]
[[rule]]
name = "other"
select = { path = "sub/*" }
[rule.fault.corrupt]
content = { byte = 0xFF }
at = [{ byte = 0 }]
region = 512
"#;
    let dir = directory();
    fs::File::create(dir.path().join("hole")).unwrap().set_len(10_000).unwrap();
    let output = preview(scenario, dir.path(), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut told: Vec<&str> =
        text.lines().map(|line| line.rsplit_once(',').expect("an id at the end").0).collect();
    told.sort();
    assert_eq!(
        told,
        [
            "a.sst: bytes 299008..300000 read as 0x41, which is what is stored (same",
            "hole: bytes 0..4096 read as zero, which changes nothing: they lie in a hole (lost",
            "hole: bytes 4096..8192 read as junk, in part or whole a hole (junk",
            "sub/b.sst: bytes 0..512 read as 0xff (other",
        ]
    );
}

#[test]
fn a_count_that_finds_no_place_ends_with_5() {
    let dir = tempfile::tempdir().unwrap();
    let output = preview(ONE_BIT, dir.path(), &["--seed", "1"]);
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains(
            "rule `one` places 1 bit(s) in files that are there now, and of those it selects 0"
        ),
        "{said}"
    );
}
