//! Documents are executed: what the README shows is what errorfs accepts.

use crate::support::*;

#[test]
fn every_scenario_in_the_readme_is_sound() {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let blocks = readme.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut checked = 0;
    for block in blocks {
        let files = Backing::new().with("scenario.toml", block.as_bytes());
        Program::errorfs("check").arg(files.join("scenario.toml")).succeed();
        checked += 1;
    }
    assert!(checked > 0, "the README shows no scenario");
}

#[test]
fn every_verb_in_the_readme_has_a_help_page_and_the_other_way_round() {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let table = readme.split("## Verbs").nth(1).unwrap().split("\n## ").next().unwrap();
    let verb = |line: &str| line.strip_prefix("| `")?.split([' ', '`']).next().map(str::to_owned);
    let mut told: Vec<String> = table.lines().filter_map(verb).collect();
    let help = Program::new(ERRORFS).arg("--help").succeed().stdout;
    let list = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let mut there: Vec<String> = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|verb| verb != "help")
        .collect();
    told.sort();
    there.sort();
    assert_eq!(told, there, "README.md (left) and --help (right)");
    for verb in told {
        Program::errorfs(&verb).arg("--help").succeed();
    }
}
