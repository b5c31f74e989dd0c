"""load.py DIRECTORY SEED OPERATIONS: four processes at once on one directory: creations, writes,
renames, links, removals, attributes, modes, sizes, allocations. Collisions are part of it."""
import errno
import os
import random
import sys

root, seed, operations = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ROOT = os.geteuid() == 0
EXPECTED = {errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EINVAL,
            errno.ENODATA, errno.EPERM, errno.ELOOP, errno.EBUSY, errno.ENXIO, errno.EMLINK,
            errno.ENAMETOOLONG, errno.ESPIPE}


def name(r):
    parts = [r.choice("abcd") + str(r.randrange(3)) for _ in range(r.randrange(1, 4))]
    return os.path.join(root, *(part + "d" for part in parts[:-1]), parts[-1] + r.choice("dffff"))


def write(r):
    flags = os.O_RDWR | os.O_CREAT | r.choice((0, 0, os.O_TRUNC, os.O_APPEND)) | os.O_NONBLOCK
    fd = os.open(name(r), flags, r.choice((0o600, 0o644, 0o755)))
    try:
        for _ in range(r.randrange(4)):
            os.pwrite(fd, r.randbytes(r.randrange(20000)), r.randrange(100000))
        if r.random() < 0.3:
            os.posix_fallocate(fd, r.randrange(90000), 1 + r.randrange(50000))
        if r.random() < 0.1:
            os.ftruncate(fd, r.randrange(50000))
        if r.random() < 0.05:
            os.fsync(fd)
        os.pread(fd, 5000, r.randrange(50000))
    finally:
        os.close(fd)


def attribute(r):
    path, key = name(r), "user." + r.choice("abc")
    if r.random() < 0.7:
        os.setxattr(path, key, r.randbytes(r.randrange(100)))
    else:
        os.removexattr(path, key)


def owner(r):
    os.chown(name(r), *((r.randrange(3), r.randrange(3)) if ROOT else (-1, -1)))


WORK = [
    (8, write),
    (5, lambda r: os.mkdir(name(r))),
    (4, lambda r: os.rename(name(r), name(r))),
    (3, lambda r: os.link(name(r), name(r), follow_symlinks=False)),
    (2, lambda r: os.symlink(r.choice("abcd") + "0f", name(r))),
    (3, lambda r: os.unlink(name(r))),
    (1, lambda r: os.rmdir(name(r))),
    (3, attribute),
    (2, lambda r: os.chmod(name(r), r.randrange(0o1000) | 0o700)),
    (1, owner),
    (2, lambda r: os.truncate(name(r), r.randrange(50000))),
    (1, lambda r: os.utime(name(r), ns=(r.randrange(1 << 60), r.randrange(1 << 60)))),
    (1, lambda r: os.mkfifo(name(r))),
    (2, lambda r: os.listdir(os.path.dirname(name(r)))),
    (2, lambda r: os.lstat(name(r))),
]


def worker(number):
    r = random.Random(f"{seed} {number}")
    weights, work = zip(*WORK)
    for _ in range(operations):
        try:
            r.choices(work, weights)[0](r)
        except OSError as error:
            if error.errno not in EXPECTED:
                raise


def child(number):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            worker(number)
            status = 0
        finally:
            sys.excepthook(*sys.exc_info()) if status else None
            os._exit(status)
    return pid


sys.exit(any([os.waitpid(pid, 0)[1] for pid in [child(number) for number in range(4)]]))
