//! A cut of the power: everything stops, what was not synced is lost, and the mount goes on.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Power;
use super::undo::Directories;
use crate::fs::events::{blank, written};
use crate::fs::tree::Tree;
use crate::fs::{Answer, Filesystem, locked};
use crate::injector::Armed;
use crate::ledger::Event;
use crate::media::{FileKey, Volatile};
use crate::op::Op;
use crate::plan::RuleId;
use crate::plan::fault::{Fault, PowerCut};
use crate::plan::seed::{Purpose, StreamKey};
use crate::state::StateDir;

/// Why the power is not cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    /// Nobody remembers what was not synced.
    #[error("no rule of the scenario is a `power_cut`, so what was not synced is not remembered")]
    NotRemembered,
    /// It is cut just now, or was and stays so.
    #[error("the power is off already")]
    Off,
}

/// One cut under way.
pub(super) struct Cutting<'a> {
    pub(super) fs: &'a Filesystem,
    pub(super) state: &'a StateDir,
    pub(super) tree: Tree<'a>,
    pub(super) armed: &'a Armed,
    pub(super) id: RuleId,
    pub(super) rule: PowerCut,
    /// Which cut of the mount it is, from 1.
    pub(super) number: u32,
    pub(super) files: HashMap<FileKey, Volatile>,
    pub(super) directories: Directories,
    pub(super) events: Vec<Event>,
    op: Op,
}

impl Filesystem {
    /// Cuts the power, as the first rule about power says, whatever its `when`: for the control of a
    /// mount. Not to be called by an operation.
    pub fn cut_power(&self) -> Result<(), CutError> {
        let Some((armed, rule, _)) = self.power_rule() else { return Err(CutError::NotRemembered) };
        let op = Op::new(crate::op::OpKind::Fsync, 0, 0, crate::op::Caller::default());
        match self.cut(&armed, rule, op, 0)? {
            true => Ok(()),
            false => Err(CutError::Off),
        }
    }

    /// The power goes at an operation, which is inside.
    pub(in crate::fs) fn power_goes(&self, armed: &Armed, rule: RuleId, op: Op) {
        if let Err(error) = self.cut(armed, rule, op, 1) {
            tracing::warn!("the power is not cut: {error}");
        }
    }

    /// Whether it was this call that cut it; `inside`: how many operations wait for it.
    fn cut(&self, armed: &Armed, id: RuleId, op: Op, inside: usize) -> Result<bool, CutError> {
        let both = self.power.as_ref().zip(self.state.as_ref());
        let (power, state) = both.ok_or(CutError::NotRemembered)?;
        let Fault::PowerCut(rule) = &armed.plan().rule(id).fault else {
            return Err(CutError::NotRemembered);
        };
        if !power.gate.close(inside) {
            return Ok(false);
        }
        *locked(&power.by) = Some(id);
        // The first rule about power says which names last, for the whole mount.
        let names = self.power_rule().map_or(rule.names, |(.., first)| first.names);
        let rule = rule.with_names(names);
        let stays_off = rule.stays_off;
        // Who has something open has it no longer.
        self.open_files.end_all();
        self.open_directories.end_all();
        match self.lose(power, state, (armed, id, rule), op) {
            Ok(events) => self.tell(events),
            Err(errno) => tracing::error!("the power is cut, and not all is lost: {errno}"),
        }
        self.directories.clear();
        self.names_changed();
        if !stays_off {
            power.gate.open();
        }
        Ok(true)
    }

    /// Makes the backing directory what the medium has.
    fn lose(
        &self,
        power: &Power,
        state: &Arc<StateDir>,
        (armed, id, rule): (&Armed, RuleId, PowerCut),
        op: Op,
    ) -> Answer<Vec<Event>> {
        let files = std::mem::take(&mut *locked(&power.files));
        let mut changes = locked(&power.names).commit_all();
        let tree = Tree::below(&self.root)?;
        let directories = tree.directories()?;
        let number = power.cuts.fetch_add(1, Ordering::AcqRel) + 1;
        let (events, fs) = (Vec::new(), self);
        let mut cutting =
            Cutting { fs, state, tree, armed, id, rule, number, files, directories, events, op };
        let lasting =
            cutting.rule.lasting(cutting.key(Path::new("")), changes.len() as u64, number);
        drop(changes.drain(..lasting as usize));
        let doomed = cutting.doomed(&changes);
        cutting.lose_bytes(&doomed)?;
        cutting.lose_names(changes)?;
        Ok(cutting.events)
    }
}

impl Cutting<'_> {
    /// The stream of one path.
    pub(super) fn key(&self, path: &Path) -> StreamKey {
        self.armed.plan().stream(self.id, path, Purpose::PowerCut)
    }

    /// An event of this cut.
    pub(super) fn event(&self, path: &Path) -> Event {
        Event {
            op: "power_cut".to_owned(),
            path: written(path),
            pid: self.op.caller.pid,
            uid: self.op.caller.uid,
            ..blank(self.armed.label(self.id), self.armed.generation())
        }
    }
}
