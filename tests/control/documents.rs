//! What the README shows of a live mount is executed.

use super::*;

/// The lines of the section that begin so, without what is said about them.
fn shown(start: &str) -> Vec<String> {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let section = readme.split("## A live mount").nth(1).unwrap().split("\n## ").next().unwrap();
    let lines = section.lines().map(|line| line.split("  #").next().unwrap().trim());
    lines.filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}

fn mount(backing: &Backing) -> Mount {
    let rules = "[[rule]]\nname = \"bit-rot\"\nselect = { path = \"my.db\" }\n\
                 [rule.fault.bit_flip]\nat = [{ byte = 5, bit = 0 }]\n";
    Mount::new(backing.path()).scenario(rules).seed(1).start()
}

#[test]
fn every_command_line_is_accepted() {
    require_fuse!();
    let backing = Backing::new().with("my.db", &[0; 100_000]);
    let here = Backing::new().with("other.toml", format!("version = 1\n{FAILS}").as_bytes());
    let mut mount = mount(&backing);
    let socket = errorfs::control::find(Some(mount.path())).unwrap();
    let lines = shown("errorfs ");
    assert!(lines.len() >= 7, "{lines:?}");
    // `arm bit-rot` comes before the rule is gone; following has no end, and `top` takes a terminal.
    let endless = |line: &&String| line.contains("--follow") || line.contains("errorfs top");
    for line in lines.iter().filter(|line| !endless(line)) {
        let words = line.split_whitespace().skip(1);
        let program = Program::new(ERRORFS).args(words).directory(here.path());
        program.env("ERRORFS_CONTROL", &socket).succeed();
    }
    mount.stop();
}

#[test]
fn every_line_with_curl_is_answered() {
    require_fuse!();
    let backing = Backing::new().with("my.db", &[0; 100_000]);
    let here = Backing::new().with("other.toml", format!("version = 1\n{FAILS}").as_bytes());
    let mut mount = mount(&backing);
    let socket = errorfs::control::find(Some(mount.path())).unwrap();
    let lines = shown("curl ");
    assert!(lines.len() >= 4, "{lines:?}");
    for line in lines {
        let line = line.replace("SOCKET", socket.to_str().unwrap()).replace("curl", "curl -fsS");
        Program::new("sh").args(["-c", &line]).directory(here.path()).succeed();
    }
    assert_eq!(Api::of(&mount).generation(), 2);
    mount.stop();
}

#[test]
fn every_metric_of_the_dashboard_is_in_a_scrape_and_the_other_way_round() {
    require_fuse!();
    let backing = Backing::new().with("my.db", &[0; 100_000]);
    let mut mount = mount(&backing);
    std::fs::read(mount.join("my.db")).unwrap();
    let scrape = Program::errorfs("metrics").arg(mount.path()).succeed().stdout;
    let scraped: Vec<&str> =
        scrape.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/grafana/errorfs.json");
    let dashboard = std::fs::read_to_string(file).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let asked = panels.map(|panel| panel["targets"][0]["expr"].as_str().unwrap());
    let asked = asked.flat_map(|expr| expr.split(|c: char| !c.is_ascii_lowercase() && c != '_'));
    let asked = asked.filter(|word| word.starts_with("errorfs_"));
    let asked: Vec<&str> = asked.map(|name| name.strip_suffix("_bucket").unwrap_or(name)).collect();
    for name in &asked {
        assert!(scraped.contains(name), "{name} is not in\n{scrape}");
    }
    for name in &scraped {
        assert!(asked.contains(name), "no panel shows {name}");
    }
    mount.stop();
}
