//! The reader: torn lines, unknown fields, other versions, bad lines.

use std::fs;
use std::path::PathBuf;

use errorfs::ledger::{LedgerError, Reader, read};
use tempfile::TempDir;

use super::{event, header};

fn ledger(extra: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let header = serde_json::to_string(&header()).unwrap();
    fs::write(&path, format!("{header}\n{extra}")).unwrap();
    (dir, path)
}

fn line() -> String {
    serde_json::to_string(&event("a")).unwrap()
}

#[test]
fn a_torn_last_line_is_told_and_is_no_error() {
    let line = line();
    for torn in [&line[..line.len() / 2], "{", line.as_str()] {
        let (_dir, path) = ledger(&format!("{line}\n{torn}"));
        let ledger = read(&path).unwrap();
        assert_eq!(ledger.events, [event("a")]);
        assert!(ledger.truncated, "{torn}");
    }
    let (_dir, path) = ledger(&format!("{line}\n"));
    assert!(!read(&path).unwrap().truncated);
}

#[test]
fn fields_that_later_versions_add_are_ignored() {
    let grown = line().replacen('{', "{\"node\":\"three\",", 1);
    let (_dir, path) = ledger(&format!("{grown}\n"));
    assert_eq!(read(&path).unwrap().events, [event("a")]);
}

#[test]
fn a_format_of_another_version_is_an_error_whatever_else_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    fs::write(&path, "{\"ledger\":2,\"nothing\":\"else\"}\n").unwrap();
    let error = read(&path).unwrap_err();
    assert!(matches!(error, LedgerError::Version { found: 2, .. }), "{error}");
}

#[test]
fn a_bad_line_is_named_with_its_file_and_number() {
    let (_dir, path) = ledger(&format!("{}\nnonsense\n{}\n", line(), line()));
    let error = read(&path).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}:3: ", path.display())), "{error}");
    assert_eq!(Reader::open(&path).unwrap().count(), 2);
}

#[test]
fn what_is_no_ledger_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let told = |text: &str| {
        fs::write(&path, text).unwrap();
        read(&path).unwrap_err()
    };
    assert!(matches!(told(""), LedgerError::NoHeader { .. }));
    assert!(matches!(told("{\"ledger\":1"), LedgerError::NoHeader { .. }));
    assert!(matches!(told("hello\n"), LedgerError::Line { line: 1, .. }));
    let gone = dir.path().join("gone");
    assert!(matches!(read(&gone), Err(LedgerError::Io { .. })));
}
