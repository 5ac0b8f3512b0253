#!/usr/bin/env python3
"""A conversation recorded with etcd 3.5.1 is held again with a fresh node: the same requests must get the same answers, field by field.

What cannot be the same (identities, terms, sizes, versions, addresses) is only asked to be there, and to be the same wherever the recording
has the same. Any other difference must stand in the table ACCEPTED, with the reason; a row that nothing needs is a failure too.

`--port PORT` holds the conversation with a server that runs already on this machine and has nothing in it: with etcd 3.5.1 there must
be no difference, and no row is needed then.
"""

import argparse
import base64
import collections
import json
import pathlib
import re
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from answers import ABSENT, differences
from cluster import Cluster, check, run, step

RECORDING = pathlib.Path(__file__).parent / "Support" / "etcd-3.5.1-gateway.txt"

# Accepted(path or its beginning, field, what is answered here, why). None for an answer stands for any.
Accepted = collections.namedtuple("Accepted", "path field here why")
ACCEPTED = [
    Accepted("/", "Grpc-Metadata-Content-Type", ABSENT, "no gRPC server stands behind this gateway; no client looks for the field"),
    Accepted("/", "outcome", "not done", "an error says whether it left anything behind"),
    Accepted("/", "detail", None, "an error says in words what happened and what to do"),
    Accepted("/v3/lease/leases", "leases[0].ID", None, "in the order of their numbers: which ends first, only the leader knows"),
    Accepted("/v3/lease/leases", "leases[1].ID", None, "in the order of their numbers: which ends first, only the leader knows"),
]

# Chosen by a server: only their form and their being the same again are compared.
CHOSEN = {"cluster_id", "member_id", "leader", "ID"}
# Other on each server and at each time: they must be there, and be numbers.
NUMBERS = {"raft_term", "raftTerm", "raftIndex", "raftAppliedIndex", "dbSize", "dbSizeInUse", "hash"}
# Words and lists that only have to be there.
WORDS = {"version", "etcdserver", "name", "peerURLs", "clientURLs"}
HEADERS = ["Content-Type", "Grpc-Metadata-Content-Type", "Transfer-Encoding"]
# So long we wait for an answer; and so long nothing more may come on a stream.
SECONDS, QUIET_SECONDS = 10, 0.3


class Exchange:
    """One request and its answer: a status, header fields, and lines of JSON or one text."""

    def __init__(self, method, path, body, answer):
        self.method, self.path, self.body = method, path, body
        head, _, rest = answer.partition("\n{")
        lines = (head if rest else answer).strip().split("\n")
        self.status = int(lines[0].split()[1]) if lines[0].startswith("HTTP/") else int(lines[0].split()[0])
        self.headers = dict(line.split(": ", 1) for line in lines[1:] if re.match(r"[A-Z][A-Za-z-]*: ", line))
        texts = ["{" + line if index == 0 else line for index, line in enumerate(rest.strip().split("\n"))] if rest else []
        self.results = [json.loads(text) for text in texts]
        self.has_headers = lines[0].startswith("HTTP/")

    def __str__(self):
        return f"{self.method} {self.path} {self.body or ''}"


def recorded():
    """The exchanges in their order. The first three are GETs, whose paths the recording does not always name."""
    opening, *others = RECORDING.read_text().split("\n\n$ ")
    answers = re.split(r"\n\n(?=HTTP/|404)", opening.split("\n", 1)[1])
    for path, answer in zip(("/version", "/health", "/nothing"), answers, strict=True):
        yield Exchange("GET", path, None, answer)
    for text in others:
        asked, answer = text.split("\n", 1)
        path, body = asked.split(" ", 1)
        yield Exchange("POST", path, body, answer)


class Stream:
    """A connection of its own for one request. The parts of a chunked body come one by one."""

    def __init__(self, port, exchange):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        body = (exchange.body or "").encode()
        length = f"Content-Length: {len(body)}\r\n" if exchange.body is not None else ""
        self.sock.sendall(f"{exchange.method} {exchange.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{length}\r\n".encode() + body)
        self.file = self.sock.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while (line := self.file.readline().strip().decode()):
            name, _, value = line.partition(": ")
            self.headers[name.title()] = value
        self.chunked = self.headers.get("Transfer-Encoding") == "chunked"

    def texts(self, count):
        """The body's lines. A stream may go on for ever, so its first `count` are read; what else comes soon is added."""
        if not self.chunked:
            body = self.file.read(int(self.headers["Content-Length"])).decode()
            return [body] if body else []
        lines, text = [], b""
        while True:
            self.sock.settimeout(SECONDS if len(lines) < count else QUIET_SECONDS)
            try:
                size = int(self.file.readline(), 16)
            except TimeoutError:
                return lines
            chunk = self.file.read(size + 2)[:size]
            if not chunk:
                return lines + ([text.decode()] if text else [])
            *whole, text = (text + chunk).split(b"\n")
            lines += [line.decode() for line in whole if line.strip()]

    def close(self):
        self.file.close()
        self.sock.close()


class Conversation:
    def __init__(self, port):
        self.port = port
        self.names = {}
        self.used = set()
        self.unexpected = []

    def same(self, field, expected, actual):
        """Whether a value may stand where the recording has another."""
        name = re.sub(r"\[\d+\]", "", field).split(".")[-1]
        if ABSENT in (expected, actual):
            return False
        if name in CHOSEN:
            # An identity that the client named was sent again as it is, and must come back so.
            return len(expected) > 6 and re.fullmatch(r"-?\d+", actual) and self.named(expected, actual)
        if name in NUMBERS:
            return re.fullmatch(r"\d+", str(actual)) and type(expected) is type(actual)
        if name in WORDS:
            return type(expected) is type(actual) and len(actual) > 0
        if name == "TTL" and "-1" not in (expected, actual):
            # Time passes between two requests.
            return abs(int(expected) - int(actual)) <= 1
        if name == "key" and expected.startswith("bG9jay8"):
            # A lock's key ends with the lease that the server chose.
            one, other = (base64.b64decode(text).decode() for text in (expected, actual))
            return other.startswith("lock/") and re.fullmatch("[0-9a-f]+", other[5:]) and self.named(one, other)
        return False

    def named(self, expected, actual):
        return self.names.setdefault(expected, actual) == actual

    def compare(self, exchange, field, expected, actual):
        if self.same(field, expected, actual):
            return
        for row in ACCEPTED:
            if exchange.path.startswith(row.path) and row.field == field and row.here in (None, actual):
                self.used.add(row)
                return
        self.unexpected.append(f"{exchange}\n    {field}: {actual!r}, in the recording {expected!r}")

    def hold(self, exchange):
        stream = Stream(self.port, exchange)
        try:
            texts = stream.texts(len(exchange.results))
        finally:
            stream.close()
        if stream.status != exchange.status:
            self.compare(exchange, "status", exchange.status, stream.status)
        for name in HEADERS if exchange.has_headers else ():
            expected, actual = exchange.headers.get(name, ABSENT), stream.headers.get(name, ABSENT)
            if expected != actual:
                self.compare(exchange, name, expected, actual)
        if not exchange.results:
            return
        try:
            results = [json.loads(text) for text in texts]
        except ValueError:
            self.compare(exchange, "body", exchange.results, "\n".join(texts))
            return
        if len(results) != len(exchange.results):
            self.compare(exchange, "number of results", len(exchange.results), len(results))
        for expected, actual in zip(exchange.results, results):
            for difference in differences(expected, actual):
                self.compare(exchange, *difference)


def talk(port, needs_rows):
    exchanges = list(recorded())
    check(len(exchanges) > 40, f"the recording has only {len(exchanges)} exchanges")
    conversation = Conversation(port)
    began = time.monotonic()
    for exchange in exchanges:
        try:
            conversation.hold(exchange)
        except (OSError, ValueError, IndexError, KeyError) as error:
            conversation.unexpected.append(f"{exchange}\n    no answer that can be read: {error!r}")
    step(f"{len(exchanges)} requests in {time.monotonic() - began:.1f} s, {len(conversation.used)} accepted kinds of difference")
    for text in conversation.unexpected:
        print(f"  {text}")
    check(not conversation.unexpected, f"{len(conversation.unexpected)} differences from the recording")
    unused = [f"{row.path} {row.field}" for row in ACCEPTED if row not in conversation.used]
    check(not unused or not needs_rows, f"rows of ACCEPTED that nothing needs: {', '.join(unused)}")


def test(directory):
    if options.port:
        talk(options.port, needs_rows=False)
        return
    with Cluster(directory, size=1) as cluster:
        talk(int(cluster.nodes[0].client.split(":")[1]), needs_rows=True)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--port", type=int, help="talk to the server that listens on this port")
options = parser.parse_args()
run(test, needs_program=not options.port)
