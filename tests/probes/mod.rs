//! The traps of a passthrough, one probe a subject: the same program on a plain directory and on
//! the mount, in each of the ways in which a file can be open there, must print the same.
//! What cannot be the same stands in `accepted.md`, and is pinned.

mod accepted;
mod caller;
mod content;
mod mounting;
mod namespace;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::support::*;

/// Rules that never hit: files below `sticky` and `counted` are opened as those that may be hit.
const NEVER: &str = r#"
[[rule]]
name = "sticky"
select = { path = "sticky/**" }
[rule.fault.bit_flip]
rate = 1e-18

[[rule]]
name = "counted"
select = { path = "counted/**", ops = ["read", "write"] }
when = { nth = 1000000000 }
[rule.fault.error]
errno = "EIO"
"#;

/// Untargeted (with kernel passthrough and without); sticky damage (readers cached, writers direct); counted accesses (always direct).
const WAYS: [&str; 3] = ["untargeted", "sticky", "counted"];

/// Runs a probe everywhere and compares what it printed, and the mount with its backing directory.
/// `differs` are the lines that are accepted on the mount, for what the plain directory has.
fn probe(text: &str, differs: &[(&str, &str)]) {
    require_root!();
    require_fuse!();
    let plain = Backing::new();
    let wanted = outcome(text, plain.path());
    run_everywhere(text, &wanted, differs, &["--allow-other"], &WAYS);
    run_everywhere(text, &wanted, differs, &["--allow-other", "--no-passthrough"], &WAYS[..1]);
}

fn run_everywhere(
    text: &str,
    wanted: &str,
    differs: &[(&str, &str)],
    options: &[&str],
    ways: &[&str],
) {
    let backing = Backing::new();
    open_to_all(backing.path());
    ways.iter().for_each(|way| std::fs::create_dir(backing.join(way)).unwrap());
    let mount = Mount::new(backing.path()).scenario(NEVER).seed(7);
    let mut mount = mount.args(options.to_vec()).start();
    for way in ways {
        compare(way, wanted, &outcome(text, &mount.join(way)), differs);
    }
    assert_eq!(tree_hash(mount.path()), tree_hash(backing.path()));
    assert!(mount.delivered().is_empty());
    mount.stop();
}

fn outcome(text: &str, root: &Path) -> String {
    open_to_all(root);
    let text = format!("{}{text}", include_str!("prelude.py"));
    python(&text, [root]).within(Duration::from_secs(100)).succeed().stdout
}

fn open_to_all(path: &Path) {
    std::fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
}

/// Line by line, with the lines before the first one that differs.
fn compare(way: &str, wanted: &str, found: &str, differs: &[(&str, &str)]) {
    assert!(wanted.lines().count() > 5, "the probe did not run:\n{wanted}");
    let accepted = |plain: &str, mount: &str| {
        differs.iter().any(|(a, b)| plain.contains(a) && mount == plain.replace(a, b))
    };
    let lines: Vec<_> = wanted.lines().zip(found.lines()).collect();
    for (place, (plain, mount)) in lines.iter().enumerate() {
        if plain != mount && !accepted(plain, mount) {
            let before = lines[place.saturating_sub(6)..place].iter().map(|line| line.0);
            let before: Vec<_> = before.collect();
            panic!("{way}:\n{}\nplain: {plain}\nmount: {mount}", before.join("\n"));
        }
    }
    assert_eq!(wanted.lines().count(), found.lines().count(), "{way} ended early:\n{found}");
}
