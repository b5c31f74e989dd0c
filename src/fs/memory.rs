//! What operations tell the simulated medium: bytes overwritten, cut off, gone with their file;
//! and the events that say what became of the damage that was there.

use std::ops::Range;
use std::sync::Arc;

use super::inject::Judged;
use super::view::View;
use super::{Answer, Filesystem, Node};
use crate::injector::Armed;
use crate::ledger::{Event, Outcome};
use crate::op::Op;
use crate::plan::{Decision, Unreadable};

/// The state of a byte range just before an operation ends what is stored there.
#[derive(Debug)]
pub(super) struct Before {
    judged: Judged,
    bad: Vec<Unreadable>,
    size: u64,
}

impl Filesystem {
    /// What an operation is about to overwrite or cut off. `None` where the medium of the file
    /// remembers nothing.
    pub(super) fn before_end(
        &self,
        node: &Arc<Node>,
        op: Op,
        range: Range<u64>,
    ) -> Answer<Option<Before>> {
        let Some((armed, view)) = self.view_with_medium(node) else {
            return Ok(None);
        };
        let size = self.stat(node)?.size;
        let stored = range.start..range.end.min(size);
        let (judged, bad) = stored_damage(armed, view, op, stored);
        Ok(Some(Before { judged, bad, size }))
    }

    /// The bytes of `range` were overwritten, all of those that `before` asked about or fewer.
    pub(super) fn overwritten(&self, before: Option<Before>, range: Range<u64>) {
        let Some(mut before) = before else { return };
        if let Some(medium) = &before.judged.view.medium {
            medium.written(range.clone(), before.size);
        }
        before
            .judged
            .decision
            .flips
            .retain(|flip| range.contains(&flip.byte));
        before.bad.retain(|bad| range.contains(&bad.sector.start));
        self.tell(before.judged.end_events(Outcome::Repaired, &before.bad));
    }

    /// The bytes of `range` were cut off, punched or zeroed.
    pub(super) fn discarded(&self, before: Option<Before>, range: Range<u64>) {
        let Some(before) = before else { return };
        if let Some(medium) = &before.judged.view.medium {
            medium.discarded(range, before.size);
        }
        self.tell(before.judged.end_events(Outcome::Gone, &before.bad));
    }

    /// The last name of a file is gone, and with it, for all that the target can tell, its damage.
    pub(super) fn removed(&self, node: &Arc<Node>, op: Op) {
        if let Ok(Some(before)) = self.before_end(node, op, 0..u64::MAX) {
            self.tell(before.judged.end_events(Outcome::Gone, &before.bad));
        }
    }

    /// Events that hold nobody up: the fault that they speak of was delivered before, or never.
    fn tell(&self, events: Vec<Event>) {
        if !events.is_empty() {
            self.ledger.record(events, |_| {});
        }
    }
}

fn stored_damage(
    armed: Arc<Armed>,
    view: Arc<View>,
    op: Op,
    range: Range<u64>,
) -> (Judged, Vec<Unreadable>) {
    let (flips, bad) = match range.is_empty() {
        true => Default::default(),
        false => armed.damage(range, &view.target()),
    };
    let decision = Decision {
        flips,
        ..Decision::default()
    };
    (
        Judged {
            armed,
            view,
            op,
            decision,
        },
        bad,
    )
}
