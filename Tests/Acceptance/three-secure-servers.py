#!/usr/bin/env python3
"""Three hosts, three commands, no other step: a cluster that talks encrypted, renews its certificates, replaces its authority, and believes
a member that was removed nothing any more. Somebody listens on the network all the while."""

import http.client
import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import PROGRAM, check, encoded, run, step, wait_until
from hosts import Listener, Network, missing

# Each certificate lives this many seconds: it is renewed every eight.
LIFE = 12
# How long the load goes on while certificates come and go.
SECONDS = float(os.environ.get("CORACLE_SECURE_SECONDS", "40"))
CANARY = "a-value-that-nobody-may-read-on-the-wire"


class Server:
    def __init__(self, host, directory, name):
        self.host, self.name = host, name
        self.data, self.log, self.out = directory / name, directory / f"{name}.log", directory / f"{name}.out"
        self.process = None

    def begin(self, *arguments):
        """Runs a command on the server, in its home, as a user would."""
        with open(self.log, "ab") as log, open(self.out, "ab") as out:
            self.process = subprocess.Popen(
                self.host.command(PROGRAM, *arguments, "--host", self.host.address, "--data-dir", str(self.data), "--certificate-life", str(LIFE)),
                stdin=subprocess.DEVNULL, stdout=out, stderr=log)

    def coracle(self, *arguments, endpoints=None, credentials=None):
        return subprocess.run(
            self.host.command(
                PROGRAM, *arguments, "--credentials", str(credentials or self.data), "--endpoints", endpoints or f"{self.host.address}:2379"),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)

    def expect(self, *arguments, **options):
        done = self.coracle(*arguments, **options)
        check(done.returncode == 0, f"{self.name}: coracle {' '.join(arguments)}: status {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def watch(self, key, other):
        """Watches at another server until that ends it."""
        process = subprocess.Popen(
            self.host.command(PROGRAM, "watch", key, "--json", "--credentials", str(self.data), "--endpoints", f"{other.host.address}:2379"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # Longer than a certificate lives: the one of later must be shown when the one of now ends.
        time.sleep(LIFE + 3)
        check(process.poll() is None, f"the watch ended: {process.poll()}")
        return process

    def serial(self):
        done = subprocess.run(
            ["openssl", "x509", "-in", str(self.data / "credentials" / "node.crt"), "-noout", "-serial"], capture_output=True, text=True)
        return done.stdout.strip()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)


class Client:
    """Puts, one after the other, over connections that it keeps."""

    def __init__(self, directory, servers):
        self.show(directory)
        self.servers, self.done, self.failures, self.connections = servers, 0, [], 0
        self.goes_on = True
        self.threads = [threading.Thread(target=self.work, args=(server,), daemon=True) for server in servers]
        for thread in self.threads:
            thread.start()

    def show(self, directory):
        """Shows the certificate of this directory from the next connection on."""
        context = ssl.create_default_context(cafile=directory / "ca.crt")
        context.load_cert_chain(directory / "client.crt", directory / "client.key")
        self.context = context

    def work(self, server):
        connection, asked = None, 0
        while self.goes_on:
            try:
                if connection is None or asked % 50 == 0:
                    # One connection in fifty requests is new, so that new certificates are met, and old ones go on.
                    connection = http.client.HTTPSConnection(server.host.address, 2379, timeout=10, context=self.context)
                    self.connections += 1
                asked += 1
                connection.request("POST", "/v3/kv/put", json.dumps({"key": encoded(f"{server.name}{asked % 20}"), "value": encoded(CANARY)}))
                answer = connection.getresponse()
                body = answer.read()
                check(answer.status == 200, f"{answer.status} {body[:200]}")
                self.done += 1
            except Exception as error:
                self.failures.append(f"{server.name}: {error!r}")
                connection = None
                time.sleep(0.1)
            time.sleep(0.01)

    def stop(self):
        self.goes_on = False
        for thread in self.threads:
            thread.join(15)


def form(servers):
    first, second, third = servers
    step("one command on each of three hosts makes a cluster of three")
    first.begin("serve")
    line = wait_until("the first server prints what to type on the others", 20, lambda: re.search(r"coracle join (\S+) --token (\S+)", first.out.read_text()))
    second.begin("join", line[1], "--token", line[2])
    third.begin("join", line[1], "--token", line[2])

    def has_three_voters():
        done = first.coracle("member", "list")
        return done.returncode == 0 and done.stdout.count(" voter ") == 3
    wait_until("all three vote", 30, has_three_voters)
    return line[2]


def openssl(host, port, *options):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"{host.address}:{port}", *options], input="", capture_output=True, text=True, timeout=20)
    return done.stdout + done.stderr


def look_at_tls(servers):
    step("both ports speak TLS 1.3; older versions, and no certificate, are refused")
    host = servers[0].host
    check("TLSv1.3" in openssl(host, 2379), "the client port does not speak TLS 1.3")
    check("Cipher is (NONE)" in openssl(host, 2379, "-tls1_1"), "the client port speaks TLS 1.1")
    check("Cipher is (NONE)" in openssl(host, 2380, "-tls1_2"), "the peer port speaks TLS 1.2")
    check("alert" in openssl(host, 2380, "-ign_eof"), "the peer port took somebody without a certificate")
    with subprocess.Popen(["curl", "-s", f"http://{host.address}:2379/v3/kv/range", "-d", "{}"], stdout=subprocess.PIPE) as plain:
        check(not plain.stdout.read().startswith(b"{"), "the client port answers in plain text")


def main(directory):
    why = missing()
    if why:
        # Not silently: whoever reads the output of the gate sees that nothing was shown here.
        print(f"NOT RUN: this machine makes no network namespaces: {why}")
        return
    network = Network(3)
    listener = Listener(network, [CANARY, "coracle-1-", "BEGIN CERTIFICATE"])
    servers = [Server(host, directory, name) for host, name in zip(network.hosts, "abc")]
    try:
        token = form(servers)
        look_at_tls(servers)
        check(oct((servers[0].data / "credentials" / "node.key").stat().st_mode & 0o777) == "0o600", "others may read the key")

        step("a client's certificate lets curl in; a stranger, a used-up and a broken token are told why they are not let in")
        servers[0].expect("client-cert", "alice", "--out", str(directory / "alice"))
        stranger = subprocess.run(
            ["curl", "-sk", f"https://{servers[1].host.address}:2379/v3/kv/range", "-d", "{}"], capture_output=True, text=True)
        check("client certificate" in stranger.stdout, f"a stranger gets {stranger.stdout!r}")
        client = Client(directory / "alice", servers)

        step(f"for {SECONDS:.0f} s certificates of {LIFE} s come and go, the authority is replaced, and no request fails")
        before = [server.serial() for server in servers]
        time.sleep(SECONDS / 2)
        overlap = SECONDS / 4
        servers[1].expect("authority", "rotate", "--overlap-hours", str(overlap / 3600))
        # The client's certificate is of the old authority: it needs one of the new.
        wait_until("all nodes know of it", 5, lambda: all((server.data / "credentials" / "ca.crt").read_text().count("BEGIN") == 2 for server in servers))
        # The files are written a moment before the node gives what they say.
        time.sleep(2)
        servers[0].expect("client-cert", "alice", "--out", str(directory / "alice-again"))
        client.show(directory / "alice-again")
        time.sleep(SECONDS / 2)
        client.stop()
        check(not client.failures, f"{len(client.failures)} requests failed: {client.failures[:3]}")
        after = [server.serial() for server in servers]
        check(all(one != other for one, other in zip(before, after)), "a certificate was not renewed")
        step(f"  {client.done} puts over {client.connections} connections")

        step("a member that was removed is refused at once, whatever its certificate says")
        removed = servers[2]
        watching = removed.watch("after", servers[0])
        servers[0].expect("member", "remove", removed.host.address)
        wait_until("it is no member", 10, lambda: servers[0].expect("member", "list").count(" voter ") == 2)
        refused = removed.coracle("put", "x", "y", endpoints=f"{servers[0].host.address}:2379")
        check(refused.returncode != 0 and "removed" in refused.stderr, f"the removed one got {refused.stdout}{refused.stderr}")
        wait_until("it watches no more", 10, lambda: watching.poll() is not None)
        check("removed" in watching.stderr.read(), "the watch of the removed one ended without a reason")
        denied = removed.coracle("token", "create", endpoints=f"{servers[0].host.address}:2379")
        check(denied.returncode != 0, "the removed one got a token")
        servers[0].expect("put", "after", "all")
        check(listener.packets > 100, "nobody heard anything")
        check(not listener.heard, f"in plain text on the wire: {listener.heard}")
        for server in servers:
            log = server.log.read_text(errors="replace")
            check(token not in log and CANARY not in log, f"{server.name}'s log holds a secret")
    finally:
        for server in servers:
            server.stop()
        listener.close()
        network.close()


run(main)
