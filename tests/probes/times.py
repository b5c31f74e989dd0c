# Times: nanoseconds, before 1970, now and omitted as the caller may, what moves which.
put("file")
path = at("file")
NOW, OMIT = (1 << 30) - 1, (1 << 30) - 2


def utimens(a, m, target="file", flags=0):
    return libc_call("utimensat", -100, ctypes.c_char_p(at(target)), struct.pack("4q", *a, *m), flags)


def times(target="file"):
    s = os.lstat(at(target))
    return s.st_atime_ns, s.st_mtime_ns


for t in ((0, 0), (1, 1), (-1, 0), (-1, 999999999), (-2, 1), (-1000000000, 500000000), (1 << 31, 7), ((1 << 34) - 1, 999999999),
          (1 << 40, 0), (-(1 << 40), 5), (-(1 << 31), 123456789), ((1 << 62), 1), (-(1 << 62), 1)):
    say(f"set {t}", utimens, t, t)
    print(times())
    say("one alone", utimens, (5, 5), (0, OMIT))
    print(times())
say("bad nanoseconds", utimens, (1, 1000000000), (1, 1))
say("negative nanoseconds", utimens, (1, -1), (1, 1))


def recent(ns):
    return abs(time.time_ns() - ns) < 20_000_000_000


say("now", utimens, (0, NOW), (0, OMIT))
print([recent(t) for t in times()])
say("both now", utimens, (0, NOW), (0, NOW))
print([recent(t) for t in times()])
before = os.stat(path).st_ctime_ns
say("nothing", utimens, (0, OMIT), (0, OMIT))
print(os.stat(path).st_ctime_ns == before)
os.symlink("file", at("link"))
say("of a symlink", utimens, (3, 3), (4, 4), "link", 0x100)
print(times("link"), times() == (3000000003, 4000000004))
for kind, make in ("dir", os.mkdir), ("pipe", os.mkfifo):
    make(at(kind))
    say(kind, utimens, (3, 4), (5, 6), kind)
    print(times(kind))
f = os.open(path, os.O_RDONLY)
say("by descriptor", os.utime, f, ns=(7, 8))
print(times())
os.chmod(path, 0o666)


def other():
    say("other: now", utimens, (0, NOW), (0, NOW))
    say("other: one now", utimens, (0, OMIT), (0, NOW))
    say("other: set", utimens, (1, 1), (1, 1))
    say("other: nothing", utimens, (0, OMIT), (0, OMIT))


child(lambda: (become(1003), other()))
os.chmod(path, 0o644)
child(lambda: (become(1003), other()))
os.chown(path, 1001, 1001)
child(lambda: (become(1001), other()))
print([recent(t) for t in times()])


# What moves which: the times are set back, then something happens.
def moved(what, act, target="file"):
    os.utime(at(target), ns=(1_000_000_000, 2_000_000_000))
    changed = os.lstat(at(target)).st_ctime_ns
    time.sleep(0.012)
    tried(act)
    s = os.lstat(at(target))
    print(f"{what}: atime {s.st_atime_ns != 1_000_000_000}, mtime {s.st_mtime_ns != 2_000_000_000}, ctime {s.st_ctime_ns != changed}")


def mapped():
    h = os.open(path, os.O_RDWR)
    m = mmap.mmap(h, 1)
    m[0:1] = b"q"
    m.flush()
    m.close()
    os.close(h)


os.truncate(path, 8192)
moved("read", lambda: get("file"))
moved("read at the end", lambda: os.pread(f, 1, 1 << 20))
moved("write", lambda: os.close(os.open(path, os.O_WRONLY)) or open(path, "r+b").write(b"x"))
moved("write nothing", lambda: os.write(os.open(path, os.O_WRONLY), b""))
moved("open", lambda: os.close(os.open(path, os.O_RDWR)))
moved("O_TRUNC", lambda: os.close(os.open(path, os.O_RDWR | os.O_TRUNC)))
moved("O_TRUNC of nothing", lambda: os.close(os.open(path, os.O_RDWR | os.O_TRUNC)))
moved("truncate", lambda: os.truncate(path, 100))
moved("truncate to its size", lambda: os.truncate(path, 100))
moved("ftruncate to its size", lambda: os.ftruncate(os.open(path, os.O_RDWR), 100))
moved("mmap write", mapped)
moved("fallocate", lambda: os.posix_fallocate(os.open(path, os.O_RDWR), 0, 9000))
moved("chmod", lambda: os.chmod(path, 0o600))
moved("chmod to its mode", lambda: os.chmod(path, 0o600))
moved("chown", lambda: os.chown(path, 1002, -1))
moved("chown -1 -1", lambda: os.chown(path, -1, -1))
moved("setxattr", lambda: os.setxattr(path, "user.a", b"1"))
moved("link", lambda: os.link(path, at("hard")))
moved("unlink", lambda: os.unlink(at("hard")))
moved("rename", lambda: os.rename(path, at("renamed")) or os.rename(at("renamed"), path))
moved("create in it", lambda: put("dir/new"), "dir")
moved("list it", lambda: os.listdir(at("dir")), "dir")
moved("rename in it", lambda: os.rename(at("dir/new"), at("dir/old")), "dir")
moved("unlink in it", lambda: os.unlink(at("dir/old")), "dir")
moved("look into it", lambda: os.stat(at("dir/none")), "dir")
moved("read the link", lambda: os.readlink(at("link")) and None, "file")
moved("no access time", lambda: os.read(os.open(path, os.O_RDONLY | os.O_NOATIME), 10))
moved("sendfile", lambda: os.copy_file_range(f, os.open(at("copy"), os.O_CREAT | os.O_WRONLY), 10))
