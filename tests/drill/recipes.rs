//! Recipes: the shipped ones on the real tools, and broken ones.

use std::time::Duration;

use super::*;
use crate::programs::is_installed;
use crate::scenario::fixtures::{files, folder};

/// Runs a recipe on its own sample. It must do as it says of itself.
fn as_expected(name: &str, tools: &[&str], trials: &str) -> Option<Ended> {
    require_tools(tools).then(|| {
        let program = Program::errorfs("drill").args(["--recipe", name, "--seed", "7"]);
        // Servers are started in each trial.
        program.args(["--trials", trials]).within(Duration::from_secs(300)).succeed()
    })
}

fn require_tools(tools: &[&str]) -> bool {
    can_mount() && tools.iter().all(|tool| is_installed(tool))
}

/// Recipes whose product notices whatever is read.
fn all_notice(recipes: &[(&str, &[&str])]) {
    for (name, tools) in recipes {
        let Some(ended) = as_expected(name, tools, "8") else { continue };
        ended.expect_said("8 of 8 noticed");
    }
}

/// Recipes whose product notices nothing.
fn none_notice(recipes: &[(&str, &[&str])]) {
    for (name, tools) in recipes {
        let Some(ended) = as_expected(name, tools, "8") else { continue };
        ended.expect_said("known to be blind: it");
    }
}

/// Recipes whose product notices some: what it does not is told.
fn some_notice(recipes: &[(&str, &[&str], &str)]) {
    for (name, tools, says) in recipes {
        let Some(ended) = as_expected(name, tools, "20") else { continue };
        ended.expect_said(says);
    }
}

#[test]
fn sums_and_compressors_notice() {
    all_notice(&[
        ("sha256sum", &["sha256sum"]),
        ("gzip", &["gzip"]),
        ("xz", &["xz"]),
        ("zstd", &["zstd"]),
        ("unzip-test", &["unzip", "python3"]),
    ]);
    some_notice(&[("zstd-no-check", &["zstd"], "silent_corruption")]);
}

#[test]
fn archives_are_checked_by_comparing_and_not_by_listing() {
    all_notice(&[("tar-compare", &["tar"]), ("par2-verify", &["par2"])]);
    none_notice(&[("par2-verify-volumes", &["par2"])]);
    some_notice(&[("tar-list", &["tar"], "not_activated")]);
}

#[test]
fn git_reads_and_hashes_every_object_unless_in_a_hurry() {
    all_notice(&[("git-fsck", &["git"])]);
    some_notice(&[("git-fsck-connectivity-only", &["git"], "not_activated")]);
}

#[test]
fn postgresql_notices_with_checksums_and_dumps_damage_without() {
    let tools = &["psql", "pg_dump", "initdb", "setpriv"][..];
    for name in ["postgresql-checksums", "postgresql-amcheck", "postgresql-verifybackup"] {
        let Some(ended) = as_expected(name, tools, "4") else { continue };
        ended.expect_said("4 of 4 noticed");
    }
    if let Some(ended) = as_expected("postgresql-dump-no-checksums", tools, "4") {
        ended.expect_said("silent_corruption");
    }
    for name in ["postgresql-dump", "postgresql-amcheck-no-checksums"] {
        let Some(ended) = as_expected(name, tools, "12") else { continue };
        ended.expect_said("met");
    }
}

#[test]
fn stores_of_keys_notice_if_their_checksums_are_asked_for() {
    all_notice(&[
        ("rocksdb-scan", &["ldb"]),
        ("rocksdb-sst-verify-checksum", &["ldb", "sst_dump"]),
        ("leveldb-scan-checksums", &["/usr/bin/python3"]),
    ]);
    none_notice(&[("rocksdb-checkconsistency", &["ldb"])]);
    some_notice(&[
        ("rocksdb-sst-verify", &["ldb", "sst_dump"], "silent_corruption"),
        ("leveldb-scan", &["/usr/bin/python3"], "silent_corruption"),
        ("lmdb-dump", &["mdb_load", "mdb_dump"], "silent_corruption"),
    ]);
}

#[test]
fn mariadb_notices_on_pages_that_are_in_use() {
    let tools = &["mariadbd", "mariadb-install-db", "innochecksum"];
    some_notice(&[("mariadb-innochecksum", tools, "benign")]);
}

#[test]
fn etcd_notices_when_a_snapshot_is_restored_and_not_when_it_is_looked_at() {
    all_notice(&[("etcd-snapshot-restore", &["etcd", "etcdctl"])]);
    some_notice(&[("etcd-snapshot-status", &["etcd", "etcdctl"], "silent_corruption")]);
}

#[test]
fn restic_notices_if_it_reads_the_data_and_only_then() {
    let Some(ended) = as_expected("restic-check", &["restic"], "4") else { return };
    ended.expect_said("4   the fault was never read");
    let ended = as_expected("restic-check-read-data", &["restic"], "4").expect("it is installed");
    ended.expect_said("4 of 4 noticed");
    let ended = as_expected("restic-restore-verify", &["restic"], "4").expect("it is installed");
    ended.expect_said("4 of 4 noticed");
}

#[test]
fn borg_notices() {
    let Some(ended) = as_expected("borg-check", &["borg"], "4") else { return };
    ended.expect_said("4 of 4 noticed");
}

#[test]
fn rsync_notices_by_what_it_prints_if_it_reads() {
    all_notice(&[("rsync-checksum", &["rsync"])]);
    none_notice(&[("rsync-quick", &["rsync"])]);
}

#[test]
fn sqlite_notices_a_part_and_the_rest_is_silent() {
    some_notice(&[
        ("sqlite-integrity-check", &["sqlite3"], "silent_corruption"),
        ("sqlite-quick-check", &["sqlite3"], "silent_corruption"),
    ]);
}

#[test]
fn redis_notices_in_dumps_and_hardly_in_logs() {
    let tools = &["redis-check-rdb", "redis-server", "redis-cli"];
    all_notice(&[("redis-check-rdb", tools)]);
    some_notice(&[("redis-check-aof", tools, "silent_corruption")]);
}

#[test]
fn the_table_of_results_has_a_row_for_every_recipe() {
    let folder = folder("scenarios/recipes");
    let table = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let rows: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name))
        .collect();
    let names = files(&folder);
    let mut names: Vec<_> =
        names.iter().map(|file| file.file_stem().unwrap().to_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(rows, names);
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
