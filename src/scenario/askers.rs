//! Reads the keys of `select` that say who must ask: `uid`, `gid`, `pid`, `comm`, `cgroup`.

use super::Askers;
use super::document::{Field, Findings, Read, Table};

/// The longest name that the kernel keeps of a program or a thread.
const COMM_MAX: usize = 15;

pub(super) fn read(table: &Table<'_>, findings: &mut Findings) -> Askers {
    Askers {
        uids: many(table, "uid", findings, |field| id(field, "uid = 1000")),
        gids: many(table, "gid", findings, |field| id(field, "gid = 1000")),
        pids: many(table, "pid", findings, pid),
        comms: many(table, "comm", findings, comm),
        cgroups: many(table, "cgroup", findings, cgroup),
    }
}

/// One value or a list of them, none of them twice.
fn many<T: PartialEq>(
    table: &Table<'_>,
    key: &'static str,
    findings: &mut Findings,
    read: impl Fn(&Field<'_>) -> Read<T>,
) -> Vec<T> {
    let items = findings.read(table.get(key), |field| field.one_or_many());
    let mut values = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(value) = findings.keep(read(&item)) else {
            continue;
        };
        if values.contains(&value) {
            let error = item.error("duplicate-value", format!("`{key}` has this twice"));
            findings.push(error.help("remove one of them"));
        }
        values.push(value);
    }
    values
}

fn id(field: &Field<'_>, example: &str) -> Read<u32> {
    let number = field.natural(example)?;
    u32::try_from(number).map_err(|_| {
        let message = format!("`{}` must be from 0 to {}, not {number}", field.key, u32::MAX);
        field.error("out-of-range", message).help(format!("write it like `{example}`"))
    })
}

fn pid(field: &Field<'_>) -> Read<u32> {
    field.positive("no process has this number", "pid = 4711")?;
    id(field, "pid = 4711")
}

fn comm(field: &Field<'_>) -> Read<String> {
    let text = field.text("comm = \"postgres\"")?;
    let why = match text.len() {
        0 => "it is empty",
        length if length > COMM_MAX => "the kernel keeps 15 bytes of a name",
        _ if text.contains('\0') => "no name has a NUL byte",
        _ => return Ok(text.into()),
    };
    let message = format!("`comm` can never be `{text}`: {why}");
    Err(field.error("impossible-comm", message).help("write what `ps -o comm` shows"))
}

fn cgroup(field: &Field<'_>) -> Read<String> {
    let text = field.text("cgroup = \"/system.slice/postgresql.service\"")?;
    let parts = text.strip_prefix('/').unwrap_or("/");
    let whole = text == "/" || parts.split('/').all(|part| !matches!(part, "" | "." | ".."));
    match whole {
        true => Ok(text.into()),
        false => {
            let message = format!("`{text}` is no path of a control group");
            let error = field.error("impossible-cgroup", message);
            Err(error.help("write what stands in /proc/PID/cgroup after `0::`"))
        }
    }
}
