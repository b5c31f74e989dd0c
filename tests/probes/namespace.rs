//! What depends on names and directories.

use super::probe;

#[test]
fn names_come_go_and_change_places_alike() {
    probe(include_str!("names.py"), &[]);
}

#[test]
fn directories_are_streams_with_places() {
    probe(include_str!("streams.py"), &[]);
}
