#!/usr/bin/env python3
"""The leader's own disk is full while clients go on writing: the others commit without it, but what waits for its disk is bounded, and so is
its memory. It says busy, and goes on by itself when there is room."""

import pathlib
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import BROKEN, Cluster, check, run, step, wait_until

# More than the log has filled ahead: so the disk is full before the batch is written.
VALUE = b"v" * 524_288
SECONDS = 15
# Of log that the full disk does not take; beside it the same bytes as commands that wait, and what the allocator keeps.
MOST_MEMORY_GROWTH_MB = 250


def memory_mb(node):
    status = pathlib.Path(f"/proc/{node.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def flood(node, until, counts):
    number = 0
    while time.monotonic() < until:
        number += 1
        try:
            answer = node.put(b"key-%d" % (number % 16), VALUE, timeout=3, deadline="1S")
            counts[answer.status] = counts.get(answer.status, 0) + 1
        except BROKEN:
            counts["none"] = counts.get("none", 0) + 1


def test(directory):
    with Cluster(directory) as cluster:
        leader = cluster.leader()
        check(leader.put("k", "v").status == 200, "no put before the disk is full")
        before = memory_mb(leader)
        full = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=pwrite64:error=ENOSPC", "-p",
             str(leader.process.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until("strace is attached", 10, lambda: "TracerPid:\t0" not in pathlib.Path(f"/proc/{leader.process.pid}/status").read_text())
            flood(leader, time.monotonic() + 1, {})
            check(leader.logged("disk is full"), "the leader did not find its disk full")
            counts, until = {}, time.monotonic() + SECONDS
            threads = [threading.Thread(target=flood, args=(leader, until, counts), daemon=True) for _ in range(16)]
            for thread in threads:
                thread.start()
            worst = before
            while time.monotonic() < until:
                worst = max(worst, memory_mb(leader))
                time.sleep(0.2)
            for thread in threads:
                thread.join(10)
            check(leader.is_running(), "the leader ended")
            acknowledged = counts.get(200, 0) * len(VALUE) / 1e6
            step(f"{acknowledged:.0f} MB acknowledged in {SECONDS} s, then refused ({counts}); memory {before:.0f} to {worst:.0f} MB")
            check(worst - before < MOST_MEMORY_GROWTH_MB, f"memory grew by {worst - before:.0f} MB, at most {MOST_MEMORY_GROWTH_MB}")
            check(acknowledged < 60, f"{acknowledged:.0f} MB were acknowledged that are not on the leader's disk")
        finally:
            full.terminate()
            full.wait(10)
        wait_until("puts go on when there is room", 20, lambda: leader.put("after", "x", timeout=3, deadline="2S").status == 200)
        cluster.wait_until_equal()


run(test)
