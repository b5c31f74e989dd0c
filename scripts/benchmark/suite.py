"""The list of everything that is measured, in the order in which it is told."""

from benchmark.fio import Fio
from benchmark.names import Names, Trips
from benchmark.trees import Clone, Find, Unpack

READS = [
    Fio("random-read-4k-again", "random read 4K, again", "randread", "4k", "again"),
    Fio("random-read-4k-cold", "random read 4K, cold", "randread", "4k", "cold"),
    Fio("random-read-4k-direct", "random read 4K, direct", "randread", "4k", "direct"),
    Fio("random-read-4k-direct-4", "random read 4K, direct, 4 jobs", "randread", "4k", "direct", 4),
    Fio("read-64k-cold", "sequential read 64K, cold", "read", "64k", "cold"),
    Fio("read-1m-cold", "sequential read 1M, cold", "read", "1m", "cold"),
    Fio("read-1m-again", "sequential read 1M, again", "read", "1m", "again"),
    Fio("read-64k-direct", "sequential read 64K, direct", "read", "64k", "direct"),
    Fio("read-256k-direct", "sequential read 256K, direct", "read", "256k", "direct"),
    Fio("read-1m-direct", "sequential read 1M, direct", "read", "1m", "direct"),
]
WRITES = [
    Fio("random-write-4k", "random write 4K", "randwrite", "4k", "buffered"),
    Fio("random-write-4k-direct", "random write 4K, direct", "randwrite", "4k", "direct"),
    Fio("write-64k", "sequential write 64K", "write", "64k", "buffered"),
    Fio("write-256k", "sequential write 256K", "write", "256k", "buffered"),
    Fio("write-1m", "sequential write 1M", "write", "1m", "buffered"),
    Fio("write-1m-direct", "sequential write 1M, direct", "write", "1m", "direct"),
    Fio("append-4k-fsync", "append 4K and fsync", "write", "4k", "append"),
]
TREES = [
    Unpack(),
    Clone(),
    Find("find-names", "find, names only", ["-name", "nothing"]),
    Find("find-stat", "find with stat", ["-size", "+1G"]),
]
WORKLOADS = [*READS, *WRITES, Names(), *TREES, Trips()]

# Not ratios: what a mount costs before anybody uses it.
STANDING = {
    "start": "mount to the first answered stat",
    "run": "run a command that does nothing",
    "memory": "resident memory after mounting",
}
TITLES = {name: title for workload in WORKLOADS for name, title in workload.titles.items()}
NAMES = [*TITLES, *STANDING]


def selected(only):
    """The workloads that measure any of these."""
    return [workload for workload in WORKLOADS if set(workload.titles) & set(only)]
