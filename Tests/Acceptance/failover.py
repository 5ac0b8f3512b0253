#!/usr/bin/env python3
"""How long writes are away when the leader goes: it is told to stop, its process is killed, or its machine freezes."""

import pathlib
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import BROKEN, Cluster, check, run, step

CLIENTS = 12
# Seconds without a write at most. A machine that does much else needs more than the usual (see Docs/Performance.md).
FAULTS = [
    ("is told to stop", signal.SIGTERM, 0.4),
    ("is killed", signal.SIGKILL, 1.0),
    ("freezes", signal.SIGSTOP, 3.0),
]


class Clients:
    """They put through the nodes that stay, with little patience, and write down when they were answered."""

    def __init__(self, nodes):
        self.times = []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(nodes[i % len(nodes)], f"k{i}"), daemon=True) for i in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def work(self, node, key):
        while not self.ending.is_set():
            try:
                if node.put(key, "v", timeout=0.3).status == 200:
                    self.times.append(time.monotonic())
            except BROKEN:
                pass
            time.sleep(0.01)

    def longest_gap(self, began):
        self.ending.set()
        for thread in self.threads:
            thread.join(10)
        times = sorted(moment for moment in self.times if moment >= began)
        check(times, "no write was acknowledged after the fault")
        return max(later - earlier for earlier, later in zip([began, *times], times))


def test(directory):
    for number, (what, fault, limit) in enumerate(FAULTS):
        place = directory / str(number)
        place.mkdir()
        with Cluster(place) as cluster:
            leader = cluster.leader()
            clients = Clients([node for node in cluster.nodes if node is not leader])
            time.sleep(1)
            began = time.monotonic()
            leader.process.send_signal(fault)
            time.sleep(4)
            gap = clients.longest_gap(began)
            check(gap < limit, f"no write for {gap:.2f} s when the leader {what}")
            step(f"when the leader {what}, no write for {1000 * gap:.0f} ms")


run(test)
