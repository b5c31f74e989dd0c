//! The shipped scenarios and the reference of the format say nothing that errorfs refuses.

use super::fixtures::{check, files, folder, shipped};
use errorfs::scenario::{Evidence, Scenario, merge, parse};
use std::collections::BTreeSet;

#[test]
fn every_shipped_scenario_is_accepted_without_a_word_and_says_what_it_models() {
    let files = shipped();
    assert!(files.len() >= 30);
    let mut names = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        let parsed = parse(&text);
        let diagnostics = parsed.diagnostics;
        assert!(diagnostics.is_empty(), "{}: {diagnostics:?}", file.display());
        let presets = parsed.scenario.expect("it is sound").presets;
        assert_eq!(presets.len(), 1, "{} says where it comes from", file.display());
        assert!(names.insert(presets[0].name.clone()), "{} is there twice", presets[0].name);
        let marked = presets[0].assumptions.concat();
        for mark in ["secondary", "unverified"] {
            assert!(
                !text.contains(&format!("({mark}")) || marked.contains(mark) || {
                    text.contains(&format!("[{mark}]"))
                },
                "{} loses the mark {mark}",
                file.display()
            );
        }
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

#[test]
fn every_shipped_scenario_is_in_the_table_of_the_reference() {
    let readme = std::fs::read_to_string(folder("scenarios/README.md")).expect("readable");
    for file in shipped() {
        let name = file.strip_prefix(folder("scenarios")).expect("below").display().to_string();
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn check_prints_where_the_figures_come_from() {
    let (status, stdout, _) = check(&["cern-regions.toml"], &folder("scenarios"));
    assert_eq!(status, 0);
    for line in [
        "  preset cern-2007: field\n",
        "    after Panzer-Steindel, Data Integrity, CERN, 2007\n",
        "    really events_per_byte_written = 2e-13\n",
        "    accelerated by exact_k\n",
        "    assumes: ten faults, uniformly placed\n",
    ] {
        assert!(stdout.contains(line), "{line}{stdout}");
    }
    let arguments = ["--format", "json", "cern-regions.toml"];
    let json = check(&arguments, &folder("scenarios")).1;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let preset = &json["presets"][0];
    assert_eq!((&preset["name"], &preset["evidence"]), (&"cern-2007".into(), &"field".into()));
    assert_eq!(preset["real_rate"]["events_per_byte_written"], 2e-13);
    assert_eq!(preset["acceleration"]["method"], "exact_k");
}

#[test]
fn where_figures_come_from_changes_no_plan_and_merging_keeps_all_of_it() {
    let bare = "version = 1\nseed = 1\n[[rule]]\nname = \"a\"\nfault.bit_flip.count = 1\n";
    let preset = "[preset]\nname = \"p\"\nevidence = \"synthetic\"\n";
    let read = |text: &str| parse(text).scenario.expect("sound");
    let told = read(&bare.replace("[[rule]]", &format!("{preset}[[rule]]")));
    assert_eq!(told.presets[0].evidence, Evidence::Synthetic);
    assert_eq!(told.fingerprint(), read(bare).fingerprint());
    assert_ne!(told.canonical(), read(bare).canonical());
    let other =
        read(&bare.replace("\"a\"", "\"b\"").replace("[[rule]]", &format!("{preset}[[rule]]")));
    let merged = merge(vec![("1".into(), told), ("2".into(), other)]).expect("they go together");
    assert_eq!(merged.presets.len(), 2);
    assert_eq!(Scenario::from_canonical(&merged.canonical()).as_ref(), Ok(&merged));
    assert!(merged.to_toml().contains("[[preset]]"), "{}", merged.to_toml());
}
