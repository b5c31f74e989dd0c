//! Campaign files: every mistake word for word, good ones accepted.

use super::*;
use crate::scenario::fixtures::{files, folder};

#[test]
fn every_broken_campaign_is_refused_in_the_expected_words() {
    require_root!();
    let bad = folder("tests/campaign/bad");
    let bless = std::env::var_os("ERRORFS_BLESS").is_some();
    let files = files(&bad);
    assert!(files.len() >= 8, "only {} fixtures", files.len());
    let out = Backing::new();
    for file in &files {
        let name = file.file_name().expect("a name").to_str().expect("UTF-8");
        let plan = Program::errorfs("campaign").args(["plan", name, "-o"]).arg(out.join("out"));
        let ended = plan.directory(&bad).run().expect_status(78);
        assert!(!out.join("out").exists(), "{name}: something was made");
        let expected = file.with_extension("stderr");
        if bless {
            std::fs::write(&expected, &ended.stderr).expect("the fixture is written");
        }
        assert_eq!(ended.stderr, std::fs::read_to_string(&expected).unwrap(), "{name}");
    }
}

#[test]
fn good_campaigns_and_those_that_are_shipped_are_sound() {
    let good = files(&folder("tests/campaign/good"));
    let shipped = files(&folder("scenarios/campaigns"));
    assert!(!good.is_empty() && shipped.len() >= 2);
    for file in good.iter().chain(&shipped) {
        let parsed = errorfs::scenario::parse_campaign(&std::fs::read_to_string(file).unwrap());
        assert!(parsed.campaign.is_some(), "{}: {:?}", file.display(), parsed.diagnostics);
    }
}

#[test]
fn the_example_in_the_documents_is_sound() {
    let text = std::fs::read_to_string(folder("scenarios").join("README.md")).unwrap();
    let section = text.split("\n## Campaigns").nth(1).expect("a section named Campaigns");
    let blocks = section.split("```toml campaign\n").skip(1);
    let mut checked = 0;
    for block in blocks.map(|rest| rest.split("```").next().unwrap()) {
        let parsed = errorfs::scenario::parse_campaign(block);
        assert!(parsed.campaign.is_some(), "{:?}", parsed.diagnostics);
        checked += 1;
    }
    assert!(checked > 0);
}
