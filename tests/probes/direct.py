# Direct I/O: aligned and misaligned buffers, offsets, lengths; beside cached access.
path = at("file")
with open(path, "wb") as f:
    f.write(bytes(range(256)) * 1024)
d = os.open(path, os.O_RDWR | os.O_DIRECT)
memory = mmap.mmap(-1, 1 << 20)
view = memoryview(memory)
for offset, length in (0, 4096), (4096, 65536), (261632, 512), (258048, 8192), (262144, 4096), (1 << 40, 4096):
    say(f"read {length} at {offset}", os.preadv, d, [view[0:length]], offset)
view[0:8192] = b"w" * 8192
say("write", os.pwritev, d, [view[0:8192]], 8192)
say("write at the end", os.pwritev, d, [view[0:4096]], 262144)
say("two vectors", os.pwritev, d, [view[0:4096], view[8192:12288]], 65536)
with open(path, "rb") as f:
    f.seek(8192)
    print("cached reader", f.read(8192) == b"w" * 8192)
with open(path, "r+b") as f:
    f.seek(16384)
    f.write(b"cached" * 1000)
os.preadv(d, [view[0:8192]], 16384)
print("direct reader", bytes(view[0:6000]) == b"cached" * 1000)
m = mmap.mmap(os.open(path, os.O_RDWR), 65536)
m[32768:32773] = b"mmap!"
os.preadv(d, [view[0:4096]], 32768)
print("sees a mapping", bytes(view[0:5]))
view[0:4096] = b"d" * 4096
os.pwritev(d, [view[0:4096]], 32768)
print("mapping sees it", m[32768:32773])
m.flush()
print("length", os.fstat(d).st_size)
for flags in os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_TRUNC:
    say(f"open {flags:#x}", lambda: os.close(os.open(path, flags | os.O_DIRECT)))
say("create", lambda: os.close(os.open(at("new"), os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_DIRECT)))
g = os.open(path, os.O_RDWR)
fcntl.fcntl(g, fcntl.F_SETFL, os.O_DIRECT)
say("direct later", os.pwritev, g, [view[0:4096]], 0)
fcntl.fcntl(g, fcntl.F_SETFL, 0)
say("and cached again", os.pwrite, g, b"odd", 1)
