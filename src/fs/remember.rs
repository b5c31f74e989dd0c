//! What a mount tells its state directory for the next one, and what it is told by the last one.
//!
//! Each memo is written before the reply that depends on it leaves, so that `kill -9` loses none.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::{Filesystem, Node, View, locked};
use crate::injector::Armed;
use crate::media::{Content, Elsewhere, FileKey, Loss, Medium, Piece, Stale};
use crate::plan::DamageId;
use crate::state::{FileMemory, Held, Memo, earlier_memo, escaped, held, plain};

impl Filesystem {
    fn note(&self, memos: &[(Memo, Vec<u8>)]) {
        let Some(state) = self.state.as_ref().filter(|state| !state.memory.failed()) else {
            return;
        };
        if let Err(error) = state.memory.note(memos) {
            tracing::error!("the next mount will not remember this one: {error}");
        }
    }

    fn note_one(&self, memo: Memo) {
        self.note(&[(memo, Vec::new())]);
    }

    /// A file came into being.
    pub(super) fn note_born(&self, file: FileKey) {
        self.note_one(Memo::Born { file });
    }

    /// A file is about to have another path than it had at arming.
    pub(super) fn note_origin(&self, file: FileKey, path: &Path) {
        self.note_one(Memo::Origin { file, path: escaped(path) });
    }

    /// A file is gone.
    pub(super) fn note_removed(&self, file: FileKey) {
        self.note_one(Memo::Removed { file });
    }

    /// Bytes of a file that had `size` of them were replaced.
    pub(super) fn note_replaced(&self, view: &View, range: &Range<u64>, size: u64) {
        let (file, start, end) = (view.file, range.start, range.end);
        if self.state.is_some() && start < size {
            self.note_one(Memo::Replaced { file, start, end, size });
            self.note_bindings(view);
        }
    }

    /// A rule may have looked at a file for the first time.
    pub(super) fn note_bindings(&self, view: &View) {
        let Some(medium) = view.medium.as_ref().filter(|medium| medium.has_news()) else { return };
        let Some(armed) = self.injector.current().filter(|_| self.state.is_some()) else { return };
        let bindings = medium.bindings();
        for (id, rule) in armed.plan().numbered() {
            let bound = bindings.iter().filter(|(key, _)| *key == armed.key(id));
            bound.for_each(|(_, path)| {
                let (file, rule) = (view.file, rule.name.clone());
                self.note_one(Memo::Bound { file, rule, path: escaped(path) });
            });
        }
    }

    /// What was stored in a range before it was overwritten is known, if anybody wants to know.
    pub(super) fn note_earlier(&self, node: &Arc<Node>, medium: &Medium, range: &Range<u64>) {
        if self.state.is_some() {
            let pieces = medium.earlier().within(range);
            self.note(&Vec::from_iter(earlier_memo(node.key, &pieces)));
        }
    }

    /// What the medium of a file holds in a range may be another than before.
    pub(super) fn note_held(&self, node: &Arc<Node>, range: &Range<u64>) {
        if self.state.is_none() {
            return;
        }
        let Some((_, view)) = self.view_with_medium(node) else { return };
        if let Some(medium) = view.medium.as_ref().filter(|medium| medium.ever_lost()) {
            self.note_held_by(view.file, medium, range);
        }
    }

    /// What is in a cache only, and will not be written back, is lost to the next mount.
    pub(super) fn note_held_by(&self, file: FileKey, medium: &Medium, range: &Range<u64>) {
        let mut stale = medium.behind().stale(range);
        stale.extend(medium.unsynced().failed().iter().filter_map(|piece| piece.within(range)));
        let told = stale.iter().map(|stale| held(stale, loss_told(stale)));
        let (pieces, bytes): (Vec<_>, Vec<_>) = told.unzip();
        let (start, end) = (range.start, range.end);
        self.note(&[(Memo::Holds { file, start, end, pieces }, bytes.concat())]);
    }

    /// Rules that pick operations have counted; told when one of them fired.
    pub(super) fn note_counts(&self, armed: &Armed) {
        if self.state.is_none() {
            return;
        }
        for (id, rule) in armed.plan().numbered().filter(|(_, rule)| rule.trigger.picks()) {
            let counts = armed.counts(id);
            let known = locked(&self.counted).insert(id, counts.fired).unwrap_or(0);
            if counts.fired > known {
                let (matched, fired) = (counts.matched, counts.fired);
                self.note_one(Memo::Counted { rule: rule.name.clone(), matched, fired });
            }
        }
    }

    /// Files are as the last mount knew them, as far as that does not depend on the plan; if it is the
    /// `same_plan`, as a whole.
    pub fn recall_files(&self, same_plan: bool) {
        if let Some(state) = &self.state {
            state.remembered.recall(&self.media, same_plan);
        }
    }

    /// Goes on where the last mount ended: under the armed plan.
    pub fn recall(&self) {
        let Some((state, armed)) = self.state.as_ref().zip(self.injector.current()) else { return };
        let memory = &state.remembered;
        for (id, rule) in armed.plan().numbered() {
            if let Some((matched, fired)) = memory.counts.get(&rule.name) {
                armed.go_on(id, *matched, *fired);
                locked(&self.counted).insert(id, *fired);
            }
        }
        for (key, file) in &memory.files {
            self.recall_file(&armed, *key, file);
        }
    }

    fn recall_file(&self, armed: &Armed, key: FileKey, file: &FileMemory) {
        let by_name = |name: &str| {
            armed.plan().numbered().find(|(_, rule)| rule.name == name).map(|(id, _)| id)
        };
        for (rule, path) in &file.bound {
            if let Some(rule) = by_name(rule) {
                armed.bind_again(rule, &self.media.medium(key), path);
            }
        }
        if armed.plan().rules().iter().any(|rule| rule.fault.keeps_earlier()) {
            self.recall_earlier(key, file);
        }
        let stale: Vec<Stale> = file
            .held()
            .into_iter()
            .filter_map(|piece| {
                let Held { rule, occurrence, id, file, keep, zeros, astray, .. } = &*piece.of;
                let (rule, id) = (by_name(rule)?, DamageId(*id));
                let astray = astray.map(|(landed, here, there)| Elsewhere { landed, here, there });
                let loss = Loss {
                    rule: armed.key(rule),
                    label: armed.label(rule).clone(),
                    astray,
                    occurrence: *occurrence,
                    id,
                    file: Arc::from(plain(file)),
                    keep: *keep,
                };
                let mut bytes = vec![0; (piece.bytes.end - piece.bytes.start) as usize];
                piece.copy_to(&mut bytes, piece.bytes.start);
                let content = match zeros {
                    true => Content::ZEROS,
                    false => Content::new(bytes, &self.room)?,
                };
                Some(Stale { bytes: piece.bytes, content, of: Arc::new(loss) })
            })
            .collect();
        if !stale.is_empty() {
            self.media.medium(key).behind().fall(stale);
        }
    }
}

impl Filesystem {
    /// What regions that are stale read as; what there is no room for is as if it had never been.
    fn recall_earlier(&self, key: FileKey, file: &FileMemory) {
        for piece in file.earlier() {
            let mut bytes = vec![0; (piece.bytes.end - piece.bytes.start) as usize];
            piece.copy_to(&mut bytes, piece.bytes.start);
            match Content::new(bytes, &self.room) {
                Some(content) => {
                    self.media.medium(key).earlier().keep(Piece { content, ..piece });
                }
                None => self.tell_no_room(),
            }
        }
    }
}

fn loss_told(stale: &Stale) -> Held {
    let Loss { label, occurrence, id, file, keep, astray, .. } = &*stale.of;
    Held {
        start: 0,
        end: 0,
        zeros: false,
        rule: label.rule.clone(),
        occurrence: *occurrence,
        id: id.0,
        file: escaped(file),
        keep: *keep,
        astray: astray.map(|astray| (astray.landed, astray.here, astray.there)),
    }
}
