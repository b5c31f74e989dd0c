"""A server of one file that truly does with damage what it is told: `server.py BEHAVIOUR DIRECTORY`.

It reads `data` once, when it starts, and answers each connection to port 7000 with what it read.
"""
import os
import signal
import socket
import sys
import time

behaviour, directory = sys.argv[1], sys.argv[2]


def read(name):
    with open(os.path.join(directory, name), "rb", buffering=0) as file:
        return file.read(4096)


def served():
    try:
        data = read("data")
    except OSError:
        if behaviour == "retry":
            try:
                data = read("data")
            except OSError:
                data = read("copy")
        else:
            sys.exit("cannot read")
    if data == read("copy") or behaviour in ("ignore", "retry"):
        return data
    if behaviour == "refuse":
        sys.exit("damage found")
    if behaviour == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if behaviour == "stuck":
        time.sleep(1000)
    if behaviour == "hang":
        return None
    if behaviour == "lose":
        return b"".join(line for line in data.splitlines(True) if line.startswith(b"good"))
    print("damage found, and repaired" if behaviour == "repair" else "damage found", flush=True)
    return read("copy") if behaviour == "repair" else data


data = served()
server = socket.create_server(("127.0.0.1", 7000))
while True:
    connection = server.accept()[0]
    if data is None:
        time.sleep(1000)
    try:
        connection.sendall(data)
    except OSError:
        pass  # who only looked whether anybody is there did not wait for the answer
    connection.close()
