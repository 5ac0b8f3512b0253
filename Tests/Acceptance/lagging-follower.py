#!/usr/bin/env python3
"""A follower that lost touch, behind a link of 50 ms, catches up while writes of 5 MB/s go on; and a large state is not written again and again.

Prints put latency while nothing else happens, while snapshots of the state are taken, and while the follower catches up.
CORACLE_STATE_MB sets the state's size.
"""

import os
import pathlib
import random
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import BROKEN, Cluster, check, free_ports, put_many, run, socket_address, step, wait_until

STATE_MB = int(os.environ.get("CORACLE_STATE_MB", "60"))
VALUE_BYTES = 16_384
KEYS = STATE_MB * 1_000_000 // VALUE_BYTES
RATE_MB = 5
WRITERS = 8
DELAY = 0.05
MOST_BYTES_WRITTEN_PER_BYTE = 5
MOST_SECONDS = 60


class SlowLink(threading.Thread):
    """Passes on what comes to a port, a while later."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.target = socket_address(target)
        self.listener = socket.create_server(("127.0.0.1", free_ports(1)[0]))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            inner, _ = self.listener.accept()
            try:
                outer = socket.create_connection(self.target, timeout=5)
            except OSError:
                inner.close()
                continue
            outer.settimeout(None)
            threading.Thread(target=self.late, args=(inner, outer), daemon=True).start()
            threading.Thread(target=self.at_once, args=(outer, inner), daemon=True).start()

    def late(self, source, sink):
        chunks, lock = [], threading.Condition()

        def send():
            while True:
                with lock:
                    while not chunks:
                        lock.wait()
                    due, data = chunks.pop(0)
                time.sleep(max(0, due - time.monotonic()))
                try:
                    if not data:
                        return sink.close()
                    sink.sendall(data)
                except OSError:
                    return None

        threading.Thread(target=send, daemon=True).start()
        while True:
            try:
                data = source.recv(1 << 18)
            except OSError:
                data = b""
            with lock:
                chunks.append((time.monotonic() + DELAY, data))
                lock.notify()
            if not data:
                return

    @staticmethod
    def at_once(source, sink):
        try:
            while data := source.recv(1 << 18):
                sink.sendall(data)
        except OSError:
            pass
        sink.close()


class SteadyWriter:
    """Puts at a steady rate, and measures how long each takes."""

    def __init__(self, node):
        self.node, self.latencies, self.failures, self.ending = node, [], 0, threading.Event()
        self.threads = [threading.Thread(target=self.write, args=(part,), daemon=True) for part in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def write(self, part):
        pause = VALUE_BYTES * WRITERS / (RATE_MB * 1e6)
        due, randomly = time.monotonic(), random.Random(part)
        while not self.ending.is_set():
            began = time.monotonic()
            try:
                status = self.node.put(b"key-%06d" % randomly.randrange(KEYS), b"n" * VALUE_BYTES, timeout=10, deadline="5S").status
            except BROKEN:
                status = None
            self.failures += status != 200
            self.latencies.append(time.monotonic() - began)
            due = max(due + pause, time.monotonic() - 1)
            time.sleep(max(0, due - time.monotonic()))

    def take(self):
        """Median, 99th percentile and worst since the last call, in milliseconds, and how many."""
        seen, self.latencies = sorted(self.latencies), []
        check(seen, "no put was answered")
        return [1000 * seen[min(len(seen) - 1, len(seen) * share // 100)] for share in (50, 99, 100)] + [len(seen)]

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(15)


def written(node):
    fields = pathlib.Path(f"/proc/{node.process.pid}/io").read_text().split()
    return int(fields[fields.index("write_bytes:") + 1])


def report(what, writer):
    median, high, worst, count = writer.take()
    step(f"put latency {what}: p50 {median:.1f} ms, p99 {high:.1f} ms, worst {worst:.0f} ms ({count} puts)")


def test(directory):
    cluster = Cluster(directory)
    links = []
    for node in cluster.nodes:
        # Only what reaches the third goes the long way: what it answers comes back on the others' connections.
        if node is cluster.nodes[2]:
            links.append(SlowLink(node.peer))
            for other in cluster.nodes:
                other.arguments = [word.replace(f"{node.name}={node.peer}", f"{node.name}={links[0].address}") for word in other.arguments]
            node.arguments += ["--advertise-peer-address", links[0].address]
    with cluster:
        away = cluster.nodes[2]
        if cluster.leader() is away:
            away.kill()
            wait_until("another leads", 10, lambda: cluster.leader() is not away)
            away.start()
            cluster.wait_until_serving()
        leader = cluster.leader()
        check(away.stop() == 0, f"{away.name} did not stop in good order")
        put_many(leader.client, [(b"key-%06d" % number, b"o" * VALUE_BYTES) for number in range(KEYS)], connections=16, window=4)
        step(f"{STATE_MB} MB of state, with {away.name} away")

        writer = SteadyWriter(leader)
        time.sleep(3)
        writer.take()
        taken, bytes_before, began = leader.log.read_text().count("took a snapshot"), written(leader), time.monotonic()
        # So long that three snapshots are due, and one more or less does not matter much.
        time.sleep(max(18, 1.5 * STATE_MB / RATE_MB))
        report(f"while {STATE_MB} MB of state are saved", writer)
        put = (time.monotonic() - began) * RATE_MB * 1e6
        ratio = (written(leader) - bytes_before) / put
        step(f"{ratio:.1f} bytes written for each byte put, {leader.log.read_text().count('took a snapshot') - taken} snapshots")
        check(ratio <= MOST_BYTES_WRITTEN_PER_BYTE, f"{ratio:.1f} bytes are written for each byte put, at most {MOST_BYTES_WRITTEN_PER_BYTE}")

        away.start()
        began = time.monotonic()

        def lag():
            mine, others = (int(node.status().get("raftAppliedIndex", 0)) for node in (away, leader))
            return mine > 1 and others - mine < 500

        wait_until(f"{away.name} catches up while writes go on", MOST_SECONDS, lag)
        step(f"{away.name} caught up in {time.monotonic() - began:.1f} s, {DELAY * 1000:.0f} ms away, while {RATE_MB} MB/s were put")
        report("while it caught up", writer)
        writer.stop()
        check(writer.failures == 0, f"{writer.failures} puts failed")
        cluster.wait_until_equal()
        digests = {node.name: node.digest() for node in cluster.nodes}
        check(len(set(digests.values())) == 1, f"the nodes differ (revision, digest): {digests}")


run(test)
