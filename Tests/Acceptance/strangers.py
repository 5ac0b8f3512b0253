#!/usr/bin/env python3
"""What strangers may try with two servers that talk encrypted: each line says what was sent and what came back. An honest client puts all
the while; what it notices of that, and what memory the server needs, is printed and bounded."""

import base64
import gzip
import http.client
import json
import multiprocessing
import os
import pathlib
import re
import resource
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import PROGRAM, check, encoded, free_ports, run, step, wait_until

# Handshakes that are begun and never ended, on each port.
UNFINISHED = int(os.environ.get("CORACLE_UNFINISHED_HANDSHAKES", "3000"))
QUIET_SECONDS = 5
MOST_GROWTH = 150 << 20
# How much longer one put in a hundred may take than when nobody attacks; and what is no trouble in any case.
MOST_RATIO, HARMLESS_SECONDS = 4, 0.1
# The kind of frame that says who sends what follows.
GREETING = 3


class Server:
    def __init__(self, directory, name):
        self.name, self.data, self.log, self.out = name, directory / name, directory / f"{name}.log", directory / f"{name}.out"
        self.client, self.peer, self.links = free_ports(3)
        self.address = f"127.0.0.1:{self.client}"
        self.process = None

    def begin(self, *arguments):
        with open(self.log, "ab") as log, open(self.out, "ab") as out:
            self.process = subprocess.Popen(
                [PROGRAM, *arguments, "--name", self.name, "--data-dir", str(self.data), "--client-address", f"0.0.0.0:{self.client}",
                 "--advertise-client-address", self.address, "--peer-address", f"0.0.0.0:{self.peer}", "--advertise-peer-address",
                 f"127.0.0.1:{self.peer}", "--links-address", f"0.0.0.0:{self.links}"], stdin=subprocess.DEVNULL, stdout=out, stderr=log)

    def serve(self):
        """As the first of a cluster; returns the token that it prints."""
        self.begin("serve")
        return wait_until(f"{self.name} prints a token", 20, lambda: re.search(r"--token (\S+)", self.out.read_text()))[1]

    def coracle(self, *arguments, timeout=30):
        return subprocess.run(
            [PROGRAM, *arguments, "--credentials", str(self.data), "--endpoints", self.address], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout)

    def expect(self, *arguments):
        done = self.coracle(*arguments)
        check(done.returncode == 0, f"coracle {' '.join(arguments)}: status {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def memory(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())[1]) << 10

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)


# MARK: The honest client


def put_steadily(port, directory, results, ending):
    """Fifty puts a second over one connection; twice a second one over a new connection. In a process of its own."""
    context = ssl.create_default_context(cafile=directory / "ca.crt")
    context.load_cert_chain(directory / "client.crt", directory / "client.key")
    kept, number = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context), 0
    times, anew, failures = [], [], []
    while not ending.is_set():
        number += 1
        is_new = number % 25 == 0
        began = time.monotonic()
        try:
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context) if is_new else kept
            connection.request("POST", "/v3/kv/put", json.dumps({"key": encoded(f"k{number % 50}"), "value": encoded("v" * 100)}))
            answer = connection.getresponse()
            body = answer.read()
            check(answer.status == 200, f"{answer.status} {body[:200]}")
            if is_new:
                connection.close()
        except Exception as error:
            failures.append(f"put {number}{' over a new connection' if is_new else ''}: {error!r}")
            if not is_new:
                kept = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        (anew if is_new else times).append(time.monotonic() - began)
        time.sleep(max(0, began + 0.02 - time.monotonic()))
    results.put((sorted(times), sorted(anew), failures))


class HonestClient:
    def __init__(self, server, directory):
        fork = multiprocessing.get_context("fork")
        self.results, self.ending = fork.Queue(), fork.Event()
        self.process = fork.Process(target=put_steadily, args=(server.client, directory, self.results, self.ending), daemon=True)
        self.process.start()

    def stop(self):
        """p50 and p99 in seconds, and that of puts over new connections."""
        self.ending.set()
        times, anew, failures = self.results.get(timeout=30)
        self.process.join(10)
        check(not failures, f"{len(failures)} puts of the honest client failed: {failures[:3]}")
        return times[len(times) // 2], times[len(times) * 99 // 100], anew[len(anew) // 2], len(times) + len(anew)


# MARK: What strangers send


def context(directory=None, key="client.key", certificate="client.crt", version=None):
    """Believes everybody; shows what the directory has."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if directory:
        made.load_cert_chain(directory / certificate, directory / key)
    return made


def talk(port, data, tls=None, timeout=15):
    """Sends the bytes, and returns what comes back, as a text: the first line of an answer, or how the connection ended."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as plain:
            connection = tls.wrap_socket(plain, server_hostname="node") if tls else plain
            for part in data if isinstance(data, list) else [data]:
                connection.sendall(part)
            answer = b""
            while not is_whole(answer) and (part := connection.recv(65536)):
                answer += part
            if not answer:
                return "closed"
            head, _, body = answer.partition(b"\r\n\r\n")
            if head.startswith(b"HTTP/1."):
                return f"{head.splitlines()[0].decode()} {body[:300].decode(errors='replace')}".strip()
            return f"{len(answer)} bytes: {answer[:16].hex()}"
    except ssl.SSLError as error:
        return f"refused in TLS: {error.reason or error}"
    except TimeoutError:
        return "NOTHING"
    except OSError as error:
        return f"closed ({error.strerror or error})"


def is_whole(answer):
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(end) and (len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n"))


def post(path, body, *fields):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", "Host: node", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


PUT = post("/v3/kv/put", {"key": encoded("forged"), "value": encoded("forged")})


def tried(what, came_back, *expected):
    """Prints both; one of the texts must be in what came back."""
    print(f"    {what:<74} {came_back[:150]}", flush=True)
    check(any(text in came_back for text in expected), f"{what}: {came_back!r} came back, and none of {expected}")


NOT_LET_IN = ("refused in TLS", "closed")


def openssl(port, *options):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options], input="", capture_output=True, text=True, timeout=20)
    text = done.stdout + done.stderr
    return "refused in TLS" if "Cipher is (NONE)" in text else re.search(r"(New, .*)", text)[1]


def show_certificates(a, good, foreign, directory):
    step("certificates")
    tried("client port, no certificate", talk(a.client, PUT, context()), "401")
    tried("client port, of another cluster", talk(a.client, PUT, context(foreign)), *NOT_LET_IN)
    tried("client port, expired", talk(a.client, PUT, context(directory / "brief")), *NOT_LET_IN)
    tried("client port, a good one", talk(a.client, PUT, context(good)), "200 OK")
    tried("peer port, no certificate", talk(a.peer, frame(7), context()), *NOT_LET_IN)
    tried("peer port, of another cluster", talk(a.peer, frame(7), context(foreign)), *NOT_LET_IN)
    tried("peer port, a client's", talk(a.peer, frame(7), context(good)), *NOT_LET_IN)


def frame(sender):
    """A greeting without a right checksum: whose it claims to be is looked at before."""
    body = struct.pack("<IBBQQQ", 0, 1, GREETING, 0, sender, 0)
    return struct.pack("<I", len(body)) + body


def join_body(token, node, directory):
    """What `coracle join` would send: with a key that is made anew."""
    raw = token.removeprefix("coracle-1-")
    fields = base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4))
    request = subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x", "-keyout", "/dev/null"],
        capture_output=True, text=True, check=True).stdout
    return {"number": fields[:8].hex(), "secret": base64.b64encode(fields[8:24]).decode(), "node": f"{node:x}", "request": request, "names": []}


def show_tokens(a, foreign_token, directory):
    step("tokens")
    once, brief = a.expect("token", "create"), a.expect("token", "create", "--hours", "0.0003")
    tried("a token, for the first time", talk(a.client, post("/coracle/join", join_body(once, 77, directory)), context())[:15], "200 OK")
    tried("the same for another server", talk(a.client, post("/coracle/join", join_body(once, 78, directory)), context()), "used before")
    time.sleep(2.2)
    tried("one whose time is over", talk(a.client, post("/coracle/join", join_body(brief, 79, directory)), context()), "time is over")
    guessed = join_body(a.expect("token", "create"), 80, directory) | {"secret": base64.b64encode(bytes(16)).decode()}
    tried("a good number with another secret", talk(a.client, post("/coracle/join", guessed), context()), "not the cluster's")
    tried("one of another cluster", talk(a.client, post("/coracle/join", join_body(foreign_token, 81, directory)), context()), "does not know")
    for what, token, expected in [("one that is cut short", once[:-3], "cut short"), ("of another cluster", foreign_token, "not of the cluster")]:
        done = subprocess.run(
            [PROGRAM, "join", a.address, "--token", token, "--name", "x", "--data-dir", str(directory / "x"), "--host", "127.0.0.1"],
            capture_output=True, text=True, timeout=20)
        check(done.returncode != 0, f"`coracle join` with a token {what} ended well")
        tried(f"`coracle join` with a token: {what}", " ".join((done.stdout + done.stderr).split())[-150:], expected)
    for body in [b"{", b"[]", json.dumps({"number": "x" * 100_000}).encode()]:
        tried(f"/coracle/join with {len(body)} bytes of something else", talk(a.client, post("/coracle/join", body), context()), "400 ")


def show_versions(a):
    step("old versions")
    tried("TLS 1.1 on the links port", openssl(a.links, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"), "refused in TLS")
    for version in ["-tls1_1", "-tls1"]:
        for port in [a.client, a.peer]:
            tried(f"TLS {'1.1' if version == '-tls1_1' else '1.0'}", openssl(port, version, "-cipher", "DEFAULT@SECLEVEL=0"), "refused in TLS")
    tried("TLS 1.2 on the peer port", openssl(a.peer, "-tls1_2"), "refused in TLS")
    hello = bytes.fromhex("16030000340100003003005f5e1000") + bytes(31) + bytes.fromhex("000004000a00050100")
    for port in [a.client, a.peer]:
        tried("SSL 3.0", talk(port, hello, timeout=12), "closed", "bytes: 15")


def show_requests(a, good):
    step("requests")
    stranger, known = context(), context(good)
    for port in [a.client, a.peer]:
        tried("plain HTTP", talk(port, b"GET /health HTTP/1.1\r\nHost: node\r\n\r\n"), "closed", "bytes: 15")
        tried("64 KiB of random bytes", talk(port, os.urandom(65536)), "closed", "bytes: 15")
    for path in ["/../../etc/passwd", "/v3/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/v3/kv/..%2f..%2f", "//etc/passwd", "/\\..\\x"]:
        tried(f"GET {path}", talk(a.client, f"GET {path} HTTP/1.1\r\nHost: node\r\n\r\n".encode(), stranger), "404", "400")
        tried(f"POST {path}, known", talk(a.client, post(path, {}), known), "404", "400")
    tried("a header of 1 MiB", talk(a.client, b"GET /health HTTP/1.1\r\nHost: node\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n", stranger), "431", "400", "closed")
    tried("100,000 header fields", talk(a.client, b"GET /health HTTP/1.1\r\nHost: node\r\n" + b"X: x\r\n" * 100_000 + b"\r\n", stranger), "431", "400", "closed")
    bomb = gzip.compress(bytes(200 << 20), 9)
    for who, tls in [("a stranger's", stranger), ("a client's", known)]:
        sent = post("/v3/kv/put", bomb, "Content-Encoding: gzip", "Content-Type: application/json")
        tried(f"{who} {len(bomb) >> 10} KiB that would be 200 MiB", talk(a.client, sent, tls), "401", "400", "415")
        tried(f"{who} body of 64 MiB", talk(a.client, [b"POST /v3/kv/put HTTP/1.1\r\nHost: node\r\nContent-Length: 67108864\r\n\r\n"] + 64 * [bytes(1 << 20)], tls),
              "413", "429", "401", "closed")
        chunks = [b"POST /v3/kv/put HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n"] + 64 * [b"100000\r\n" + bytes(1 << 20) + b"\r\n"] + [b"0\r\n\r\n"]
        tried(f"{who} 64 MiB in chunks", talk(a.client, chunks, tls), "413", "429", "401", "closed")
    tried("a password of 1 MiB", talk(a.client, post("/v3/auth/authenticate", {"name": "root", "password": "p" * (1 << 20)}), stranger), " 4")
    tried("a page of another site", talk(a.client, post("/v3/kv/put", {}, "Origin: https://evil.example"), known), "403")
    tried("a form of an old browser", talk(a.client, post("/v3/kv/put", {}, "Content-Type: text/plain"), known), "415")


# MARK: What takes long


def hold(port, count, seconds, ready):
    """Begins handshakes and never goes on, from an address of its own; begins another for each that is closed. In a process of its own."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    held, opened, ending = [], 0, time.monotonic() + seconds
    while time.monotonic() < ending:
        while len(held) < count and time.monotonic() < ending:
            stranger = socket.socket()
            try:
                stranger.bind(("127.0.0.9", 0))
                stranger.connect(("127.0.0.1", port))
                stranger.setblocking(False)
                stranger.send(bytes.fromhex("16030102000100"))
                opened += 1
            except OSError:
                stranger.close()
                time.sleep(0.001)
                continue
            held.append(stranger)
        still = []
        for stranger in held:
            try:
                if stranger.recv(100):
                    still.append(stranger)
                else:
                    stranger.close()
            except BlockingIOError:
                still.append(stranger)
            except OSError:
                stranger.close()
        held = still
        time.sleep(0.2)
    ready.put(opened)


class Slow:
    """Connections that are kept waiting: until when is measured."""

    def __init__(self, a):
        self.ends, self.lock, self.threads = {}, threading.Lock(), []
        stranger = context()
        self.begin("client port: 7 bytes of a handshake", 12, lambda: self.wait(a.client, bytes.fromhex("16030102000100")))
        self.begin("peer port: 7 bytes of a handshake", 6, lambda: self.wait(a.peer, bytes.fromhex("16030102000100")))
        self.begin("links port: 7 bytes of a handshake", 12, lambda: self.wait(a.links, bytes.fromhex("16030102000100")))
        self.begin("links port: nothing at all", 12, lambda: self.wait(a.links, b""))
        self.begin("client port: nothing at all", 12, lambda: self.wait(a.client, b""))
        self.begin("peer port: nothing at all", 6, lambda: self.wait(a.peer, b""))
        for _ in range(20):
            self.begin("client port: a byte of a head each second", 13, lambda: self.drip(a.client, b"GET /health HTTP/1.1\r\n", stranger))
        self.begin(
            "client port: a byte of a body each second", 33,
            lambda: self.drip(a.client, b"POST /v3/kv/put HTTP/1.1\r\nHost: node\r\nContent-Length: 1000\r\n\r\n{", stranger))

    def begin(self, what, most, body):
        def work():
            began = time.monotonic()
            body()
            with self.lock:
                self.ends.setdefault(what, (most, []))[1].append(time.monotonic() - began)
        thread = threading.Thread(target=work, daemon=True)
        self.threads.append(thread)
        thread.start()

    def wait(self, port, data):
        with socket.create_connection(("127.0.0.1", port), timeout=40) as connection:
            connection.sendall(data)
            try:
                while connection.recv(1000):
                    pass
            except OSError:
                pass

    def drip(self, port, data, tls):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=40) as plain:
                connection = tls.wrap_socket(plain, server_hostname="node")
                connection.sendall(data)
                connection.settimeout(1)
                while True:
                    try:
                        if not connection.recv(1000):
                            return
                    except TimeoutError:
                        connection.sendall(b"x")
        except OSError:
            pass

    def end(self):
        for thread in self.threads:
            thread.join(45)
        check(not any(thread.is_alive() for thread in self.threads), "a connection that is slow is kept for more than 45 s")
        for what, (most, ends) in self.ends.items():
            tried(f"{what}, {len(ends)} times", f"closed after {max(ends):.1f} s at most", "closed")
            check(max(ends) <= most, f"{what}: closed after {max(ends):.1f} s, and not after {most}")


def flood(a):
    step(f"{UNFINISHED} handshakes on each port that never end, over and over")
    fork = multiprocessing.get_context("fork")
    results = fork.Queue()
    processes = [fork.Process(target=hold, args=(port, UNFINISHED, 11, results), daemon=True) for port in [a.client, a.peer]]
    for process in processes:
        process.start()
    most = 0
    while any(process.is_alive() for process in processes):
        most = max(most, a.memory())
        time.sleep(0.1)
    print(f"    {sum(results.get() for _ in processes)} connections were opened", flush=True)
    return most


def removed_member(a, b, good):
    step("a member that was removed")
    own = b.data / "credentials"
    files = {"key": "node.key", "certificate": "node.crt"}
    tried("peer port: a frame of another node than the certificate's", talk(a.peer, frame(5), context(own, **files)), *NOT_LET_IN)
    tried("client port, while it is a member", talk(a.client, PUT, context(own, **files)), "200 OK")
    a.expect("member", "remove", "b")
    wait_until("b is no member", 10, lambda: a.expect("member", "list").count(" voter ") == 1)
    tried("client port, once it is removed", talk(a.client, PUT, context(own, **files)), "403")
    tried("a token for it", talk(a.client, post("/coracle/token/create", {}), context(own, **files)), "403")


def look_at_log(a, before, seconds):
    lines = a.log.read_text(errors="replace").splitlines()[before:]
    refusals = [line for line in lines if "refused" in line or "not let in" in line]
    print(f"    {len(lines)} lines of the log in {seconds:.0f} s, {len(refusals)} of them about who was refused", flush=True)
    for what in ["a connection between nodes was refused", "a client's connection was refused", "a server was not let in"]:
        check(any(what in line for line in refusals), f"the log does not say: {what}")
    # Of each kind one in a second.
    check(len(refusals) <= 3 * seconds + 3, f"{len(refusals)} lines about who was refused in {seconds:.0f} s")
    check(len(lines) <= 6 * seconds + 30, f"{len(lines)} lines in {seconds:.0f} s: {lines[-5:]}")


def main(directory):
    a, b, other = (Server(directory, name) for name in ["a", "b", "other"])
    good, foreign = directory / "good", directory / "foreign"
    try:
        token, foreign_token = a.serve(), other.serve()
        b.begin("join", a.address, "--token", token)
        wait_until("both vote", 30, lambda: a.coracle("member", "list").stdout.count(" voter ") == 2)
        a.expect("client-cert", "alice", "--out", str(good))
        other.expect("client-cert", "alice", "--out", str(foreign))
        other.stop()
        a.expect("client-cert", "brief", "--out", str(directory / "brief"), "--days", "0.00002")

        step(f"an honest client puts for {QUIET_SECONDS} s, and nobody disturbs it")
        client = HonestClient(a, good)
        time.sleep(QUIET_SECONDS)
        quiet = client.stop()
        memory, lines, began = a.memory(), len(a.log.read_text(errors="replace").splitlines()), time.monotonic()

        client = HonestClient(a, good)
        slow = Slow(a)
        show_certificates(a, good, foreign, directory)
        show_tokens(a, foreign_token, directory)
        show_versions(a)
        show_requests(a, good)
        most = max(a.memory(), flood(a))
        step("who is slow")
        slow.end()
        attacked = client.stop()
        after = a.memory()
        look_at_log(a, lines, time.monotonic() - began)
        for what, (middle, high, anew, count) in [("quiet", quiet), ("attacked", attacked)]:
            print(f"    {what}: {count} puts, p50 {middle * 1000:.1f} ms, p99 {high * 1000:.1f} ms, over a new connection {anew * 1000:.1f} ms")
        print(f"    p99 is {attacked[1] / quiet[1]:.1f} times as long; RSS {memory >> 20} MiB, at most {most >> 20}, {after >> 20} afterwards")
        check(attacked[1] <= max(MOST_RATIO * quiet[1], HARMLESS_SECONDS), "the honest client is disturbed")
        check(most - memory <= MOST_GROWTH, f"the server grew by {most - memory >> 20} MiB")
        removed_member(a, b, good)
        check(a.coracle("get", "forged").returncode == 0, "the server does not serve any more")
    finally:
        for server in [a, b, other]:
            server.stop()


run(main)
