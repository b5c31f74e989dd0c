//! Which operations and triggers each kind of fault takes: every other one is refused.

use errorfs::op::OpKind;
use errorfs::scenario::parse;

const CHANGING: &[&str] = &[
    "setattr",
    "mknod",
    "mkdir",
    "unlink",
    "rmdir",
    "symlink",
    "rename",
    "link",
    "create",
    "write",
    "setxattr",
    "removexattr",
    "fallocate",
    "copy_file_range",
    "open",
    "ioctl",
];
const TELLING: &[&str] = &[
    "lookup", "getattr", "setattr", "mknod", "mkdir", "symlink", "link", "create", "readdir",
    "readlink", "getxattr", "open",
];

/// The operations that a kind takes.
enum Ops {
    These(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

use Ops::{AllBut, These};

const UNHEARD: Ops = AllBut(&["release", "releasedir"]);
const KINDS: &[(&str, Ops)] = &[
    ("bit_flip = { rate = 0.1 }", These(&["read"])),
    ("bit_flip = { rate = 0.1, on = \"write\" }", These(&["write"])),
    ("corrupt = { content = \"zero\", count = 1 }", These(&["read"])),
    ("corrupt = { content = \"zero\", count = 1, on = \"write\" }", These(&["write"])),
    ("bad_sector = { count = 1 }", These(&["read", "write"])),
    ("lost_write = {}", These(&["write"])),
    ("torn_write = {}", These(&["write"])),
    ("misdirected = {}", These(&["read", "write"])),
    ("fsync = { model = \"xfs\" }", These(&["fsync"])),
    ("metadata = { size = 0 }", These(TELLING)),
    ("power_cut = {}", UNHEARD),
    ("error = { errno = \"EIO\" }", UNHEARD),
    ("kill = {}", UNHEARD),
    ("latency = { distribution = { constant = \"1ms\" } }", AllBut(&[])),
    ("stall = {}", UNHEARD),
    ("dead = {}", UNHEARD),
    ("readonly = {}", These(CHANGING)),
    ("short = {}", These(&["read", "write"])),
    ("throughput = { per_second = 1 }", These(&["read", "write"])),
];

/// The codes of what is wrong with one rule.
fn wrong(select: &str, when: &str, fault: &str) -> Vec<&'static str> {
    let part = |key: &str, text: &str| match text {
        "" => String::new(),
        text => format!("{key} = {{ {text} }}\n"),
    };
    let rule = part("select", select) + &part("when", when);
    let text = format!("version = 1\n[[rule]]\nname = \"r\"\n{rule}fault = {{ {fault} }}\n");
    let errors = parse(&text).diagnostics.into_iter();
    let errors = errors.filter(|one| one.severity == errorfs::diagnostic::Severity::Error);
    errors.map(|one| one.code).collect()
}

/// "Concerns read only: what is stored stays right; but see `on = "write"` below."
/// "Concerns read only: reads succeed, and what is stored stays right; but see `on = "write"` below."
/// "Concerns write only, and takes `--allow-damage` and `--state` (below)."
/// "Concerns read and write." "Concerns write." "Concerns fsync, which fdatasync(2) and msync(2) are
/// too." "Concerns what tells it: lookup, getattr and all that make a file or change its attributes,
/// readdir, readlink, getxattr, and open." "Concerns every operation, as `error` does; `when` must pick
/// accesses." "Concerns any operation but `release` and `releasedir`, whose errors the kernel drops
/// (close(2) gets those of `flush`)." "Concerns any operation but `release` and `releasedir`, for which
/// nobody waits, and pages that the kernel writes back." "Concerns any operation." "Concerns any
/// operation but `release` and `releasedir`, for which nobody waits." "Concerns what changes something:
/// setattr, mknod, mkdir, unlink, rmdir, symlink, rename, link, create, write, setxattr, removexattr,
/// fallocate, copy_file_range, and those open and ioctl that do."
#[test]
fn each_kind_takes_the_operations_that_it_concerns_and_no_others() {
    for (fault, ops) in KINDS {
        for kind in OpKind::ALL {
            let name = kind.name();
            let concerned = match ops {
                These(these) => these.contains(&name),
                AllBut(those) => !those.contains(&name),
            };
            let when = if fault.starts_with("power_cut") { "nth = 1" } else { "" };
            let codes = wrong(&format!("ops = [\"{name}\"]"), when, fault);
            let wanted: &[&str] = if concerned { &[] } else { &["irrelevant-op"] };
            assert_eq!(codes, wanted, "{name} {fault}");
        }
    }
}

/// "`nth`, `every`, `times` and `probability` pick accesses." "Sticky and permanent damage is a property
/// of the stored bytes, which every read sees: there they are refused, and `after`, `for`, `cycle` and
/// `after_event` alone apply." "Of `when` there are `after`, `for`, `cycle` and `after_event`." "It is a
/// property of the whole mount: `select` is refused, and of `when` there are `after`, `for`, `cycle` and
/// `after_event`, which say when the limit holds."
#[test]
fn triggers_of_single_accesses_are_refused_where_there_are_none() {
    for (fault, code) in [
        ("bit_flip = { rate = 0.1 }", "access-trigger-on-damage"),
        ("bit_flip = { rate = 0.1, persistence = \"permanent\" }", "access-trigger-on-damage"),
        ("corrupt = { content = \"zero\", count = 1 }", "access-trigger-on-damage"),
        ("bad_sector = { count = 1 }", "access-trigger-on-damage"),
        ("throughput = { per_second = 1 }", "access-trigger-on-limit"),
        ("space = { capacity = 4096 }", "access-trigger-on-limit"),
        ("lost_write = {}", ""),
        ("bit_flip = { rate = 0.1, persistence = \"transient\" }", ""),
        ("bit_flip = { rate = 0.1, on = \"write\" }", ""),
    ] {
        for when in ["nth = 1", "every = 2", "times = 1", "probability = 0.5"] {
            let codes = wrong("", when, fault);
            assert!(codes.iter().all(|one| *one == code), "{when} {fault}: {codes:?}");
            assert_eq!(codes.is_empty(), code.is_empty(), "{when} {fault}");
        }
        for when in ["after = \"1s\"", "for = \"1s\"", "cycle = { on = \"1s\", off = \"1s\" }"] {
            assert_eq!(wrong("", when, fault), [""; 0], "{when} {fault}");
        }
    }
    let capacity = "space = { capacity = 4096 }";
    for select in ["path = \"x\"", "ops = [\"write\"]", "uid = 0"] {
        assert_eq!(wrong(select, "", capacity), ["whole-mount"], "{select}");
    }
}

/// "Exactly one to a rule: `[rule.fault.bit_flip]`, `[rule.fault.corrupt]`, `[rule.fault.bad_sector]`,
/// `[rule.fault.error]`, `[rule.fault.latency]`, `[rule.fault.stall]`, `[rule.fault.dead]`,
/// `[rule.fault.readonly]`, `[rule.fault.short]`, `[rule.fault.space]`, `[rule.fault.throughput]`,
/// `[rule.fault.lost_write]`, `[rule.fault.torn_write]`, `[rule.fault.misdirected]`,
/// `[rule.fault.fsync]`, `[rule.fault.metadata]`, `[rule.fault.kill]` or `[rule.fault.power_cut]`."
/// "Exactly one of `rate`, `count` and `at`." "Exactly one of `rate`, `count`, `at` and `clusters`." "At
/// least one beside `rate`." "It has no keys."
#[test]
fn a_rule_has_exactly_one_fault_and_a_fault_what_it_needs() {
    for (fault, code) in [
        ("", "missing-key"),
        ("lost_write = {}, dead = {}", "several-faults"),
        ("bit_flip = {}", "missing-key"),
        ("bit_flip = { rate = 0.1, count = 1 }", "conflicting-keys"),
        ("bit_flip = { count = 1, at = [{ byte = 0, bit = 0 }] }", "conflicting-keys"),
        ("corrupt = { content = \"zero\" }", "missing-key"),
        ("corrupt = { content = \"zero\", rate = 0.1, clusters = {} }", "conflicting-keys"),
        ("bad_sector = {}", "missing-key"),
        ("bad_sector = { at = [0], count = 1 }", "conflicting-keys"),
        ("metadata = { rate = 0.5 }", "missing-key"),
        ("kill = { at = 1 }", "unknown-key"),
        ("readonly = { at = 1 }", "unknown-key"),
    ] {
        assert_eq!(wrong("", "", fault)[0], code, "{fault}");
    }
}
