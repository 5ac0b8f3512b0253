#!/usr/bin/env python3
"""The commands watch, lease, lock, elect and compact, and put with a lease: what they print, and what they do when nodes and holders go."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import BROKEN, PROGRAM, Cluster, Node, check, command, encoded, run, step, wait_until

HELD = 'echo $$ >"$PLACE/pid"; echo $CORACLE_LOCK_TOKEN >"$PLACE/token"; exec sleep 60'


def expect(arguments, status, out=None, error="", **options):
    """Runs a command; checks its exit status, all that it prints, and a part of what it complains of. Returns what it printed."""
    done = command(*arguments, **options)
    shown = f"coracle {' '.join(arguments)}"
    check(done.returncode == status, f"{shown}: exit status {done.returncode}, not {status}: {done.stdout}{done.stderr}")
    check(out is None or done.stdout == out, f"{shown}: printed {done.stdout!r}, not {out!r}")
    check(error in done.stderr and (error or not done.stderr), f"{shown}: complained {done.stderr!r}, not {error!r}")
    return done.stdout


class Running:
    """A command that goes on. What it prints is gathered line by line."""

    all = []

    def __init__(self, *arguments, endpoints, **variables):
        self.name = f"coracle {' '.join(arguments)}"
        environment = {**os.environ, "CORACLE_ENDPOINTS": ",".join(endpoints), **{name: str(value) for name, value in variables.items()}}
        self.process = subprocess.Popen(
            [PROGRAM, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.errors = [], []
        for stream, lines in ((self.process.stdout, self.lines), (self.process.stderr, self.errors)):
            threading.Thread(target=self.read, args=(stream, lines), daemon=True).start()
        Running.all.append(self)

    @staticmethod
    def read(stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    def wait_for(self, what, seconds, condition):
        return wait_until(f"{self.name}: {what}; it printed {self.lines[-3:]} {self.errors[-3:]}", seconds, condition)

    def wait_for_lines(self, count, seconds=10):
        self.wait_for(f"{count} lines", seconds, lambda: len(self.lines) >= count)

    def signal(self, number):
        self.process.send_signal(number)

    def end(self, status, seconds=10):
        """Waits for its end; checks its exit status. Returns how long that took."""
        began = time.monotonic()
        try:
            ended = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            check(False, f"{self.name} has not ended after {seconds} s: {self.lines[-3:]} {self.errors[-3:]}")
        time.sleep(0.05)
        check(ended == status, f"{self.name}: exit status {ended}, not {status}: {self.lines[-3:]} {self.errors[-3:]}")
        return time.monotonic() - began


def put(node, key, value):
    """Returns the revision."""
    answer = node.put(key, value)
    check(answer.status == 200, f"a put was refused: {answer.body}")
    return int(answer.body["header"]["revision"])


def is_gone(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    return False


def is_there(cluster, key):
    return cluster.running()[0].get(key) is not None


def test_watch_output(cluster, endpoints):
    node = cluster.nodes[0]
    first = put(node, "seen/a", "1")
    ask = {"endpoints": endpoints}
    expect(["put", "seen/b", "2"], 0, "", **ask)
    expect(["put", "unseen", "x"], 0, "", **ask)
    expect(["del", "seen/a"], 0, "1\n", **ask)
    past = "put\tseen/a\t1\nput\tseen/b\t2\ndelete\tseen/a\n"
    expect(["watch", "seen/", "--prefix", "--from", str(first), "--limit", "3"], 0, past, **ask)
    expect(["watch", "seen/", "--prefix", "--from", str(first), "--limit", "2"], 0, "put\tseen/a\t1\nput\tseen/b\t2\n", **ask)
    expect(["watch", "seen/a", "--from", str(first), "--limit", "2"], 0, "put\tseen/a\t1\ndelete\tseen/a\n", **ask)
    expect(["watch", "seen/b", "seen/c", "--from", str(first), "--limit", "1"], 0, "put\tseen/b\t2\n", **ask)
    lines = expect(["watch", "seen/", "--prefix", "--from", str(first), "--limit", "3", "--json"], 0, **ask).splitlines()
    events = [event for line in lines for event in json.loads(line)["result"].get("events", [])]
    kinds = [(event.get("type", "PUT"), event["kv"]["key"]) for event in events]
    check(kinds == [("PUT", encoded("seen/a")), ("PUT", encoded("seen/b")), ("DELETE", encoded("seen/a"))], f"watch --json: {lines}")
    step("watch prints the past from a revision on, so many changes of it, and JSON")

    watch = Running("watch", "now/", "--prefix", **ask)
    for number in range(200):
        put(node, f"now/{number:03}", "v")
        if watch.lines:
            break
        time.sleep(0.05)
    watch.wait_for_lines(1)
    begin = int(watch.lines[0].split("\t")[1].split("/")[1])
    last = number + 5
    for number in range(number + 1, last + 1):
        put(node, f"now/{number:03}", "v")
    expected = [f"put\tnow/{number:03}\tv" for number in range(begin, last + 1)]
    watch.wait_for("all that came after its beginning", 10, lambda: watch.lines == expected)
    watch.signal(signal.SIGINT)
    watch.process.wait(10)
    for arguments in (["watch", "a", "b", "--prefix"], ["watch", ""], ["watch", "a", "--from", "0"], ["watch", "a", "--limit", "-1"]):
        check(command(*arguments, **ask).returncode == 64, f"{arguments} is not taken for wrong usage")
    step("without a revision it prints what comes from then on")


def test_watch_goes_on(cluster, endpoints):
    """A watcher at a node that is killed, a follower and then the leader, and at one that is told to stop."""
    for which, fault in (("a follower", Node.kill), ("the leader", Node.kill), ("stopped", Node.stop)):
        leader = cluster.leader()
        victim = leader if which == "the leader" else cluster.follower()
        others = [node for node in cluster.nodes if node is not victim]
        key = f"on/{which[-7:].strip()}/"
        first = put(leader, key, "begin")
        watch = Running("watch", key, "--prefix", "--from", str(first), endpoints=[victim.client] + [node.client for node in others])
        watch.wait_for_lines(1)
        acknowledged = []
        for number in range(120):
            if number == 40:
                began = time.monotonic()
                fault(victim)
                check(time.monotonic() - began < 3, "a node that is watched takes long to stop")
            try:
                answer = others[number % 2].put(key + f"{number:03}", "v", timeout=5, deadline="2S")
            except BROKEN:
                continue
            if answer.status == 200:
                acknowledged.append(f"put\t{key}{number:03}\tv")
        last = put(cluster.leader(), key + "last", "end")
        check(len(acknowledged) > 60, f"only {len(acknowledged)} of 120 puts were acknowledged: {which}")
        watch.wait_for("the last change", 15, lambda: watch.lines[-1] == f"put\t{key}last\tend")
        # Another's account of the same revisions: what was not acknowledged may have been done.
        told = expect(
            ["watch", key, "--prefix", "--from", str(first), "--limit", str(len(watch.lines))], 0,
            endpoints=[others[0].client]).splitlines()
        check(watch.lines == told, f"a watch that went on at another node differs from one that was told the same at once: {last}")
        check(len(set(watch.lines)) == len(watch.lines), "a change was printed twice")
        check([line for line in watch.lines if line in set(acknowledged)] == acknowledged, "an acknowledged change was left out, or moved")
        check(watch.process.poll() is None, "the watch ended with its node")
        watch.signal(signal.SIGTERM)
        watch.process.wait(10)
        victim.start()
        cluster.wait_until_serving()
        step(f"a watch goes on when its node goes ({which}): {len(watch.lines)} changes, none left out, none twice")


def test_compact(cluster, endpoints):
    ask = {"endpoints": endpoints}
    for number in range(5):
        revision = put(cluster.nodes[0], "short", str(number))
    expect(["compact", str(revision - 1)], 0, "", **ask)
    expect(["compact", str(revision - 1)], 1, "", "compacted", **ask)
    expect(["compact", str(revision + 1000)], 1, "", "future", **ask)
    check(command("compact", "0", **ask).returncode == 64, "compact 0 is not taken for wrong usage")
    expect(["watch", "short", "--from", "1"], 1, "", "the store remembers nothing before revision", **ask)
    expect(["watch", "short", "--from", str(revision - 1), "--limit", "2"], 0, "put\tshort\t3\nput\tshort\t4\n", **ask)
    expect(["get", "short"], 0, "4", **ask)
    answer = cluster.nodes[0].range("short", revision=revision - 2)
    check(answer.status == 400 and "compacted" in answer.body["error"], f"a revision that is compacted is read: {answer.body}")
    check(cluster.nodes[0].range("short", revision=revision - 1).status == 200, "the oldest revision that is kept cannot be read")
    answer = json.loads(expect(["compact", str(revision), "--json"], 0, **ask))
    check(int(answer["header"]["revision"]) >= revision, f"compact --json: {answer}")
    step("compact forgets what was before; a watch from there ends with status 1, and says why")


def test_leases(cluster, endpoints):
    ask = {"endpoints": endpoints}
    lease = expect(["lease", "grant", "2"], 0, **ask).strip()
    expect(["put", "brief", "v", "--lease", lease], 0, "", **ask)
    granted = time.monotonic()
    other = expect(["lease", "grant", "100"], 0, **ask).strip()
    for name in ("long/b", "long/a"):
        expect(["put", name, "v", "--lease", other], 0, "", **ask)
    lines = expect(["lease", "show", other], 0, **ask).splitlines()
    remaining, whole = (int(field) for field in lines[0].split("\t"))
    check(90 <= remaining <= 100 and whole == 100 and lines[1:] == ["long/a", "long/b"], f"lease show: {lines}")
    check(set(expect(["lease", "list"], 0, **ask).split()) >= {other}, "lease list lacks a lease")
    expect(["lease", "keep-alive", other, "--once"], 0, "100\n", **ask)
    answer = json.loads(expect(["lease", "keep-alive", other, "--once", "--json"], 0, **ask))
    check(answer == {"ID": other, "TTL": "100"}, f"lease keep-alive --json: {answer}")
    wait_until("a key goes with its lease", 8, lambda: not is_there(cluster, "brief"))
    check(time.monotonic() - granted > 1.5, "a lease of 2 s ended before its time")
    for arguments, error in (
        (["lease", "show", lease], "there is no lease"), (["lease", "keep-alive", lease, "--once"], "has ended"),
        (["lease", "revoke", lease], "lease not found"), (["put", "brief", "v", "--lease", lease], "lease not found"),
    ):
        expect(arguments, 1, "", error, **ask)
    check(lease not in expect(["lease", "list"], 0, **ask).split(), "lease list has one that ended")
    expect(["put", "long/a", "v"], 0, "", **ask)
    expect(["lease", "revoke", other], 0, "", **ask)
    expect(["range", "long/", "--prefix"], 0, "long/a\tv\n", **ask)
    expect(["lease", "list"], 0, "", **ask)
    check(command("lease", "grant", "0", **ask).returncode == 64, "lease grant 0 is not taken for wrong usage")
    step("leases are granted, shown, listed, kept alive and revoked; keys go with them, and stay if they were put without")


def test_kept_alive(cluster, endpoints):
    ask = {"endpoints": endpoints}
    lease = expect(["lease", "grant", "3"], 0, **ask).strip()
    expect(["put", "alive", "v", "--lease", lease], 0, "", **ask)
    keeper = Running("lease", "keep-alive", lease, **ask)
    keeper.wait_for_lines(2)
    leader = cluster.leader()
    leader.kill()
    began = time.monotonic()
    while time.monotonic() < began + 7:
        try:
            check(is_there(cluster, "alive"), "a lease that was kept alive ended when the leader was killed")
        except BROKEN:
            pass
        time.sleep(0.2)
    check(keeper.process.poll() is None and set(keeper.lines) == {"3"}, f"keep-alive: {keeper.lines} {keeper.errors}")
    leader.start()
    keeper.signal(signal.SIGTERM)
    keeper.process.wait(10)
    wait_until("a key goes when its lease is not kept alive any more", 10, lambda: not is_there(cluster, "alive"))
    cluster.wait_until_serving()
    lease = expect(["lease", "grant", "3"], 0, **ask).strip()
    keeper = Running("lease", "keep-alive", lease, **ask)
    keeper.wait_for_lines(1)
    expect(["lease", "revoke", lease], 0, "", **ask)
    keeper.end(1)
    step("a lease that is kept alive survives the leader, and ends once it is not")


def test_lock_order(endpoints, directory):
    place = directory / "order"
    place.mkdir()
    program = 'mkdir "$PLACE/held" || echo overlap >>"$PLACE/faults"; echo $CORACLE_LOCK_TOKEN $CORACLE_LOCK_KEY >>"$PLACE/tokens"; ' \
        'sleep 0.2; rmdir "$PLACE/held"'
    holders = [Running("lock", "order", "--", "sh", "-c", program, endpoints=endpoints[i % 3:] + endpoints, PLACE=place) for i in range(8)]
    for holder in holders:
        holder.end(0, 30)
    lines = (place / "tokens").read_text().splitlines()
    tokens = [int(line.split()[0]) for line in lines]
    check(not (place / "faults").exists(), "two programs ran at once under one lock")
    check(len(tokens) == 8 and tokens == sorted(set(tokens)), f"the tokens do not grow from holder to holder: {tokens}")
    check(all(line.split()[1].startswith("order/") for line in lines), f"the keys: {lines}")
    step("of eight programs under one lock no two run at once, and the token grows")


def test_lock_ends(endpoints, directory):
    ask = {"endpoints": endpoints}
    for program, status in ((["true"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137)):
        expect(["lock", "status", "--", *program], status, "", **ask)
    done = command("lock", "status", "--", "/no/such/program", **ask)
    check(done.returncode == 127, f"a program that is not there: exit status {done.returncode}: {done.stderr}")
    expect(["lock", "status", "--", "sh", "-c", "echo out; echo $CORACLE_LOCK_KEY | cut -d/ -f1"], 0, "out\nstatus\n", **ask)
    began = time.monotonic()
    expect(["lock", "status", "--seconds", "60", "--", "true"], 0, "", **ask)
    expect(["lock", "status", "--seconds", "60", "--", "true"], 0, "", **ask)
    check(time.monotonic() - began < 4, "a lock was not free at once after its program ended")
    check(command("lock", "status", "--seconds", "3", **ask).returncode == 64, "--seconds 3 is not taken for wrong usage")
    step("lock has the status of its program, and lets go at once when that ends")

    holder = Running("lock", "told", "--seconds", "60", **ask)
    holder.wait_for_lines(1)
    key, token = holder.lines[0].split("\t")
    check(key.startswith("told/") and int(token) > 0, f"lock without a program: {holder.lines}")
    waiting = Running("lock", "told", "--seconds", "60", **ask)
    third = Running("lock", "told", "--", "true", **ask)
    wait_until("both wait", 10, lambda: len(expect(["range", "told/", "--prefix"], 0, **ask).splitlines()) == 3)
    waiting.signal(signal.SIGTERM)
    waiting.process.wait(10)
    wait_until("who does not wait any more is gone", 5, lambda: len(expect(["range", "told/", "--prefix"], 0, **ask).splitlines()) == 2)
    check(not waiting.lines and third.process.poll() is None, "a lock was given away while it was held")
    holder.signal(signal.SIGINT)
    holder.end(0)
    third.end(0)
    step("without a program the lock is held until SIGINT; who does not wait any more is no candidate")


def test_told_to_stop(endpoints, directory):
    ask = {"endpoints": endpoints}
    place = directory / "told"
    place.mkdir()
    holder = Running("lock", "stop", "--seconds", "60", "--", "sh", "-c", HELD, PLACE=place, **ask)
    number = wait_for_number(place / "pid", holder)
    holder.signal(signal.SIGTERM)
    holder.end(143)
    check(is_gone(number), "the program goes on after its lock was told to stop")
    began = time.monotonic()
    expect(["lock", "stop", "--", "true"], 0, "", **ask)
    check(time.monotonic() - began < 4, "the lock was not free at once after SIGTERM")

    program = 'trap "echo cleaned; exit 9" TERM; echo begun; while true; do sleep 0.1; done'
    holder = Running("lock", "stop", "--seconds", "60", "--", "sh", "-c", program, **ask)
    holder.wait_for_lines(1)
    holder.signal(signal.SIGTERM)
    holder.end(9)
    check(holder.lines == ["begun", "cleaned"], f"a program that is told to stop cannot clean up: {holder.lines}")

    program = 'trap "" TERM; echo begun; sleep 3; echo done'
    holder = Running("lock", "stop", "--seconds", "4", "--", "sh", "-c", program, **ask)
    holder.wait_for_lines(1)
    holder.signal(signal.SIGTERM)
    later = Running("lock", "stop", "--", "echo", "later", **ask)
    holder.end(0)
    check(holder.lines == ["begun", "done"], f"a program that goes on after SIGTERM is not waited for: {holder.lines}")
    later.end(0)
    step("SIGTERM reaches the program, which may clean up; the lock is free when that has ended")

    began = time.monotonic()
    expect(["lock", "stop", "--", "sh", "-c", "sleep 20 >/dev/null 2>&1 & exit 4"], 4, "", **ask)
    check(time.monotonic() - began < 4, "a program's end is noticed only when all that it began has ended")
    step("the lock ends with its program, whatever that leaves behind")


def wait_for_number(path, holder):
    holder.wait_for(f"its program writes {path.name}", 10, lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def test_frozen_holder(endpoints, directory):
    ask = {"endpoints": endpoints}
    place = directory / "frozen"
    place.mkdir()
    holder = Running("lock", "frozen", "--seconds", "4", "--", "sh", "-c", HELD, PLACE=place, **ask)
    number = wait_for_number(place / "pid", holder)
    token = wait_for_number(place / "token", holder)
    holder.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        later = int(expect(["lock", "frozen", "--", "sh", "-c", "echo $CORACLE_LOCK_TOKEN"], 0, **ask))
        waited = time.monotonic() - began
    finally:
        holder.signal(signal.SIGCONT)
    check(later > token, f"the token of the second holder is {later}, that of the first {token}")
    check(2 < waited < 9, f"the lock of a frozen holder was got after {waited:.1f} s")
    took = holder.end(5)
    check("lost" in " ".join(holder.errors), f"who lost its lock does not say so: {holder.errors}")
    check(is_gone(number), "the program of a holder that lost its lock goes on")
    step(f"a frozen holder loses its lock after {waited:.1f} s; once awake it ends in {took:.1f} s with status 5, and so does its program")


def test_cluster_gone(cluster, endpoints, directory):
    ask = {"endpoints": endpoints}
    place = directory / "gone"
    place.mkdir()
    holder = Running("lock", "gone", "--seconds", "4", "--timeout", "1", "--", "sh", "-c", HELD, PLACE=place, **ask)
    number = wait_for_number(place / "pid", holder)
    for node in cluster.nodes:
        node.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        wait_until("the program of a lock that cannot be kept ends", 6, lambda: is_gone(number))
        took = time.monotonic() - began
        holder.end(5)
    finally:
        for node in cluster.nodes:
            node.process.send_signal(signal.SIGCONT)
    check(1 < took, f"a program ended {took:.1f} s after the nodes froze, with its lock in hand")
    cluster.wait_until_serving()
    check(took < 4.2, f"a program went on for {took:.1f} s after no node answered: a lease of 4 s was over")
    step(f"when no node answers, a lock of 4 s is given up after {took:.1f} s, with status 5")


def test_elections(endpoints):
    ask = {"endpoints": endpoints}
    watch = Running("elect", "mailer", "--watch", **ask)
    one = Running("elect", "mailer", "one", **ask)
    watch.wait_for_lines(1)
    one.wait_for_lines(1)
    two = Running("elect", "mailer", "two", "--json", **ask)
    wait_until("the second stands", 10, lambda: len(expect(["range", "mailer/", "--prefix"], 0, **ask).splitlines()) == 2)
    check(not two.lines and watch.lines == ["one"], f"two are elected: {two.lines} {watch.lines}")
    one.signal(signal.SIGTERM)
    one.end(0)
    watch.wait_for_lines(2)
    two.wait_for_lines(1)
    claim = json.loads(two.lines[0])
    check(int(claim["token"]) > int(one.lines[0].split("\t")[1]), f"the second's token is not larger: {claim} {one.lines}")
    two.signal(signal.SIGTERM)
    two.end(0)
    expect(["elect", "mailer", "three", "--", "sh", "-c", "sleep 0.5; exit 3"], 3, "", **ask)
    watch.wait_for_lines(3)
    check(watch.lines == ["one", "two", "three"], f"elect --watch: {watch.lines}")
    watch.signal(signal.SIGTERM)
    watch.process.wait(10)
    check(command("elect", "mailer", **ask).returncode == 64, "elect without a value is not taken for wrong usage")
    step("of all candidates one is elected at a time, and who watches sees each")


def test(directory):
    try:
        with Cluster(directory) as cluster:
            endpoints = [node.client for node in cluster.nodes]
            test_watch_output(cluster, endpoints)
            test_watch_goes_on(cluster, endpoints)
            test_compact(cluster, endpoints)
            test_leases(cluster, endpoints)
            test_kept_alive(cluster, endpoints)
            test_lock_order(endpoints, directory)
            test_lock_ends(endpoints, directory)
            test_frozen_holder(endpoints, directory)
            test_cluster_gone(cluster, endpoints, directory)
            test_elections(endpoints)
            test_told_to_stop(endpoints, directory)
    finally:
        for running in Running.all:
            if running.process.poll() is None:
                running.signal(signal.SIGCONT)
                running.process.kill()


run(test)
