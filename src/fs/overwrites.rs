//! Keeps what was stored before it is overwritten, for files of which some region reads as that.

use std::ops::Range;
use std::sync::Arc;

use super::Filesystem;
use super::handles::OpenFile;
use crate::media::{Content, Medium, Piece};

/// What a write is about to take the place of.
#[derive(Debug)]
pub(super) struct Overwrites {
    medium: Arc<Medium>,
    /// With nothing where there is no room to keep it.
    were: Vec<(Range<u64>, Option<Content>)>,
}

impl Filesystem {
    /// Notes what the medium holds in these ranges of a file; `None` where nobody wants to know.
    pub(super) fn begin_overwrite(
        &self,
        open: &OpenFile,
        ranges: &[Range<u64>],
    ) -> Option<Overwrites> {
        let (armed, view) = self.view_with_medium(&open.node)?;
        let medium = view.medium.clone().filter(|_| view.selection.keeps_earlier)?;
        let was = |range: &Range<u64>| {
            let len = (range.end - range.start) as usize;
            let read = || self.read_for_page(open, range.start, len);
            let (bytes, _) =
                self.read_medium(Some(&medium), Some(&armed), range.start, read).ok()?;
            let range = range.start..range.start + bytes.len() as u64;
            (!bytes.is_empty()).then(|| (range, Content::new(bytes, &self.room)))
        };
        let were = ranges.iter().filter_map(was).collect();
        Some(Overwrites { medium, were })
    }

    /// The write has been made up to `end`; gives the medium that knows more now.
    pub(super) fn end_overwrite(
        &self,
        overwrites: Option<Overwrites>,
        end: u64,
    ) -> Option<Arc<Medium>> {
        let Overwrites { medium, were } = overwrites?;
        for (bytes, content) in were {
            let made = bytes.start..bytes.end.min(end);
            match content {
                Some(content) => {
                    let was = Piece { bytes, content, of: () };
                    was.within(&made).into_iter().for_each(|was| medium.earlier().keep(was));
                }
                None => {
                    self.tell_no_room();
                    medium.earlier().forget(&made);
                }
            }
        }
        Some(medium)
    }
}
