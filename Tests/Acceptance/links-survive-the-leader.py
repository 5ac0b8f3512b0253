#!/usr/bin/env python3
"""The leader is killed while ten thousand links are imported and others are made one by one.

The import is repeated as Docs/Links.md says it may be. Afterwards each link that was acknowledged leads where it should, through every
node, the killed one too; and the visits that were counted before are still counted, each once.
"""

import http.client
import json
import pathlib
import random
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import BROKEN, Cluster, check, request, run, socket_address, step, wait_until

LINKS = 10_000
VISITED = 20


def targets(seed):
    """Addresses as people shorten them: long paths, queries, fragments, percent-encoding, ports, capitals."""
    dice = random.Random(seed)
    hosts = ["www.example.org", "shop.example.com", "xn--bcher-kva.example", "docs.example.net:8443", "[2001:db8::7]", "192.0.2.14"]
    words = ["news", "Reports", "2024", "a-b_c", "caf%C3%A9", "index.html", "~user", "v1.2", "track(1)", "x;y=1"]
    links = {}
    for number in range(LINKS):
        path = "/".join(dice.choices(words, k=dice.randint(1, 6)))
        query = "&".join(f"{dice.choice('abcxyz')}={dice.getrandbits(48):x}" for _ in range(dice.randint(0, 5)))
        fragment = f"#part-{number}" if dice.random() < 0.2 else ""
        links[f"l{number:05}"] = f"https://{dice.choice(hosts)}/{path}/{number}" + (f"?{query}" if query else "") + fragment
    return links


class Redirects:
    """A connection over which links are followed; HEAD is answered as GET is, and not counted."""

    def __init__(self, node):
        self.connection = http.client.HTTPConnection(*socket_address(node.links), timeout=10)

    def follow(self, slug, method="HEAD"):
        self.connection.request(method, f"/{slug}")
        answer = self.connection.getresponse()
        answer.read()
        return answer.status, answer.headers["Location"]


def visits(node, slug):
    answer = request(node.links, "GET", f"/_links/{slug}")
    return json.loads(answer.body)["visits"] if answer.status == 200 else None


def visit_links(cluster, slugs):
    """Follows each link a few times through every node, and waits until that is counted: {slug: visits}."""
    counts = {slug: 3 + 3 * (index % 4) for index, slug in enumerate(slugs)}
    for node in cluster.nodes:
        redirects = Redirects(node)
        for slug, count in counts.items():
            for _ in range(count // 3):
                status, _ = redirects.follow(slug, "GET")
                check(status == 302, f"{node.name} answered a visit of {slug} with {status}")
    for slug, count in counts.items():
        wait_until(f"{count} visits of {slug} are counted", 10, lambda: visits(cluster.nodes[0], slug) == count)
    return counts


class Importer(threading.Thread):
    """Imports a file; when that fails, or says that it stopped, imports the same file again, through another node."""

    def __init__(self, nodes, links):
        super().__init__(daemon=True)
        self.nodes = nodes
        self.file = "slug,target\r\n" + "".join(f"{slug},{target}\r\n" for slug, target in links.items())
        self.answers = []
        self.problem = None

    def run(self):
        deadline = time.monotonic() + 90
        for attempt in range(1000):
            node = self.nodes[attempt % len(self.nodes)]
            try:
                answer = request(node.links, "POST", "/_links.csv", self.file, {"Content-Type": "text/csv"}, timeout=60)
            except BROKEN as error:
                self.answers.append(f"{node.name}: {type(error).__name__}")
            else:
                self.answers.append(f"{node.name}: {answer.status}")
                self.summary = json.loads(answer.body)
                if answer.status == 200:
                    return
                if answer.status not in (503, 504) or "stopped" not in self.summary:
                    self.problem = f"the import was answered with {answer.status} {self.summary}"
                    return
            if time.monotonic() > deadline:
                self.problem = f"the import was not done in 90 s: {self.answers[-3:]}"
                return
            time.sleep(0.2)


class Maker(threading.Thread):
    """Makes links one by one through one node, and writes down those that were acknowledged."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node = node
        self.acknowledged = {}
        self.ending = threading.Event()

    def run(self):
        number = 0
        while not self.ending.is_set():
            number += 1
            slug, target = f"single-{self.node.name}-{number}", f"https://example.org/single/{self.node.name}/{number}"
            body = json.dumps({"slug": slug, "target": target})
            try:
                answer = request(self.node.links, "POST", "/_links", body, {"Content-Type": "application/json"})
            except BROKEN:
                time.sleep(0.02)
            else:
                if answer.status == 201:
                    self.acknowledged[slug] = target
            time.sleep(0.01)


def imported(node):
    """How many of the file's links this node knows by now."""
    answer = node.range("shortlinks/links/l", "shortlinks/links/m", serializable=True, count_only=True)
    return int(answer.body.get("count", 0))


def check_links(node, links):
    redirects = Redirects(node)
    for slug, target in links.items():
        found = redirects.follow(slug)
        check(found == (302, target), f"{node.name}: {slug} must lead to {target}, but is answered with {found}")


def test(directory):
    links = targets(seed=1)
    with Cluster(directory) as cluster:
        early = dict(list(links.items())[:VISITED])
        first = Importer(cluster.nodes, early)
        first.run()
        check(first.problem is None and first.summary["created"] == VISITED, f"the first links were not made: {first.problem}")
        counted = visit_links(cluster, early)
        step(f"{sum(counted.values())} visits of {VISITED} links are counted")

        leader = cluster.leader()
        others = [node for node in cluster.nodes if node is not leader]
        makers = [Maker(node) for node in cluster.nodes]
        # Through the leader, which takes the connection with it, and then through the others.
        importer = Importer([leader] + others, links)
        for thread in makers + [importer]:
            thread.start()
        seen = wait_until("a part of the import is there", 60, lambda: (count := imported(others[0])) >= LINKS // 5 and count)
        leader.kill()
        check(seen < LINKS, "the import was over before the leader could be killed in its midst")
        step(f"the leader was killed when {seen} links were there")

        importer.join(120)
        check(not importer.is_alive() and importer.problem is None, importer.problem or "the import does not end")
        summary = importer.summary
        check(summary["created"] + summary["same"] == LINKS and summary["refused"] == 0, f"the import did not make every link: {summary}")
        check(len(importer.answers) > 1, "the import did not notice that its node was killed")
        step(f"import: {', '.join(importer.answers)}; the last one made {summary['created']} and found {summary['same']}")
        for maker in makers:
            maker.ending.set()
            maker.join(15)
            links.update(maker.acknowledged)
        check(all(maker.acknowledged for maker in makers), "one of the nodes made no link")

        leader.start()
        cluster.wait_until_serving()
        cluster.wait_until_equal()
        for node in cluster.nodes:
            check_links(node, links)
            for slug, count in counted.items():
                found = visits(node, slug)
                check(found == count, f"{node.name}: {slug} had {count} visits, and has {found}")
        step(f"all {len(links)} acknowledged links lead where they should, through every node; all visits are counted")


run(test)
