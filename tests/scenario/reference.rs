//! The shipped scenarios and the reference of the format say nothing that errorfs refuses.

use super::fixtures::{files, folder};
use errorfs::scenario::parse;

#[test]
fn every_shipped_scenario_is_accepted_without_a_word_and_says_what_it_models() {
    let files = files(&folder("scenarios"));
    assert!(files.len() >= 9);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        let diagnostics = parse(&text).diagnostics;
        assert!(diagnostics.is_empty(), "{}: {diagnostics:?}", file.display());
        for part in ["# Models: ", "# Expect: ", "# Source: "] {
            assert!(text.contains(part), "{} lacks {part}", file.display());
        }
    }
}

#[test]
fn every_toml_block_of_the_reference_is_accepted_without_a_word() {
    let readme = std::fs::read_to_string(folder("scenarios/README.md")).expect("readable");
    let blocks: Vec<&str> = readme
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().expect("an end"))
        .collect();
    assert!(blocks.len() >= 8, "only {} blocks", blocks.len());
    for block in blocks {
        let diagnostics = parse(block).diagnostics;
        assert!(diagnostics.is_empty(), "{block}\n{diagnostics:?}");
    }
}

#[test]
fn the_reference_names_every_key_and_code() {
    let readme = std::fs::read_to_string(folder("scenarios/README.md")).expect("readable");
    let mut words: Vec<String> = Vec::new();
    for file in files(&folder("tests/scenario/bad")) {
        let said = std::fs::read_to_string(file.with_extension("stderr")).expect("readable");
        let codes = said.lines().filter_map(|line| {
            let rest = line.strip_prefix("error[").or_else(|| line.strip_prefix("warning["))?;
            Some(rest.split(']').next()?.to_string())
        });
        words.extend(codes);
    }
    words.sort();
    words.dedup();
    for word in words {
        assert!(readme.contains(&format!("`{word}`")), "{word} is not in scenarios/README.md");
    }
}
