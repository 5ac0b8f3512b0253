#!/usr/bin/env python3
"""What each connection may make a node hold is bounded, and so is the sum: bodies that are never whole, frames of strangers. Meanwhile the
node serves, and its members reach it."""

import base64
import os
import pathlib
import socket
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import Cluster, Node, check, free_ports, request, run, socket_address, step, wait_until

MEBIBYTE = 1 << 20
# What it must keep: by how much the resident memory may grow meanwhile. The budget is 256 MiB; bodies, and frames of peers, have an eighth.
MOST_GROWTH = 160 * MEBIBYTE


def resident(node):
    return int(pathlib.Path(f"/proc/{node.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Growth:
    """Watches how much memory a node takes more than at the beginning."""

    def __init__(self, node):
        self.node, self.before, self.most, self.ending = node, resident(node), 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.ending.is_set():
            self.most = max(self.most, resident(self.node) - self.before)
            time.sleep(0.05)

    def check(self, what):
        self.ending.set()
        self.thread.join()
        check(self.most < MOST_GROWTH, f"{what}: the memory grew by {self.most // MEBIBYTE} MiB")
        return f"the memory grew by {self.most // MEBIBYTE} MiB (at most {MOST_GROWTH // MEBIBYTE})"


def in_parallel(count, work):
    """Runs `work(number)` in some threads; its results."""
    results = [None] * count

    def share(start):
        for number in range(start, count, 16):
            results[number] = work(number)

    threads = [threading.Thread(target=share, args=(start,), daemon=True) for start in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        check(not thread.is_alive(), "a connection was neither served nor closed")
    return results


def send(sock, data):
    """As much as the other side takes before it closes."""
    try:
        sock.sendall(data)
    except OSError:
        pass


def test_bodies(node):
    """300 bodies of 3 MiB, each without its last byte."""
    head = b"POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (3 * MEBIBYTE)
    part = b'{"key":"' + b"A" * (3 * MEBIBYTE - 9)
    growth = Growth(node)

    def client(_):
        sock = socket.create_connection(socket_address(node.client), timeout=20)
        send(sock, head + part)
        return sock

    clients = in_parallel(300, client)
    for number in range(20):
        check(node.put(f"small/{number}", "x" * 1000).status == 200, "a small request is refused beside them")
    # Each is told, when it has said all, what became of it.
    answers = []
    for sock in clients:
        sock.settimeout(0.2)
        send(sock, b'"')
        try:
            answers.append(sock.recv(12))
        except OSError:
            pass
        sock.close()
    refused = sum(answer.endswith(b"503") for answer in answers)
    check(refused >= 200, f"only {refused} of 300 were told that there is no room: {answers[:3]}")
    summary = growth.check("300 bodies of 3 MiB that are not whole")
    step(f"300 bodies of 3 MiB that are not whole: {summary}, {refused} were refused with 503")
    value = base64.b64encode(b"v" * MEBIBYTE).decode()
    answer = wait_until("a large request is taken again", 15, lambda: (put := node.call(
        "/v3/kv/put", {"key": "bGFyZ2U=", "value": value})).status == 200 and put)
    check(answer.status == 200, "what was held is not given back")


def test_strangers(cluster, node):
    """63 strangers with frames of 16 MiB, then 63 with small ones that never end; meanwhile a member comes back."""
    growth = Growth(node)

    def stranger(size, bytes_sent):
        def connect(_):
            sock = socket.create_connection(socket_address(node.peer), timeout=20)
            send(sock, struct.pack("<I", size) + b"x" * bytes_sent)
            return sock
        return connect

    large = in_parallel(63, stranger(16 * MEBIBYTE - 64, 16 * MEBIBYTE - 128))
    other = next(member for member in cluster.nodes if member is not node)
    other.kill()
    small = in_parallel(63, stranger(60_000, 50_000))
    other.start()
    wait_until("the member that came back has what the others have", 15, lambda: other.put("after", "strangers").status == 200)
    summary = growth.check("frames of strangers")
    wait_until("its own clients are served", 10, lambda: node.put("after", "strangers").status == 200)
    for sock in large + small:
        sock.close()
    step(f"63 strangers with frames of 16 MiB: {summary}, and a member that comes back is let in")


def test_bad_checksum(node):
    with socket.create_connection(socket_address(node.peer), timeout=5) as sock:
        send(sock, struct.pack("<I", 100) + b"x" * 100)
        try:
            check(sock.recv(1) == b"", "the connection goes on")
        except ConnectionResetError:
            pass
    step("a frame that does not verify closes its connection")


def test(directory):
    with Cluster(directory) as cluster:
        leader = cluster.leader()
        test_bodies(leader)
        test_strangers(cluster, leader)
        test_bad_checksum(leader)
        cluster.wait_until_equal()


if __name__ == "__main__":
    run(test)
