//! What depends on who asks: rights, owners, modes, lists, set-id bits, hidden names.

use super::probe;

#[test]
fn sixteen_kinds_of_caller_may_and_make_the_same() {
    probe(include_str!("credentials.py"), &[]);
}

#[test]
fn access_control_lists_are_inherited_obeyed_and_mirrored() {
    probe(include_str!("lists.py"), &[]);
}

/// Of a change of the owner to nobody the kernel tells too little to refuse it always.
#[test]
fn set_id_bits_and_capabilities_go_and_stay_as_they_should() {
    let differs = ("other: chown -1 -1: EPERM", "other: chown -1 -1: None");
    probe(include_str!("set_id.py"), &[differs]);
}

#[test]
fn extended_attributes_have_the_same_sizes_names_and_readers() {
    probe(include_str!("xattrs.py"), &[]);
}

#[test]
fn flags_and_versions_are_those_of_the_backing_file() {
    probe(include_str!("control.py"), &[]);
}

/// What the page cache answers moves no time of access.
#[test]
fn times_are_set_and_moved_alike() {
    let cached = "atime False, mtime False, ctime False";
    let read = "atime True, mtime False, ctime False";
    let differs = ["read at the end", "sendfile"]
        .map(|what| (format!("{what}: {read}"), format!("{what}: {cached}")));
    let differs: Vec<_> = differs.iter().map(|(plain, mount)| (&**plain, &**mount)).collect();
    probe(include_str!("times.py"), &differs);
}
