# What the probes share: each prints what happened, never inode numbers, times or paths.
import ctypes, errno, fcntl, mmap, os, resource, select, signal, socket, stat, struct, subprocess, sys, time

root = os.fsencode(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)


def at(name):
    return root + b"/" + (name if isinstance(name, bytes) else os.fsencode(name))


def tried(f, *a, **k):
    """What a call gave: its value, or the name of its error."""
    try:
        return f(*a, **k)
    except OSError as e:
        return "EOPNOTSUPP" if e.errno == errno.EOPNOTSUPP else errno.errorcode.get(e.errno, e.errno)


def say(label, f, *a, **k):
    print(label, tried(f, *a, **k), flush=True)


def libc_call(name, *a):
    """A function of libc that returns -1 for errors."""
    f = getattr(libc, name)
    f.restype = ctypes.c_long
    got = f(*[ctypes.c_long(x) if isinstance(x, int) else x for x in a])
    if got in (-1, 0xFFFFFFFF):
        raise OSError(ctypes.get_errno(), name)
    return got


def put(name, data=b"x", mode=0o644):
    """A file with these bytes and exactly this mode."""
    with open(at(name), "wb") as f:
        f.write(data)
    os.chmod(at(name), mode)


def get(name):
    with open(at(name), "rb") as f:
        return f.read()


def looks(name):
    """Kind, mode, owner, links and size."""
    try:
        s = os.lstat(at(name))
    except OSError as e:
        return errno.errorcode[e.errno]
    size = s.st_size if not stat.S_ISDIR(s.st_mode) else "-"
    return f"{s.st_mode:o} {s.st_uid}:{s.st_gid} links={s.st_nlink} size={size}"


CAP = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "MKNOD": 27, "SYS_ADMIN": 21}


def set_caps(names):
    """These are the only capabilities of this thread from now on."""
    bits = sum(1 << CAP[n] for n in names)
    low, high = bits & 0xFFFFFFFF, bits >> 32
    header = struct.pack("Ii", 0x20080522, 0)
    libc_call("capset", header, struct.pack("6I", low, low, 0, high, high, 0))


def become(uid, gid=None, groups=(), caps=None):
    """Another user; `caps` are kept. Root without `caps` keeps what root has."""
    os.setgroups(groups)
    libc_call("prctl", 8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
    os.setresgid(*[uid if gid is None else gid] * 3)
    os.setresuid(uid, uid, uid)
    if uid != 0 or caps is not None:
        set_caps(caps or ())
    libc_call("prctl", 4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, so that /proc/self stays ours


def child(f):
    """Runs it in a process of its own, and says how that ended if not well."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            f()
            status = 0
        except BaseException as e:
            print("failed:", type(e).__name__, e)
        finally:
            sys.stdout.flush()
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        print("ended with", status)


def acl(*entries):
    """The bytes of an access control list: (tag, permissions[, id])."""
    tags = {"u:": 1, "u": 2, "g:": 4, "g": 8, "m": 16, "o": 32}
    packed = [struct.pack("<HHI", tags[t], p, *(i or [0xFFFFFFFF])) for t, p, *i in entries]
    return struct.pack("<I", 2) + b"".join(packed)


ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
