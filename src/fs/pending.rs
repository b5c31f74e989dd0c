//! Rules that wait: how a file's data travels is settled when it is opened, and a rule that comes to
//! reach an open file holds when it is opened anew. That is said, once for each file.

use std::path::PathBuf;
use std::sync::Arc;

use super::handles::OpenFile;
use super::node::Travels;
use super::{Filesystem, Node, locked};
use crate::injector::{Armed, DataAccess};
use crate::ledger::escape;

/// Why rules wait for an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// The kernel moves its data by itself: until all who have it open have closed it.
    Passthrough,
    /// It is open by way of the page cache: until it is opened again, what the cache answers is not
    /// counted.
    PageCache,
}

/// An open file for which rules wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Relative to the mount's root.
    pub path: PathBuf,
    /// Why.
    pub waits: Waits,
    /// The names of the rules.
    pub rules: Vec<String>,
}

impl Filesystem {
    /// Why rules wait for a file that is open by way of a cache or of the kernel, if they do. Through a backing file the kernel never asks, so that
    /// even sticky damage waits, and for all who have it open.
    pub(super) fn waits(&self, node: &Arc<Node>) -> Option<Waits> {
        let travels = node.travels().filter(|_| self.injector.generation() != 0)?;
        let waits = match travels {
            Travels::HandedOver => Waits::Passthrough,
            Travels::Otherwise => Waits::PageCache,
        };
        let wait = match self.access(node) {
            DataAccess::Untouched => false,
            DataAccess::Watched | DataAccess::Sticky => waits == Waits::Passthrough,
            DataAccess::Counted => true,
        };
        wait.then_some(waits)
    }

    pub(super) fn pending_of(&self, node: &Arc<Node>, waits: Waits, armed: &Armed) -> Pending {
        let selection = &self.view(node, armed).selection;
        let rules = selection.loaded.iter().map(|rule| armed.label(*rule).rule.clone());
        Pending { path: node.path(), waits, rules: rules.collect() }
    }

    /// Says so if a rule waits for this file.
    pub(super) fn tell_pending(&self, node: &Arc<Node>) {
        let Some(waits) = self.waits(node) else { return };
        let open = |open: &OpenFile| Arc::ptr_eq(&open.node, node) && open.path.hides();
        if !self.open_files.any(open) || !locked(&self.told_pending).insert(node.id) {
            return;
        }
        let path = escape(node.path().as_os_str().as_encoded_bytes());
        let until = match waits {
            Waits::Passthrough => "when all who have it open have closed it (kernel passthrough)",
            Waits::PageCache => "when it is opened again",
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
