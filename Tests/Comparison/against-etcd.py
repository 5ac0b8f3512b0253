#!/usr/bin/env python3
"""Sends the same random requests to one node of Coracle and to real etcd, and compares the answers field by field.

There are two etcds: Debian's newest, and the 3.5.1 of its makers from PyPI. They decode and write JSON with different libraries; where they
differ, either answer is right, and one that is like neither is listed apart. Only a difference from what both answer is a failure.
After one the states may differ too: then all servers begin anew, and the run goes on, to find every kind of difference.
"""

import argparse
import collections
import pathlib
import random
import shutil
import sys
import threading
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(FOLDER.parent / "Acceptance" / "Support"), str(FOLDER / "Support")]
import etcd
from answers import kind
from asking import post
from cluster import Cluster, check, run, step, wait_until
from comparing import compare, normal
from drawing import Drawer
from scenes import SCENES
from talking import Plain, Stream, parsed

# Servers begin anew after so many steps: leases that are never revoked stay few, and no lease expires by itself.
EPISODE = 600
# A stream is complete when nothing has come for so long on any server, or so long after its last request.
QUIET, LONGEST = 0.35, 3
SERVICES = ["kv", "lease", "watch", "lock", "election", "maintenance", "others"]
SHOWN = 1200


class Server:
    """One of those compared: how it is started, and what it chose for itself."""

    def __init__(self, name, node, is_ours):
        self.name, self.node, self.is_ours = name, node, is_ours
        self.plain = Plain(node.client)
        self.identities, self.aliases = [], {}

    def start(self):
        self.node.start()
        wait_until(f"{self.name} serves", 30, lambda: self.plain.ask("POST", "/v3/kv/range", b'{"key":"AA=="}', {})[0] == 200)

    def stop(self):
        self.plain.close()
        if self.node.is_running():
            self.node.kill()

    def learn(self, identity):
        """A lease whose identity the server chose."""
        index = len(self.identities)
        self.identities.append(identity)
        name = f"lease #{index}"
        self.aliases[identity] = self.aliases[f"{int(identity) & 0xffffffffffffffff:x}"] = name

    def answer(self, request):
        status, content_type, text = self.plain.ask(
            request.method, request.path, request.bytes(self.identities), request.headers)
        lines = text.splitlines()
        body = [parsed(line) for line in lines] if len(lines) > 1 else parsed(text)
        return {"status": status, "content type": content_type.split(";")[0], "": body}


class Comparison:
    def __init__(self, directory, make, drawer):
        self.directory, self.make, self.drawer = directory, make, drawer
        self.servers, self.episode, self.step, self.in_episode = [], 0, 0, 0
        self.kinds, self.steps = {}, collections.Counter()
        self.broken = True

    # MARK: The servers

    def begin(self):
        self.end()
        self.episode += 1
        self.in_episode, self.broken = 0, False
        self.drawer.fresh_servers()
        folder = self.directory / f"episode-{self.episode}"
        folder.mkdir()
        self.servers = self.make(folder)
        for thread in (threads := [threading.Thread(target=server.start) for server in self.servers]):
            thread.start()
        for thread in threads:
            thread.join(60)
        for server in self.servers:
            check(server.node.is_running(), f"{server.name} did not start")

    def end(self):
        alive = all(server.node.is_running() for server in self.servers)
        for server in self.servers:
            server.stop()
        if alive and self.episode:
            # The log of a server that died is worth reading.
            shutil.rmtree(self.directory / f"episode-{self.episode}", ignore_errors=True)

    # MARK: Answers

    def ask(self, request, learn=None):
        """One request to all servers; returns their answers as they came. `learn` finds in a body the lease that the server chose."""
        self.step += 1
        self.steps[request.path] += 1
        raw = [server.answer(request) for server in self.servers]
        for answer, server in zip(raw, self.servers):
            if learn:
                server.learn(learn(answer[""]))
        header = raw[0][""].get("header") if isinstance(raw[0][""], dict) else None
        if isinstance(header, dict) and str(header.get("revision", "")).isdigit():
            self.drawer.head = int(header["revision"])
        if request.path == "/v3/kv/compaction" and raw[0]["status"] == 200 and isinstance(request.body, dict):
            self.drawer.compacted = max(self.drawer.compacted, int(request.body["revision"]))
        self.judge([request], raw)
        return raw

    def judge(self, requests, raw):
        """Compares the answers to the last of these requests, and writes down what differs."""
        request = requests[-1]
        for server in self.servers:
            if not server.node.is_running():
                self.broken = True
                key = ("different" if server.is_ours else "ends etcd", request.path, request.tag, f"ends the process of {server.name}")
                self.kinds.setdefault(key, [1, self.describe(requests, "", "ended", ["goes on"], raw)])
        if self.broken:
            return
        answers = [normal(answer, server) for answer, server in zip(raw, self.servers)]
        by_etcd = [answer for answer, server in zip(answers, self.servers) if not server.is_ours]
        ours = next(answer for answer, server in zip(answers, self.servers) if server.is_ours)
        if any(self.outcome(answer) != self.outcome(answers[0]) for answer in answers):
            self.broken = self.states_differ(request)
        for field, here, theirs, category in compare(request.tag, by_etcd, ours):
            name = f"status {here} for {theirs[0]}" if field == "status" else kind(field).strip(".") or "body"
            key = (category, request.path.replace("/v3beta/", "/v3/"), request.tag, name)
            if key not in self.kinds:
                self.kinds[key] = [0, self.describe(requests, field, here, theirs, raw)]
            self.kinds[key][0] += 1

    @staticmethod
    def outcome(answer):
        """What decides whether a request left the same behind."""
        body = answer[""] if isinstance(answer[""], dict) else {}
        return answer["status"], (body.get("header") or {}).get("revision") if isinstance(body.get("header"), dict) else None

    def states_differ(self, request):
        """Whether the servers have other contents from now on, so that they must begin anew."""
        if request.path == "/v3/kv/compaction":
            return True
        for question in (post("kv/range", key="AA==", range_end="AA=="), post("lease/leases"), post("maintenance/alarm")):
            answers = [normal(server.answer(question), server) for server in self.servers]
            # What a server does not serve at all tells nothing of its contents.
            if all(answer["status"] == 200 for answer in answers) and any(answer[""] != answers[0][""] for answer in answers):
                return True
        return not all(server.node.is_running() for server in self.servers)

    def describe(self, requests, field, here, theirs, raw):
        lines = [f"seed {options.seed}, episode {self.episode}, step {self.step}"]
        lines += [f"  {request.shown(self.servers[-1].identities)}" for request in requests[:-1]]
        lines.append(f"  {requests[-1].shown(self.servers[-1].identities)}")
        lines.append(f"  {field.lstrip('.') or 'body'}: {here!r}, etcd {' and '.join(map(repr, dict.fromkeys(map(str, theirs))))}")
        lines += [f"    {server.name}: {str(answer)[:SHOWN]}" for server, answer in zip(self.servers, raw)]
        return "\n".join(lines)

    # MARK: Steps

    def run(self, seconds):
        deadline = time.monotonic() + seconds
        scenes = [(scene, period) for scene, period, service in SCENES if service in options.only]
        while time.monotonic() < deadline:
            if self.broken or self.in_episode >= EPISODE:
                self.begin()
            self.in_episode += 1
            draw = self.drawer.random.random()
            for scene, period in scenes:
                draw -= 1 / period
                if draw < 0:
                    scene(self)
                    break
            else:
                request = self.drawer.plain()
                if service_of(request.path) in options.only:
                    self.ask(request)
        self.end()

    def open(self, request):
        """A stream to each server."""
        return [Stream(server.node.client, request.path, request.bytes(server.identities)) for server in self.servers]

    @staticmethod
    def settle(streams, seconds=LONGEST, until=None):
        """Waits until nothing more comes, or until something is true of each stream."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            now = time.monotonic()
            if all(stream.ended for stream in streams) or until and all(until(stream) for stream in streams):
                return
            if not until and now - began > QUIET and all(now - stream.last > QUIET for stream in streams):
                return
            time.sleep(0.02)

    def close(self, requests, streams, shape):
        """Ends the streams that the last of the requests opened, and judges what came."""
        for stream in streams:
            stream.close()
        self.step += 1
        self.steps[requests[-1].path] += 1
        self.judge(requests, [shape(stream) for stream in streams])


def service_of(path):
    name = (path.split("/") + ["", ""])[2]
    return name if name in SERVICES else "others"


def report(comparison, etcds):
    step(f"{comparison.step} steps in {comparison.episode} episodes against etcd {' and '.join(etcds)}")
    step("  ".join(f"{path} {count}" for path, count in sorted(comparison.steps.items()) if count > 2))
    titles = {
        "different": "Different from etcd", "neither": "Like neither etcd, where the two differ",
        "ends etcd": "Requests that end the process of etcd, and so should not be drawn"}
    groups = collections.defaultdict(list)
    for (category, *where), (count, example) in comparison.kinds.items():
        groups[category].append((where, count, example))
    for category, found in sorted(groups.items(), key=lambda group: group[0] == "different"):
        total = sum(count for _, count, _ in found)
        if category not in titles:
            step(f"wanted, {total} times: {category}")
            continue
        print(f"\n{titles[category]}: {len(found)} kinds, {total} times")
        for (path, tag, field), count, example in sorted(found, key=lambda entry: entry[0]):
            print(f"\n* {path} {tag and f'({tag}) '}{field}: {count} times, first at {example}")
    print()
    check(not groups["different"], f"{len(groups['different'])} kinds of difference from etcd; --seed {options.seed} shows them again")


def test(directory):
    kept = pathlib.Path(options.keep).absolute() if options.keep else directory
    programs = [etcd.debian(kept / "debian"), etcd.upstream(kept / "upstream")]
    programs = [program for program in programs if program]
    versions = [etcd.version(program) for program in programs]
    step(f"seed {options.seed}, {options.seconds} s, etcd {' and '.join(versions)}")

    def make(folder):
        servers = [
            Server(f"etcd {number}", etcd.Etcd(program, f"etcd-{number}", folder), is_ours=False)
            for program, number in zip(programs, versions)]
        ours = etcd.Etcd(programs[0], "again", folder) if options.itself else Cluster(folder, size=1).nodes[0]
        return [*servers, Server("etcd again" if options.itself else "coracle", ours, is_ours=True)]

    comparison = Comparison(directory, make, Drawer(options.seed))
    try:
        comparison.run(options.seconds)
    finally:
        comparison.end()
    report(comparison, versions)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="the same seed draws the same requests")
parser.add_argument("--seconds", type=float, default=60)
parser.add_argument("--keep", metavar="FOLDER", help="keep the programs of etcd in this folder for the next run")
parser.add_argument("--only", nargs="+", default=SERVICES, choices=SERVICES, help="leave the requests of the other services out")
parser.add_argument("--itself", action="store_true", help="compare etcd with etcd: a check of this program, which must find nothing")
options = parser.parse_args()
run(test, needs_program=not options.itself)
