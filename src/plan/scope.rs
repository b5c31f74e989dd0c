//! Which operations a rule looks at: two comparisons.

use std::ops::Range;

use crate::op::{Op, OpKind, OpSet};

/// Which operations on a selected path a rule looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Their kinds; empty for a rule that can never fire.
    pub ops: OpSet,
    /// The bytes that one of them must concern; `None`: any or none.
    pub bytes: Option<Range<u64>>,
}

impl Scope {
    /// Whether the rule looks at the operation. A rule with bytes looks only at operations that
    /// concern some of them: never at one that concerns no bytes at all.
    pub fn covers(&self, op: &Op) -> bool {
        self.ops.contains(op.kind)
            && match self.bytes {
                None => true,
                Some(_) => !self.clip(bytes_of(op)).is_empty(),
            }
    }

    /// What of a byte range is selected.
    pub fn clip(&self, range: Range<u64>) -> Range<u64> {
        match &self.bytes {
            None => range,
            Some(bytes) => range.start.max(bytes.start)..range.end.min(bytes.end),
        }
    }
}

/// The bytes that an operation concerns.
pub fn bytes_of(op: &Op) -> Range<u64> {
    op.offset..op.offset.saturating_add(op.len)
}

/// The kinds that move the bytes of files, and that the kernel may serve from its cache.
pub(super) const TRANSFERS: OpSet = OpSet::EMPTY.with(OpKind::Read).with(OpKind::Write);

#[cfg(test)]
mod tests {
    use super::*;

    fn op(kind: OpKind, offset: u64, len: u64) -> Op {
        Op::new(kind, offset, len, Default::default())
    }

    #[test]
    fn bytes_select_only_operations_that_concern_some_of_them() {
        let scope = Scope { ops: OpSet::DATA, bytes: Some(100..200) };
        assert!(scope.covers(&op(OpKind::Read, 0, 101)));
        assert!(scope.covers(&op(OpKind::Write, 199, u64::MAX)));
        assert!(!scope.covers(&op(OpKind::Read, 0, 100)));
        assert!(!scope.covers(&op(OpKind::Read, 200, 9)));
        assert!(!scope.covers(&op(OpKind::Fsync, 0, 0)), "concerns no bytes");
        assert!(!scope.covers(&op(OpKind::Open, 150, 1)), "not selected");
    }
}
