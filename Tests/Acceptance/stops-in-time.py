#!/usr/bin/env python3
"""A stop ends, whatever clients and disks do, and acknowledges nothing that was not done. Signals that are sent by habit do no harm."""

import contextlib
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import BROKEN, Node, check, free_ports, put_many, request, run, socket_address, step, wait_until

# What it must keep, in seconds: Docker kills after 10.
LONGEST_STOP = 9.5


def stop(node):
    began = time.monotonic()
    status = node.stop()
    elapsed = time.monotonic() - began
    check(elapsed < LONGEST_STOP, f"the stop took {elapsed:.1f} s")
    return status, elapsed


def connect(address, data, buffer=None):
    sock = socket.socket()
    if buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.settimeout(30)
    sock.connect(socket_address(address))
    sock.sendall(data)
    return sock


def trickle(sock):
    """Takes what comes, a little at a time, until the other side closes."""
    def take():
        with contextlib.suppress(OSError):
            while sock.recv(100):
                time.sleep(0.1)
    threading.Thread(target=take, daemon=True).start()


def start(node):
    node.start()
    wait_until("the node serves", 20, lambda: node.put("a", "b").status == 200)


def test_signals(node):
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGPIPE):
        node.process.send_signal(number)
        time.sleep(0.1)
        check(node.is_running(), f"{number.name} ended it")
        check(node.put("a", number.name).status == 200, f"after {number.name} it does not serve")
    step("SIGHUP, SIGUSR1, SIGUSR2, SIGALRM and SIGPIPE do no harm")


def test_slow_clients(node):
    target = b"https://example.org/" + b"x" * 1900
    put_many(node.client, [(b"shortlinks/links/link%05d" % i, b"1 1700000000 0 " + target) for i in range(6000)])
    export = connect(node.links, b"GET /_links.csv HTTP/1.1\r\nHost: x\r\n\r\n", buffer=4096)
    check(export.recv(12) == b"HTTP/1.1 200", "the export does not begin")
    trickle(export)
    rows = b"slug,target\r\n" + b"".join(b"row%d,https://example.org/\r\n" % i for i in range(100))
    unfinished = connect(
        node.links, b"POST /_links.csv HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 1000000\r\n\r\n" + rows)
    body = connect(node.client, b'POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"key":')
    everything = b'{"key":"AA==","range_end":"AA=="}'
    answer = connect(
        node.client, b"POST /v3/kv/range HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(everything), everything), buffer=4096)
    check(answer.recv(12) == b"HTTP/1.1 200", "the range does not begin")
    trickle(answer)
    time.sleep(0.5)
    status, elapsed = stop(node)
    check(status == 0, f"it ended with status {status}")
    for sock in (unfinished, body):
        with contextlib.suppress(ConnectionResetError):
            check(not sock.recv(100).startswith(b"HTTP/1.1 2"), "what was not whole is acknowledged")
    step(f"a slow export, an unfinished import, an unfinished body and a slow range: SIGTERM ends it in {elapsed:.1f} s, status 0")


def test_stuck_disk(directory, node):
    tracer = subprocess.Popen(
        ["strace", "-f", "-o", str(directory / "strace.txt"), "-p", str(node.process.pid), "-e", "trace=fdatasync", "-e",
         "inject=fdatasync:delay_enter=60000000"], stderr=subprocess.PIPE, text=True)
    check(any("attached" in line for line in iter(tracer.stderr.readline, "")), "strace cannot be attached")
    answers = []

    def put():
        try:
            answers.append(node.put("stuck", "disk", timeout=30, deadline="20S").status)
        except BROKEN:
            pass

    client = threading.Thread(target=put, daemon=True)
    client.start()
    wait_until("/readyz sees that the log is stuck", 10, lambda: request(node.client, "GET", "/readyz").status == 503)
    check(request(node.client, "GET", "/livez").status == 200, "a restart would not help, and /livez asks for one")
    began = time.monotonic()
    node.process.terminate()
    wait_until("it says why it ends", LONGEST_STOP, lambda: node.logged("the stop took longer than"))
    # A thread in the hands of strace cannot end.
    tracer.kill()
    tracer.wait(10)
    status = node.process.wait(10)
    elapsed = time.monotonic() - began
    check(elapsed < LONGEST_STOP, f"the stop took {elapsed:.1f} s")
    client.join(10)
    check(status == 1, f"it ended with status {status}")
    check(200 not in answers, "a put was acknowledged that never reached the disk")
    step(f"a disk that does not answer: SIGTERM ends it in {elapsed:.1f} s with a reason, status 1, and nothing is acknowledged")


def test(directory):
    node = Node("default", directory, free_ports(3))
    try:
        start(node)
        test_signals(node)
        test_slow_clients(node)
        start(node)
        test_stuck_disk(directory, node)
        start(node)
        check(stop(node)[0] == 0, "after all this it does not stop in good order")
    finally:
        if node.is_running():
            node.kill()


if __name__ == "__main__":
    run(test)
