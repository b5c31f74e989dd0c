//! One plan after another on a live mount: when [`Filesystem::rearm`] returns, no read that begins
//! then goes by the older plan, whether it asks us or the kernel's cache.

use std::collections::HashSet;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use super::flights::Operations;
use super::{Filesystem, Kernel, Node, Pending, Survey, SurveyError, locked, survey};
use crate::injector::Armed;
use crate::ledger::{Event, Outcome, Planned};
use crate::plan::{Label, Placement};

impl Filesystem {
    /// Puts a plan in the place of the one before, and records that. Only one thread at a time may
    /// do so, and none that answers requests: it waits for those.
    ///
    /// # Order
    /// Fills of the page cache are kept from here on (see `changing`); the plan is replaced; requests
    /// that began under the older one end; answers that wait because of rules that are gone are
    /// given; the kernel drops its pages of every file that has other rules now.
    pub fn rearm(&self, next: Armed, planned: Planned) -> Arc<Armed> {
        let outgoing = self.injector.current();
        self.changing.begin(outgoing.clone());
        self.flights.wait();
        if outgoing.is_some() || !next.states().all(|state| state.in_force) {
            self.tell_armed(self.injector.generation() + 1, planned);
        }
        let armed = self.injector.arm(next);
        self.flights.wait();
        let in_force = armed.in_force();
        self.timer.answer(|owed| {
            owed.holds_pages || owed.rules.iter().any(|rule| !in_force.contains(rule))
        });
        self.ledger.drain();
        self.page_fills.forget();
        self.forget_pages(outgoing.as_deref(), &armed);
        self.changing.end();
        self.forget_rules(&armed);
        armed
    }

    /// Whom to ask to drop cached pages.
    pub fn talk_to(&self, kernel: Box<dyn Kernel>) {
        let _ = self.kernel.set(kernel);
    }

    /// The plan in force.
    pub fn armed(&self) -> Option<Arc<Armed>> {
        self.injector.current()
    }

    /// How long ago the first plan was armed, or the mount made without one: the time that plans
    /// count by.
    pub fn age(&self) -> Duration {
        self.armed_at.elapsed()
    }

    /// The operations that were asked for, of every kind.
    pub fn operations(&self) -> Vec<Operations> {
        self.flights.operations()
    }

    /// How many answers wait.
    pub fn waiting(&self) -> usize {
        self.timer.count()
    }

    /// Answers what is stalled, and gives how many those were; what comes later waits again.
    pub fn release_stalled(&self) -> usize {
        let count = self.timer.answer(|owed| owed.stalled);
        self.ledger.drain();
        count
    }

    /// The files that are there now, each under the path by which its damage is keyed.
    pub fn survey(&self) -> Result<Survey, SurveyError> {
        let origins = |key, path: &std::path::Path| match self.media.is_born(key) {
            true => Some(self.media.settle_origin(key, path)),
            false => self.media.origin(key),
        };
        let found = survey::survey_known(self.root.as_fd(), &origins)?;
        for (key, first) in &found.links {
            self.media.keep_origin(*key, first);
        }
        Ok(found)
    }

    /// Keeps the paths by which the places of a plan that comes were chosen: the files may have
    /// others when it is in force.
    pub fn keep_places(&self, survey: &Survey, places: &Placement) {
        for (_, path, _) in places.each() {
            let new = survey.key(path).filter(|key| self.media.origin(*key).is_none());
            if let Some(key) = new {
                self.media.keep_origin(key, path);
                self.note_origin(key, path);
            }
        }
    }

    /// Open files that some rule waits for.
    pub fn pending(&self) -> Vec<Pending> {
        let Some(armed) = self.injector.current() else { return Vec::new() };
        let mut files = HashSet::new();
        let mut pending = Vec::new();
        for open in self.open_files.all().into_iter().filter(|open| open.path.hides()) {
            if files.insert(open.node.id)
                && let Some(waits) = self.waits(&open.node)
            {
                pending.push(self.pending_of(&open.node, waits, &armed));
            }
        }
        pending.sort_by(|a, b| a.path.cmp(&b.path));
        pending
    }

    fn tell_armed(&self, generation: u64, planned: Planned) {
        let nobody = Label { rule: String::new(), fault: "" };
        let event = Event {
            outcome: Outcome::Armed,
            op: "arm".to_owned(),
            arming: Some(generation),
            plan: Some(Box::new(planned)),
            ..super::events::blank(&nobody, generation)
        };
        self.tell(vec![event]);
        self.ledger.drain();
    }

    fn forget_pages(&self, outgoing: Option<&Armed>, armed: &Armed) {
        let Some(kernel) = self.kernel.get() else { return };
        for node in self.nodes.those(Node::may_be_cached) {
            let changes = outgoing.is_none_or(|outgoing| self.differs(&node, outgoing, armed));
            if changes {
                kernel.forget_pages(node.id);
            }
        }
        // What was listed of directories that are not open is forgotten when they are opened.
        self.open_directories.all().iter().for_each(|open| kernel.forget_pages(open.node.id));
    }

    /// Whether other rules are in force for a file.
    fn differs(&self, node: &Arc<Node>, one: &Armed, other: &Armed) -> bool {
        let view = self.view(node, one);
        let rules = one.keys_in_force(&view.selection);
        let behind = view.medium.as_ref().is_some_and(|medium| !medium.has_all());
        behind || rules != other.keys_in_force(&self.view(node, other).selection)
    }

    /// Of rules that are gone nothing is remembered.
    fn forget_rules(&self, armed: &Armed) {
        let known = armed.forget_others();
        for medium in self.media.all() {
            medium.forget_rules(|rule| !known.contains(&rule));
        }
        locked(&self.told_pending).clear();
    }
}
