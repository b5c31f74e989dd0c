# Bytes: holes, reservations, copies, large and odd transfers, appending, mappings, visibility.
def noise(n, seed=1):
    out, x = bytearray(), seed
    while len(out) < n:
        x = (x * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
        out += x.to_bytes(8, "little")
    return bytes(out[:n])


def opened(name, flags, mode=0o644):
    return os.open(at(name), flags, mode)


RW, NEW = os.O_RDWR, os.O_RDWR | os.O_CREAT | os.O_TRUNC
f = opened("holes", NEW)
os.ftruncate(f, 10 << 20)
os.pwrite(f, noise(1 << 20), 4 << 20)
os.fsync(f)
for place in 0, 1, 4 << 20, (4 << 20) + 5, 5 << 20, (10 << 20) - 1, 10 << 20, 11 << 20, -1:
    for name, whence in ("data", os.SEEK_DATA), ("hole", os.SEEK_HOLE):
        say(f"{name} from {place}", os.lseek, f, place, whence)
for whence in 0, 1, 2, 5, 99:
    say(f"seek {whence}", os.lseek, f, -1, whence)
print("blocks", os.fstat(f).st_blocks <= 2 * 1024 + 64, "unit", os.fstat(f).st_blksize)

put("reserved", noise(65536))
f = opened("reserved", RW)
r = opened("reserved", os.O_RDONLY)
for mode in 0, 1, 2, 3, 4, 8, 16, 17, 32, 64, 128, 1 << 20:
    if mode in (8, 32):
        continue  # collapse and insert: the kernel's FUSE refuses them (accepted.md)
    for offset, length in (4096, 4096), (1000, 10), (65536, 4096), (0, 0), (-1, 5), (5, -1), (1 << 62, 1 << 62):
        say(f"fallocate {mode} {offset} {length}", libc_call, "fallocate", f, mode, offset, length)
    say(f"fallocate {mode} read-only", libc_call, "fallocate", r, mode, 0, 10)
    print(os.fstat(f).st_size, hash_of := sum(get("reserved")) % 65521)
p = os.pipe()
say("fallocate a pipe", libc_call, "fallocate", p[1], 0, 0, 10)
say("fallocate a directory", libc_call, "fallocate", opened(".", os.O_RDONLY), 0, 0, 10)


def limited():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
    g = opened("limited", NEW)
    say("up to the limit", os.pwrite, g, b"x" * 20000, 0)
    say("at the limit", os.pwrite, g, b"x", 10000)
    say("fallocate beyond", libc_call, "fallocate", g, 0, 0, 10001)
    say("fallocate beyond, keeping the size", libc_call, "fallocate", g, 1, 0, 10001)
    say("truncate beyond", os.ftruncate, g, 10001)
    say("copy beyond", os.copy_file_range, opened("reserved", os.O_RDONLY), g, 5000, 0, 8000)
    print(os.fstat(g).st_size)
    a = opened("limited", os.O_WRONLY | os.O_APPEND)
    say("append at the limit", os.write, a, b"x")


child(limited)

put("from", noise(300_000))
source, target, append = opened("from", os.O_RDONLY), opened("to", NEW), opened("to", os.O_WRONLY | os.O_APPEND)
for what, args in {
    "copies": (source, target, 100_000, 1000, 0),
    "nothing": (source, target, 0, 0, 0),
    "beyond the end": (source, target, 100, 300_000, 0),
    "across the end": (source, target, 1000, 299_990, 200_000),
    "write-only source": (target, source, 10, 0, 0),
    "appending target": (source, append, 10, 0, 0),
    "a pipe": (source, p[1], 10, 0, 0),
    "a directory": (opened(".", os.O_RDONLY), target, 10, 0, 0),
    "far away": (source, target, 10, 1 << 62, 0),
}.items():
    say(f"copy_file_range: {what}", os.copy_file_range, *args)
same = opened("from", RW)
say("copy onto itself", os.copy_file_range, same, same, 1000, 0, 500)
say("copy within", os.copy_file_range, same, same, 1000, 0, 100_000)
print(os.fstat(target).st_size, sum(get("to")), sum(get("from")))
say("sendfile", os.sendfile, target, source, 5, 70_000)
say("splice", lambda: (os.splice(source, p[1], 5000, offset_src=0), len(os.read(p[0], 9000))))
say("clone", fcntl.ioctl, target, 0x40049409, source)
say("dedupe", lambda: fcntl.ioctl(target, 0xC0189436, struct.pack("QQHHIqQiI", 0, 4096, 1, 0, 0, source, 0, 0, 0)) and None)

big = noise(5 << 20, 3)
f = opened("big", NEW)
say("5 MiB at once", os.pwrite, f, big, 123)
print(os.pread(f, 6 << 20, 123) == big, os.pread(f, 10, 6 << 20), os.fstat(f).st_size)
say("beyond 4 GiB", os.pwrite, f, b"far", (5 << 30) + 1)
print(os.pread(f, 9, 5 << 30), os.fstat(f).st_size)
say("too far", os.pwrite, f, b"far", (1 << 63) - 2)
say("farther than files go", os.pwrite, f, b"far", 1 << 45)
say("read there", os.pread, f, 9, 1 << 62)
say("negative", os.pwrite, f, b"far", -1)
say("truncate there", os.ftruncate, f, 1 << 62)
say("truncate below", os.ftruncate, f, -1)
say("nothing", os.pwrite, f, b"", 0)
say("vectors", os.pwritev, f, [b"a" * 5000, b"", b"b" * 9000, b"c"], 77)
parts = [bytearray(3), bytearray(0), bytearray(14000)]
say("into vectors", os.preadv, f, parts, 76)
print([bytes(x[:2]) for x in parts])
for flag in "RWF_HIPRI", "RWF_DSYNC", "RWF_SYNC", "RWF_APPEND":
    value = {"RWF_HIPRI": 1, "RWF_DSYNC": 2, "RWF_SYNC": 4, "RWF_APPEND": 16}[flag]
    g = opened("flagged", RW | os.O_CREAT)
    say(flag, os.pwritev, g, [b"12345"], 2, value)
    print(os.fstat(g).st_size)
os.ftruncate(f, 1 << 20)

one, other = opened("log", NEW | os.O_APPEND), opened("log", os.O_WRONLY | os.O_APPEND)
for n in range(50):
    os.write(one, b"one\n")
    os.write(other, b"other\n")
print("appended", get("log") == b"one\nother\n" * 50)
say("pwrite while appending", os.pwrite, one, b"end", 0)
print(get("log")[-3:], get("log")[:3])
late = opened("log", RW)
fcntl.fcntl(late, fcntl.F_SETFL, os.O_APPEND)
os.write(late, b"late")
fcntl.fcntl(late, fcntl.F_SETFL, 0)
print(get("log")[-4:], os.lseek(late, 0, 1) == len(get("log")))
os.lseek(late, 0, 0)
os.write(late, b"back")
print(get("log")[:4])


def appender(tag):
    h = opened("race", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for _ in range(200):
        os.write(h, tag * 100 + b"\n")


children = []
for tag in b"a", b"b":
    sys.stdout.flush()
    if (pid := os.fork()) == 0:
        appender(tag)
        os._exit(0)
    children.append(pid)
[os.waitpid(pid, 0) for pid in children]
print("two appenders", sorted(set(get("race").split(b"\n")))[1:] == [b"a" * 100, b"b" * 100], len(get("race")))

m = opened("mapped", NEW)
os.ftruncate(m, 16384)
shared, private = mmap.mmap(m, 16384), mmap.mmap(m, 16384, mmap.MAP_PRIVATE)
shared[5000:5005] = b"first"
print("read sees the mapping", os.pread(m, 5, 5000), "private", private[5000:5005])
os.pwrite(m, b"second", 9000)
print("mapping sees the write", shared[9000:9006], private[9000:9006])
other = opened("mapped", RW)
os.pwrite(other, b"third", 13000)
again = mmap.mmap(other, 16384)
print("two mappings", shared[13000:13005], again[5000:5005])
again[100:103] = b"abc"
print(shared[100:103], os.pread(m, 3, 100))
private[0:3] = b"xyz"
print("private stays private", os.pread(m, 3, 0))
os.ftruncate(m, 8192)
os.ftruncate(m, 16384)
print("truncated and grown", shared[9000:9006], shared[5000:5005])
say("msync", shared.flush)
shared[5000:5005] = b"after"
os.unlink(at("mapped"))
say("msync of an unlinked file", shared.flush)
print(os.pread(m, 5, 5000))
reader = opened("from", os.O_RDONLY)
say("writable mapping of a read-only descriptor", lambda: mmap.mmap(reader, 10, mmap.MAP_SHARED, mmap.PROT_WRITE))
say("of a directory", lambda: mmap.mmap(opened(".", os.O_RDONLY), 10, mmap.MAP_SHARED, mmap.PROT_READ))
print("executable", mmap.mmap(reader, 10, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)[:2] == get("from")[:2])


def beyond():
    h = opened("short", NEW)
    os.ftruncate(h, 10)
    mmap.mmap(h, 0)
    s = mmap.mmap(h, 4096) if os.ftruncate(h, 4096) is None else None
    os.ftruncate(h, 0)
    print(s[0])


child(beyond)
print("seen by others at once:")
w = opened("seen", os.O_WRONLY | os.O_CREAT)
for n in range(3):
    os.write(w, b"%d" % n)
    print(get("seen"), os.stat(at("seen")).st_size)
for name, call in ("fsync", os.fsync), ("fdatasync", os.fdatasync):
    say(name, call, w)
    say(f"{name} read-only", call, opened("seen", os.O_RDONLY))
    say(f"{name} directory", call, opened(".", os.O_RDONLY))
    say(f"{name} path only", call, opened("seen", os.O_PATH))
say("sync_file_range", libc_call, "sync_file_range", w, 0, 0, 7)
say("syncfs", libc_call, "syncfs", w)
say("fadvise", os.posix_fadvise, w, 0, 0, os.POSIX_FADV_DONTNEED)
say("readahead", libc_call, "readahead", opened("seen", os.O_RDONLY), 0, 100)
for flags in os.O_SYNC, os.O_DSYNC, os.O_NONBLOCK, os.O_NOATIME, os.O_NOCTTY, os.O_DIRECTORY, os.O_CREAT | os.O_EXCL, os.O_CREAT | os.O_DIRECTORY, os.O_PATH:
    say(f"open with {flags:#x}", lambda: fcntl.fcntl(opened("seen", RW | flags), fcntl.F_GETFL) & ~0o100000)
say("read of a writer", os.read, w, 1)
say("write of a reader", os.write, opened("seen", os.O_RDONLY), b"1")
say("read of a directory", os.read, opened(".", os.O_RDONLY), 1)
