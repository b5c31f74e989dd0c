//! The formats of `errorfs check` for programs.

use std::path::Path;

use super::fixtures::{check, folder};

fn bad() -> std::path::PathBuf {
    folder("tests/scenario/bad")
}

#[test]
fn json_is_one_object_a_file_with_code_and_place() {
    let (status, stdout, stderr) = check(&["--format", "json", "unknown-op.toml"], &bad());
    assert_eq!((status, stderr.as_str()), (78, ""));
    let json: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(json["file"], "unknown-op.toml");
    let first = &json["diagnostics"][0];
    assert_eq!(first["code"], "unknown-op");
    assert_eq!(first["severity"], "error");
    assert_eq!((&first["line"], &first["column"]), (&5.into(), &19.into()));
    assert_eq!((&first["end_line"], &first["end_column"]), (&5.into(), &25.into()));
    assert!(first["help"].as_str().expect("a help").starts_with("operations are"));
}

#[test]
fn json_of_several_files_is_one_line_each() {
    let (status, stdout, _) =
        check(&["--format", "json", "empty.toml", "../good/crlf.toml"], &bad());
    assert_eq!(status, 78);
    assert_eq!(stdout.lines().count(), 2);
    for line in stdout.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    }
}

#[test]
fn github_annotates_the_line() {
    let (status, stdout, _) = check(&["--format", "github", "unknown-errno.toml"], &bad());
    assert_eq!(status, 78);
    assert_eq!(
        stdout,
        "::error file=unknown-errno.toml,line=6,col=9,title=unknown-errno::`EIOO` is not an \
         error of Linux%0Ahelp: errors are written by name, as in errno(3): EIO, ENOSPC, EROFS, \
         ETIMEDOUT, ...\n"
    );
}

#[test]
fn a_file_that_is_missing_is_reported_in_every_format() {
    for format in ["json", "github"] {
        let (status, stdout, _) = check(&["--format", format, "nowhere.toml"], Path::new("/"));
        assert_eq!(status, 78);
        assert!(stdout.contains("unreadable-file"), "{stdout}");
    }
}
