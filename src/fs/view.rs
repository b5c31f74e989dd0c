//! Which rules concern a file: worked out once per node, name and armed plan, not per operation.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Answer, FileHandle, Filesystem, Node, NodeId};
use crate::injector::{Armed, DataAccess, Selection, Target};
use crate::media::{FileKey, Medium};
use crate::op::OpKind;

/// What an operation is on.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A known file.
    Node(NodeId),
    /// An open file.
    Open(FileHandle),
    /// An open directory.
    OpenDirectory(FileHandle),
    /// A name in a directory, whether or not there is a file of that name.
    Name(NodeId, &'a OsStr),
    /// Two of them, from and to: rules that select either concern the operation.
    Both(&'a Subject<'a>, &'a Subject<'a>),
}

/// What the armed plan has to do with one file.
#[derive(Debug)]
pub(super) struct View {
    /// The file; of a name, the directory that it is in.
    pub(super) file: FileKey,
    pub(super) ino: u64,
    pub(super) path: PathBuf,
    /// Of an operation on two: the path of the other.
    pub(super) to: Option<PathBuf>,
    pub(super) origin: PathBuf,
    pub(super) selection: Selection,
    pub(super) medium: Option<Arc<Medium>>,
    armed: u64,
    names: u64,
}

impl View {
    /// The same as the injector wants it.
    pub(super) fn target(&self) -> Target<'_> {
        Target {
            selection: &self.selection,
            path: &self.path,
            origin: &self.origin,
            medium: self.medium.as_deref(),
        }
    }

    /// Whether reads must be asked what the medium holds in place of what is stored.
    pub(super) fn may_be_behind(&self) -> bool {
        let behind = |medium: &Arc<Medium>| !medium.has_all();
        self.selection.keeps_writes || self.medium.as_ref().is_some_and(behind)
    }

    /// For an operation that moves or copies no stored byte itself.
    fn together_with(&self, to: &View) -> View {
        View {
            file: self.file,
            ino: self.ino,
            path: self.path.clone(),
            to: Some(to.path.clone()),
            origin: self.origin.clone(),
            selection: self.selection.union(&to.selection),
            medium: None,
            armed: self.armed,
            names: self.names,
        }
    }
}

impl Filesystem {
    /// What the plan may do to the data of a node.
    pub(super) fn access(&self, node: &Arc<Node>) -> DataAccess {
        if self.power.is_some() || self.is_damaged(node.key) {
            return DataAccess::Counted; // what programs overwrite is no damage any more
        }
        match self.injector.current() {
            Some(armed) => self.view(node, &armed).selection.access,
            None => DataAccess::Untouched,
        }
    }

    /// Whether any rule looks at such operations on a node.
    pub(super) fn looks_at(&self, node: &Arc<Node>, kind: OpKind) -> bool {
        let armed = self.injector.current().filter(|armed| armed.ops().contains(kind));
        armed.is_some_and(|armed| self.view(node, &armed).selection.ops.contains(kind))
    }

    /// The view of a node whose stored bytes some rule damages, or keeps writes from.
    pub(super) fn view_with_medium(&self, node: &Arc<Node>) -> Option<(Arc<Armed>, Arc<View>)> {
        let armed = self.injector.current()?;
        let view = self.view(node, &armed);
        view.medium.is_some().then_some((armed, view))
    }

    /// The view of a node under the armed plan.
    pub(super) fn view(&self, node: &Arc<Node>, armed: &Armed) -> Arc<View> {
        let names = self.names.load(Ordering::Acquire);
        let current = |view: &Arc<View>| view.armed == armed.generation() && view.names == names;
        if let Some(view) = node.view().filter(current) {
            return view;
        }
        let view = Arc::new(self.look(node, armed, names));
        node.set_view(view.clone());
        view
    }

    fn look(&self, node: &Arc<Node>, armed: &Armed, names: u64) -> View {
        let (path, origin) = (node.path(), self.origin(node));
        let medium = armed.damages_media().then(|| self.media.medium(node.key));
        let mut selection = armed.select_file(&path, &origin, medium.as_deref());
        let behind = medium.as_ref().is_some_and(|medium| !medium.has_all());
        if behind {
            // What was lost under another name is missing under this one too.
            selection.access = DataAccess::Counted;
        }
        let keeps = selection.keeps_writes || selection.keeps_earlier;
        let wanted = selection.medium || keeps || behind;
        let medium = medium.filter(|_| wanted);
        let (file, ino) = (node.key, node.key.ino);
        View {
            file,
            ino,
            path,
            to: None,
            origin,
            selection,
            medium,
            armed: armed.generation(),
            names,
        }
    }

    /// The view of whatever an operation is on.
    pub(super) fn view_of(&self, subject: Subject<'_>, armed: &Armed) -> Answer<Arc<View>> {
        Ok(match subject {
            Subject::Node(id) => self.view(&self.node(id)?, armed),
            Subject::Open(handle) => self.view(&self.open_files.get(handle)?.node, armed),
            Subject::OpenDirectory(handle) => {
                self.view(&self.open_directories.get(handle)?.node, armed)
            }
            Subject::Name(parent, name) => Arc::new(self.look_at_name(parent, name, armed)?),
            Subject::Both(from, to) => {
                let (from, to) = (self.view_of(*from, armed)?, self.view_of(*to, armed)?);
                Arc::new(from.together_with(&to))
            }
        })
    }

    /// A name is judged by itself: the file below it, if any, is not touched by the operation.
    fn look_at_name(&self, parent: NodeId, name: &OsStr, armed: &Armed) -> Answer<View> {
        let parent = self.node(parent)?;
        let path = parent.path().join(name);
        let selection = armed.select(&path);
        Ok(View {
            file: parent.key,
            ino: parent.key.ino,
            origin: path.clone(),
            path,
            to: None,
            selection,
            medium: None,
            armed: armed.generation(),
            names: 0,
        })
    }
}
