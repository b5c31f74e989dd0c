//! The shape of the code, kept by tests: borders, arrows, sizes, headers, the README's map.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Lines of code in a file, and in a function; tests not counted.
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// From left to right, who may use whom: a folder uses only what stands further right.
const ORDER: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["report"],
    &["campaign"],
    &["trial", "control", "fuse", "heal"],
    &["fs"],
    &["injector", "state"],
    &["trace"],
    &["ledger", "media"],
    &["plan"],
    &["scenario"],
    &["diagnostic", "machine", "op"],
    &["isolation"],
    &["sys", "errno"],
];

/// One source file.
struct Source {
    path: String,
    text: String,
    /// Without the tests at its end, comments and blank lines; strings emptied.
    code: Vec<String>,
}

impl Source {
    /// The folder or top-level file that it belongs to: `fs`, `injector`.
    fn noun(&self) -> &str {
        let inside = self.path.trim_start_matches("src/");
        inside.split(['/', '.']).next().unwrap()
    }

    fn is_in(&self, place: &str) -> bool {
        self.noun() == place
    }
}

fn root() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"))
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn sources(folder: &str) -> Vec<Source> {
    files_below(&root().join(folder))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            let code = code_of(&path, &text);
            Source { path, text, code }
        })
        .collect()
}

/// What is code: up to the tests, no comments, no blank lines, no text in quotes.
fn code_of(path: &str, text: &str) -> Vec<String> {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .map(without_strings)
        .map(|line| line.split("//").next().unwrap_or("").to_owned())
        .filter(|line| !line.trim().is_empty())
        .collect()
}

/// The line with `"..."` emptied and quoted characters removed. Enough for rustfmt's lines.
fn without_strings(line: &str) -> String {
    let line = line.replace("'\"'", "").replace("'{'", "").replace("'}'", "").replace("\\\"", "");
    let parts = line.split('"').enumerate();
    parts.filter(|(place, _)| place % 2 == 0).map(|(_, part)| part).collect::<Vec<_>>().join("\"\"")
}

/// Every line of code outside `allowed` that contains one of the words is a complaint.
fn complain_of(words: &[&str], allowed: impl Fn(&Source) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources("src").iter().filter(|source| !allowed(source)) {
        for line in &source.code {
            for word in words.iter().filter(|word| has_word(line, word)) {
                complaints.push(format!("{}: {word} in: {}", source.path, line.trim()));
            }
        }
    }
    complaints
}

/// Whether the word stands in the line, not as the end or the beginning of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |found: Option<char>| found.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let ends_in_name = is_name(word.chars().last());
    line.match_indices(word).any(|(place, _)| {
        let begins_before = is_name(line[..place].chars().last());
        let goes_on = ends_in_name && is_name(line[place + word.len()..].chars().next());
        !(begins_before || goes_on)
    })
}

fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn only_the_folder_fuse_names_fuser() {
    none(complain_of(&["fuser"], |source| source.is_in("fuse")));
}

#[test]
fn only_sys_names_libc_or_is_unsafe() {
    none(complain_of(&["libc::", "unsafe"], |source| source.is_in("sys")));
}

/// Where `fs` holds locks: what these files do not call cannot be called under one.
#[test]
fn the_tables_of_nodes_numbers_and_handles_make_no_system_call() {
    let tables = ["node", "node_table", "numbers", "handles", "directory_cache"];
    let paths = tables.map(|name| format!("src/fs/{name}.rs"));
    let words = ["rustix", "std::fs", "stat_fd", "stat_name", "openat", "sys::"];
    none(complain_of(&words, |source| !paths.contains(&source.path)));
}

#[test]
fn only_cli_prints_and_exits() {
    let words =
        ["println!", "eprintln!", "print!", "eprint!", "process::exit", "stdout()", "stderr()"];
    none(complain_of(&words, |source| source.is_in("cli")));
}

#[test]
fn plan_and_injector_have_no_files_no_network_no_clock_and_no_randomness_of_their_own() {
    let words = ["std::fs", "std::net", "Instant::now", "SystemTime", "rand::rng", "std::env"];
    none(complain_of(&words, |source| !(source.is_in("plan") || source.is_in("injector"))));
}

#[test]
fn arrows_between_folders_point_one_way() {
    let rank = |noun: &str| ORDER.iter().position(|level| level.contains(&noun));
    let mut complaints = Vec::new();
    for source in sources("src").iter().filter(|source| source.path != "src/lib.rs") {
        let Some(from) = rank(source.noun()) else {
            complaints.push(format!("{}: not in the order of tests/tidy.rs", source.path));
            continue;
        };
        // The names of events are a leaf, as are words and numbers: everyone may say them.
        for used in used_by(source).iter().filter(|used| *used != source.noun()) {
            if rank(used).is_none_or(|to| to <= from) {
                complaints.push(format!("{}: must not use {used}", source.path));
            }
        }
    }
    none(complaints);
}

/// The nouns that a file uses by `crate::noun`, also in braces.
fn used_by(source: &Source) -> BTreeSet<String> {
    let code = source.code.concat();
    let mut nouns = BTreeSet::new();
    for (place, _) in code.match_indices("crate::") {
        let rest = &code[place + "crate::".len()..];
        let list = match rest.strip_prefix('{') {
            Some(inside) => top_level(inside),
            None => vec![rest],
        };
        let name = |item: &str| {
            item.trim()
                .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .next()
                .map(str::to_owned)
        };
        nouns.extend(list.into_iter().filter_map(name).filter(|noun| !noun.is_empty()));
    }
    nouns
}

/// The items of a `use` list, up to its closing brace.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (place, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                items.push(&list[start..place]);
                start = place + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    items
}

#[test]
fn files_and_functions_stay_within_their_budgets() {
    let mut complaints = Vec::new();
    for source in sources("src").iter().chain(&sources("tests")) {
        if source.code.len() > FILE_LINES_MAX {
            complaints.push(format!("{}: {} lines of code", source.path, source.code.len()));
        }
        for (name, lines) in functions(&source.code) {
            if lines > FUNCTION_LINES_MAX {
                complaints.push(format!("{}: fn {name}: {lines} lines", source.path));
            }
        }
    }
    none(complaints);
}

/// Functions and their lines: from `fn` to the closing brace in the same column, as rustfmt sets it.
fn functions(code: &[String]) -> Vec<(String, usize)> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (place, line) in code.iter().enumerate() {
        let Some(name) = line.split("fn ").nth(1).filter(|_| has_word(line, "fn")) else {
            continue;
        };
        let closing = format!("{}}}", " ".repeat(indent(line)));
        let end = code[place..].iter().position(|line| *line == closing);
        let name = name.split(['(', '<']).next().unwrap().to_owned();
        let one_line = line.trim_end().ends_with(['}', ';']);
        found.push((name, if one_line { 1 } else { end.map_or(1, |lines| lines + 1) }));
    }
    found
}

#[test]
fn every_file_says_first_what_it_is_responsible_for() {
    let mut complaints = Vec::new();
    for source in sources("src").iter().chain(&sources("tests")) {
        let header = source.text.lines().take_while(|line| line.starts_with("//!")).count();
        let is_page = source.path == "src/lib.rs";
        if header == 0 || (header > 8 && !is_page) {
            complaints.push(format!("{}: a header of {header} lines", source.path));
        }
    }
    none(complaints);
}

#[test]
fn no_module_is_named_after_nothing() {
    let forbidden = ["utils", "util", "common", "helpers", "helper", "manager", "misc"];
    let files =
        files_below(&root().join("src")).into_iter().chain(files_below(&root().join("tests")));
    let named = |path: &PathBuf| {
        path.iter().any(|part| {
            forbidden
                .iter()
                .any(|word| part.to_str().is_some_and(|part| part.split('.').next() == Some(word)))
        })
    };
    none(
        files
            .filter(|path| named(&path.strip_prefix(root()).unwrap().to_path_buf()))
            .map(|path| path.display().to_string())
            .collect(),
    );
}

#[test]
fn the_map_in_the_readme_is_the_tree() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let map = readme.split("## Map").nth(1).expect("a section named Map");
    let block = map.split("```").nth(1).expect("the map stands in a block");
    let named: BTreeSet<String> = block
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    let there: BTreeSet<String> = std::fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let folder = if entry.path().is_dir() { "/" } else { "" };
            format!("src/{}{folder}", entry.file_name().to_str().unwrap())
        })
        .collect();
    let in_src: BTreeSet<_> =
        named.iter().filter(|name| name.starts_with("src/")).cloned().collect();
    assert_eq!(in_src, there, "README.md, map (left), and the tree (right)");
    for name in named.iter().filter(|name| !name.starts_with("src/")) {
        assert!(root().join(name).exists(), "README.md, map: there is no {name}");
    }
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let mut section = "";
    let mut complaints = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let is_dependency = section.ends_with("dependencies]") && line.contains(" = ");
        let is_explained = number > 0 && lines[number - 1].starts_with('#');
        if is_dependency && !line.starts_with('#') && !is_explained {
            complaints.push(format!("Cargo.toml: no comment above: {line}"));
        }
    }
    none(complaints);
}

#[test]
fn no_file_names_a_development_machine_or_a_registry() {
    // Put together here, so that this file does not contain what it looks for.
    let words = [
        ["/wo", "rk/"],
        ["/tmp/", "wt"],
        ["/ho", "me/"],
        ["/ro", "ot/"],
        ["index.", "crates.io"],
        ["deb.", "debian.org"],
    ];
    let words = words.map(|parts| parts.concat());
    let mut complaints = Vec::new();
    for path in tracked() {
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else {
            continue;
        };
        for word in words.iter().filter(|word| text.contains(word.as_str())) {
            complaints.push(format!("{path}: {word}"));
        }
    }
    none(complaints);
}

/// The files that git knows; without git, those that a release would contain.
fn tracked() -> Vec<String> {
    let listed =
        std::process::Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let text = listed.map(|output| output.stdout).unwrap_or_default();
    let names =
        text.split(|byte| *byte == 0).map(|name| String::from_utf8_lossy(name).into_owned());
    names.filter(|name| !name.is_empty() && name != "Cargo.lock").collect()
}

#[test]
fn scripts_are_short_and_strict() {
    let mut complaints = Vec::new();
    for path in files_below(&root().join("scripts")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        // A file of a program in another language is one noun, not one task.
        let most = if name.ends_with(".py") || name.ends_with(".c") { 250 } else { 60 };
        if text.lines().count() > most {
            complaints.push(format!("{name}: more than {most} lines"));
        }
        let is_shell = text.starts_with("#!") && !text.starts_with("#!/usr/bin/env python3");
        if is_shell && !text.contains("set -euo pipefail") {
            complaints.push(format!("{name}: not strict"));
        }
    }
    none(complaints);
}

#[test]
fn the_rules_of_this_file_find_what_they_look_for() {
    let code =
        code_of("x.rs", "fn a() {\n    b(\"unsafe\"); // libc::x\n}\n\n#[cfg(test)]\nunsafe {}\n");
    assert_eq!(code, ["fn a() {", "    b(\"\"); ", "}"]);
    assert!(has_word("unsafe {", "unsafe") && !has_word("unsafe_code", "unsafe"));
    assert!(has_word("libc::x", "libc::") && !has_word("mylibc::x", "libc::"));
    assert_eq!(functions(&code), [("a".to_owned(), 3)]);
    let text = "use crate::{fs::{a, b}, plan::C};\nuse crate::op::Op;\n".to_owned();
    let source = Source { path: "src/x.rs".into(), code: code_of("src/x.rs", &text), text };
    assert_eq!(used_by(&source), ["fs", "op", "plan"].map(str::to_owned).into());
}
