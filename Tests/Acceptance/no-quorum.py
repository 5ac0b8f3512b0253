#!/usr/bin/env python3
"""Two of three nodes are gone. The third says so, within each request's deadline and in etcd's words; reads its own state for those who ask
for it; redirects the links that it knows; and serves again by itself when one of the others is back."""

import json
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import Cluster, check, request, run, step, wait_until

STALENESS = "Coracle-Staleness-Milliseconds"


def check_no_leader(what, ask):
    began = time.monotonic()
    answer = ask()
    seconds = time.monotonic() - began
    check(seconds < 2, f"{what}: answered after {seconds:.1f} s, with a deadline of 0.5 s")
    check(answer.status == 503, f"{what}: status {answer.status}, not 503")
    body = answer.body
    check(body.get("code") == 14 and body.get("error") == body.get("message") == "etcdserver: no leader", f"{what}: {body}")
    check(body.get("outcome") == "not done", f"{what}: nothing was done, and the answer does not say so: {body}")


def health(node):
    answer = request(node.client, "GET", "/health", timeout=2)
    return answer.status, json.loads(answer.body)["health"]


def create_link(node, slug):
    body = json.dumps({"slug": slug, "target": f"https://example.org/{slug}"})
    answer = request(node.links, "POST", "/_links", body, {"Content-Type": "application/json"})
    return answer.status, answer.headers, json.loads(answer.body)


def check_redirect(node, slug):
    answer = request(node.links, "GET", f"/{slug}", timeout=2)
    found = answer.headers["Location"]
    check((answer.status, found) == (302, f"https://example.org/{slug}"), f"{node.name} answers /{slug} with {answer.status} to {found}")


def check_alone(third):
    """What the node that is left does and does not do."""
    wait_until("/health says that there is no leader", 10, lambda: health(third) == (503, "false"))
    check_no_leader("a put", lambda: third.put("k", "other", deadline="500m"))
    check_no_leader("a linearizable read", lambda: third.range("k", deadline="500m"))

    answer = third.range("k", serializable=True)
    check(answer.status == 200 and answer.body.get("count") == "1", f"a serializable read: {answer.status} {answer.body}")
    check(int(answer.headers[STALENESS] or 0) > 0, f"a serializable read does not say how stale it is: {answer.headers.items()}")

    check_redirect(third, "known")
    status, headers, body = create_link(third, "new")
    check(status == 503 and body["error"]["code"] == "unavailable", f"the creation of a link: {status} {body}")
    check(headers["Retry-After"], "the refusal of a link does not say when to try again")
    status = request(third.links, "GET", "/unheard-of").status
    check(status == 503, f"a link that this node does not know may exist elsewhere, and was answered with {status}")


def test(directory):
    with Cluster(directory) as cluster:
        check(cluster.nodes[0].put("k", "v").status == 200, "a put failed")
        status, _, body = create_link(cluster.nodes[0], "known")
        check(status == 201, f"a link was not made: {status} {body}")
        cluster.wait_until_equal()
        for what, third in (("a follower", cluster.follower()), ("the leader", cluster.leader())):
            others = [node for node in cluster.nodes if node is not third]
            for node in others:
                node.kill()
            check_alone(third)
            others[0].start()
            wait_until("it serves with one of the others", 15, lambda: third.put("k", "later", deadline="1S").status == 200)
            check(third.get("k") == b"later", "what was just written is not read")
            wait_until("/health is well again", 5, lambda: health(third) == (200, "true"))
            check(create_link(third, f"with-{third.name}")[0] == 201, "a link is not made after the quorum is back")
            step(f"left alone was {what}: it says so, and serves when another is back")
            others[1].start()
            cluster.wait_until_serving()
            cluster.wait_until_equal()


run(test)
