//! Callers that are being killed while errorfs lets them wait.
//!
//! fuser 0.18 answers the kernel's FUSE_INTERRUPT itself, and a caller whose request is under way
//! then waits for its answer whatever it is sent; but its pending SIGKILL stands in proc.

use std::collections::HashSet;
use std::time::Duration;

use super::timer::Shared;

/// How often the waiting callers are looked at.
const TICK: Duration = Duration::from_millis(50);
/// Callers looked at each time: about a tenth of one core. With ten thousand waiting, each is
/// looked at once in half a second.
const LOOKS: usize = 1000;

/// Until the timer is closed: hurries the answers of callers that have SIGKILL pending.
pub(super) fn watch(timer: &Shared) {
    let mut last = 0;
    while let Some(callers) = timer.callers(last, LOOKS) {
        last = callers.last().map_or(0, |(entry, _)| *entry);
        let killed = callers.into_iter().filter(|(_, caller)| is_being_killed(*caller));
        let entries: HashSet<u64> = killed.map(|(entry, _)| entry).collect();
        if !entries.is_empty() {
            timer.hurry(|entry| entries.contains(&entry));
        }
        std::thread::sleep(TICK);
    }
}

/// Whether a thread has SIGKILL pending, or is ending because of it: what closes its files then asks
/// once more. One that is gone, or was never visible, is not.
fn is_being_killed(thread: u32) -> bool {
    const SIGKILL_BIT: u64 = 1 << (SIGKILL - 1);
    if thread == 0 {
        return false;
    }
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
    let pending = status.lines().filter_map(|line| {
        let mask = line.strip_prefix("SigPnd:").or_else(|| line.strip_prefix("ShdPnd:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    });
    pending.fold(0, |all, mask| all | mask) & SIGKILL_BIT != 0 || ends_by_kill(thread)
}

const SIGKILL: u32 = 9;

/// By proc_pid_stat(5): the exit code, which is there from when a thread begins to end, is the last
/// field. Before that it is 0.
fn ends_by_kill(thread: u32) -> bool {
    const SIGNAL: u32 = 0x7f;
    let stat = std::fs::read_to_string(format!("/proc/{thread}/stat")).unwrap_or_default();
    let code = stat.rsplit(' ').next().and_then(|field| field.trim().parse::<u32>().ok());
    code.is_some_and(|code| code & SIGNAL == SIGKILL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_thread_is_not_being_killed() {
        assert!(!is_being_killed(std::process::id()));
        assert!(!is_being_killed(0));
    }
}
