//! One line of a trace, format 1: the header, then one operation a line. The format may only grow.
//!
//! A leaf: data and its JSON, no files.

use serde::{Deserialize, Serialize};

/// The version of the format in this file.
pub const TRACE_FORMAT: u32 = 1;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceHeader {
    /// Version of the format.
    pub trace: u32,
    /// Version of errorfs.
    pub errorfs: String,
    /// Where it comes from: `errorfs`, or the format that was imported.
    pub source: String,
    /// When it began, RFC 3339; nothing of an import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// Kernel release; nothing of an import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
}

/// One operation, as the kernel asked for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// From 1, without gaps, in the order of the answers.
    pub seq: u64,
    /// Nanoseconds from the beginning of the trace to the answer.
    pub mono_ns: u64,
    /// As in scenarios: `read`.
    pub op: String,
    /// Relative to the directory, at the time of the operation, escaped as in ledgers.
    pub path: String,
    /// Of an operation on two paths (rename, link, copy_file_range): where it goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// First byte that it concerns; 0 where it concerns no bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset: u64,
    /// How many bytes were asked for; 0 where it concerns no bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub len: u64,
    /// How many bytes were moved; of reads and writes that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<u64>,
    /// How long the file was before; of writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The error that was answered, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
    /// The kernel asked on behalf of its page cache (a page fault, read-ahead, write-back): further
    /// uses of the same pages it answers by itself, unseen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// Who asked: process id; 0 if unknown.
    #[serde(default, skip_serializing_if = "is_nobody")]
    pub pid: u32,
    /// Who asked: the command name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comm: String,
}

fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

fn is_nobody(pid: &u32) -> bool {
    *pid == 0
}
