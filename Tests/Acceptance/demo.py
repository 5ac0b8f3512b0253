#!/usr/bin/env python3
"""`coracle demo` starts a cluster and says what it started. Ctrl-C stops it and keeps the data. No node outlives it, however it ends."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import PROGRAM, check, command, free_ports, request, run, step, wait_until

NODE = re.compile(r"^(n\d)  process (\d+)  clients http://(\S+)  links http://(\S+)  data (\S+)  log (\S+)$", re.MULTILINE)


def free_base():
    """A port from which on the demo's ports for three nodes are free."""
    for _ in range(100):
        base = free_ports(1)[0]
        try:
            for port in (base + 10 * node + offset for node in range(3) for offset in range(3)):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
    raise SystemExit("no free ports")


def exists(process):
    """Whether it runs: one that has ended and whose parent has not asked yet does not."""
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Demo:
    def __init__(self, directory, base, output):
        self.output = output
        with open(output, "wb") as file:
            self.process = subprocess.Popen(
                [PROGRAM, "demo", "--directory", str(directory), "--base-port", str(base)],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def __enter__(self):
        try:
            wait_until("the demo says that it is ready", 20, lambda: "\nready: " in self.text)
            self.nodes = NODE.findall(self.text)
            check([name for name, *_ in self.nodes] == ["n1", "n2", "n3"], f"the demo does not say what it started: {self.text}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    @property
    def text(self):
        return self.output.read_text()

    @property
    def processes(self):
        return [int(process) for _, process, *_ in self.nodes]

    @property
    def endpoints(self):
        return [client for _, _, client, *_ in self.nodes]


def refused(data, base, why, *options):
    done = command("demo", "--directory", str(data), "--base-port", str(base), *options)
    check(done.returncode == 1, f"a demo that cannot be: exit status {done.returncode}: {done.stdout}{done.stderr}")
    check(why in done.stderr and "ready" not in done.stdout, f"a demo that cannot be: {done.stdout}{done.stderr!r}, without {why!r}")


def test(directory):
    data, base = directory / "data", free_base()
    with Demo(data, base, directory / "first.log") as demo:
        for name, process, client, links, path, log in demo.nodes:
            check(exists(int(process)), f"{name} is no process")
            check(request(client, "GET", "/health").status == 200, f"{name} is not healthy")
            check(request(links, "GET", "/_health").status == 200, f"{name} serves no links")
            check(pathlib.Path(path).is_dir() and pathlib.Path(log).is_file(), f"{name} has no data in {path}, or no log in {log}")
        check(command("put", "k", "kept", endpoints=demo.endpoints).returncode == 0, "a put failed")
        check("coracle put greeting hello --endpoints " + ",".join(demo.endpoints) in demo.text, "the demo does not say how to try it")
        step("starts three nodes, and says where they are")

        logs = [pathlib.Path(log).read_bytes() for *_, log in demo.nodes]
        refused(data, base, "a demo runs in")
        refused(directory / "elsewhere", base, f"port {base}, which n1 needs, is in use")
        for (name, *_, log), before in zip(demo.nodes, logs):
            check(pathlib.Path(log).read_bytes().startswith(before), f"a second demo emptied the log of {name}")
        step("a second demo beside it is refused, and touches nothing")

        os.kill(demo.processes[0], signal.SIGKILL)
        wait_until("the demo says that n1 was killed, and how to start it again", 5, lambda: "n1 ended: signal 9" in demo.text)
        check(command("get", "k", endpoints=demo.endpoints).stdout == "kept", "the others do not go on")
        step("says when a node is killed; the others go on")

        demo.process.send_signal(signal.SIGINT)
        check(demo.process.wait(20) == 0, f"Ctrl-C: exit status {demo.process.returncode}")
        check(not any(map(exists, demo.processes)), "a node outlived Ctrl-C")
        step("Ctrl-C stops all nodes")

    refused(data, free_base(), f"--base-port {base} --nodes 3")
    refused(data, base, f"--base-port {base} --nodes 3", "--nodes", "1")
    step("other ports on its data are refused, with the right ones named")
    by_hand = subprocess.Popen(
        [PROGRAM, "serve", "--name", "n1", "--data-dir", str(data / "n1"), "--client-address", f"127.0.0.1:{free_ports(1)[0]}",
         "--peer-address", f"127.0.0.1:{base + 1}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until("the node that was started by hand runs", 10, lambda: socket.create_connection(("127.0.0.1", base + 1)))
        refused(data, base, "n1 runs already")
        step("a node that was started by hand is named")
    finally:
        by_hand.terminate()
        by_hand.wait(20)

    with Demo(data, base, directory / "second.log") as demo:
        check(command("get", "k", endpoints=demo.endpoints).stdout == "kept", "the data were not kept")
        step("the data are there after the next start")
        demo.process.kill()
        wait_until("no node outlives the demo that is killed", 15, lambda: not any(map(exists, demo.processes)))
        step("killed, it leaves no node behind")

    with Demo(data, base, directory / "third.log") as demo:
        check(command("get", "k", endpoints=demo.endpoints).stdout == "kept", "the data were not kept after the demo was killed")
        demo.process.terminate()
        check(demo.process.wait(20) == 0, f"SIGTERM: exit status {demo.process.returncode}")
        check(not any(map(exists, demo.processes)), "a node outlived SIGTERM")


run(test)
