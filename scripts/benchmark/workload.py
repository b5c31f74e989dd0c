"""What a workload is: what it needs, what it measures, and whether more of it is better."""

from dataclasses import dataclass
from pathlib import Path

RATE = "more"
TIME = "less"


@dataclass(frozen=True)
class Cell:
    """One measurement to be made: a workload in one way, over one filesystem, in one round."""

    # The content as this way shows it.
    root: Path
    # Where nobody but this way writes, seen through it.
    own: Path
    backing: object
    size: object
    scratch: Path
    metadata: Path
    # The longest that a single program may take.
    limit: int


class Workload:
    """A program run on a mount. It may measure several things, in one go."""

    # What `Content` is to make for it.
    needs = ()
    # What it runs, by the names of `toolchain.PACKAGES`.
    programs = ()
    better = TIME
    unit = "ns"
    # What it measures, in words: name to title.
    titles: dict = {}

    def measure(self, cell):
        """Does the work once; name to value, in the unit."""
        raise NotImplementedError
