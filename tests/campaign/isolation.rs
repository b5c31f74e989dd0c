//! A campaign changes nothing of its data and leaves nothing: no mount, process, or file.

use super::*;

/// Leaves processes behind in every way that it can, and writes wherever it can.
const RESTLESS: &str = r#"
version = 1
name = "restless"
prepare = "sleep 1000 & (setsid sleep 1000 &); mkdir one two; seq 1500 > one/data; seq 9 > two/data"
workload = "setsid sleep 1000 & (sleep 1000 &); cd {mnt.one}; cat data; rm data; mkdir -p ro/a; chmod 500 ro; echo x > {mnt.two}/new; touch {tmp}/mine; ls {tmp}"
timeout = "20s"
golden = 2
[faults]
node = "one"
[[node]]
name = "one"
start = "sleep 1000 & exec sleep 1000"
[[node]]
name = "two"
"#;

/// How many trials: few here, more by the environment.
fn wanted() -> usize {
    std::env::var("ERRORFS_CAMPAIGN_TRIALS").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// The control groups of this machine.
fn groups() -> usize {
    fn below(directory: &Path) -> usize {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        directories.map(|entry| 1 + below(&entry.path())).sum()
    }
    below(Path::new("/sys/fs/cgroup"))
}

fn marked(mark: &str) -> usize {
    let pids = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.unwrap().path().join("environ")).ok());
    pids.filter(|text| text.windows(mark.len()).any(|window| window == mark.as_bytes())).count()
}

#[test]
fn after_tens_of_trials_nothing_is_left_and_the_data_are_as_they_were() {
    require_fuse!();
    require_root!();
    for mounted in ["faulty", "all"] {
        let (campaign, tmp) =
            (Campaign::new(&format!("mounted = \"{mounted}\"\n{RESTLESS}")), Backing::new());
        let run = |verb: &str| campaign.verb(verb).env("TMPDIR", tmp.path());
        run("plan").succeed();
        let (before, groups_before) = (tree_hash(&campaign.dir().join("data")), groups());
        let mut done = 0;
        while done < wanted() {
            let _ = std::fs::remove_dir_all(campaign.dir().join("results"));
            run("run").args(["--jobs", "3"]).succeed();
            done += report_of(&[campaign.dir()])["trials"].as_array().unwrap().len();
        }
        assert_eq!(tree_hash(&campaign.dir().join("data")), before);
        let report = report_of(&[campaign.dir()]);
        assert_eq!(report["counts"]["inconclusive"], 0, "{report:#}");
        assert!(report["trials"].as_array().unwrap().len() >= 8, "{report:#}");
        let (place, mark) = (campaign.dir(), format!("TMPDIR={}\0", tmp.path().display()));
        wait_until("nothing is left", Duration::from_secs(20), || {
            let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
            std::fs::read_dir(tmp.path()).unwrap().count() == 0
                && std::fs::read_dir(place.join("tmp")).unwrap().count() == 0
                && marked(&mark) == 0
                && groups() <= groups_before
                && !mounts.contains(place.to_str().unwrap())
        });
    }
}

#[test]
fn processes_and_network_are_the_trials_own() {
    require_fuse!();
    require_root!();
    let text = "version = 1\nname = \"alone\"\nprepare = \"mkdir one; echo a > one/a\"\n\
        workload = \"cat {mnt}/a; echo /proc/[0-9]* | wc -w; ls /sys/class/net >/dev/null; cat /proc/net/route | wc -l; \
        readlink /proc/1/exe | grep -c errorfs\"\n\
        golden = 2\n[[node]]\nname = \"one\"\n[faults]\nread = [\"bit_flip\"]\n";
    let campaign = Campaign::new(text);
    campaign.report(&[]);
    let said = std::fs::read_to_string(campaign.dir().join("golden/0/workload.stdout")).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines[0], lines[2], lines[3]), ("a", "1", "1"), "{said}");
    assert!(lines[1].parse::<u32>().unwrap() < 8, "others' processes are seen: {said}");
}
