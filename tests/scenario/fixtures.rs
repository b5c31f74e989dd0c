//! `bad/*.toml` are refused with exactly the words of the `.stderr` beside them; `good/*.toml` are
//! accepted. `ERRORFS_BLESS=1` rewrites the expected words: read the difference before committing.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The scenario files in a folder of this one, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of fixtures exists")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The scenarios that errorfs ships.
pub(crate) fn shipped() -> Vec<PathBuf> {
    let sets = ["cords-fast17", "jaffer-atc19", "par-fast18"].map(|set| format!("scenarios/{set}"));
    let sets = ["scenarios".to_owned()].into_iter().chain(sets);
    sets.flat_map(|set| files(&folder(&set))).collect()
}

/// What `errorfs check` says to a file: status, stdout, stderr.
pub(crate) fn check(arguments: &[&str], directory: &Path) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_errorfs"))
        .arg("check")
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("errorfs runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let status = output.status.code().expect("an exit status");
    (status, text(output.stdout), text(output.stderr))
}

/// "Rules that wait for each other are refused." "`byte` is an offset (a size), `bit` is 0 (least
/// significant) to 7, `generation` is a whole number, 0 by default, for sticky damage only." "The
/// kernel takes ENOSYS to mean that the whole mount lacks the operation: that gives a warning."
/// "Two flips of the same bit undo each other, and of two rules that corrupt the same region one
/// does nothing, so two rules that name the same place are refused where that can be proved."
#[test]
fn every_broken_scenario_is_refused_in_the_expected_words() {
    let bad = folder("tests/scenario/bad");
    let bless = std::env::var_os("ERRORFS_BLESS").is_some();
    let mut wrong = Vec::new();
    let files = files(&bad);
    assert!(files.len() >= 45, "only {} fixtures", files.len());
    for file in &files {
        let name = file.file_name().expect("a name").to_str().expect("UTF-8");
        let (status, stdout, stderr) = check(&[name], &bad);
        assert_eq!((status, stdout.as_str()), (78, ""), "{name}: {stderr}");
        let expected = file.with_extension("stderr");
        if bless {
            std::fs::write(&expected, &stderr).expect("the fixture is written");
        } else if std::fs::read_to_string(&expected).ok().as_deref() != Some(&stderr) {
            wrong.push(format!("--- {name} says:\n{stderr}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ from their .stderr; see ERRORFS_BLESS in {}\n{}",
        wrong.len(),
        file!(),
        wrong.join("\n")
    );
}

#[test]
fn no_expected_words_are_left_without_their_scenario() {
    for entry in std::fs::read_dir(folder("tests/scenario/bad")).expect("the folder") {
        let path = entry.expect("an entry").path();
        assert!(path.with_extension("toml").exists(), "{}", path.display());
    }
}

#[test]
fn every_good_scenario_is_accepted() {
    for file in files(&folder("tests/scenario/good")) {
        let text = std::fs::read_to_string(&file).expect("readable");
        let parsed = errorfs::scenario::parse(&text);
        assert!(parsed.scenario.is_some(), "{}: {:?}", file.display(), parsed.diagnostics);
    }
}

#[test]
fn a_good_file_does_not_hide_a_bad_one() {
    let here = folder("tests/scenario");
    let (status, stdout, stderr) =
        check(&["good/crlf.toml", "bad/empty-ops.toml", "bad/nowhere.toml"], &here);
    assert_eq!(status, 78);
    assert_eq!(stdout, "good/crlf.toml: ok, 1 rule\n");
    assert!(stderr.contains("error[empty-list]"), "{stderr}");
    assert!(stderr.contains("error[unreadable-file]"), "{stderr}");
    assert!(stderr.ends_with("2 errors, 0 warnings\n"), "{stderr}");
}

#[test]
fn what_is_not_a_regular_text_is_refused() {
    let here = folder("tests/scenario");
    for name in [".", "/dev/zero", "nowhere.toml"] {
        let (status, stdout, stderr) = check(&[name], &here);
        assert_eq!((status, stdout.as_str()), (78, ""), "{name}");
        assert!(stderr.starts_with("error[unreadable-file]"), "{name}: {stderr}");
    }
}
