#!/usr/bin/env python3
"""What clients, strangers and operators may do wrong. Each is answered with a reason, and after each the cluster still serves and has every
write that it acknowledged."""

import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import Cluster, Node, check, command, free_ports, request, run, socket_address, step, wait_until


class Guard:
    """Writes one key more after each offence, and looks for all of them through each node."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.acknowledged = {}

    def look(self, offence):
        for node in self.cluster.nodes:
            check(node.is_running(), f"{offence}: {node.name} ended with status {node.process.returncode}")
            key, value = f"after/{offence}/{node.name}".encode(), node.name.encode()
            self.write(offence, node, key, value)
        self.cluster.check_has(self.acknowledged)
        step(offence)

    def write(self, offence, node, key, value):
        what = f"{offence}: {node.name} writes"
        answer = wait_until(what, 10, lambda: (put := node.put(key, value, deadline="3S")).status == 200 and put)
        self.acknowledged[key] = (value, int(answer.body["header"]["revision"]))


# MARK: Clients

def raw(address, data, timeout=5):
    """Sends bytes, and returns all that comes back until the other side closes or is silent for a while."""
    received = b""
    with socket.create_connection(socket_address(address), timeout=timeout) as sock:
        try:
            sock.sendall(data)
            while (part := sock.recv(65536)):
                received += part
        except OSError:
            pass
    return received


def http_request(body, path="/v3/kv/put", fields=b""):
    return b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s" % (path.encode(), fields, len(body), body)


def test_requests(cluster, guard):
    node = cluster.nodes[0]
    pair = b'{"key":"%s","value":"%s"}'
    for offence, data, status, text in (
        ("a value that is too large", http_request(pair % (b"aw==", b"AAAA" * (550 << 10))), b"400", b"etcdserver: request is too large"),
        ("a key that is too large", http_request(pair % (b"AAAA" * (550 << 10), b"dg==")), b"400", b"etcdserver: request is too large"),
        ("a body that is too large", http_request(b" " * (4 << 20)), b"413", b"etcdserver: request is too large"),
        ("no key", http_request(b'{"value":"dg=="}'), b"400", b"etcdserver: key is not provided"),
        ("JSON that ends too early", http_request(b'{"key":'), b"400", b"JSON"),
        ("JSON that is an array", http_request(b"[]"), b"400", b"JSON"),
        ("JSON nested too deeply", http_request(b'{"x":' + b"[" * 100_000), b"400", b"nested"),
        ("bytes that are no JSON", http_request(bytes(range(256))), b"400", b"JSON"),
        ("a number for a key", http_request(b'{"key":7}'), b"400", b"key"),
        ("malformed base64", http_request(b'{"key":"$$$$"}'), b"400", b"base64"),
        ("an unknown path", http_request(b"{}", "/v3/kv/nonsense"), b"404", b"Not Found"),
        ("an unknown method", b"DANCE /v3/kv/put HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"4", b""),
        ("a deadline that is none", http_request(b'{"key":"aw=="}', fields=b"Grpc-Timeout: soon\r\n"), b"400", b"timeout"),
        ("header fields that are too large", http_request(b"{}", fields=b"X: " + b"x" * (64 << 10) + b"\r\n"), b"4", b""),
        ("bytes that are no HTTP", b"\x16\x03\x01 nonsense \xff\xfe\r\n\r\n", b"400", b""),
        ("two lengths", b"POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", b"400", b""),
    ):
        answer = raw(node.client, data)
        line = answer.partition(b"\r\n")[0]
        check(line.startswith(b"HTTP/1.1 " + status), f"{offence}: answered with {line!r}, not {status.decode()}")
        check(text.lower() in answer.lower(), f"{offence}: the answer does not say {text!r}: {answer[:500]!r}")
    raw(node.client, http_request(b"{}")[:-20], timeout=0.2)
    guard.look("malformed requests are refused with a reason")

    for offence, path, body, kind, status in (
        ("JSON that is none", "/_links", "{", "application/json", 400),
        ("another content type", "/_links", "{}", "text/plain", 415),
        ("a script as target", "/_links", '{"target":"javascript:alert(1)"}', "application/json", 422),
        ("a target with a password", "/_links", '{"target":"https://bank.example@evil.example/"}', "application/json", 422),
        ("a short name of the service", "/_links", '{"target":"https://a.example/","slug":"_links"}', "application/json", 422),
        ("a body that is too large", "/_links", '{"target":"' + "x" * (1 << 20) + '"}', "application/json", 413),
        ("a CSV file with another header", "/_links.csv", "a,b\n1,2\n", "text/csv", 400),
    ):
        try:
            answer = request(node.links, "POST", path, body, {"Content-Type": kind})
        except BrokenPipeError:  # Refused before all of it was sent: what counts is that the node goes on.
            continue
        check(answer.status == status, f"links, {offence}: answered with {answer.status}, not {status}: {answer.body[:300]}")
    guard.look("links that break a rule are refused")


# MARK: Strangers on the peer port

def test_peer_port(cluster, guard):
    node = cluster.nodes[0]
    raw(node.peer, os.urandom(1 << 20), timeout=0.5)
    guard.look("random bytes on the peer port")
    check(raw(node.peer, struct.pack("<I", 0xFFFFFFFF) + b"x" * 100, timeout=5) == b"", "an oversize frame was answered")
    guard.look("an oversize frame")
    raw(node.peer, struct.pack("<I", 1000) + os.urandom(1000), timeout=0.5)
    wait_until("the log says that a frame was refused", 5, lambda: node.logged("refused a frame"))
    guard.look("a frame of the right size, with nonsense in it")
    raw(node.peer, struct.pack("<I", 16 << 20) + b"x" * (8 << 20), timeout=0.5)
    guard.look("half a frame")
    held = [socket.create_connection(socket_address(node.peer)) for _ in range(400)]
    guard.look("400 connections to the peer port")
    for connection in held:
        connection.close()


class Forwarder:
    """Takes connections to one address to another, as a wrong entry in somebody's name service would."""

    def __init__(self, source, destination):
        self.destination = destination
        self.server = socket.create_server(socket_address(source))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.server.accept()
                other = socket.create_connection(socket_address(self.destination))
            except OSError:
                return
            for pair in ((connection, other), (other, connection)):
                threading.Thread(target=self.pump, args=pair, daemon=True).start()

    def pump(self, source, destination):
        try:
            while (data := source.recv(65536)):
                destination.sendall(data)
            destination.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.server.close()


def test_other_cluster(directory, cluster, guard):
    elsewhere = directory / "elsewhere"
    elsewhere.mkdir()
    with Cluster(elsewhere, size=2) as other:
        stranger, lost = other.nodes
        lost.kill()
        forwarder = Forwarder(lost.peer, cluster.nodes[0].peer)
        wait_until("the log says that another cluster's node was refused", 10, lambda: cluster.nodes[0].logged("frame of another cluster"))
        wait_until("the stranger is told that it is one", 10, lambda: stranger.logged("belongs to another cluster"))
        guard.look("another cluster's node connects: both logs say so")
        forwarder.close()


# MARK: Operators

def refused(what, node, word, status=1, arguments=()):
    """A node that must not start, but say why."""
    done = subprocess.run([*node.arguments, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    text = done.stderr + done.stdout
    check(done.returncode == status, f"{what}: exit status {done.returncode}, not {status}: {text}")
    check(word in text, f"{what}: the message does not say {word!r}: {text}")
    check(len(text) < 4000, f"{what}: the message is {len(text)} characters long: {text[:2000]}")


def test_directories(directory, cluster, guard):
    first, last = cluster.nodes[0], cluster.nodes[-1]
    refused("a directory in use", first, "in use by a running node")
    guard.look("a second process on a running node's directory is refused")

    check(last.stop() == 0, "a node did not stop in good order")
    kept = directory / "kept"
    last.data.rename(kept)
    refused("a wiped directory", last, f"Start {last.name} with its old data directory")
    shutil.rmtree(last.data)
    renamed = ["--data-dir", str(kept), "--name", "other", "--initial-cluster", f"other={last.peer}"]
    refused("another node's directory", last, f"is of node {last.name}", arguments=renamed)
    kept.rename(last.data)
    last.start()
    cluster.wait_until_serving()
    guard.look("a wiped directory and one of another name are refused, and the message says what to do")

    newcomer = Node("n9", directory, free_ports(3))
    members = ",".join(f"{node.name}={node.peer}" for node in [*cluster.nodes, newcomer])
    refused("a node that is no member", newcomer, "has formed without n9", arguments=["--initial-cluster", members])
    guard.look("a node that is no member is refused")


def test_addresses(directory, cluster, guard):
    taken = cluster.nodes[0]
    for what, option, address in (
        ("clients", "--client-address", taken.client), ("peers", "--peer-address", taken.peer), ("links", "--links-address", taken.links),
    ):
        node = Node(f"alone-{what}", directory, free_ports(3))
        refused(f"an address for {what} in use", node, address, arguments=[option, address])
    guard.look("addresses in use are named")
    for option in ("--client-address", "--peer-address", "--links-address"):
        node = Node("open", directory, free_ports(3))
        arguments = [option, "192.0.2.1:2379", "--initial-cluster", "open=192.0.2.1:2379"]
        refused(f"{option} beyond loopback, with a list of nodes", node, "--insecure", status=64, arguments=arguments)
        check(not node.data.exists(), f"{option}: wrong usage made a directory")
    for arguments in (
        ["--client-address", "nonsense"], ["--peer-address", "127.0.0.1:99999"], ["--initial-cluster", "a=b=c,"],
        ["--election-timeout", "1"],
    ):
        done = command("serve", "--data-dir", str(directory / "never"), *arguments)
        check(done.returncode == 64 and arguments[0] in done.stderr, f"serve {arguments}: {done.returncode} {done.stderr}")
    guard.look("plain text beyond loopback, and options that make no sense, are refused")


# MARK: A full disk

def mount(directory, size, *options):
    options = ",".join([f"size={size}", *options])
    return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)], capture_output=True)


def test_full_disk(directory):
    """One node's disk is full: it waits, the others go on, and it follows again once there is room."""
    place = directory / "full"
    (place / "n3").mkdir(parents=True)
    if (mounted := mount(place / "n3", "3m")).returncode != 0:
        reason = mounted.stderr.decode().strip()
        return step(f"skipped: a full disk, since a small file system cannot be mounted ({reason})")
    try:
        with Cluster(place) as cluster:
            guard, full = Guard(cluster), cluster.nodes[2]
            for number in range(60):
                guard.write("a full disk", cluster.nodes[0], b"large/%d" % number, os.urandom(100_000))
            wait_until("the log says that the disk is full", 10, lambda: full.logged("the disk is full"))
            check(full.is_running(), "the node whose disk is full has ended")
            check(cluster.nodes[1].get(b"large/59") == guard.acknowledged[b"large/59"][0], "the others do not go on")
            step("one node's disk is full: it says so and waits, the others go on")
            check(mount(place / "n3", "64m", "remount").returncode == 0, "the small file system could not be made larger")
            guard.look("it follows again once there is room")
    finally:
        subprocess.run(["umount", "--lazy", str(place / "n3")], capture_output=True)


def test(directory):
    with Cluster(directory) as cluster:
        guard = Guard(cluster)
        test_requests(cluster, guard)
        test_peer_port(cluster, guard)
        test_other_cluster(directory, cluster, guard)
        test_directories(directory, cluster, guard)
        test_addresses(directory, cluster, guard)
    test_full_disk(directory)


run(test)
