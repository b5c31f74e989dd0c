//! Each sentence of scenarios/README.md about rules and faults stands before a test that executes it,
//! in the same words: `/// "Overwriting ends the damage of exactly the bytes that are overwritten."`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where the page begins and ends to say what faults do.
const FROM: &str = "\n## A rule\n";
const TO: &str = "\n## What is refused\n";

/// Sentences that say nothing of what errorfs does.
const TOLD_ONLY: &[&str] = &[
    "Field studies find few sick devices with much damage in runs, not much of it everywhere.",
    "Sources: FAST'08 for median, mean (104), largest number and runs, SIGMETRICS'07 for the \
     neighbourhood (secondary); FAST'10 for the shape of bursts, whose figures are those that STAIR \
     codes (FAST'14) use (secondary).",
    "That the number is lognormal is a fit to median and mean.",
    "It is all that POSIX promises.",
];

/// The paragraphs and list items of the page: no headings, tables and examples.
fn paragraphs(page: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    let mut example = false;
    for line in page.lines().map(str::trim) {
        example ^= line.starts_with("```");
        let item = line.strip_prefix("- ").or_else(|| {
            let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
            if rest.len() < line.len() { rest.strip_prefix(". ") } else { None }
        });
        let apart = line.is_empty() || line.starts_with(['#', '|', '`']) && is_markup(line);
        if example || apart || item.is_some() {
            paragraphs.push(String::new());
        }
        if !(example || apart) {
            let last = paragraphs.last_mut().unwrap();
            last.push_str(item.unwrap_or(line));
            last.push(' ');
        }
    }
    paragraphs.retain(|text| !text.trim().is_empty());
    paragraphs
}

fn is_markup(line: &str) -> bool {
    line.starts_with("# ")
        || line.starts_with("##")
        || line.starts_with(['|'])
        || line.starts_with("```")
}

/// What leads to a list, a table or an example is part of that.
fn sentences(paragraph: &str) -> Vec<String> {
    let words = in_one_line(paragraph);
    let ends = words.match_indices(". ").map(|(at, _)| at + 1);
    let ends = ends.chain(words.match_indices(".) ").map(|(at, _)| at + 2));
    let mut ends: Vec<usize> = ends.chain([words.len()]).collect();
    ends.sort_unstable();
    let mut start = 0;
    let mut found = Vec::new();
    for end in ends {
        let sentence = words[start..end].trim();
        if !sentence.is_empty() && !sentence.ends_with(':') {
            found.push(sentence.to_owned());
        }
        start = end;
    }
    found
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The comments that stand before tests, each in one line.
fn comments(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let (mut comments, mut comment, mut is_test) = (Vec::new(), String::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            comment.push_str(words);
        } else if line.starts_with("#[") {
            is_test |= line == "#[test]";
        } else {
            if is_test && line.starts_with("fn ") {
                comments.push(in_one_line(&comment));
            }
            (comment, is_test) = (String::new(), false);
        }
    }
    comments
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn page() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("scenarios/README.md")).unwrap();
    let part = text.split(FROM).nth(1).unwrap().split(TO).next().unwrap();
    paragraphs(part).iter().flat_map(|paragraph| sentences(paragraph)).collect()
}

fn quoted() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("tests"), &mut files);
    sources(&root.join("src"), &mut files);
    files.iter().flat_map(|file| comments(file)).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_sentence_about_faults_stands_before_a_test_that_executes_it() {
    let (page, quoted) = (page(), quoted());
    assert!(page.len() > 250, "only {} sentences", page.len());
    let told: BTreeSet<&str> = TOLD_ONLY.iter().copied().collect();
    let untested = page.iter().filter(|sentence| !told.contains(&***sentence));
    let untested: Vec<_> = untested.filter(|one| !quoted.contains(&format!("\"{one}\""))).collect();
    assert!(
        untested.is_empty(),
        "{} sentences of scenarios/README.md stand before no test (as /// \"...\"):\n{untested:#?}",
        untested.len()
    );
}

#[test]
fn what_is_told_only_is_still_told() {
    let page = page();
    for sentence in TOLD_ONLY {
        assert!(page.iter().any(|one| one == sentence), "{sentence}");
    }
}
