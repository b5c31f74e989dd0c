"""The filesystems below: tmpfs, where nothing hides the overhead, and a disk, as in daily life."""

import shutil
import sys
import tempfile
from pathlib import Path

from benchmark import mounttable
from benchmark.machine import may_drop_caches
from benchmark.process import Failed, attempt, run

IMAGE_BYTES = 6 << 30
TMPFS_OPTIONS = "size=6g,mode=755"


class Backing:
    """A filesystem, and on it the directory that every way shows."""

    def __init__(self, name, scratch, base=None):
        """Makes the filesystem; `close` takes it away, also when this fails half-way."""
        self.name, self.scratch = name, scratch
        self.place = scratch / name
        self.place.mkdir()
        self.elsewhere = None
        try:
            self.make(base)
            self.root = self.place / "backing"
            self.root.mkdir()
            self.filesystem = run(["findmnt", "-nro", "FSTYPE", "-T", self.root]).strip()
        except BaseException:
            self.close()
            raise

    def make(self, base):
        """Mounts what can be mounted; where that is refused, an ordinary directory will do."""
        if self.name == "tmpfs":
            options = ["-t", "tmpfs", "-o", TMPFS_OPTIONS, "tmpfs"]
            if not attempt(["mount", *options, self.place]):
                self.move_to("/dev/shm")
        elif base is not None:
            self.move_to(base)
        elif not self.make_image():
            print("bench: cannot mount an image: the disk below the temporary directory instead",
                  file=sys.stderr)

    def move_to(self, directory):
        """Uses a new directory below this one."""
        self.elsewhere = Path(tempfile.mkdtemp(prefix="errorfs-bench-", dir=directory)).resolve()
        self.place = self.elsewhere

    def make_image(self):
        """ext4 in a file, its tables written now and not behind the measurement."""
        image = self.scratch / "image"
        with image.open("wb") as file:
            file.truncate(IMAGE_BYTES)
        at_once = "lazy_itable_init=0,lazy_journal_init=0"
        run(["mkfs.ext4", "-q", "-E", at_once, image])
        if not attempt(["mount", "-o", "loop", image, self.place]):
            return False
        # Else the image's own pages are cached, and who reads a block first reads it for all.
        device = run(["findmnt", "-nro", "SOURCE", self.place]).strip()
        if not attempt(["losetup", "--direct-io=on", device]):
            print("bench: the image is cached: direct reads over ext4 are not", file=sys.stderr)
        return True

    @property
    def is_memory(self):
        """Whether the bytes are in memory anyway: then only the mounts' own caches can be cold."""
        return self.filesystem in ("tmpfs", "ramfs")

    def settle(self):
        """What one way has written must not burden the next."""
        if not self.is_memory:
            run(["sync", "-f", self.place])

    def forget(self):
        """Empties every cache, as far as that is allowed."""
        self.settle()
        if not self.is_memory and may_drop_caches():
            run(["sh", "-c", "echo 3 >/proc/sys/vm/drop_caches"])

    def warm(self, place):
        """Reads what lies there below all mounts: else whoever comes first waits for the disk."""
        if not self.is_memory:
            run(["sh", "-c", 'find "$0" -type f -exec cat {} + >/dev/null', place])

    def close(self):
        """Takes the filesystem away, with all that is on it."""
        if mounttable.is_mounted(self.place):
            attempt(["umount", self.place]) or attempt(["umount", "-l", self.place])
        if self.elsewhere:
            remove(self.elsewhere)


def remove(directory):
    """Removes a tree of ours, nothing that is mounted in it."""
    if not attempt(["rm", "-rf", "--one-file-system", directory], 120):
        print(f"bench: could not remove {directory}", file=sys.stderr)


def check_room():
    """Refuses to start where the image would not fit."""
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < IMAGE_BYTES:
        raise Failed(f"the temporary directory has {free >> 20} MiB left: set TMPDIR")
