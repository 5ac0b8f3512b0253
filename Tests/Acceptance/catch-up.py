#!/usr/bin/env python3
"""A node is away while more is written than the others keep in their logs. It comes back, gets a snapshot and what followed it while writes
go on, and has the same state as the others then."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import Cluster, Writers, check, put_many, run, step, wait_until

WRITES = 100_000
SNAPSHOT = "installed the leader's snapshot"


def test(directory):
    with Cluster(directory) as cluster:
        away = cluster.follower()
        check(away.stop() == 0, f"{away.name} did not stop in good order")
        pairs = [(b"key-%06d" % number, (b"%08d" % number) * 32) for number in range(WRITES)]
        rate = put_many(cluster.leader().client, pairs)
        step(f"{WRITES} puts of 256 B with one node away: {rate:.0f} put/s")

        writers = Writers(cluster.running())
        check(not away.logged(SNAPSHOT), f"{away.name} installed a snapshot before there was need")
        away.start()
        wait_until(f"{away.name} installs a snapshot, since the others have cut their logs", 30, lambda: away.logged(SNAPSHOT))
        wait_until(f"{away.name} serves", 30, lambda: away.range("k", deadline="1S").status == 200)
        acknowledged = writers.stop()
        check(acknowledged, "no write was acknowledged while the node caught up")
        check(writers.failures == 0, f"{writers.failures} writes failed while the node caught up")
        step(f"caught up, while {len(acknowledged)} more writes were acknowledged")

        acknowledged.update({key: (value, None) for key, value in pairs})
        cluster.wait_until_equal()
        digests = {node.name: node.digest() for node in cluster.nodes}
        check(len(set(digests.values())) == 1, f"the nodes differ (revision, digest): {digests}")
        here = away.everything()[0]
        lost = [key for key, (value, _) in acknowledged.items() if here.get(key, (None,))[0] != value]
        check(not lost, f"{len(lost)} acknowledged writes are not there, among them {lost[:3]}")


run(test)
