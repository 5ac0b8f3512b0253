#!/usr/bin/env python3
"""Patroni, which keeps a primary and a replica of PostgreSQL by way of etcd's JSON gateway, with three nodes in the place of etcd.

Two Patronis bootstrap a cluster, change the roles when asked, and go on when the leader of the store is killed: there are never two
primaries, and never none for longer than the time to live of Patroni's lease and a margin. `--itself` does the same with three nodes
of etcd.

Needs PostgreSQL, which it installs with apt if it is not there; as root it runs both as the user postgres, whom PostgreSQL's package made.
"""

import argparse
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import threading
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(FOLDER.parent / "Acceptance" / "Support"), str(FOLDER / "Support")]
import etcd
from cluster import Cluster, check, free_ports, request, run, step, wait_until
from packages import debian, python_environment

# The least that Patroni takes for the first and the last; a lease is renewed every LOOP seconds.
TTL, LOOP, RETRY = 20, 2, 3
# How long after the end of a lease a new primary may take: two rounds of Patroni, and PostgreSQL's promotion.
MARGIN = 10
# An answer is of now if it was asked for in so many seconds before.
FRESH = 0.5


def postgresql_programs():
    def found():
        return sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))

    if not found():
        # Its package would make and start a cluster of its own; the programs are enough.
        settings = pathlib.Path("/etc/postgresql-common/createcluster.conf")
        settings.parent.mkdir(parents=True, exist_ok=True)
        if not settings.exists():
            settings.write_text("create_main_cluster = false\n")
        debian("postgresql")
    check(found(), "PostgreSQL is not there, and apt-get cannot install it")
    return found()[-1].parent


class Member:
    """One Patroni and its PostgreSQL."""

    def __init__(self, name, directory, programs, stores, user):
        self.name, self.directory, self.user = name, directory / name, user
        self.log = directory / f"{name}.log"
        self.rest, self.port = free_ports(2)
        self.data = self.directory / "data"
        self.directory.mkdir()
        self.program = programs / "patroni"
        self.settings = self.directory / "patroni.json"
        # JSON is YAML too.
        self.settings.write_text(json.dumps({
            "scope": "trial", "name": name,
            "restapi": {"listen": f"127.0.0.1:{self.rest}", "connect_address": f"127.0.0.1:{self.rest}"},
            "etcd3": {"hosts": stores},
            "bootstrap": {
                "dcs": {
                    "ttl": TTL, "loop_wait": LOOP, "retry_timeout": RETRY, "maximum_lag_on_failover": 100_000_000,
                    "postgresql": {"use_pg_rewind": True}},
                "initdb": [{"encoding": "UTF8"}, "data-checksums"]},
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}", "connect_address": f"127.0.0.1:{self.port}", "data_dir": str(self.data),
                "bin_dir": str(postgresql_programs()), "pgpass": str(self.directory / "pgpass"),
                "authentication": {name: {"username": user, "password": "secret"} for name, user in (
                    ("superuser", "postgres"), ("replication", "replicator"), ("rewind", "rewinder"))},
                "parameters": {
                    "unix_socket_directories": str(self.directory), "fsync": "off", "max_connections": 30, "shared_buffers": "16MB"},
                "pg_hba": ["host all all 127.0.0.1/32 md5", "host replication all 127.0.0.1/32 md5", "local all all trust"]},
        }, indent=1))
        if user:
            for path in (self.directory, self.settings):
                shutil.chown(path, user)
        self.directory.chmod(0o700)
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            as_user = {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []} if self.user else {}
            self.process = subprocess.Popen(
                [self.program, str(self.settings)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                env={**os.environ, "HOME": str(self.directory), "LC_ALL": "C.UTF-8"}, **as_user)

    def says(self, role):
        return request(f"127.0.0.1:{self.rest}", "GET", f"/{role}", timeout=2).status == 200

    def status(self):
        return json.loads(request(f"127.0.0.1:{self.rest}", "GET", "/patroni", timeout=2).body)

    def ask(self, path, body):
        return request(f"127.0.0.1:{self.rest}", "POST", path, json.dumps(body), {"Content-Type": "application/json"}, timeout=60)

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        # Patroni ends its PostgreSQL; one that it could not must not stay.
        try:
            os.kill(int((self.data / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        except (OSError, ValueError, IndexError):
            pass


class Sampler:
    """What `sampler.py` saw, and what of it must not be."""

    def __init__(self, programs, members):
        ports = [str(port) for member in members for port in (member.rest, member.port)]
        self.process = subprocess.Popen(
            [programs / "python", FOLDER / "Support" / "sampler.py", *ports], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.looks = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.looks.append(json.loads(line))

    def stop(self):
        self.process.kill()
        self.process.wait(10)

    def check(self):
        """Never two primaries. Returns the longest time without one, after the first."""
        check(len(self.looks) > 50, f"the sampler looked only {len(self.looks)} times")
        last, longest = None, 0
        for look in self.looks:
            for what in ("primary", "writes"):
                # What was said a while ago, by a server that does not answer now, says nothing of now.
                having = [said.get(what) and look["at"] - said[f"{what} at"] < FRESH for said in look["said"]]
                check(having != [True, True], f"two primaries at once: both say {what}: {look}")
            if any(said.get("writes") for said in look["said"]):
                longest = max(longest, look["at"] - last if last else 0)
                last = look["at"]
        check(last, "there never was a primary")
        check(self.looks[-1]["at"] - last < 5, "there was no primary in the end")
        return longest


def primary_of(members):
    found = [member for member in members if member.process.poll() is None and member.says("primary")]
    return found[0] if len(found) == 1 else None


def settled(members):
    """The primary, once the other is its replica and streams from it."""
    primary = primary_of(members)
    if primary is None:
        return None
    other = next(member for member in members if member is not primary)
    replication = primary.status().get("replication") or []
    streams = any(entry.get("application_name") == other.name and entry.get("state") == "streaming" for entry in replication)
    return primary if other.says("replica") and streams else None


def test_patroni(store, members, programs):
    members[0].start()
    wait_until("a primary is bootstrapped", 90, lambda: primary_of(members[:1]))
    members[1].start()
    first = wait_until("the replica streams from the primary", 90, lambda: settled(members))
    step("two Patronis bootstrapped a primary and its replica")
    sampler = Sampler(programs, members)
    try:
        time.sleep(2)
        answer = first.ask("/switchover", {"leader": first.name})
        check(answer.status == 200, f"the switchover was refused with {answer.status}: {answer.body.decode()}")
        second = wait_until("the roles are changed", 60, lambda: (now := settled(members)) is not None and now is not first and now)
        step(f"a switchover made {second.name} the primary")

        leader = store.leader()
        leader.kill()
        killed = time.monotonic()
        time.sleep(TTL + MARGIN)
        third = wait_until("there is a primary and its replica", 30, lambda: settled(members))
        who = "still" if third is second else "now"
        step(f"after kill -9 of the store's leader {leader.name}, {third.name} is {who} the primary")
        leader.start()
        wait_until("the primary is still there", 30, lambda: settled(members))
        looks = sum(look["at"] > killed for look in sampler.looks)
    finally:
        sampler.stop()
    longest = sampler.check()
    step(f"{len(sampler.looks)} looks, {looks} of them after the kill: never two primaries, none for at most {longest:.1f} s")
    check(longest < TTL + MARGIN, f"{longest:.1f} s without a primary are more than the lease's {TTL} and {MARGIN} s")


def test(directory):
    # The user postgres must get at the programs, through this folder.
    directory.chmod(0o755)
    user = "postgres" if os.geteuid() == 0 else None
    postgresql_programs()
    # The interpreter that runs this may lie where only root can read.
    python = "/usr/bin/python3" if user and os.access("/usr/bin/python3", os.X_OK) else sys.executable
    programs = python_environment(directory / "environment", "patroni[etcd3]", "psycopg[binary]", python=python)
    step("Patroni and PostgreSQL are there")
    stores = etcd.EtcdCluster(etcd.debian(directory / "debian"), directory) if options.itself else Cluster(directory)
    with stores as store:
        members = [Member(name, directory, programs, [node.client for node in store.nodes], user) for name in ("p1", "p2")]
        try:
            test_patroni(store, members, programs)
        finally:
            for member in reversed(members):
                member.stop()


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--itself", action="store_true", help="with three nodes of etcd: a check of this program")
options = parser.parse_args()
run(test, needs_program=not options.itself)
