//! Spaces that are limited: whether there is room, and how much is left.

use std::time::Duration;

use super::Armed;
use crate::errno::Errno;
use crate::media::{FileKey, Usage};
use crate::op::{Op, OpKind, OpSet};
use crate::plan::fault::{BLOCK, Fault, Space};
use crate::plan::{Decision, Failure, Rule, RuleId, Shortened};

/// What there is and what of it is left, as statvfs(3) is to tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Which rule says so.
    pub rule: RuleId,
    /// Bytes that there are.
    pub capacity: u64,
    /// Bytes that are left.
    pub free: u64,
    /// Files of all kinds that there may be, and how many more; `None`: no limit.
    pub inodes: Option<(u64, u64)>,
}

impl Armed {
    /// Whether any rule limits space, so that all that takes some must be counted.
    pub fn limits_space(&self) -> bool {
        self.limits_space
    }

    /// What the files take.
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Takes the room that an operation needs, `now` after arming, if it has not failed: what is
    /// refused becomes part of the decision. `file`: the one that it makes longer, with its length.
    pub fn take_room(
        &self,
        op: &Op,
        file: Option<(FileKey, u64)>,
        now: Duration,
        decision: &mut Decision,
    ) {
        if decision.failure.is_some() || decision.unreadable.is_some() {
            return;
        }
        match (op.kind, file) {
            (OpKind::Statfs, _) => decision.told = self.room(now).map(|room| room.rule),
            (OpKind::Write, Some(file)) => self.room_to_write(op, file, now, decision),
            (_, Some(file)) => decision.failure = self.room_for_length(op, file, now),
            (kind, None) if OpSet::MAKING.contains(kind) => {
                decision.failure = self.room_for_inode(now);
            }
            _ => {}
        }
    }

    /// The bytes for which there is room, if any.
    fn room_to_write(
        &self,
        op: &Op,
        (key, len): (FileKey, u64),
        now: Duration,
        decision: &mut Decision,
    ) {
        let moved = decision.short.map_or(op.len, |short| short.len);
        let wanted = len.max(op.offset.saturating_add(moved));
        let limit = self.tightest(now);
        let capacity = limit.map_or(u64::MAX, |(_, space)| space.blocks);
        let fits = |granted: u64| granted > op.offset;
        let granted = self.usage.grow(key, (len, wanted), capacity, fits);
        let Some((rule, space)) = limit.filter(|_| granted < wanted) else {
            return;
        };
        match granted.saturating_sub(op.offset) {
            0 => decision.failure = Some(refused(rule, space.errno)),
            len => decision.short = Some(Shortened { rule, occurrence: 0, len }),
        }
        self.fire(rule, now);
    }

    /// All or nothing.
    fn room_for_length(
        &self,
        op: &Op,
        (key, len): (FileKey, u64),
        now: Duration,
    ) -> Option<Failure> {
        let wanted = op.length?;
        let limit = self.tightest(now);
        let capacity = limit.map_or(u64::MAX, |(_, space)| space.blocks);
        let granted = self.usage.grow(key, (len, wanted), capacity, |granted| granted >= wanted);
        let (rule, space) = limit.filter(|_| granted < wanted)?;
        self.fire(rule, now);
        Some(refused(rule, space.errno))
    }

    fn room_for_inode(&self, now: Duration) -> Option<Failure> {
        let limited = |(_, space): &(RuleId, Space)| space.inodes.is_some();
        let limit = self.spaces(now).filter(limited).min_by_key(|(_, space)| space.inodes);
        let inodes = limit.and_then(|(_, space)| space.inodes).unwrap_or(u64::MAX);
        if self.usage.make(inodes) {
            return None;
        }
        limit.map(|(rule, space)| {
            self.fire(rule, now);
            refused(rule, space.errno)
        })
    }

    /// What there is and what is left, `now` after arming; `None`: as much as below.
    pub fn room(&self, now: Duration) -> Option<Room> {
        let (rule, space) = self.tightest(now)?;
        let (blocks, files) = self.usage.taken();
        let inodes = self.spaces(now).filter_map(|(_, space)| space.inodes).min();
        Some(Room {
            rule,
            capacity: space.blocks * BLOCK,
            free: space.blocks.saturating_sub(blocks) * BLOCK,
            inodes: inodes.map(|inodes| (inodes, inodes.saturating_sub(files))),
        })
    }

    /// Of the rules that hold the one with the smallest capacity, the first in file order.
    fn tightest(&self, now: Duration) -> Option<(RuleId, Space)> {
        self.spaces(now).min_by_key(|(_, space)| space.blocks)
    }

    fn spaces(&self, now: Duration) -> impl Iterator<Item = (RuleId, Space)> {
        let holds = move |(id, rule): &(RuleId, &Rule)| {
            self.loaded(*id).in_force && self.is_open(*id, rule, now)
        };
        let open = self.plan().numbered().filter(holds);
        open.filter_map(|(id, rule)| match &rule.fault {
            Fault::Space(space) => Some((id, *space)),
            _ => None,
        })
    }
}

fn refused(rule: RuleId, errno: Errno) -> Failure {
    Failure { rule, occurrence: 0, errno }
}
