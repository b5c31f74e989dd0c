//! Acting as the caller where the backing filesystem looks at who asks: the owner of what is
//! created, the set-id bits that go or stay, flags and lists that take a right of their own.
//!
//! Whether the caller may, the kernel has decided before it asked (`default_permissions`); so the
//! thread keeps the rights that this took, and has beside them only what the caller has.

use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::Answer;
use crate::op::Caller;
use crate::sys::thread::set_umask;

/// This thread acts as a caller until the guard is dropped.
#[derive(Debug)]
pub(super) struct AsCaller {
    /// What the thread was before; `None`: it changed nothing.
    own: Option<Own>,
}

/// Who errorfs is.
#[derive(Debug)]
struct Own {
    sets: CapabilitySets,
    /// `None`: they were left as they are.
    groups: Option<Vec<Gid>>,
}

/// Rights that the kernel saw to: other people's names and files, owners, devices, flags.
const DECIDED: CapabilitySet = CapabilitySet::DAC_OVERRIDE
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::LINUX_IMMUTABLE);

impl AsCaller {
    /// To create a file: takes over the ids and the umask, which the backing filesystem applies
    /// where no default access control list takes its place. Of set-group-id bits the kernel has
    /// left what the caller may set.
    pub(super) fn creating(by: Caller, umask: u32, errorfs_is_root: bool) -> Answer<AsCaller> {
        set_umask(umask)?;
        if !errorfs_is_root || (by.uid == 0 && by.gid == 0) {
            return Ok(AsCaller { own: None });
        }
        let guard = AsCaller { own: Some(Own { sets: capabilities(None)?, groups: None }) };
        take_over(by, DECIDED | CapabilitySet::FSETID)?;
        Ok(guard)
    }

    /// For all else: takes over the ids, the groups, and of the rights those that the caller has
    /// beside those that the kernel saw to. Costs some reading in /proc.
    pub(super) fn entirely(by: Caller, errorfs_is_root: bool) -> Answer<AsCaller> {
        AsCaller::with(by, DECIDED, errorfs_is_root)
    }

    /// The same where the kernel saw to no more than that the file may be reached.
    pub(super) fn strictly(by: Caller, errorfs_is_root: bool) -> Answer<AsCaller> {
        AsCaller::with(by, CapabilitySet::DAC_OVERRIDE, errorfs_is_root)
    }

    fn with(by: Caller, decided: CapabilitySet, errorfs_is_root: bool) -> Answer<AsCaller> {
        if !errorfs_is_root {
            return Ok(AsCaller { own: None });
        }
        let powers = Powers::of(by);
        let own = Own { sets: capabilities(None)?, groups: Some(rustix::process::getgroups()?) };
        let guard = AsCaller { own: Some(own) };
        set_thread_groups(&powers.groups)?;
        take_over(by, decided | powers.effective)?;
        Ok(guard)
    }
}

fn take_over(by: Caller, rights: CapabilitySet) -> Answer<()> {
    set_thread_res_gid(None, Gid::from_raw(by.gid), None)?;
    set_thread_res_uid(None, Uid::from_raw(by.uid), None)?;
    let mut sets = capabilities(None)?;
    sets.effective = sets.permitted & rights;
    Ok(set_capabilities(None, sets)?)
}

impl Drop for AsCaller {
    /// Going back must not fail: a thread that kept a caller's ids would act for the next caller
    /// with the rights of this one.
    fn drop(&mut self) {
        let Some(own) = &self.own else { return };
        set_thread_res_uid(None, Uid::ROOT, None).expect("the saved uid is still 0");
        set_capabilities(None, own.sets).expect("they were permitted, and still are");
        set_thread_res_gid(None, Gid::ROOT, None).expect("root may change its group");
        if let Some(groups) = &own.groups {
            set_thread_groups(groups).expect("root may change its groups");
        }
    }
}

/// Whether what the caller writes keeps its set-id bits (CAP_FSETID).
pub(super) fn may_leave_set_id(by: Caller) -> bool {
    Powers::of(by).may(CapabilitySet::FSETID)
}

/// What a request does not say of its caller.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Powers {
    groups: Vec<Gid>,
    /// In errorfs' user namespace: a right over some other is none here.
    effective: CapabilitySet,
    /// In a user namespace of its own: over the files of its own ids alone.
    elsewhere: CapabilitySet,
}

impl Powers {
    /// Whether it has this right.
    pub(super) fn may(&self, right: CapabilitySet) -> bool {
        self.effective.contains(right)
    }

    /// Whether it may set the capabilities of its own files, as root of a user namespace.
    pub(super) fn may_elsewhere(&self) -> bool {
        self.elsewhere.contains(CapabilitySet::SETFCAP)
    }

    /// Asks /proc. Of a caller that is not visible there nothing is known, and nothing assumed.
    pub(super) fn of(caller: Caller) -> Powers {
        let place = format!("/proc/{}", caller.pid);
        let status = std::fs::read_to_string(format!("{place}/status")).unwrap_or_default();
        let mut powers = parse(&status);
        if !in_our_user_namespace(&place) {
            powers.elsewhere = powers.effective;
            powers.effective = CapabilitySet::empty();
        }
        powers
    }
}

/// The lines `Groups:` and `CapEff:` of /proc/PID/status.
fn parse(status: &str) -> Powers {
    let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("");
    let groups = line("Groups:").split_whitespace().filter_map(|gid| gid.parse().ok());
    let effective = u64::from_str_radix(line("CapEff:").trim(), 16).unwrap_or(0);
    Powers {
        groups: groups.map(Gid::from_raw).collect(),
        effective: CapabilitySet::from_bits_retain(effective),
        elsewhere: CapabilitySet::empty(),
    }
}

/// By how ids are mapped: to see the namespace itself takes the right to look into processes. Who
/// maps every id to itself, as we do, owns the files of all users anyway.
fn in_our_user_namespace(place: &str) -> bool {
    let map = |place: &str| std::fs::read_to_string(format!("{place}/uid_map"));
    matches!((map(place), map("/proc/self")), (Ok(theirs), Ok(ours)) if theirs == ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_rights_are_read_from_the_status_of_a_process() {
        let status = "Name:\tsh\nGroups:\t4 27 1000 \nCapPrm:\t00ff\nCapEff:\t0000000000000011\n";
        let powers = parse(status);
        assert_eq!(powers.groups, [4, 27, 1000].map(Gid::from_raw));
        assert_eq!(powers.effective, CapabilitySet::CHOWN | CapabilitySet::FSETID);
    }

    #[test]
    fn of_a_caller_who_is_not_visible_nothing_is_assumed() {
        let none = CapabilitySet::empty();
        let nothing = Powers { groups: Vec::new(), effective: none, elsewhere: none };
        assert_eq!(Powers::of(Caller { pid: 0, uid: 0, gid: 0 }), nothing);
        assert_eq!(parse("Groups:\nCapEff:\tnonsense\n"), nothing);
    }
}
