//! The power cut by whoever controls the mount: on the library, as the control calls it.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;

use errorfs::fs::{CutError, Filesystem, NewMode, NodeId, Settings};
use errorfs::injector::{Armed, Injector};
use errorfs::ledger::Writer;
use errorfs::media::Media;
use errorfs::op::Caller;
use errorfs::plan::{Placement, compile};
use errorfs::scenario::parse;
use errorfs::state::{Belongs, StateDir};

use crate::support::*;

fn filesystem(backing: &Backing, state: &std::path::Path, fault: &str) -> Filesystem {
    let text = format!("version = 1\n[[rule]]\nname = \"power\"\nwhen = {{ nth = 1000 }}\n{fault}");
    let scenario = parse(&text).scenario.unwrap();
    let plan = compile(&scenario, 1, "", b"");
    let injector = Injector::default();
    injector.arm(Armed::new(plan, Placement::default()));
    let root: OwnedFd = fs::File::open(backing.path()).unwrap().into();
    let state = StateDir::open(state, &Belongs::to(backing.path(), &root).unwrap()).unwrap();
    let settings = Settings { errorfs_is_root: false, keep_max: 1 << 20 };
    let fs = Filesystem::new(root, settings, injector, Media::default(), Writer::none());
    fs.unwrap().with_state(Some(state), fault.contains("power_cut"))
}

#[test]
fn the_control_cuts_the_power_as_the_first_rule_about_it_says() {
    let (backing, state) = (Backing::new(), tempfile::tempdir().unwrap());
    let fault = "[rule.fault.power_cut]\nunsynced = \"old\"\n";
    let fs = filesystem(&backing, state.path(), fault);
    assert!(fs.may_be_cut());
    let mode = NewMode { mode: 0o644, umask: 0 };
    let caller = Caller::default();
    fs.create(NodeId::ROOT, OsStr::new("lost"), mode, 1, caller).unwrap();
    assert!(backing.join("lost").exists());
    fs.cut_power().unwrap();
    assert!(!backing.join("lost").exists());
    let (_, kept) = fs.create(NodeId::ROOT, OsStr::new("kept"), mode, 1, caller).unwrap();
    let op = errorfs::op::Op::new(errorfs::op::OpKind::Fsync, 0, 0, caller);
    fs.sync_file(op, kept.handle, false, |synced| synced.unwrap());
    fs.cut_power().unwrap();
    assert!(backing.join("kept").exists());
}

#[test]
fn without_a_rule_about_power_and_while_it_is_off_nothing_is_cut() {
    let (backing, state) = (Backing::new(), tempfile::tempdir().unwrap());
    let fs = filesystem(&backing, state.path(), "[rule.fault.dead]\n");
    assert!(!fs.may_be_cut());
    assert_eq!(fs.cut_power(), Err(CutError::NotRemembered));
    drop(fs);
    let fs = filesystem(&backing, state.path(), "[rule.fault.power_cut]\nthen = \"off\"\n");
    assert_eq!([fs.cut_power(), fs.cut_power()], [Ok(()), Err(CutError::Off)]);
}
