#!/usr/bin/env python3
"""What encryption costs: two clusters of three on one machine, one in plain text and one that encrypts all, asked in turns by the same client.

Prints puts per second, processor time of the three nodes for a put, handshakes for a second of a processor, and what an idle node and an
idle connection hold. Both clusters have users, since the client (wrk) shows no certificate: it sends a session's token. Linux, as root; wrk
and openssl are installed with apt if they are not there.
"""

import argparse
import json
import os
import pathlib
import re
import socket
import ssl
import statistics
import subprocess
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(FOLDER.parent / "Acceptance" / "Support"), str(FOLDER / "Support")]
from cluster import PROGRAM, check, encoded, run, step, wait_until
from hosts import Network, missing
from packages import debian

TICKS = os.sysconf("SC_CLK_TCK")
PORT = 2379
PUTS = """
local count = 0
local token = "%s"
request = function()
  count = count + 1
  return wrk.format("POST", "/v3/kv/put", {["Authorization"] = token, ["Content-Type"] = "application/json"},
    string.format('{"key":"%%s","value":"%s"}', keys[count %% #keys + 1]))
end
"""


class Nodes:
    """Three hosts with a node each."""

    def __init__(self, name, scheme, hosts, directory, arguments):
        self.name, self.scheme, self.hosts, self.arguments = name, scheme, hosts, arguments
        self.directory = directory / name
        self.directory.mkdir()
        self.processes = []
        self.begin(hosts[0], "serve")
        if scheme == "https":
            line = wait_until("the first prints what to type", 20, lambda: re.search(r"coracle join (\S+) --token (\S+)", (self.directory / "0.out").read_text()))
            joining = ["join", line[1], "--token", line[2]]
        else:
            wait_until("the first serves", 20, lambda: self.coracle("status").returncode == 0)
            joining = ["join", f"{hosts[0].address}:{PORT}"]
        for host in hosts[1:]:
            self.begin(host, *joining)
        wait_until("all three vote", 30, lambda: self.coracle("member", "list").stdout.count(" voter ") == 3)

    def begin(self, host, *arguments):
        number = len(self.processes)
        with open(self.directory / f"{number}.log", "ab") as log, open(self.directory / f"{number}.out", "ab") as out:
            self.processes.append(
                subprocess.Popen(
                    host.command(
                        PROGRAM, *arguments, *self.arguments, "--host", host.address, "--data-dir", str(self.directory / f"data{number}")),
                    stdin=subprocess.DEVNULL, stdout=out, stderr=log))

    def coracle(self, *arguments):
        credentials = ["--credentials", str(self.directory / "data0")] if self.scheme == "https" else []
        return subprocess.run(
            self.hosts[0].command(PROGRAM, *arguments, *credentials, "--endpoints", f"{self.hosts[0].address}:{PORT}"),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)

    def call(self, path, body, token=None):
        """As curl on the first host does it: with a client's certificate where there is one."""
        options = []
        if self.scheme == "https":
            alice = self.directory / "alice"
            if not alice.exists():
                done = self.coracle("client-cert", "root", "--out", str(alice))
                check(done.returncode == 0, done.stderr)
            options = ["--cacert", str(alice / "ca.crt"), "--cert", str(alice / "client.crt"), "--key", str(alice / "client.key")]
        if token:
            options += ["-H", f"Authorization: {token}"]
        done = subprocess.run(
            ["curl", "-s", *options, f"{self.scheme}://{self.hosts[0].address}:{PORT}{path}", "-d", json.dumps(body)],
            capture_output=True, text=True, timeout=30)
        answer = json.loads(done.stdout)
        check("code" not in answer, f"{path}: {answer}")
        return answer

    def log_in(self):
        self.call("/v3/auth/user/add", {"name": "root", "password": "secret"})
        self.call("/v3/auth/role/add", {"name": "root"})
        self.call("/v3/auth/user/grant", {"user": "root", "role": "root"})
        self.call("/v3/auth/enable", {})
        return self.call("/v3/auth/authenticate", {"name": "root", "password": "secret"})["token"]

    def processor_seconds(self):
        return sum(processor_seconds(process.pid) for process in self.processes)

    def memory(self):
        """Kibibytes that each node has resident."""
        return [memory(process.pid) for process in self.processes]

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)


def processor_seconds(process):
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(process):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process}/status").read_text())[1])


def puts(nodes, host, script, seconds, connections):
    """Puts a second, and microseconds of processor that the three nodes took for one."""
    before = nodes.processor_seconds()
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), f"{nodes.scheme}://{host.address}:{PORT}"],
        capture_output=True, text=True)
    check("Non-2xx" not in done.stdout and done.returncode == 0, f"wrk: {done.stdout}{done.stderr}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])
    count = int(re.search(r"(\d+) requests in", done.stdout)[1])
    return rate, 1e6 * (nodes.processor_seconds() - before) / count


def handshakes(nodes, host, process, seconds):
    """Handshakes for one second of the node's processor time, and how many there were in a second of the clock."""
    before = processor_seconds(process.pid)
    done = subprocess.run(
        ["openssl", "s_time", "-connect", f"{host.address}:{PORT}", "-new", "-time", str(seconds)], capture_output=True, text=True)
    count = int(re.search(r"(\d+) connections in \d+ real seconds", done.stdout)[1])
    return count / (processor_seconds(process.pid) - before), count / seconds


def idle_connections(nodes, host, process, count):
    """Bytes that a node holds for a connection over which nothing goes."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    before, connections = memory(process.pid), []
    for _ in range(count):
        connection = socket.create_connection((host.address, PORT), timeout=10)
        connections.append(context.wrap_socket(connection) if nodes.scheme == "https" else connection)
    time.sleep(1)
    grown = memory(process.pid) - before
    for connection in connections:
        connection.close()
    return 1024 * grown / count


def main(directory):
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=5)
    arguments.add_argument("--connections", type=int, default=32)
    options = arguments.parse_args()
    why = missing()
    check(not why, f"this machine makes no network namespaces: {why}")
    for program, package in (("wrk", "wrk"), ("openssl", "openssl"), ("curl", "curl")):
        if subprocess.run(["which", program], capture_output=True).returncode != 0:
            debian(package)
    network, clusters = Network(6), []
    try:
        clusters.append(Nodes("plain", "http", network.hosts[:3], directory, ["--insecure"]))
        clusters.append(Nodes("tls", "https", network.hosts[3:], directory, []))
        time.sleep(3)
        step("idle, just formed, in MiB a node: " + ", ".join(
            f"{nodes.name} {statistics.mean(nodes.memory()) / 1024:.1f}" for nodes in clusters))
        figures = {}
        for nodes in clusters:
            script = directory / f"{nodes.name}.lua"
            keys = ",".join(f'"{encoded(f"key{number}")}"' for number in range(1000))
            script.write_text(f"keys = {{{keys}}}\n" + PUTS % (nodes.log_in(), encoded("v" * 100)))
            figures[nodes.name] = ([], [])
        for number in range(options.rounds + 1):
            for nodes in clusters:
                rate, cost = puts(nodes, nodes.hosts[0], directory / f"{nodes.name}.lua", options.seconds, options.connections)
                # The first round warms up.
                if number:
                    figures[nodes.name][0].append(rate)
                    figures[nodes.name][1].append(cost)
        for name, (rates, costs) in figures.items():
            step(f"{name}: {statistics.median(rates):.0f} puts/s ({min(rates):.0f} to {max(rates):.0f}); "
                 f"{statistics.median(costs):.0f} us of processor for a put, three nodes together")
        ratios = [tls / plain for plain, tls in zip(figures["plain"][0], figures["tls"][0])]
        costs = [tls / plain for plain, tls in zip(figures["plain"][1], figures["tls"][1])]
        step(f"tls / plain, pairwise: puts/s {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), "
             f"processor {statistics.median(costs):.2f} ({min(costs):.2f} to {max(costs):.2f})")
        tls = clusters[1]
        worth, rate = handshakes(tls, tls.hosts[1], tls.processes[1], options.seconds)
        step(f"handshakes (TLS 1.3, P-256, none resumed): {worth:.0f} for a second of one core; {rate:.0f} in a second of the clock, "
             "beside their client")
        for nodes in clusters:
            step(f"{nodes.name}: an idle connection holds {idle_connections(nodes, nodes.hosts[2], nodes.processes[2], 1000) / 1024:.1f} KiB")
        step("after all this, in MiB a node: " + ", ".join(
            f"{nodes.name} {statistics.mean(nodes.memory()) / 1024:.1f}" for nodes in clusters))
    finally:
        for nodes in clusters:
            nodes.stop()
        network.close()


run(main)
