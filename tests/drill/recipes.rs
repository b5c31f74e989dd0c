//! Recipes: the shipped ones on the real tools, and broken ones.

use super::*;
use crate::programs::is_installed;
use crate::scenario::fixtures::{files, folder};

/// Runs a recipe on its own sample. It must do as it says of itself.
fn as_expected(name: &str, tools: &[&str], trials: &str) -> Option<Ended> {
    require_tools(tools).then(|| {
        let program = Program::errorfs("drill").args(["--recipe", name, "--seed", "7"]);
        program.args(["--trials", trials]).succeed()
    })
}

fn require_tools(tools: &[&str]) -> bool {
    can_mount() && tools.iter().all(|tool| is_installed(tool))
}

#[test]
fn sums_and_compressors_notice() {
    for (name, tool) in
        [("sha256sum", "sha256sum"), ("gzip", "gzip"), ("xz", "xz"), ("zstd", "zstd")]
    {
        let Some(ended) = as_expected(name, &[tool], "8") else { continue };
        ended.expect_said("8 of 8 noticed");
    }
}

#[test]
fn a_listing_of_an_archive_is_blind() {
    let Some(ended) = as_expected("tar-list", &["tar"], "8") else { return };
    ended.expect_said("known to be blind: it");
}

#[test]
fn git_reads_and_hashes_every_object() {
    let Some(ended) = as_expected("git-fsck", &["git"], "8") else { return };
    ended.expect_said("8 of 8 noticed");
}

#[test]
fn restic_notices_if_it_reads_the_data_and_only_then() {
    let Some(ended) = as_expected("restic-check", &["restic"], "4") else { return };
    ended.expect_said("4   the fault was never read").expect_said("it reads nothing of it");
    let ended = as_expected("restic-check-read-data", &["restic"], "4").expect("it is installed");
    ended.expect_said("4 of 4 noticed");
}

#[test]
fn borg_notices() {
    let Some(ended) = as_expected("borg-check", &["borg"], "4") else { return };
    ended.expect_said("4 of 4 noticed");
}

#[test]
fn rsync_notices_by_what_it_prints() {
    let Some(ended) = as_expected("rsync-checksum", &["rsync"], "8") else { return };
    ended.expect_said("8 of 8 noticed");
}

#[test]
fn sqlite_notices_a_part_and_the_rest_is_silent() {
    let Some(ended) = as_expected("sqlite-integrity-check", &["sqlite3"], "20") else { return };
    ended.expect_said("silent_corruption");
}

#[test]
fn redis_notices() {
    let tools = ["redis-check-rdb", "redis-server", "redis-cli"];
    let Some(ended) = as_expected("redis-check-rdb", &tools, "8") else { return };
    ended.expect_said("8 of 8 noticed");
}

#[test]
fn a_recipe_runs_on_the_operators_own_data_and_never_on_its_sample_then() {
    require_fuse!();
    let (backing, files) = (lines(), Backing::new());
    let text = "version = 1\nname = \"mine\"\nmodels = \"x\"\nprepare = \"exit 1\"\n\
        path = [\"data\"]\ncommand = \"cmp {mnt}/data {mnt}/copy\"\ndetect = [\"exit\"]\n\
        expect = \"undetected\"\n";
    let files = files.with("mine.toml", text.as_bytes());
    let drill = || Program::errorfs("drill").arg("--recipe").arg(files.join("mine.toml"));
    let ended = drill().args(["--trials", "3"]).arg(backing.path()).run().expect_status(1);
    ended.expect_said("known to be blind: no more: it noticed");
    drill().run().expect_status(5).expect_said("the sample of recipe `mine` could not be made");
}

#[test]
fn every_broken_recipe_is_refused_in_the_expected_words() {
    let bad = folder("tests/drill/bad");
    let bless = std::env::var_os("ERRORFS_BLESS").is_some();
    let files = files(&bad);
    assert!(files.len() >= 5, "only {} fixtures", files.len());
    for file in &files {
        let name = file.file_name().expect("a name").to_str().expect("UTF-8");
        let ended = Program::errorfs("drill").args(["--recipe", name]).directory(&bad).run();
        let ended = ended.expect_status(78);
        let expected = file.with_extension("stderr");
        if bless {
            std::fs::write(&expected, &ended.stderr).expect("the fixture is written");
        }
        assert_eq!(ended.stderr, std::fs::read_to_string(&expected).unwrap(), "{name}");
    }
}
