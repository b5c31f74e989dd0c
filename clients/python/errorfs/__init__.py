"""errorfs from Python: mount a directory under faults, change them, and ask what was delivered.

    import errorfs

    with errorfs.mount("data", scenario="bitrot.toml") as mount:
        run_my_program(mount.path)
        assert not mount.delivered(), errorfs.describe(mount.delivered()[0])

Needs the program `errorfs` in PATH (or in $ERRORFS), and nothing but the standard library.
"""

from .control import Control, ControlError
from .ledger import describe, events
from .mount import Mount, MountError, mount, program

__all__ = [
    "Control", "ControlError", "Mount", "MountError", "describe", "events", "mount", "program",
]
