//! Deciding about an operation that nothing happens to allocates nothing.
#![expect(unsafe_code, reason = "an allocator that counts is an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use errorfs::injector::{Armed, Target};
use errorfs::media::Medium;
use errorfs::op::{Caller, Op, OpKind};
use errorfs::plan::{Placement, compile};
use errorfs::scenario::parse;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting for each thread.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: all is left to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: what the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: what the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

fn allocations(action: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    action();
    ALLOCATIONS.get() - before
}

#[test]
fn a_decision_among_ten_matching_rules_that_do_not_fire_allocates_nothing() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1]))), 1, "it does count");
    let rule = |number: u32| {
        format!(
            "[[rule]]\nname = \"e{number}\"\nselect = {{ path = \"**/*.sst\", ops = [\"read\"] }}\n\
             when = {{ nth = 400000{number} }}\n[rule.fault.error]\nerrno = \"EIO\"\n"
        )
    };
    let mut text: String = "version = 1\n".to_owned() + &(0..9).map(rule).collect::<String>();
    text += "[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-15\n";
    let scenario = parse(&text).scenario.unwrap();
    let armed = Armed::new(compile(&scenario, 7, "", b""), Placement::default());
    let path = Path::new("tree/table.sst");
    let (selection, medium) = (armed.select(path), Medium::default());
    let target = Target { selection: &selection, path, origin: path, medium: Some(&medium) };
    let decide = |number: u64| {
        let caller = Caller { pid: 1, uid: 0, gid: 0 };
        let op = Op::new(OpKind::Read, number * 4096, 4096, caller);
        assert!(armed.decide(&op, &target, Duration::ZERO).is_clean());
    };
    decide(0); // the rule about stored bytes learns the file's identity
    assert_eq!(allocations(|| (1..1000).for_each(decide)), 0);
}
