//! What depends on how bytes travel: holes, copies, mappings, direct I/O, locks.

use super::probe;

#[test]
fn bytes_are_where_they_belong_whatever_moved_them() {
    probe(include_str!("data.py"), &[]);
}

#[test]
fn direct_io_and_cached_io_see_each_other() {
    probe(include_str!("direct.py"), &[]);
}

#[test]
fn locks_exclude_end_and_wait_alike() {
    probe(include_str!("locks.py"), &[]);
}
