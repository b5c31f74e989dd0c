//! Finds recipes, by name or in files, and makes their samples.

use std::path::Path;
use std::process::{Command, Stdio};

use super::exit::{Exit, Failure};
use super::scenarios;
use crate::diagnostic::{self, Consequence};
use crate::scenario::suggest::nearest;
use crate::scenario::{Recipe, parse_recipe};

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        /// The recipes of `scenarios/recipes`, by name.
        const EMBEDDED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../scenarios/recipes/", $name, ".toml")))),*
        ];
    };
}

embedded![
    "borg-check",
    "etcd-snapshot-restore",
    "etcd-snapshot-status",
    "git-fsck",
    "git-fsck-connectivity-only",
    "gzip",
    "leveldb-scan",
    "leveldb-scan-checksums",
    "lmdb-dump",
    "mariadb-innochecksum",
    "par2-verify",
    "par2-verify-volumes",
    "postgresql-amcheck",
    "postgresql-amcheck-no-checksums",
    "postgresql-checksums",
    "postgresql-dump",
    "postgresql-dump-no-checksums",
    "postgresql-verifybackup",
    "redis-check-aof",
    "redis-check-rdb",
    "restic-check",
    "restic-check-read-data",
    "restic-restore-verify",
    "rocksdb-checkconsistency",
    "rocksdb-scan",
    "rocksdb-sst-verify",
    "rocksdb-sst-verify-checksum",
    "rsync-checksum",
    "rsync-quick",
    "sha256sum",
    "sqlite-integrity-check",
    "sqlite-quick-check",
    "tar-compare",
    "tar-list",
    "unzip-test",
    "xz",
    "zstd",
    "zstd-no-check",
];

/// The recipe of this name; or in this file, if there is a slash or `.toml` in it.
pub(super) fn find(name: &str) -> Result<Recipe, Failure> {
    if name.contains('/') || name.ends_with(".toml") {
        let text = scenarios::read(Path::new(name));
        return text.map_or_else(|error| refused(name, "", &[error]), |text| parsed(name, &text));
    }
    match EMBEDDED.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => parsed(name, text),
        None => Err(unknown(name)),
    }
}

fn parsed(file: &str, text: &str) -> Result<Recipe, Failure> {
    let parsed = parse_recipe(text);
    parsed.recipe.map_or_else(|| refused(file, text, &parsed.diagnostics), Ok)
}

fn refused(
    file: &str,
    text: &str,
    diagnostics: &[diagnostic::Diagnostic],
) -> Result<Recipe, Failure> {
    scenarios::print_of(file, text, diagnostics, Consequence::NothingMounted);
    Err(Failure::new(Exit::BadFile, ""))
}

fn unknown(name: &str) -> Failure {
    let names: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
    let meant = nearest(name, names.iter().copied());
    let meant = meant.map_or(String::new(), |near| format!(", did you mean `{near}`?"));
    let message = format!(
        "there is no recipe `{name}`{meant}; recipes are: {}; or name a file: ./{name}.toml",
        names.join(", ")
    );
    Failure::new(Exit::Usage, message)
}

/// Makes the sample of a recipe in an empty directory.
pub(super) fn prepare(recipe: &Recipe, directory: &Path) -> Result<(), Failure> {
    let mut command = Command::new("sh");
    command.args(["-euc", &recipe.prepare]).current_dir(directory).stdin(Stdio::null());
    let output = command
        .envs(&recipe.environment)
        .output()
        .map_err(|error| Failure::new(Exit::Internal, format!("sh: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().lines().next_back().unwrap_or("nothing was said").to_owned();
    let message = format!(
        "the sample of recipe `{}` could not be made ({}): {said}; is the tool installed?",
        recipe.name, output.status
    );
    Err(Failure::new(Exit::NothingMatched, message))
}

/// What the product says of its version; nothing if it says nothing.
pub(super) fn tool(recipe: &Recipe) -> Option<String> {
    let mut command = Command::new("sh");
    command.args(["-c", recipe.tool.as_deref()?]).stdin(Stdio::null()).stderr(Stdio::null());
    let said = command.output().ok()?.stdout;
    let line = String::from_utf8_lossy(&said).lines().next().unwrap_or_default().trim().to_owned();
    Some(line).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_of_the_folder_is_there_sound_and_called_as_its_file() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/recipes");
        let entries = std::fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> =
            names.filter_map(|name| Some(name.strip_suffix(".toml")?.to_owned())).collect();
        files.sort();
        assert_eq!(files, EMBEDDED.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for (name, text) in EMBEDDED {
            let parsed = parse_recipe(text);
            assert!(parsed.diagnostics.is_empty(), "{name}: {:?}", parsed.diagnostics);
            assert_eq!(parsed.recipe.unwrap().name, *name);
        }
    }
}
