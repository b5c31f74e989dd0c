//! `errorfs campaign`: small systems that truly do each thing, and what is said of each; interruption,
//! shards, reports, and that nothing is left.

mod files;
mod interruption;
mod isolation;
mod judged;
mod merging;
mod plans;
mod reports;
mod shipped;
mod spread;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::support::*;

/// A campaign file, and the directory for what comes of it.
struct Campaign {
    files: Backing,
}

impl Campaign {
    fn new(text: &str) -> Campaign {
        Campaign { files: Backing::new().with("c.toml", text.as_bytes()) }
    }

    fn dir(&self) -> PathBuf {
        self.files.join("out")
    }

    fn file(&self) -> PathBuf {
        self.files.join("c.toml")
    }

    /// `errorfs campaign VERB FILE -o DIR`.
    fn verb(&self, verb: &str) -> Program {
        let program = Program::errorfs("campaign").arg(verb).arg(self.file()).arg("-o");
        program.arg(self.dir()).within(Duration::from_secs(300))
    }

    /// Runs it whole, and gives the report.
    fn report(&self, arguments: &[&str]) -> Value {
        self.verb("run").args(arguments).succeed();
        report_of(&[self.dir()])
    }
}

/// The report of directories and files.
fn report_of(inputs: &[PathBuf]) -> Value {
    let files = Backing::new();
    let json = files.join("r.json");
    let report = Program::errorfs("campaign").arg("report").args(inputs);
    report.arg("--json").arg(&json).succeed();
    serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap()
}

/// The results in a report, without what may be different each time.
fn essence(report: &Value) -> Vec<Value> {
    let results = report["trials"].as_array().unwrap().iter().map(|trial| &trial["result"]);
    let keys = ["trial", "point", "seed", "verdict", "local", "global", "why", "said", "stored"];
    results.map(|line| keys.iter().map(|key| line[key].clone()).collect()).collect()
}

/// Every file below a directory.
fn all_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(all_files(&path)) } else { files.push(path) }
    }
    files
}

/// A directory of files that is read, checked and written to, without any server.
const PLAIN: &str = r#"
version = 1
name = "plain"
prepare = "mkdir one; seq 1500 > one/data; cp one/data one/copy; cd one; sha256sum data > SUMS"
workload = "cd {mnt}; sha256sum -c --quiet SUMS >&2 || exit 1; cat copy; echo x >> log"
detect = ["exit = 1"]
timeout = "20s"
[[node]]
name = "one"
[[structure]]
name = "checked"
path = ["data", "SUMS"]
"#;
