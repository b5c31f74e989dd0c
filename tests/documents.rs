//! Documents are executed: what the README shows is what errorfs accepts.

use std::path::Path;

use crate::support::*;

/// A document of this repository.
fn document(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What stands under a heading of the README.
fn section(heading: &str) -> String {
    let readme = document("README.md");
    let section = readme.split(&format!("\n## {heading}\n")).nth(1);
    section
        .unwrap_or_else(|| panic!("no section {heading}"))
        .split("\n## ")
        .next()
        .unwrap()
        .to_owned()
}

/// The command lines that a text shows, without what is said about them.
fn commands(text: &str) -> Vec<String> {
    let shown = text.lines().filter_map(|line| line.strip_prefix("    "));
    let lines = shown.map(|line| line.split("  #").next().unwrap().trim().to_owned());
    lines.filter(|line| line.starts_with("errorfs ") || line.starts_with("cat ")).collect()
}

/// The scenario of the README in a file, a database beside it, and where to mount it.
fn newcomer() -> Backing {
    let here = Backing::new();
    let section = section("A first scenario in 60 seconds");
    let scenario = section.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    std::fs::write(here.join("bitrot.toml"), scenario).unwrap();
    std::fs::create_dir(here.join("DIR")).unwrap();
    std::fs::create_dir(here.join("mnt")).unwrap();
    let rows = "PRAGMA page_size = 512; CREATE TABLE t(x TEXT);
                WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 999)
                INSERT INTO t SELECT printf('%0500d', i) FROM n";
    Program::new("sqlite3").arg(here.join("DIR/my.db")).arg(rows).succeed();
    here
}

/// What the first scenario's lines say, each run in order by a shell in a directory with DIR.
#[test]
fn the_first_scenario_does_what_the_readme_says() {
    require_fuse!();
    let here = newcomer();
    let lines = commands(&section("A first scenario in 60 seconds"));
    let [check, preview, run, cat, mount] = &lines[..] else { panic!("{lines:?}") };
    let path = format!(
        "{}:{}",
        Path::new(ERRORFS).parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let shell = |line: &str| {
        let shell = Program::new("sh").args(["-c", line]).env("PATH", &path);
        shell.directory(here.path()).run()
    };
    assert!(shell(check).stdout.contains("ok"));
    let foretold = shell(preview).stdout;
    shell(run);
    let served: serde_json::Value =
        serde_json::from_str(shell(cat).stdout.lines().last().unwrap()).unwrap();
    let byte = served["bits"][0]["byte"].as_u64().unwrap();
    assert!(foretold.starts_with(&format!("my.db: byte {byte} bit ")), "{foretold}");
    assert_eq!(served["comm"], "sqlite3");
    let mount = mount.replace("/mnt", "mnt").replace("errorfs ", "exec errorfs ");
    let ended = shell(&format!(
        "({mount}) & until mountpoint -q mnt; do sleep 0.1; done; \
         cmp -l DIR/my.db mnt/my.db; kill -INT $!; wait $!"
    ));
    let differing: Vec<&str> = ended.stdout.split_whitespace().collect();
    assert_eq!(differing[0], (byte + 1).to_string(), "{ended}");
    assert_eq!(differing.len(), 3, "{ended}");
    assert!(errorfs::machine::mount_at(&here.join("mnt")).unwrap().is_none());
}

/// Help is asked for at the end of each line, before what is another program's: whatever errorfs
/// does not know in it is refused.
#[test]
fn every_option_on_a_command_line_in_a_document_is_known() {
    let mut known = 0;
    for path in ["README.md", "scenarios/README.md", "scenarios/recipes/README.md"] {
        for line in commands(&document(path)).iter().filter(|line| line.starts_with("errorfs ")) {
            let ours = line.split(" -- ").next().unwrap().split(" > ").next().unwrap();
            let ours = ours.replace("--trial ID", &format!("--trial {:032x}", 7));
            let words = format!("exec {ERRORFS} {} --help", &ours["errorfs ".len()..]);
            let ended = Program::new("sh").args(["-c", &words]).run();
            assert!(ended.status.success(), "{path}: {line}\n{ended}");
            known += 1;
        }
    }
    assert!(known > 20, "{known} lines");
}

#[test]
fn the_list_of_contents_of_the_readme_has_every_section() {
    let readme = document("README.md");
    let headings = readme.lines().filter_map(|line| line.strip_prefix("## "));
    let anchor = |heading: &str| {
        let words = heading.to_lowercase().replace(' ', "-");
        words.replace(|c: char| !c.is_alphanumeric() && c != '-', "")
    };
    let entry = |heading: &str| format!("[{heading}](#{})", anchor(heading));
    let expected: Vec<_> = headings.filter(|h| *h != "Licence").map(entry).collect();
    let listed: Vec<_> = readme.lines().filter(|line| line.contains("](#")).collect();
    let listed: Vec<_> = listed.iter().map(|line| line.trim_end_matches(" ·")).collect();
    assert_eq!(listed, expected);
}

#[test]
fn every_scenario_in_the_readme_is_sound() {
    let readme = document("README.md");
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
    let table = section("Verbs");
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
