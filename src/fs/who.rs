//! Who asks, beyond what a request tells: from proc, for rules that look at it.

use crate::op::Who;

/// More generations of processes than anybody has.
const ANCESTORS_MAX: usize = 256;

/// The thread that asks; nobody if it is gone or in no namespace that we see.
pub(super) fn who(thread: u32) -> Who {
    if thread == 0 {
        return Who::default();
    }
    let status = Status::of(thread);
    let process = status.process.unwrap_or(thread);
    let leader = if process == thread { None } else { Some(Status::of(process)) };
    let parent = leader.as_ref().map_or(status.parent, |leader| leader.parent);
    let mut pids = vec![process];
    let mut next = parent;
    while let Some(pid) = next.filter(|pid| *pid > 0 && pids.len() < ANCESTORS_MAX) {
        pids.push(pid);
        next = Status::of(pid).parent;
    }
    let comms = std::iter::once(status.name).chain(leader.map(|leader| leader.name));
    Who { pids, comms: comms.filter(|name| !name.is_empty()).collect(), cgroup: cgroup(thread) }
}

/// What `/proc/PID/status` has of a thread.
#[derive(Debug, Default)]
struct Status {
    name: String,
    process: Option<u32>,
    parent: Option<u32>,
}

impl Status {
    fn of(thread: u32) -> Status {
        let text = std::fs::read(format!("/proc/{thread}/status")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
        let number = |key: &str| value(key)?.trim().parse().ok();
        let name = value("Name:").map(|name| name.strip_prefix('\t').unwrap_or(name));
        let name = name.unwrap_or_default().to_owned();
        Status { name, process: number("Tgid:"), parent: number("PPid:") }
    }
}

/// The control group of version 2, which has no controllers in its line; empty if it is not known.
pub(super) fn cgroup(thread: u32) -> String {
    if thread == 0 {
        return String::new();
    }
    let text = std::fs::read_to_string(format!("/proc/{thread}/cgroup")).unwrap_or_default();
    let group = text.lines().find_map(|line| line.strip_prefix("0::"));
    group.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_a_name_and_its_process_and_what_that_descends_from() {
        let named = std::thread::Builder::new().name("low".into());
        let find = || {
            let own = std::fs::read_link("/proc/thread-self").unwrap();
            let thread = own.file_name().unwrap().to_str().unwrap().parse().unwrap();
            who(thread)
        };
        let found = named.spawn(find).unwrap().join().unwrap();
        assert_eq!(found.comms[0], "low");
        assert_eq!((found.comms.len(), found.pids[0]), (2, std::process::id()));
        assert_eq!(found.pids[1], std::os::unix::process::parent_id());
        assert_eq!(who(0), Who::default());
    }
}
