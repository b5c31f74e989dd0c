//! Who must ask for an operation for a rule to look at it. Pure: who does ask, others have found out.

use crate::op::{Caller, Who};
use crate::scenario;

/// Who must ask: one of each list that is not empty.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Askers {
    askers: scenario::Askers,
    anybody: bool,
}

impl Askers {
    /// As a scenario says it.
    pub fn new(askers: &scenario::Askers) -> Askers {
        Askers { anybody: askers.is_anybody(), askers: askers.clone() }
    }

    /// Whether it does not matter who asks.
    pub fn is_anybody(&self) -> bool {
        self.anybody
    }

    /// Whether more must be known of a caller than what the kernel tells with a request.
    pub fn needs_who(&self) -> bool {
        let scenario::Askers { pids, comms, cgroups, .. } = &self.askers;
        !(pids.is_empty() && comms.is_empty() && cgroups.is_empty())
    }

    /// Whether this caller may ask.
    pub fn admit(&self, caller: Caller, who: Option<&Who>) -> bool {
        if self.anybody {
            return true;
        }
        let scenario::Askers { uids, gids, pids, comms, cgroups } = &self.askers;
        let nobody = Who::default();
        let who = who.unwrap_or(&nobody);
        let within = |group: &String| is_within(&who.cgroup, group);
        (uids.is_empty() || uids.contains(&caller.uid))
            && (gids.is_empty() || gids.contains(&caller.gid))
            && (pids.is_empty() || pids.iter().any(|pid| who.pids.contains(pid)))
            && (comms.is_empty() || comms.iter().any(|comm| who.comms.contains(comm)))
            && (cgroups.is_empty() || cgroups.iter().any(within))
    }
}

/// Whether a control group is another one, or lies in it.
fn is_within(group: &str, other: &str) -> bool {
    let rest = group.strip_prefix(other.trim_end_matches('/'));
    !group.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_must_have_the_caller_and_one_that_is_empty_has_everybody() {
        let caller = Caller { pid: 7, uid: 1000, gid: 100 };
        let who = Who {
            pids: vec![7, 3, 1],
            comms: vec!["low".into(), "db".into()],
            cgroup: "/a/b".into(),
        };
        let admits = |askers: scenario::Askers| Askers::new(&askers).admit(caller, Some(&who));
        let any = scenario::Askers::default;
        assert!(admits(any()) && Askers::new(&any()).is_anybody());
        assert!(admits(scenario::Askers { uids: vec![1, 1000], ..any() }));
        assert!(!admits(scenario::Askers { uids: vec![1000], gids: vec![7], ..any() }));
        assert!(admits(scenario::Askers { pids: vec![3], comms: vec!["db".into()], ..any() }));
        assert!(!admits(scenario::Askers { pids: vec![4], ..any() }));
        let group = |group: &str| admits(scenario::Askers { cgroups: vec![group.into()], ..any() });
        assert!(group("/") && group("/a") && group("/a/b") && !group("/a/b/c") && !group("/a/bc"));
        let named = scenario::Askers { comms: vec!["db".into()], ..any() };
        assert!(!Askers::new(&named).admit(caller, None), "nobody knows who it is");
    }
}
