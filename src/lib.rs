//! errorfs: a FUSE filesystem that makes storage misbehave exactly as a scenario says.
//!
//! # What goes wrong, and what does not
//!
//! A **scenario** is a file of **rules**; a rule says to which operations or stored bytes (`select`),
//! on which of their occurrences (`when`), what happens (`fault`). Faults happen to what a program
//! is told: to the bytes of a reply, its error, its time. Nothing of the **backing directory** is
//! changed by a fault, unless that was asked for twice; then [`state`] has what undoes it. Damage is *transient* (this access only), *sticky* (a property of the
//! stored bytes: every read until they are overwritten) or *permanent* (also after overwriting).
//!
//! # The two paths
//!
//! ```text
//! a request                                           a scenario
//! kernel, /dev/fuse                                   bitrot.toml
//!   │ fuse: translates, calls, replies                  │ scenario: parse, validate; all diagnostics
//!   ▼                                                   ▼
//! fs: which file, which handle?                       Scenario            (`errorfs check` ends here)
//!   │                                                   │ plan: compile, which cannot fail
//!   ▼                                                   ▼
//! injector.decide(op) ─► Decision ◄─── one swap ───── Plan, armed
//!   │ 1 an error: the backing directory is not asked
//!   │ 2 the real call, through sys; media remembers what was overwritten, and what a write lost
//!   │ 3 what the medium holds, then regions, then flips: in the reply's buffer only
//!   │ 4 the event: in the ledger before the reply leaves
//!   ▼ 5 a delay: the reply waits in a timer, no thread does
//! fuse: the reply
//! ```
//!
//! A decision is plain data; only `fs` acts upon one, and never under a lock. What stands in a
//! `Decision` stands in an `Event`: [`ledger`] has the format.
//!
//! # Invariants
//!
//! Each has its test, named here.
//!
//! 1. With nothing armed, the mount is the backing directory (`tests/mount`, `tests/programs`).
//! 2. Backing bytes never change because of a fault (tree hashes throughout `tests/mount`), unless
//!    the mount was told `--allow-damage`; what was damaged then, `heal` undoes (`tests/damage`).
//! 3. A decision is a pure function of seed, rule name, file identity, position, write generation
//!    and occurrence; threads, sizes and order of reads change nothing (`tests/mount/sticky.rs`).
//! 4. Every fault that reached the target is in the ledger before the reply leaves, and every event
//!    was delivered; `kill -9` loses none (`tests/mount/crash.rs`).
//! 5. No sleep and no system call under a lock; what waits holds no worker
//!    (`tests/mount/latency.rs`).
//! 6. An invalid scenario never mounts, and no mistake in one widens what a rule touches
//!    (`tests/mount/refusals.rs`).
//!
//! # Who may use whom
//!
//! `cli` → `report` → `campaign` → `trial`, and `cli` → `control`, `fuse`, `heal` → `fs` → `injector`, `state` → `media`, `trace`, `ledger` → `plan` → `scenario` → `diagnostic`;
//! `op`, `errno` and `sys` are leaves. `fuser` is named in `fuse` alone, `libc` and `unsafe` stand in
//! `sys` alone, and only `cli` prints or exits. `plan` and `injector` have no files, clock or
//! randomness of their own. `tests/tidy.rs` keeps it so.
//!
//! # Why not …
//!
//! * … change the stored bytes and put them back? A crash in between would leave real damage.
//! * … a random draw for each read? Damage would depend on read sizes, caches and luck; keyed
//!   streams give the same bytes however they are read.
//! * … a thread for each waiting reply? Two thousand waiting reads would stop the others.
//! * … FUSE over io_uring? fuser has no such transport: all that reads requests and writes replies
//!   would be ours. It saves waking threads; so does looking out for the next request (`fuse`). As
//!   shares of native, random reads of 4 KiB through user space: libfuse's `passthrough_hp` 0.023, with
//!   io_uring 0.043, errorfs 0.044; four at a time `passthrough_hp` 0.058, with io_uring 0.068; and in
//!   work on names errorfs was ahead of both (medians of 5 interleaved rounds on Linux 6.18, tmpfs, two
//!   cores).

pub mod campaign;
pub mod cli;
pub mod control;
pub mod diagnostic;
pub mod errno;
pub mod fs;
pub mod fuse;
pub mod heal;
pub mod injector;
pub mod isolation;
pub mod ledger;
pub mod machine;
pub mod media;
pub mod op;
pub mod plan;
pub mod report;
pub mod scenario;
pub mod state;
pub mod sys;
pub mod trace;
pub mod trial;
