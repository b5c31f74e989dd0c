"""How much work each workload does: enough to be measured, or just enough to be tried."""

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Size:
    """Amounts; those of data in bytes."""

    seconds: float
    warm_up_seconds: float
    data: int
    # Read again and again: small enough to be cached by then.
    cached: int
    names: int
    trips: int
    # Directories, and files in each, of what find walks.
    tree: tuple
    # Files that git and tar unpack.
    unpacked: int
    starts: int


FULL = Size(1.0, 0.5, 128 * MIB, 32 * MIB, 3000, 20000, (100, 1000), 2000, 5)
QUICK = Size(0.2, 0.2, 16 * MIB, 4 * MIB, 200, 1000, (10, 100), 100, 1)
