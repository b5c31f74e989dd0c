//! The screens of `top` and `status`, on real terminals (tmux) of 80 and 200 columns.

use std::process::Command;

use super::*;

/// Reads that each wait, and wait longer than errorfs takes.
const LATE: &str = "[[rule]]\nname = \"late\"\nselect = { path = \"file\", ops = [\"read\"] }\n\
    [rule.fault.latency]\ndistribution = { constant = \"30ms\" }\n";

/// A terminal in which a command runs.
struct Screen {
    socket: String,
}

impl Screen {
    fn new(name: &str, columns: u16, command: &str) -> Screen {
        let screen = Screen { socket: format!("errorfs-{name}-{}", std::process::id()) };
        let (columns, command) = (columns.to_string(), format!("{command}; sleep 60"));
        screen.tmux(&[
            "-f",
            "/dev/null",
            "-u",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            "40",
            &command,
        ]);
        screen
    }

    fn tmux(&self, words: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.socket]).args(words).env("TERM", "xterm").env_remove("TMUX");
        let ended = command.output().expect("tmux is there (scripts/setup)");
        assert!(ended.status.success(), "tmux {words:?}: {ended:?}");
        String::from_utf8(ended.stdout).unwrap()
    }

    fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn wait_for(&self, words: &[&str]) -> String {
        wait_until(&words.join(" "), LONG, || {
            let text = self.text();
            words.iter().all(|word| text.contains(word))
        });
        self.text()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

fn mount(backing: &Backing) -> Mount {
    Mount::new(backing.path()).scenario(&format!("{LATE}{FAILS}")).seed(7).start()
}

fn line<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let line =
        text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{text}"));
    line.split_whitespace().collect()
}

#[test]
fn top_shows_operations_faults_durations_and_rules_at_any_width_until_q() {
    require_fuse!();
    let backing = zeros();
    let mut mount = mount(&backing);
    Api::of(&mount).post("/v1/rules/fails/disarm");
    for columns in [80, 200] {
        let command =
            format!("{ERRORFS} top --interval 300ms {}; echo ended $?", mount.path().display());
        let screen = Screen::new(&format!("top-{columns}"), columns, &command);
        screen.wait_for(&["q ends it", "OPERATION"]);
        let until = std::time::Instant::now() + LONG;
        let text = loop {
            read_at(&mount.join("file"), 0, 10).unwrap();
            let text = screen.text();
            let read = text.lines().find(|line| line.starts_with("read ")).unwrap_or_default();
            let cells: Vec<&str> = read.split_whitespace().collect();
            // A read may begin in one interval and end in the next.
            let whole = |cell: &&&str| cell.ends_with("us") || cell.ends_with("ms");
            if [3, 5].into_iter().all(|at| cells.get(at).filter(whole).is_some()) {
                break text;
            }
            assert!(std::time::Instant::now() < until, "{text}");
        };
        let read = line(&text, "read ");
        assert!(read[1].parse::<f64>().is_ok() && read[2].parse::<f64>().is_ok(), "{text}");
        assert!(read[5].ends_with("ms"), "{text}");
        let late = line(&text, "late ");
        assert_eq!(late[1..3], ["latency", "armed"], "{text}");
        assert!(late[3].parse::<u64>().unwrap() > 0 && late[4] == "0", "{text}");
        assert_eq!(line(&text, "fails ")[2], "disarmed", "{text}");
        assert!(text.contains("seed 7") && text.contains("operations/s"), "{text}");
        assert!(text.contains("PER S DELIVERED LAST HIT"), "no column is cut: {text}");
        assert_eq!(text.contains("ALL P99"), columns == 200, "{text}");
        assert_eq!(text.contains("it is disarmed"), columns == 200, "{text}");
        screen.tmux(&["send-keys", "q"]);
        screen.wait_for(&["ended 0"]);
    }
    mount.stop();
}

#[test]
fn top_ends_with_the_mount_and_leaves_the_terminal_as_it_was() {
    require_fuse!();
    let backing = zeros();
    let mut mount = mount(&backing);
    let command = format!("{ERRORFS} top {}; echo ended $?", mount.path().display());
    let screen = Screen::new("gone", 80, &command);
    screen.wait_for(&["q ends it"]);
    mount.stop();
    let text = screen.wait_for(&["ended 4", "nobody answers at"]);
    assert!(!text.contains("OPERATION"), "{text}");
}

#[test]
fn top_says_what_to_use_where_there_is_no_terminal() {
    let refused = Program::errorfs("top").run().expect_status(2);
    refused.expect_said("top draws on a terminal: `errorfs status --json`");
}

#[test]
fn status_fills_a_terminal_and_not_more() {
    require_fuse!();
    let backing = zeros();
    let long = LATE.replace("\"late\"", &format!("\"late-{}\"", "x".repeat(60)));
    let mut mount = Mount::new(backing.path()).scenario(&long).seed(7).start();
    for columns in [80, 200] {
        let command = format!("{ERRORFS} status {}; echo ended", mount.path().display());
        let screen = Screen::new(&format!("status-{columns}"), columns, &command);
        let text = screen.wait_for(&["ended", "LAST HIT"]);
        assert_eq!(text.contains(&"x".repeat(60)), columns == 200, "{text}");
        assert_eq!(text.contains("x\u{2026} latency"), columns == 80, "{text}");
    }
    mount.stop();
}

/// The value of a metric of one kind of operation.
fn metric(mount: &Mount, name: &str, labels: &str) -> f64 {
    let scrape = Program::errorfs("metrics").arg(mount.path()).succeed().stdout;
    let start = format!("{name}{{{labels}}} ");
    let value = scrape.lines().find_map(|line| line.strip_prefix(&start)).map(str::parse);
    value.unwrap_or_else(|| panic!("no {start} in\n{scrape}")).unwrap()
}

#[test]
fn what_errorfs_takes_and_what_rules_make_wait_are_told_apart() {
    require_fuse!();
    let backing = zeros();
    let mut mount = mount(&backing);
    for _ in 0..5 {
        read_at(&mount.join("file"), 0, 10).unwrap();
    }
    let count = |name: &str| metric(&mount, &format!("{name}_count"), "op=\"read\"");
    let sum = |name: &str| metric(&mount, &format!("{name}_sum"), "op=\"read\"");
    let (took, waited) = ("errorfs_op_duration_seconds", "errorfs_injected_delay_seconds");
    wait_until("all are counted", LONG, || count(took) == 5.0 && count(waited) == 5.0);
    assert_eq!(metric(&mount, "errorfs_ops_total", "op=\"read\""), 5.0);
    let short = metric(&mount, &format!("{waited}_bucket"), "op=\"read\",le=\"0.02\"");
    assert!(short == 0.0 && sum(waited) >= 5.0 * 0.03, "{} s", sum(waited));
    assert!(sum(took) < sum(waited), "{} s without what they waited", sum(took));
    let told = Api::of(&mount).get("/v1/operations");
    let read = told["operations"].as_array().unwrap().iter().find(|one| one["op"] == "read");
    assert_eq!((&read.unwrap()["begun"], &read.unwrap()["faults"]), (&json!(5), &json!(5)));
    assert_eq!(told["bounds_s"].as_array().unwrap().len(), 25);
    mount.stop();
}
