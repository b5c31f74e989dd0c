//! What the threads that answer requests may still do: act on files, and nothing else.
//!
//! errorfs often runs as root below other people's programs. A mistake in it should be worth as
//! little as possible to them, so that its workers give up, for good, every capability that serving
//! files does not take, and the system calls by which a process becomes another.

use std::collections::BTreeMap;
use std::io;

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// What serving files takes. Owners, modes and names of files are other people's; `trusted.*` and
/// some ioctls ask for `SYS_ADMIN`; file capabilities for `SETFCAP`; `chattr +i` for
/// `LINUX_IMMUTABLE`; the last blocks of a filesystem for `SYS_RESOURCE`; acting as the caller for
/// `SETUID` and `SETGID`.
pub const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::LINUX_IMMUTABLE)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SYS_ADMIN)
    .union(CapabilitySet::SYS_RESOURCE);

/// System calls that no request takes: running programs, looking into other processes, changing
/// mounts and namespaces, loading code into the kernel, the network.
const REFUSED: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_reboot,
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
];

/// Confines the calling thread and every thread that it starts from now on. Cannot be undone.
pub fn confine() -> io::Result<()> {
    let mut sets = capabilities(None)?;
    sets.permitted &= KEPT;
    sets.effective &= KEPT;
    sets.inheritable = CapabilitySet::empty();
    set_capabilities(None, sets)?;
    refuse().map_err(io::Error::other)
}

/// `EPERM` for the refused calls. Gives up new privileges as well, without which no filter holds.
fn refuse() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let rules: BTreeMap<i64, Vec<_>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let here: TargetArch = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, here)?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&program)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confined_thread_runs_no_program_and_others_still_do() {
        let confined = || {
            confine().unwrap();
            std::process::Command::new("true").status().is_ok()
        };
        let ran = std::thread::spawn(confined).join().unwrap();
        assert!(!ran);
        assert!(std::process::Command::new("true").status().unwrap().success());
    }
}
