# Set-id bits and file capabilities: who loses them by which change, and who keeps them.
def sendfile(path):
    with open("/etc/hostname", "rb") as source:
        f = os.open(path, os.O_WRONLY)
        return os.sendfile(f, source.fileno(), 0, 1) > 0


def spliced(path):
    r, w = os.pipe()
    os.write(w, b"abc")
    return os.splice(r, os.open(path, os.O_WRONLY), 3)


def copied(path):
    return os.copy_file_range(os.open(at("source"), os.O_RDONLY), os.open(path, os.O_WRONLY), 3)


def mapped(path):
    m = mmap.mmap(os.open(path, os.O_RDWR), 4096)
    m[0:3] = b"abc"
    m.flush()


def direct(path):
    m = mmap.mmap(-1, 4096)
    return os.pwritev(os.open(path, os.O_WRONLY | os.O_DIRECT), [m], 0)


def fallocate(mode):
    return lambda path: libc_call("fallocate", os.open(path, os.O_RDWR), mode, 0, 4096)


def ftruncated(path):
    os.ftruncate(os.open(path, os.O_RDWR), 4096)


CHANGES = {
    "write": lambda path: os.write(os.open(path, os.O_WRONLY), b"x"),
    "write nothing": lambda path: os.write(os.open(path, os.O_WRONLY), b""),
    "append": lambda path: os.write(os.open(path, os.O_WRONLY | os.O_APPEND), b"x"),
    "pwritev": lambda path: os.pwritev(os.open(path, os.O_WRONLY), [b"x", b"y"], 9),
    "O_TRUNC": lambda path: os.close(os.open(path, os.O_WRONLY | os.O_TRUNC)),
    "truncate": lambda path: os.truncate(path, 5),
    "ftruncate to its size": ftruncated,
    "fallocate": fallocate(0),
    "keep size": fallocate(1),
    "punch": fallocate(3),
    "zero": fallocate(16),
    "copy_file_range": copied,
    "splice": spliced,
    "sendfile": sendfile,
    "mmap": mapped,
    "direct": direct,
    "chown -1 -1": lambda path: os.chown(path, -1, -1),
    "chown": lambda path: os.chown(path, os.geteuid(), -1),
    "chgrp": lambda path: os.chown(path, -1, os.getegid()),
    "chmod": lambda path: os.chmod(path, os.stat(path).st_mode & 0o7777),
    "rename": lambda path: (os.rename(path, path + b"x"), os.rename(path + b"x", path)) and None,
    "link": lambda path: os.link(path, path + b"x"),
    "utime": lambda path: os.utime(path),
    "setxattr": lambda path: os.setxattr(path, "user.x", b"1"),
    "read": lambda path: len(os.read(os.open(path, os.O_RDONLY), 100)),
}
FILE_CAPS = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
WHO = {
    "root": lambda: None,
    "other": lambda: become(1003),
    "group": lambda: become(1003, 1003, [2000]),
    "owner": lambda: become(1001),
    "owner with FSETID": lambda: become(1001, caps=["FSETID"]),
}
put("source", b"source")
os.chmod(root, 0o777)
number = 0
for who, enter in WHO.items():
    for what, change in CHANGES.items():
        for mode in 0o6777, 0o2767, 0o6666:
            number += 1
            name = f"f{number}"
            put(name, b"z" * 4096)
            os.chown(at(name), 1001, 2000)
            os.chmod(at(name), mode)
            if mode == 0o6777:
                os.setxattr(at(name), "security.capability", FILE_CAPS)
        names = [f"f{number - 2 + n}" for n in range(3)]

        def act():
            enter()
            for name in names:
                say(f"{who}: {what}:", change, at(name))

        child(act)
        for name in names:
            caps = tried(os.getxattr, at(name), "security.capability")
            # What becomes of them when a mapping is written back: accepted.md.
            caps = "-" if what == "mmap" else "caps" if isinstance(caps, bytes) else caps
            print("   ", looks(name), caps)
