"""The files that the workloads read: made once below all ways, so that all read the same blocks."""

import random

from benchmark.process import run
from benchmark.size import MIB

SEED = 20250101
LINES_MAX = 120
FOLDER_FILES = 50
GIT = ["git", "-c", "safe.directory=*", "-c", "user.name=bench", "-c", "user.email=bench@localhost",
       "-c", "gc.auto=0"]
# What the machine's owner has configured is no part of the measurement.
GIT_ENVIRONMENT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


class Content:
    """What lies in the backing directory, made when a workload first needs it."""

    def __init__(self, root, scratch, size, metadata):
        self.root, self.scratch, self.size, self.metadata = root, scratch, size, metadata
        self.made = set()
        (root / "own").mkdir()

    def need(self, names):
        """Makes those of `read`, `write`, `tree`, `archive` and `repository` that are missing."""
        for name in names:
            if name not in self.made:
                getattr(self, f"make_{name}")()
                self.made.add(name)

    def make_read(self):
        """A file of noise."""
        noise(self.root / "read.dat", self.size.data)

    def make_write(self):
        """Another, to be overwritten."""
        noise(self.root / "write.dat", self.size.data)

    def make_tree(self):
        """Many empty files, to be found."""
        folders, files = self.size.tree
        run([self.metadata, "tree", self.root / "tree", folders, files])

    def make_archive(self):
        """A tar file of small text files, outside of the backing directory."""
        files = self.texts("unpacked")
        run(["tar", "-cf", self.scratch / "archive.tar", "-C", files.parent, files.name])

    def make_repository(self):
        """A git repository with one commit, packed."""
        files = self.texts("repository")
        git = [*GIT, "-C", files]
        for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "files"],
                      ["gc", "-q"]):
            run([*git, *words], env=GIT_ENVIRONMENT)
        run([*GIT, "clone", "-q", "--bare", "--no-hardlinks", files, self.root / "repository"],
            env=GIT_ENVIRONMENT)

    def texts(self, name):
        """A directory of folders of small text files, the same on every machine."""
        draw = random.Random(SEED)
        top = self.scratch / name
        for number in range(self.size.unpacked):
            folder = top / f"folder{number // FOLDER_FILES}"
            folder.mkdir(parents=True, exist_ok=True)
            lines = (f"{draw.getrandbits(128):032x}\n" for _ in range(draw.randint(1, LINES_MAX)))
            (folder / f"file{number}").write_text("".join(lines))
        return top


def noise(path, size):
    """Bytes without a pattern: some filesystems store zeros as nothing."""
    draw = random.Random(SEED)
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(draw.randbytes(MIB))
