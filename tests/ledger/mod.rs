//! The ledger as its writer, its readers and `replay` see it.

#![allow(clippy::unwrap_used, reason = "a test may fail at any line")]

mod reader;
mod replay;
mod writer;

use errorfs::ledger::{Event, FORMAT, Header, Outcome};

/// A header without anything special.
fn header() -> Header {
    Header {
        ledger: FORMAT,
        errorfs: "0.1.0".into(),
        seed: 7,
        draw: 1,
        plan: "00ff".into(),
        mount: "m".into(),
        kernel: "6.18".into(),
        armed: "2026-11-20T00:00:00Z".into(),
        options: serde_json::Value::Null,
        scenario: serde_json::Value::Null,
    }
}

/// A delivered event of a rule, on `data`.
fn event(rule: &str) -> Event {
    Event {
        seq: 0,
        mono_ns: 0,
        time: String::new(),
        outcome: Outcome::Delivered,
        rule: rule.into(),
        fault: "error".into(),
        arming: None,
        plan: None,
        op: "read".into(),
        path: "data".into(),
        to: None,
        file: None,
        ino: 12,
        offset: 0,
        len: 4096,
        occurrence: None,
        bits: Vec::new(),
        regions: Vec::new(),
        lost: Vec::new(),
        misread: Vec::new(),
        mistold: Vec::new(),
        undone: None,
        id: None,
        sector: None,
        returned: None,
        errno: None,
        delay_ns: None,
        cached: false,
        pid: 1,
        uid: 0,
        comm: "cat".into(),
        cgroup: "/user.slice".into(),
    }
}
