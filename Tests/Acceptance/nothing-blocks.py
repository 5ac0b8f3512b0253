#!/usr/bin/env python3
"""What the node does for people must not hold up what it does for the cluster: a slow directory, a log that nobody reads. And a node that
is held up all the same says so, at once."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import Node, check, free_ports, request, run, socket_address, step, wait_until

# What it must keep: the longest that an answer of any kind may take, in seconds, when one `getdents64` takes 4.
LONGEST_ANSWER = 1.0


def start(node, *arguments, **options):
    node.process = subprocess.Popen([*node.arguments, *arguments], stdin=subprocess.DEVNULL, **options)
    wait_until("the node serves", 20, lambda: node.put("a", "b").status == 200)


def timed(what, ask):
    began = time.monotonic()
    answer = ask()
    elapsed = time.monotonic() - began
    check(elapsed < LONGEST_ANSWER, f"{what} took {elapsed:.2f} s")
    return answer, elapsed


@contextlib.contextmanager
def tampered(directory, *arguments):
    """With strace on the process or thread; gives the file of its report."""
    report = directory / "strace.txt"
    tracer = subprocess.Popen(["strace", "-o", str(report), *arguments], stderr=subprocess.PIPE, text=True)
    try:
        for line in tracer.stderr:
            if "attached" in line:
                break
        else:
            check(False, f"strace cannot be attached ({arguments})")
        yield report
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)


def test_slow_directory(directory, node):
    with open(node.log, "ab") as log:
        start(node, stdout=log, stderr=log)
    with tampered(directory, "-f", "-p", str(node.process.pid), "-e", "trace=getdents64", "-e", "inject=getdents64:delay_enter=4000000") as report:
        longest, end = 0, time.monotonic() + 7
        while time.monotonic() < end:
            for path, ask in (
                ("/health", lambda: request(node.client, "GET", "/health")), ("/readyz", lambda: request(node.client, "GET", "/readyz")),
                ("status", node.status), ("put", lambda: node.put("a", "c")), ("range", lambda: node.range("a")),
            ):
                longest = max(longest, timed(f"{path} with a slow directory", ask)[1])
            time.sleep(0.05)
    check("DELAYED" in report.read_text(), "the directory was never slow: nothing was tried")
    check(int(wait_until("the size is known", 10, lambda: node.status().get("dbSize", 0))) > 0, "the status has no size")
    step(f"one getdents64 takes 4 s: the longest answer took {longest * 1000:.0f} ms (at most {LONGEST_ANSWER:.0f} s)")


def test_stalled_replica(directory, node):
    """The thread of the replica alone is held up, for 4 s at a time."""
    threads = pathlib.Path(f"/proc/{node.process.pid}/task")
    names = {entry.name: (entry / "comm").read_text().strip() for entry in threads.iterdir()}
    loops = [thread for thread, name in names.items() if name.startswith("NIO-ELT")]
    check(len(loops) == 1, f"which thread is the replica's? {names}")
    with tampered(directory, "-p", loops[0], "-e", "trace=epoll_wait,epoll_pwait", "-e", "inject=epoll_wait,epoll_pwait:delay_enter=4000000"):
        for path in ("/health", "/health?serializable=true", "/livez", "/readyz"):
            ask = lambda: timed(path, lambda: request(node.client, "GET", path))[0]
            answer = wait_until(f"{path} sees that the replica is held up", 6, lambda: (seen := ask()).status == 503 and seen)
            check(b"STALLED" in answer.body, f"{path} says {answer.body}")
    wait_until("it is well again", 10, lambda: request(node.client, "GET", "/readyz").status == 200)
    check(node.stop() == 0, "it did not stop in good order")
    step("a replica that is held up: /health, /livez and /readyz say 503 at once, and 200 when it goes on")


def flood(node, count):
    """Each connection with a length that is too large is a line in the log."""
    def work(share):
        for _ in range(share):
            with socket.create_connection(socket_address(node.peer), timeout=5) as sock:
                sock.sendall(b"\xff\xff\xff\xff")
                with contextlib.suppress(OSError):
                    sock.recv(1)

    threads = [threading.Thread(target=work, args=(count // 8,), daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        check(not thread.is_alive(), "the peer port does not answer")


def test_full_pipe(node):
    reading, writing = os.pipe()
    start(node, "--log-level", "debug", stdout=subprocess.DEVNULL, stderr=writing)
    os.close(writing)
    flood(node, 12_000)
    for _ in range(50):
        answer, _ = timed("put", lambda: node.put("a", "d"))
        check(answer.status == 200, f"a put was answered {answer}")
    check(timed("/health", lambda: request(node.client, "GET", "/health"))[0].status == 200, "it is not healthy")
    step("nobody reads the log: 12,000 lines later puts are still acknowledged")
    received = b""
    while b" lines dropped" not in received:
        part = os.read(reading, 65536)
        check(part, "the log ended before it said what was dropped")
        received += part
    check(node.put("a", "e").status == 200, "it does not go on")
    step("who reads it again learns how many lines are missing")
    flood(node, 1000)
    began = time.monotonic()
    status = node.stop()
    elapsed = time.monotonic() - began
    os.close(reading)
    check(status == 0 and elapsed < 5, f"with a full log it stopped with status {status} after {elapsed:.1f} s")
    step(f"SIGTERM ends it in {elapsed:.1f} s (at most 5), status 0")


def test(directory):
    node = Node("default", directory, free_ports(3))
    try:
        test_slow_directory(directory, node)
        test_stalled_replica(directory, node)
        test_full_pipe(node)
    finally:
        if node.is_running():
            node.kill()


if __name__ == "__main__":
    run(test)
