# Direct I/O that a disk refuses.
path = at("file")
with open(path, "wb") as f:
    f.write(b"x" * 65536)
d = os.open(path, os.O_RDWR | os.O_DIRECT)
view = memoryview(mmap.mmap(-1, 1 << 16))
for what, start, length, offset in ("memory", 1, 4096, 0), ("length", 0, 1000, 0), ("offset", 0, 4096, 100):
    say(f"read, odd {what}", os.preadv, d, [view[start:start + length]], offset)
    say(f"write, odd {what}", os.pwritev, d, [view[start:start + length]], offset)
