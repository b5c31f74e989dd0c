//! Rules that wait: how a file's data travels is settled when it is opened, and a rule that comes to
//! reach an open file holds when it is opened anew. That is said, once for each file.

use std::sync::Arc;

use super::handles::OpenFile;
use super::node::Travels;
use super::{Filesystem, Node, locked};
use crate::injector::DataAccess;
use crate::ledger::escape;

impl Filesystem {
    /// Says so if a rule waits for this file. Through a backing file the kernel never asks, so that
    /// even sticky damage waits, and for all who have it open.
    pub(super) fn tell_pending(&self, node: &Arc<Node>) {
        let Some(travels) = node.travels().filter(|_| self.injector.generation() != 0) else {
            return;
        };
        let handed_over = travels == Travels::HandedOver;
        let waits = match self.access(node) {
            DataAccess::Untouched => false,
            DataAccess::Watched | DataAccess::Sticky => handed_over,
            DataAccess::Counted => true,
        };
        let open = |open: &OpenFile| Arc::ptr_eq(&open.node, node) && open.path.hides();
        if !waits || !self.open_files.any(open) || !locked(&self.told_pending).insert(node.id) {
            return;
        }
        let path = escape(node.path().as_os_str().as_encoded_bytes());
        let until = match handed_over {
            true => "when all who have it open have closed it (kernel passthrough)",
            false => "when it is opened again",
        };
        tracing::warn!("{path} is open: rules that reach it now hold {until}");
    }

    /// The same for a node that moved, and all open files below it.
    pub(super) fn tell_pending_below(&self, moved: &Arc<Node>) {
        if self.injector.generation() == 0 {
            return;
        }
        for open in self.open_files.all() {
            if open.node.is_below(moved) {
                self.tell_pending(&open.node);
            }
        }
    }
}
