#!/usr/bin/env python3
"""Ranges without end, ranges that nobody reads, and pages of the shortener: none of them costs the leader its leadership, holds up puts, or
fills the memory. A transaction that looks at too much is refused, and harms no node.

CORACLE_KEYS sets how many keys there are.
"""

import json
import os
import pathlib
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import BROKEN, Cluster, check, encoded, request, run, socket_address, step, wait_until

KEYS = int(os.environ.get("CORACLE_KEYS", "200000"))
SECONDS = 8
MEDIAN_PUT_MS, WORST_PUT_MS = 150, 1000
MOST_MEMORY_GROWTH_MB = 300
EVERYTHING = json.dumps({"key": encoded(b"\0"), "range_end": encoded(b"\0")}).encode()


def memory_mb(node):
    status = pathlib.Path(f"/proc/{node.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def load(node):
    """By transactions of 100."""
    def share(start):
        for first in range(start * 100, KEYS, 800):
            puts = [{"request_put": {"key": encoded(b"key-%07d" % number), "value": encoded(b"v" * 64)}} for number in range(first, first + 100)]
            answer = node.call("/v3/kv/txn", {"success": puts})
            check(answer.status == 200, f"a transaction was answered with {answer.status}: {answer.body}")

    threads = [threading.Thread(target=share, args=(start,), daemon=True) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    count = int(node.range(b"\0", b"\0", count_only=True).body["count"])
    check(count == KEYS, f"{count} keys are there, not {KEYS}")


def puts(node, until):
    """Latencies in milliseconds, sorted."""
    seen = []
    while time.monotonic() < until:
        began = time.monotonic()
        answer = node.put(b"beside", b"x", timeout=10, deadline="5S")
        check(answer.status == 200, f"a put was answered with {answer.status}: {answer.body}")
        seen.append(1000 * (time.monotonic() - began))
        time.sleep(0.002)
    return sorted(seen)


def report(what, seen):
    median, high, worst = (seen[min(len(seen) - 1, len(seen) * share // 100)] for share in (50, 99, 100))
    step(f"put latency {what}: p50 {median:.1f} ms, p99 {high:.1f} ms, worst {worst:.0f} ms")
    check(median < MEDIAN_PUT_MS, f"every other put took {median:.0f} ms, at most {MEDIAN_PUT_MS} are allowed")
    check(worst < WORST_PUT_MS, f"a put took {worst:.0f} ms, at most {WORST_PUT_MS} are allowed")


def ranges(node, until, bytes_read):
    while time.monotonic() < until:
        try:
            answer = request(node.client, "POST", "/v3/kv/range", EVERYTHING, timeout=60)
            bytes_read.append(len(answer.body) if answer.status == 200 else 0)
        except BROKEN:
            bytes_read.append(0)


def pages(node, until, answered):
    while time.monotonic() < until:
        try:
            answered.append(request(node.links, "GET", "/", timeout=60).status)
        except BROKEN:
            answered.append(None)


def beside(node, what, work, count):
    results, until = [], time.monotonic() + SECONDS
    threads = [threading.Thread(target=work, args=(node, until, results), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    report(what, puts(node, until))
    for thread in threads:
        thread.join(60)
    return results


def unread(node, count):
    connections = []
    for _ in range(count):
        connection = socket.create_connection(socket_address(node.client), timeout=10)
        connection.sendall(b"POST /v3/kv/range HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(EVERYTHING) + EVERYTHING)
        connections.append(connection)
    return connections


def test(directory):
    with Cluster(directory) as cluster:
        leader = cluster.leader()
        load(leader)
        term, before = int(leader.status()["raftTerm"]), memory_mb(leader)
        step(f"{KEYS} keys, {before:.0f} MB")
        report("alone", puts(leader, time.monotonic() + 3))
        sizes = beside(leader, "beside five full ranges without end", ranges, 5)
        check(any(size > KEYS * 100 for size in sizes), "no full range was answered")
        step(f"{sum(1 for size in sizes if size)} of {len(sizes)} ranges answered, {sum(sizes) / 1e6:.0f} MB")
        statuses = beside(leader, "beside forty times the page of the newest links", pages, 40)
        check(statuses.count(200) >= 40, f"pages were answered with {set(statuses)}")

        connections = unread(leader, 30)
        report("beside thirty ranges that nobody reads", puts(leader, time.monotonic() + SECONDS))
        growth = memory_mb(leader) - before
        check(growth < MOST_MEMORY_GROWTH_MB, f"the memory grew by {growth:.0f} MB, at most {MOST_MEMORY_GROWTH_MB}")
        step(f"the memory grew by {growth:.0f} MB in all")
        for connection in connections:
            connection.close()

        nested = [{"request_range": {"key": encoded(b"\0"), "range_end": encoded(b"\0")}}] * 100
        inner = [{"request_txn": {"success": nested}} for _ in range(20)]
        answer = leader.call("/v3/kv/txn", {"success": inner}, timeout=20)
        check(answer.status == 400 and "looks at more than" in json.dumps(answer.body), f"2,000 ranges: {answer.status} {str(answer.body)[:200]}")
        wait_until("every node serves after that", 10, lambda: all(node.range("k", deadline="1S").status == 200 for node in cluster.nodes))
        check(all(node.is_running() for node in cluster.nodes), "a node ended")
        check(int(leader.status()["raftTerm"]) == term and leader.leads(), "the leader lost its leadership meanwhile")


run(test)
