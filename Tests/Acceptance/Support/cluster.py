"""Real nodes on loopback, and what the acceptance tests ask of them. Python's standard library is enough.

CORACLE_BIN_DIR names the directory of the `coracle` binary; without it, that of the release build is taken.
"""

import base64
import collections
import hashlib
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = str(pathlib.Path(os.environ.get("CORACLE_BIN_DIR", REPOSITORY / ".build" / "release")) / "coracle")

# Everything that a client may see when a node goes away in the middle of a conversation.
BROKEN = (OSError, http.client.HTTPException)


class Failure(Exception):
    """The product did not do what it must; the text says what."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def step(text):
    print(f"  {text}", flush=True)


def wait_until(what, seconds, condition):
    """Asks again and again until the condition gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            result = condition()
        except BROKEN as error:
            result, problem = None, f" (last: {error!r})"
        else:
            problem = ""
        if result:
            return result
        check(time.monotonic() < deadline, f"after {seconds} s still not so: {what}{problem}")
        time.sleep(0.05)


def run(test, needs_program=True):
    """Runs `test(directory)` in a directory of its own. Exit status 1 after a failure, with the ends of the logs."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    name = pathlib.Path(sys.argv[0]).stem
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"coracle-{name}-"))
    began = time.monotonic()
    try:
        check(not needs_program or os.access(PROGRAM, os.X_OK), f"{PROGRAM} is not there: build it, or set CORACLE_BIN_DIR")
        test(directory)
        print(f"{name}: passed in {time.monotonic() - began:.1f} s")
    except Exception as error:
        for log in sorted(directory.glob("**/*.log")):
            print(f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-20:]))
        if not isinstance(error, Failure):
            traceback.print_exc()
        sys.exit(f"{name}: FAILED: {error}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def free_ports(count):
    """Ports that nobody has, below those that the system gives to outgoing connections: a node that is down keeps its own."""
    ports = []
    while len(ports) < count:
        port = random.randrange(11_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


# MARK: Talking to a node

Answer = collections.namedtuple("Answer", "status headers body")


def socket_address(text):
    host, port = text.split(":")
    return host, int(port)


def request(address, method, path, body=None, headers=None, timeout=10):
    """One HTTP request on a connection of its own. Raises one of `BROKEN` if there is no answer."""
    connection = http.client.HTTPConnection(*socket_address(address), timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def encoded(data):
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def decoded(text):
    return base64.b64decode(text)


class Node:
    """One node: its addresses and, while it runs, its process."""

    def __init__(self, name, directory, ports):
        self.name = name
        self.data = directory / name
        self.log = directory / f"{name}.log"
        self.client, self.peer, self.links = (f"127.0.0.1:{port}" for port in ports)
        self.arguments = [
            PROGRAM, "serve", "--name", name, "--data-dir", str(self.data), "--client-address", self.client,
            "--peer-address", self.peer, "--links-address", self.links,
        ]
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """As when the process is gone from one instant to the next."""
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        """In good order; returns the exit status."""
        self.process.terminate()
        return self.process.wait(20)

    def call(self, path, body, timeout=10, deadline=None):
        """A request to the client port. Its answer's body is JSON, an error too."""
        headers = {"Grpc-Timeout": deadline} if deadline else {}
        answer = request(self.client, "POST", path, json.dumps(body), headers, timeout)
        return Answer(answer.status, answer.headers, json.loads(answer.body))

    def put(self, key, value, **options):
        return self.call("/v3/kv/put", {"key": encoded(key), "value": encoded(value)}, **options)

    def range(self, key, end=None, serializable=False, timeout=60, deadline=None, **fields):
        body = {"key": encoded(key), "serializable": serializable, **fields}
        if end is not None:
            body["range_end"] = encoded(end)
        return self.call("/v3/kv/range", body, timeout=timeout, deadline=deadline)

    def get(self, key, serializable=False):
        """The value, or None."""
        answer = self.range(key, serializable=serializable)
        check(answer.status == 200, f"{self.name} does not read {key}: {answer.body}")
        pairs = answer.body.get("kvs", [])
        return decoded(pairs[0]["value"]) if pairs else None

    def everything(self, serializable=True):
        """All pairs as this node has them: {key: (value, mod revision)}, and the revision."""
        answer = self.range(b"\0", b"\0", serializable)
        check(answer.status == 200, f"{self.name} does not read its keys: {answer.body}")
        pairs = {decoded(pair["key"]): (decoded(pair.get("value", "")), int(pair["mod_revision"])) for pair in answer.body.get("kvs", [])}
        return pairs, int(answer.body["header"]["revision"])

    def digest(self):
        """Of all that the node has, in its own state: equal on two nodes at the same revision."""
        pairs, revision = self.everything()
        digest = hashlib.sha256()
        for key, (value, changed) in sorted(pairs.items()):
            digest.update(b"%d %d %d " % (len(key), len(value), changed) + key + value)
        return revision, digest.hexdigest()

    def status(self):
        return self.call("/v3/maintenance/status", {}, timeout=2).body

    def leads(self):
        status = self.status()
        return "leader" in status and status["leader"] == status["header"]["member_id"]

    def logged(self, text):
        return text in self.log.read_text(errors="replace")


class Cluster:
    """Three nodes. As a context it ends them all, whatever happens."""

    def __init__(self, directory, size=3, ports=None):
        ports = ports or free_ports(3 * size)
        self.nodes = [Node(f"n{i + 1}", directory, ports[3 * i:3 * i + 3]) for i in range(size)]
        members = ",".join(f"{node.name}={node.peer}" for node in self.nodes)
        for node in self.nodes:
            node.arguments += ["--initial-cluster", members]

    def __enter__(self):
        for node in self.nodes:
            node.start()
        self.wait_until_serving()
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            if node.is_running():
                node.process.send_signal(signal.SIGCONT)
                node.process.kill()
                node.process.wait(10)

    def running(self):
        return [node for node in self.nodes if node.is_running()]

    def wait_until_serving(self, seconds=20):
        """Every running node answers a linearizable read. Returns how long that took."""
        began = time.monotonic()
        for node in self.running():
            wait_until(f"{node.name} serves", seconds, lambda: node.range("k", deadline="1S", timeout=3).status == 200)
        return time.monotonic() - began

    def leader(self):
        return wait_until("there is a leader", 15, lambda: next((node for node in self.running() if node.leads()), None))

    def follower(self):
        leader = self.leader()
        return next(node for node in self.running() if node is not leader)

    def wait_until_equal(self, seconds=30):
        """Every node has, in its own state, all that the cluster has by now."""
        revision = int(self.leader().range("k").body["header"]["revision"])
        for node in self.nodes:
            wait_until(
                f"{node.name} has revision {revision}", seconds, lambda: int(node.status()["header"].get("revision", 0)) >= revision)

    def check_has(self, acknowledged):
        """Each node has, in its own state, every write of `acknowledged`: {key: (value, revision)}."""
        self.wait_until_equal()
        for node in self.nodes:
            pairs, _ = node.everything()
            for key, write in acknowledged.items():
                found = pairs.get(key)
                check(found == write, f"{node.name} lost the acknowledged write of {key}: it has {found}, not {write}")


class Writers:
    """Threads that put, each through its node, one key after the other, and write down what was acknowledged.

    Their keys are all different, so a write whose outcome is unknown is simply not counted on.
    """

    starts = 0

    def __init__(self, nodes, threads_per_node=2):
        self.acknowledged = {}
        self.failures = 0
        self.ending = threading.Event()
        self.threads = []
        for node in nodes:
            for _ in range(threads_per_node):
                Writers.starts += 1
                self.threads.append(threading.Thread(target=self.write, args=(node, Writers.starts), daemon=True))
        for thread in self.threads:
            thread.start()

    def write(self, node, writer):
        number = 0
        while not self.ending.is_set():
            number += 1
            key, value = f"writer{writer:03}/{number:06}".encode(), f"{writer}:{number}".encode() * 8
            try:
                answer = node.put(key, value, timeout=3, deadline="2S")
            except BROKEN:
                answer = None
            if answer and answer.status == 200:
                self.acknowledged[key] = (value, int(answer.body["header"]["revision"]))
            else:
                self.failures += 1
                time.sleep(0.02)

    def stop(self):
        """What was acknowledged: {key: (value, revision)}."""
        self.ending.set()
        for thread in self.threads:
            thread.join(15)
            check(not thread.is_alive(), "a write was neither answered nor refused within its deadline")
        return self.acknowledged


def put_many(address, pairs, connections=64, window=32):
    """Puts all pairs as fast as the node takes them: many connections, many requests under way on each. Returns puts per second."""
    problems = []

    def work(share):
        try:
            with socket.create_connection(socket_address(address), timeout=30) as sock, sock.makefile("rb") as answers:
                for start in range(0, len(share), window):
                    batch = share[start:start + window]
                    sock.sendall(b"".join(put_bytes(key, value) for key, value in batch))
                    for _ in batch:
                        status = read_answer(answers)
                        if status != 200:
                            problems.append(f"a put was answered with status {status}")
                            return
        except OSError as error:
            problems.append(repr(error))

    threads = [threading.Thread(target=work, args=(pairs[i::connections],), daemon=True) for i in range(connections)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    check(not problems, f"{len(problems)} connections failed, the first: {problems[:1]}")
    check(not any(thread.is_alive() for thread in threads), "puts were not answered in two minutes")
    return len(pairs) / (time.monotonic() - began)


def put_bytes(key, value):
    body = b'{"key":"%s","value":"%s"}' % (base64.b64encode(key), base64.b64encode(value))
    return b"POST /v3/kv/put HTTP/1.1\r\nHost: coracle\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def read_answer(stream):
    """Reads one answer that has a length; returns its status."""
    status = int(stream.readline().split()[1])
    length = 0
    while (line := stream.readline().strip()):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    stream.read(length)
    return status


def command(*arguments, endpoints=None, environment=None, stdin=None, timeout=30):
    """Runs `coracle` to its end; its output as text."""
    variables = {**os.environ, **(environment or {})}
    if endpoints is not None:
        variables["CORACLE_ENDPOINTS"] = ",".join(endpoints)
    return subprocess.run(
        [PROGRAM, *arguments], env=variables, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True, timeout=timeout, text=True)
