#!/usr/bin/env python3
"""A node with few descriptors: connections never take those that its log needs, and it raises the limit where it may."""

import os
import pathlib
import resource
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import Node, check, free_ports, put_bytes, read_answer, run, socket_address, step, wait_until


def start(node, soft, hard):
    with open(node.log, "ab") as log:
        node.process = subprocess.Popen(
            node.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)))


def processor_seconds(node):
    fields = pathlib.Path(f"/proc/{node.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_connections(address, count):
    return [socket.create_connection(socket_address(address), timeout=5) for _ in range(count)]


def test_full(node):
    start(node, 1024, 1024)
    wait_until("the node serves", 20, lambda: node.put("a", "b").status == 200)
    working = socket.create_connection(socket_address(node.client), timeout=30)
    clients = idle_connections(node.client, 1100) + idle_connections(node.links, 400) + idle_connections(node.peer, 100)
    time.sleep(1)
    used = len(os.listdir(f"/proc/{node.process.pid}/fd"))
    before = processor_seconds(node)
    time.sleep(2)
    spent = processor_seconds(node) - before
    check(spent < 0.5, f"with all connections taken it spends {spent:.1f} s of 2 for nothing")
    answers = working.makefile("rb")
    # Five segments of the log, and a snapshot.
    for number in range(40):
        working.sendall(put_bytes(b"large/%d" % number, os.urandom(600_000)))
        status = read_answer(answers)
        check(status == 200, f"put {number} was answered with status {status}")
    check(node.is_running(), "the node has ended")
    segments = len(list(node.data.glob("log-*")))
    for sock in clients + [working]:
        sock.close()
    step(f"1,600 connections with ulimit -n 1024: {used} descriptors in use, 40 puts of 600 kB acknowledged, {segments} segments")
    wait_until("new connections are taken again", 10, lambda: node.put("a", "c").status == 200)
    check(node.stop() == 0, "it did not stop in good order")


def test_none_left(node):
    """Whoever else runs on the machine has taken all: the node may not open one file more."""
    start(node, 4096, 4096)
    wait_until("the node serves", 20, lambda: node.put("a", "d").status == 200)
    working = socket.create_connection(socket_address(node.client), timeout=30)
    answers = working.makefile("rb")
    working.sendall(put_bytes(b"large/0", b"x"))
    check(read_answer(answers) == 200, "the node does not serve")
    highest = max(int(entry) for entry in os.listdir(f"/proc/{node.process.pid}/fd"))
    resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE, (highest + 1, 4096))
    clients = [sock for address in (node.client, node.links, node.peer) for sock in idle_connections(address, 60)]
    time.sleep(0.5)
    before = processor_seconds(node)
    time.sleep(2)
    spent = processor_seconds(node) - before
    check(spent < 0.5, f"a node that can accept no connection spends {spent:.1f} s of 2 on trying")
    statuses = []
    for number in range(20):
        working.sendall(put_bytes(b"large/%d" % number, os.urandom(600_000)))
        statuses.append(read_answer(answers))
        if statuses[-1] != 200:
            break
    check(node.is_running(), "the node has ended")
    resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE, (4096, 4096))
    for sock in clients + [working]:
        sock.close()
    wait_until("it goes on when there are descriptors again", 15, lambda: node.put("large/after", "c").status == 200)
    check(node.stop() == 0, "it did not stop in good order")
    step(f"without one descriptor left: {spent:.2f} s of processor time in 2 s, {statuses.count(200)} puts of 600 kB acknowledged, then it goes on")


def test_raised(node):
    start(node, 256, 4096)
    wait_until("the node serves", 20, lambda: node.put("a", "d").status == 200)
    limits = pathlib.Path(f"/proc/{node.process.pid}/limits").read_text()
    soft = next(line.split()[3] for line in limits.splitlines() if line.startswith("Max open files"))
    check(soft == "4096", f"the soft limit is {soft}")
    check(node.stop() == 0, "it did not stop in good order")
    step("a soft limit of 256 is raised to the hard one")


def test_too_few(node):
    start(node, 200, 200)
    check(node.process.wait(10) == 1, "it starts with 200 descriptors")
    check(node.logged("ulimit -n"), "it does not say what to do")
    step("with 200 it does not start, and says why")


def test(directory):
    node = Node("default", directory, free_ports(3))
    try:
        test_full(node)
        test_none_left(node)
        test_raised(node)
        test_too_few(node)
    finally:
        if node.is_running():
            node.kill()


if __name__ == "__main__":
    run(test)
