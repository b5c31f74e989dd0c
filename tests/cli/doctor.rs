//! `errorfs doctor`: a true verdict, for people and for programs.

use super::{DeadMount, errorfs, is_mounted, output, text};

#[test]
fn the_exit_status_says_whether_a_mount_is_possible() {
    let output = output(errorfs("doctor").arg("--json"));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = match told["can_mount"].as_bool().unwrap() {
        true => 0,
        false => 4,
    };
    assert_eq!(output.status.code(), Some(code));
    let checks = told["checks"].as_array().unwrap();
    for name in ["mount-directly", "/dev/fuse", "kernel", "open-files", "fusectl"] {
        assert!(checks.iter().any(|check| check["name"] == name), "{name}");
    }
    let told_what_to_do = |check: &serde_json::Value| {
        check["status"] == "ok" || check["remedy"].as_str().is_some_and(|text| !text.is_empty())
    };
    assert!(checks.iter().all(told_what_to_do));
}

#[test]
fn the_table_has_no_colour_off_a_terminal() {
    let output = output(&mut errorfs("doctor"));
    let said = text(&output.stdout);
    assert!(said.contains("/dev/fuse") && !said.contains('\x1b'), "{said}");
}

#[test]
fn a_dead_mount_is_told_with_the_command_that_removes_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap().join("mnt");
    let Some(_mount) = DeadMount::new(&path) else {
        return crate::support::skipped("this user may not mount");
    };
    let said = text(&output(&mut errorfs("doctor")).stdout);
    let remedy = format!("errorfs umount --lazy '{}'", path.display());
    assert!(said.contains(&remedy), "{said}");
    assert!(is_mounted(&path), "looking removes nothing");
}

#[test]
fn a_mount_that_hangs_does_not_hang_the_doctor() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap().join("mnt");
    let Some(_mount) = DeadMount::silent(&path) else {
        return crate::support::skipped("this user may not mount");
    };
    let said = text(&output(&mut errorfs("doctor")).stdout);
    assert!(said.contains("does not answer"), "{said}");
}
