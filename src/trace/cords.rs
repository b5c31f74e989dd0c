//! Traces of CORDS (`errfs` in trace mode), one operation a line, tab-separated:
//! `PATH r|w|a OFFSET SIZE`, and `unlink|rename|link FROM TO`.

use super::{BLOCK, Record, TRACE_FORMAT, Trace, TraceHeader};
use crate::ledger::escape;

/// Reads such a trace; or the line that is none, from 1, and why.
pub fn from_cords(text: &[u8]) -> Result<Trace, (usize, String)> {
    let mut records = Vec::new();
    for (place, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        let record = record(line).ok_or_else(|| {
            let forms = "PATH, r, w or a, OFFSET, SIZE; or unlink, rename or link and two paths";
            (place + 1, format!("CORDS' lines are {forms}, separated by tabs"))
        })?;
        records.push(Record { seq: records.len() as u64 + 1, ..record });
    }
    let header = TraceHeader {
        trace: TRACE_FORMAT,
        errorfs: env!("CARGO_PKG_VERSION").to_owned(),
        source: "cords".to_owned(),
        started: None,
        kernel: None,
    };
    Ok(Trace { header, records })
}

fn record(line: &[u8]) -> Option<Record> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b'\t').collect();
    match fields[..] {
        [op @ (b"unlink" | b"rename" | b"link"), from, to] => {
            let to = Some(escape(to)).filter(|to| !to.is_empty() && op != b"unlink");
            let op = String::from_utf8_lossy(op).into_owned();
            Some(Record { op, path: escape(from), to, ..Record::default() })
        }
        [b"unlink", path] => {
            Some(Record { op: "unlink".to_owned(), path: escape(path), ..Record::default() })
        }
        [path, op, offset, len] => data(path, op, number(offset)?, number(len)?),
        _ => None,
    }
}

/// CORDS decides by 4 KiB whether a write appends; it tells the block by its first byte.
fn data(path: &[u8], op: &[u8], offset: u64, len: u64) -> Option<Record> {
    let (op, size) = match op {
        b"r" => ("read", None),
        b"w" => ("write", Some(offset.checked_add(len)?)),
        b"a" => ("write", Some(offset - offset % BLOCK)),
        _ => return None,
    };
    let (op, moved) = (op.to_owned(), Some(len));
    Some(Record { op, path: escape(path), offset, len, moved, size, ..Record::default() })
}

fn number(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_line_is_read_and_others_are_named() {
        let text = b"/d/f\tr\t0\t8192\n/d/f\tw\t0\t4096\n/d/f\ta\t4096\t10\nrename\t/d/f\t/d/g\nunlink\t/d/g\t\n";
        let trace = from_cords(text).unwrap();
        let ops: Vec<_> = trace.records.iter().map(|record| (&*record.op, record.size)).collect();
        let none = None;
        let expected =
            [("read", none), ("write", Some(4096)), ("write", Some(4096)), ("rename", none)];
        assert_eq!(ops, [&expected[..], &[("unlink", none)]].concat());
        assert_eq!(trace.records[3].to.as_deref(), Some("/d/g"));
        let error = from_cords(b"/d/f\tr\t0\t1\n/d/f\tx\t0\t1\n").unwrap_err();
        assert_eq!(error.0, 2);
        assert!(from_cords(b"/d/f\tr\t-1\t1\n").is_err());
    }
}
