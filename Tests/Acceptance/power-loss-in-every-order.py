#!/usr/bin/env python3
"""All three nodes are gone at once, in the middle of writes, and come back in each of the six orders.

The cluster must serve by itself, whatever the order, and every node must have every write that was acknowledged. (The processes are killed;
what a disk may lose beyond that when the power fails is the simulator's part.)
"""

import itertools
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import Cluster, Writers, check, run, step


def test(directory):
    acknowledged = {}
    with Cluster(directory) as cluster:
        for order in itertools.permutations(cluster.nodes):
            writers = Writers(cluster.nodes)
            time.sleep(1)
            for node in order:
                node.process.kill()
            for node in order:
                node.process.wait(10)
            written = writers.stop()
            check(written, "nothing was written before the nodes were killed")
            acknowledged.update(written)

            for node in order:
                node.start()
                time.sleep(0.3)
            seconds = cluster.wait_until_serving()
            cluster.check_has(acknowledged)
            names = " ".join(node.name for node in order)
            step(f"{names}: serves {seconds:.1f} s after the last start, {len(acknowledged)} writes are there")


run(test)
