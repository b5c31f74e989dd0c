//! Machine instructions that the engine takes for one decision, one match, one event: counted by
//! valgrind, so that a budget holds on any machine, however busy (`cargo bench --bench instructions`).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement, run by hand and by CI"
)]

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use errorfs::injector::{Armed, Target};
use errorfs::ledger::{Event, FORMAT, Header, Writer};
use errorfs::media::Medium;
use errorfs::op::{Caller, Op, OpKind};
use errorfs::plan::{Placement, compile};
use errorfs::scenario::parse;

/// A name, what is done once, and the most instructions that it may take. The budgets are a fifth
/// above what was counted when they were set; who raises one says why in the commit.
type Case = (&'static str, fn(u64), u64);

const CASES: &[Case] = &[
    ("decide: a 4 KiB read, 10 matching rules that do not fire", decide_among_ten, 3_400),
    ("decide: a 128 KiB read, one rule of rate 1e-12", decide_seldom, 1_200),
    ("decide: a 128 KiB read, one rule of rate 1e-6", decide_often, 1_800),
    ("select: a path under 1,000 rules of which none matches", select_among_thousand, 1_800),
    ("record: one event of one bit", record, 26_000),
];

/// Repetitions whose difference is counted, so that starting and preparing do not count.
const FEW: u64 = 100;
const MANY: u64 = 1_100;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.as_slice() {
        [_, case, times] => {
            let (_, run, _) = CASES[case.parse::<usize>().unwrap()];
            run(times.parse().unwrap());
        }
        _ => std::process::exit(i32::from(!within_budgets())),
    }
}

fn within_budgets() -> bool {
    let mut all = true;
    for (number, (name, _, budget)) in CASES.iter().enumerate() {
        let each = (counted(number, MANY) - counted(number, FEW)) / (MANY - FEW);
        let held = each <= *budget;
        all &= held;
        println!("{each:>8} of {budget:>8}  {}  {name}", if held { "ok " } else { "OVER" });
    }
    all
}

/// Instructions of a whole run of this program.
fn counted(case: usize, times: u64) -> u64 {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(std::env::current_exe().unwrap()).arg(case.to_string()).arg(times.to_string());
    let output = command.output().expect("valgrind is installed (scripts/setup)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let line = said.lines().find(|line| line.contains("Collected :")).expect("callgrind counts");
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

fn armed(rules: &str) -> Armed {
    let parsed = parse(&format!("version = 1\n{rules}"));
    let scenario = parsed.scenario.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    Armed::new(compile(&scenario, 7, "", b""), Placement::default())
}

fn decide(armed: &Armed, times: u64, len: u64) {
    let path = Path::new("some/where/in/a/tree/table-000123.sst");
    let (selection, medium) = (armed.select(path), Medium::default());
    let target = Target { selection: &selection, path, origin: path, medium: Some(&medium) };
    for number in 0..times {
        let caller = Caller { pid: 1, uid: 0, gid: 0 };
        let op = Op::new(OpKind::Read, number * len, len, caller);
        black_box(armed.decide(black_box(&op), &target, Duration::ZERO));
    }
}

fn decide_among_ten(times: u64) {
    let error = |number: u32| {
        format!(
            "[[rule]]\nname = \"e{number}\"\nselect = {{ path = \"**/*.sst\", ops = [\"read\"] }}\n\
             when = {{ nth = 4000000000 }}\n[rule.fault.error]\nerrno = \"E{}\"\n",
            if number.is_multiple_of(2) { "IO" } else { "NOMEM" }
        )
    };
    let mut rules: String = (0..9).map(error).collect();
    rules += "[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-15\n";
    decide(&armed(&rules), times, 4096);
}

fn decide_seldom(times: u64) {
    decide(
        &armed("[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-12\n"),
        times,
        1 << 17,
    );
}

fn decide_often(times: u64) {
    decide(
        &armed("[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-6\n"),
        times,
        1 << 17,
    );
}

fn select_among_thousand(times: u64) {
    let rule = |number: u32| {
        format!(
            "[[rule]]\nname = \"r{number}\"\nselect = {{ path = \"db{number}/**/*.sst\" }}\n\
             [rule.fault.bit_flip]\nrate = 1e-9\n"
        )
    };
    let armed = armed(&(0..1_000).map(rule).collect::<String>());
    for _ in 0..times {
        black_box(armed.select(black_box(Path::new("some/where/in/a/tree/table-000123.sst"))));
    }
}

fn record(times: u64) {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::create(&dir.path().join("ledger"), &header()).unwrap();
    for _ in 0..times {
        writer.record(vec![event()], |_| {});
    }
    writer.close();
}

fn header() -> Header {
    let text = format!(
        "{{\"ledger\":{FORMAT},\"errorfs\":\"0\",\"seed\":7,\"draw\":1,\"plan\":\"\",\"mount\":\"\",\
         \"kernel\":\"\",\"armed\":\"\",\"options\":null,\"scenario\":null}}"
    );
    serde_json::from_str(&text).unwrap()
}

fn event() -> Event {
    let text = "{\"seq\":1,\"mono_ns\":81204417,\"time\":\"2026-11-20T06:00:00.123456789Z\",\
        \"outcome\":\"delivered\",\"rule\":\"bit-rot\",\"fault\":\"bit_flip\",\"op\":\"read\",\
        \"path\":\"my.db\",\"file\":\"my.db\",\"ino\":1835021,\"offset\":0,\"len\":131072,\
        \"bits\":[{\"byte\":70233,\"bit\":4,\"before\":111,\"after\":127,\"id\":\"0011223344556677\"}],\
        \"pid\":4711,\"uid\":1000,\"comm\":\"sqlite3\"}";
    serde_json::from_str(text).unwrap()
}
