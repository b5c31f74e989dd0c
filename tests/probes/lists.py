# Access control lists: default ones against the umask, obeyed, mirrored in the mode, set-gid.
os.umask(0o027)
DEFAULTS = {
    "none": None,
    "open": acl(("u:", 7), ("g:", 7), ("o", 7)),
    "named": acl(("u:", 7), ("u", 6, 1005), ("g:", 7), ("m", 7), ("o", 4)),
    "tight": acl(("u:", 6), ("g:", 0), ("o", 0)),
}
for name, default in DEFAULTS.items():
    os.mkdir(at(name))
    os.chmod(at(name), 0o777)
    if default:
        os.setxattr(at(name), DEFAULT, default)
    os.mkdir(at(f"{name}/dir"), 0o777)
    os.close(os.open(at(f"{name}/file"), os.O_CREAT | os.O_RDWR, 0o666))
    os.close(os.open(at(f"{name}/exec"), os.O_CREAT | os.O_EXCL, 0o777))
    os.mkfifo(at(f"{name}/pipe"), 0o666)
    os.mknod(at(f"{name}/node"), 0o100666)
    os.symlink("x", at(f"{name}/link"))
    socket.socket(socket.AF_UNIX).bind(f"/proc/self/fd/{os.open(at(name), os.O_PATH)}/sock")
    for made in "dir", "file", "exec", "pipe", "node", "link", "sock":
        lists = [tried(os.getxattr, at(f"{name}/{made}"), x, follow_symlinks=False) for x in (ACCESS, DEFAULT)]
        print(name, made, looks(f"{name}/{made}"), lists)
    # A grandchild inherits from what was inherited.
    os.mkdir(at(f"{name}/dir/dir"), 0o770)
    print(name, "grandchild", looks(f"{name}/dir/dir"), tried(os.getxattr, at(f"{name}/dir/dir"), ACCESS))

put("file", mode=0o2770)
os.chown(at("file"), 1001, 2000)
os.chmod(at("file"), 0o2770)


def mirrored():
    """By the owner, who is not in the group: the set-gid bit goes; the mask is the group's mode."""
    become(1001)
    say("set", os.setxattr, at("file"), ACCESS, acl(("u:", 6), ("u", 4, 1005), ("g:", 6), ("m", 4), ("o", 0)))
    print("mode", looks("file"))
    say("chmod", os.chmod, at("file"), 0o660)
    print("list", tried(os.getxattr, at("file"), ACCESS))
    say("minimal", os.setxattr, at("file"), ACCESS, acl(("u:", 6), ("g:", 4), ("o", 0)))
    print("mode", looks("file"), tried(os.getxattr, at("file"), ACCESS))
    say("invalid", os.setxattr, at("file"), ACCESS, acl(("u", 4, 1005), ("o", 0)))
    say("default on a file", os.setxattr, at("file"), DEFAULT, DEFAULTS["open"])
    say("remove", os.removexattr, at("file"), ACCESS)
    say("remove again", os.removexattr, at("file"), ACCESS)


child(mirrored)
os.chmod(at("file"), 0o2770)


def kept():
    """By the owner, who is in the group."""
    become(1001, 1001, [2000])
    say("set", os.setxattr, at("file"), ACCESS, acl(("u:", 6), ("u", 4, 1005), ("g:", 6), ("m", 4), ("o", 0)))
    print("mode", looks("file"))


child(kept)
os.setxattr(at("file"), ACCESS, acl(("u:", 7), ("u", 4, 1005), ("u", 0, 1006), ("g:", 0), ("g", 6, 3000), ("m", 6), ("o", 6)))
for uid, groups in (1005, []), (1006, []), (1006, [3000]), (1007, [2000]), (1007, [3000]), (1007, []), (1001, []):
    def obeyed():
        become(uid, uid, groups)
        for mode in os.O_RDONLY, os.O_WRONLY:
            say(f"{uid} {groups} opens {mode}", lambda: os.close(os.open(at("file"), mode)))
        print([os.access(at("file"), m) for m in (4, 2, 1)])
    child(obeyed)
print("changes are seen at once:")
os.setxattr(at("file"), ACCESS, acl(("u:", 7), ("u", 7, 1005), ("g:", 0), ("m", 7), ("o", 0)))
child(lambda: (become(1005), say("1005 writes", lambda: os.close(os.open(at("file"), os.O_WRONLY)))))
