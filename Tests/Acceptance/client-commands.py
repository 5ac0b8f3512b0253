#!/usr/bin/env python3
"""The commands put, get, del, range and status: what they print, their exit statuses, and what they do when nodes do not answer."""

import json
import os
import pathlib
import pty
import signal
import socket
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import PROGRAM, Cluster, check, command, decoded, encoded, free_ports, run, socket_address, step, wait_until


def expect(arguments, status, out=None, error="", **options):
    """Runs a command; checks its exit status, all that it prints, and a part of what it complains of."""
    done = command(*arguments, **options)
    shown = f"coracle {' '.join(arguments)}"
    check(done.returncode == status, f"{shown}: exit status {done.returncode}, not {status}: {done.stdout}{done.stderr}")
    check(out is None or done.stdout == out, f"{shown}: printed {done.stdout!r}, not {out!r}")
    check(error in done.stderr, f"{shown}: complained {done.stderr!r}, without {error!r}")
    check(error or not done.stderr, f"{shown}: complained {done.stderr!r}")
    return done.stdout


def test_output(endpoints):
    ask = {"endpoints": endpoints}
    expect(["put", "greeting", "hello"], 0, "", **ask)
    expect(["get", "greeting"], 0, "hello", **ask)
    expect(["put", "lines", "-"], 0, "", stdin="one\ntwo\n", **ask)
    expect(["get", "lines"], 0, "one\ntwo\n", **ask)
    expect(["get", "--serializable", "lines"], 0, **ask)
    expect(["get", "nothing"], 1, "", "key not found: nothing", **ask)
    for number in range(3):
        expect(["put", f"list/{number}", f"v{number}"], 0, "", **ask)
    expect(["range", "list/", "--prefix"], 0, "list/0\tv0\nlist/1\tv1\nlist/2\tv2\n", **ask)
    expect(["range", "list/1", "list/2"], 0, "list/1\tv1\n", **ask)
    expect(["range", "list/", "--prefix", "--keys-only", "--reverse"], 0, "list/2\nlist/1\nlist/0\n", **ask)
    expect(["range", "list/", "--prefix", "--limit", "1"], 0, "list/0\tv0\n", "there are more", **ask)
    expect(["del", "list/0"], 0, "1\n", **ask)
    expect(["del", "list/0"], 1, "0\n", "key not found", **ask)
    expect(["del", "list/", "--prefix"], 0, "2\n", **ask)
    expect(["range"], 0, "greeting\thello\nlines\tone\ntwo\n\n", **ask)
    step("put, get, del, range print what they should")


def test_json(endpoints):
    answer = json.loads(expect(["get", "greeting", "--json"], 0, endpoints=endpoints))
    pair = answer["kvs"][0]
    check((pair["key"], pair["value"]) == (encoded("greeting"), encoded("hello")), f"get --json: {answer}")
    revision = int(answer["header"]["revision"])
    answer = json.loads(expect(["put", "greeting", "hello", "--json"], 0, endpoints=endpoints))
    check(int(answer["header"]["revision"]) == revision + 1, f"put --json: {answer}")
    answer = json.loads(expect(["range", "--json"], 0, endpoints=endpoints))
    check([decoded(pair["key"]) for pair in answer["kvs"]] == [b"greeting", b"lines"], f"range --json: {answer}")
    answer = json.loads(expect(["del", "lines", "--json"], 0, endpoints=endpoints))
    check(answer["deleted"] == "1", f"del --json: {answer}")
    lines = expect(["status", "--json"], 0, endpoints=endpoints).splitlines()
    leaders = {json.loads(line)["leader"] for line in lines}
    check(len(lines) == 3 and len(leaders) == 1, f"status --json: {lines}")
    step("--json prints the nodes' answers")


def test_usage(endpoints):
    for arguments, word in (
        (["put", "key"], "value"), (["put", "", "v"], "empty"), (["get"], "key"), (["get", "k", "--timeout", "0"], "--timeout"),
        (["range", "a", "b", "--prefix"], "--prefix"), (["range", "--limit", "-1"], "limit"), (["get", "k", "--nonsense"], "--nonsense"),
        (["get", "k", "--endpoints", "nowhere"], "--endpoints: "), (["get", "k", "--endpoints", "https://a:1"], "--credentials"),
        (["serve", "--name", ""], "--name: "), (["serve", "--advertise-client-address", "0.0.0.0:1"], "--advertise-client-address: "),
        (["serve", "--initial-cluster", "b=127.0.0.1:2380"], "--initial-cluster: "), (["demo", "--nodes", "8"], "--nodes"), (["get", "k", "--endpoints", ""], "endpoint"), (["nonsense"], "nonsense"),
    ):
        done = command(*arguments, endpoints=endpoints)
        check(done.returncode == 64, f"coracle {arguments}: exit status {done.returncode}, not 64: {done.stderr}")
        check(word in done.stderr, f"coracle {arguments}: the complaint does not speak of {word}: {done.stderr}")
    step("wrong usage has exit status 64, and is explained")


def test_endpoints(endpoints):
    dead = [f"127.0.0.1:{port}" for port in free_ports(2)]
    expect(["get", "greeting", "--timeout", "1"], 0, "hello", endpoints=dead + endpoints[:1])
    expect(["get", "greeting", "--timeout", "0.3"], 3, "", "cannot connect: connection refused", endpoints=dead)
    expect(["get", "greeting", "--timeout", "0.3"], 3, "", "cannot connect: unknown host", endpoints=["no..such.host:1"])
    done = command("get", "greeting", "--timeout", "0.3", "--json", endpoints=dead)
    failure = json.loads(done.stderr)
    check(failure["status"] == 3 and len(failure["reasons"]) == 2 and not done.stdout, f"get --json: {done.stderr}")
    check(json.loads(command("get", "nothing", "--json", endpoints=endpoints).stderr)["status"] == 1, "get --json of a key that is not there")
    check(json.loads(command("get", "k", "--json", "--timeout", "0").stderr)["status"] == 64, "get --json with wrong usage")
    with socket.create_server(("127.0.0.1", 0)) as web:
        threading.Thread(target=answer_404, args=(web,), daemon=True).start()
        address = f"127.0.0.1:{web.getsockname()[1]}"
        expect(["put", "greeting", "lost"], 1, "", "this is no Coracle node", endpoints=[address] + endpoints)
    step("refused, unknown and strange endpoints are told apart; failures are JSON where answers are")


def answer_404(server):
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def test_lost_output(endpoints):
    variables = {**os.environ, "CORACLE_ENDPOINTS": ",".join(endpoints)}
    expect(["put", "large", "-"], 0, "", stdin="x" * 1_000_000, endpoints=endpoints)
    for arguments in (["range"], ["get", "large"], ["--help"], ["status"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PROGRAM, *arguments], env=variables, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
        check(done.returncode == 74, f"{arguments} on a full disk: exit status {done.returncode}: {done.stderr}")
        check("No space left" in done.stderr, f"{arguments} on a full disk: {done.stderr!r}")
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run([PROGRAM, *arguments], env=variables, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=30)
        os.close(writing)
        check(done.returncode == 74 and not done.stderr, f"{arguments} without a reader: {done.returncode}, {done.stderr!r}")
    closed = subprocess.run(["sh", "-c", f"{PROGRAM} get large >&-"], env=variables, capture_output=True, text=True, timeout=30)
    check(closed.returncode == 74, f"without standard output: exit status {closed.returncode}")
    expect(["del", "large"], 0, "1\n", endpoints=endpoints)
    step("an answer that cannot be written ends the command with status 74")

    outer, inner = pty.openpty()
    subprocess.run([PROGRAM, "get", "greeting"], env=variables, stdout=inner, timeout=30, check=True)
    check(os.read(outer, 100) == b"hello\r\n", "get does not end its line on a terminal")
    os.close(inner)
    os.close(outer)
    step("get ends its line on a terminal")


def test_forming(directory):
    client, peer, other = (f"127.0.0.1:{port}" for port in free_ports(3))
    node = subprocess.Popen(
        [PROGRAM, "serve", "--name", "a", "--data-dir", str(directory / "forming"), "--client-address", client, "--peer-address", peer,
         "--initial-cluster", f"a={peer},b={other}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until("it listens", 10, lambda: socket.create_connection(socket_address(client)))
        table = expect(["status", "--timeout", "1"], 3, None, "waits for b", endpoints=[client])
        check(table.splitlines()[1].split()[1:4:2] == ["a", "forming"], f"status before the cluster has formed: {table}")
        expect(["put", "k", "v", "--timeout", "1"], 3, "", "it waits for b", endpoints=[client])
    finally:
        node.terminate()
        node.wait(20)
    step("before the cluster has formed, status and errors say who is awaited")


def test_nodes_down(cluster, endpoints):
    nowhere = [f"127.0.0.1:{port}" for port in free_ports(2)]
    expect(["put", "greeting", "moved"], 0, "", endpoints=nowhere + endpoints)
    expect(["get", "greeting", "--endpoints", ",".join(nowhere + endpoints)], 0, "moved")
    expect(["get", "greeting", "--endpoints", f"http://{endpoints[0]}/"], 0, "moved")
    error = "no node could do it; nothing was changed"
    expect(["put", "greeting", "never", "--timeout", "1"], 3, "", error, endpoints=nowhere)
    expect(["get", "greeting", "--timeout", "1"], 3, "", error, endpoints=nowhere)
    expect(["status", "--timeout", "1"], 3, None, "no node knows a leader", endpoints=nowhere)
    step("endpoints that are down are passed over; when all are, the exit status is 3")

    leader = cluster.leader()
    leader.kill()
    expect(["put", "greeting", "again"], 0, "", endpoints=endpoints)
    expect(["get", "greeting"], 0, "again", endpoints=endpoints)
    # A new leader looks at its followers first.
    wait_until("the leader says how its followers fare", 5, lambda: "\n\n" in expect(["status"], 0, endpoints=endpoints))
    table, followers = expect(["status"], 0, endpoints=endpoints).split("\n\n")
    table = table.splitlines()
    check(len(table) == 4 and table[0].split()[:4] == ["ENDPOINT", "NAME", "ID", "ROLE"], f"status: {table}")
    roles = sorted(line.split()[3] for line in table[1:])
    check(roles == ["follower", "leader", "unreachable"], f"status: roles {roles} with the leader down: {table}")
    check(followers.splitlines()[0].split()[:3] == ["FOLLOWER", "ID", "LACKS"] and len(followers.splitlines()) == 3, f"status: {followers}")
    leader.start()
    cluster.wait_until_serving()
    step("the commands go on when the leader is killed; status shows it")


def test_unknown_outcome(cluster, endpoints):
    leader = cluster.leader()
    followers = [node for node in cluster.nodes if node is not leader]
    for node in followers:
        node.process.send_signal(signal.SIGSTOP)
    try:
        expect(["put", "greeting", "perhaps", "--timeout", "1"], 4, "", "outcome unknown", endpoints=[leader.client])
        expect(["get", "greeting", "--timeout", "1"], 3, "", "nothing was changed", endpoints=[leader.client])
    finally:
        for node in followers:
            node.process.send_signal(signal.SIGCONT)
    cluster.wait_until_serving()
    value = expect(["get", "greeting"], 0, endpoints=endpoints)
    check(value in ("again", "perhaps"), f"greeting is {value!r}, which nobody wrote last")

    with socket.create_server(("127.0.0.1", 0)) as mute:
        threading.Thread(target=hang_up, args=(mute,), daemon=True).start()
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        expect(["put", "greeting", "once"], 4, "", "outcome unknown", endpoints=[address] + endpoints)
        check(expect(["get", "greeting"], 0, endpoints=[address] + endpoints) == value, "a write of unknown outcome was repeated")
    step("a write of unknown outcome has exit status 4, and is not repeated; a read is")


def hang_up(server):
    """Takes requests, and closes the connection instead of an answer."""
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)


def test(directory):
    with Cluster(directory) as cluster:
        endpoints = [node.client for node in cluster.nodes]
        test_output(endpoints)
        test_forming(directory)
        test_json(endpoints)
        test_usage(endpoints)
        test_endpoints(endpoints)
        test_lost_output(endpoints)
        test_nodes_down(cluster, endpoints)
        test_unknown_outcome(cluster, endpoints)


run(test)
