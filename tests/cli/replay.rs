//! `errorfs replay`: statuses and files. What a replay says is shown in `tests/ledger`, that it gives
//! the same faults again on a mount.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{errorfs, output, text};

const EVENT: &str = r#"{"seq":1,"mono_ns":5,"time":"","outcome":"delivered","rule":"rot",
    "fault":"bit_flip","op":"read","path":"a","file":"a","ino":1,"offset":0,"len":10,
    "bits":[{"byte":3,"bit":1,"before":0,"after":2,"id":"x"}],"pid":1,"uid":0,"comm":"cat"}"#;

fn ledger(dir: &Path, events: &[&str]) -> PathBuf {
    let rule = json!({"name": "rot", "fault": {"bit_flip": {"rate": 1e-6}}});
    let header = json!({
        "ledger": 1, "errorfs": "0.1.0", "seed": 77, "draw": 1, "plan": "00", "mount": "",
        "kernel": "6.18", "armed": "2026-11-20T00:00:00Z", "options": {},
        "scenario": {"version": 1, "rule": [rule]},
    });
    let path = dir.join("ledger");
    let events: String = events.iter().map(|e| e.replace('\n', "") + "\n").collect();
    fs::write(&path, format!("{header}\n{events}")).unwrap();
    path
}

#[test]
fn the_scenario_is_on_stdout_and_passes_check() {
    let dir = tempfile::tempdir().unwrap();
    let replayed = output(errorfs("replay").arg(ledger(dir.path(), &[EVENT])));
    assert_eq!(replayed.status.code(), Some(0), "{replayed:?}");
    let said = text(&replayed.stdout);
    assert!(said.contains("seed = 77") && said.contains("rot/1"), "{said}");
    let scenario = dir.path().join("s.toml");
    fs::write(&scenario, said).unwrap();
    let checked = output(errorfs("check").arg(&scenario));
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
}

#[test]
fn a_new_file_is_written_and_an_old_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path(), &[EVENT]);
    let file = dir.path().join("again.toml");
    let replay = || output(errorfs("replay").arg(&ledger).arg("-o").arg(&file));
    assert_eq!(replay().status.code(), Some(0));
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.contains("rot/1"));
    let again = replay();
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("nothing is overwritten"));
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
}

#[test]
fn a_ledger_without_faults_and_what_is_no_ledger_have_statuses_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let status = |path: &Path| output(errorfs("replay").arg(path)).status.code();
    assert_eq!(status(&ledger(dir.path(), &[])), Some(5));
    assert_eq!(status(&ledger(dir.path(), &["{}"])), Some(78));
    let stranger = EVENT.replace("\"rot\"", "\"other\"");
    assert_eq!(status(&ledger(dir.path(), &[&stranger])), Some(78));
    assert_eq!(status(&dir.path().join("gone")), Some(78));
}

#[test]
fn a_torn_last_line_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = ledger(dir.path(), &[EVENT]);
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole + "{\"seq\":2,").unwrap();
    let replayed = output(errorfs("replay").arg(&path));
    assert_eq!(replayed.status.code(), Some(0));
    assert!(text(&replayed.stderr).contains("cut off"), "{replayed:?}");
}
