"""Hosts of their own on this machine: network namespaces, joined by a bridge, and somebody who listens there. Needs root and iproute2."""

import os
import socket
import subprocess
import threading

ETH_P_ALL = 3


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def missing():
    """Why there can be no hosts on this machine; None if there can. A container may not be allowed to make any."""
    try:
        Network(1).close()
    except (OSError, subprocess.CalledProcessError) as error:
        return getattr(error, "stderr", b"") or error
    return None


class Network:
    """A bridge with hosts on it: 10.77.0.1, 10.77.0.2, ... The machine itself is 10.77.0.254."""

    def __init__(self, count):
        self.mark = f"{os.getpid() % 100000:05d}"
        self.bridge = f"cb{self.mark}"
        self.hosts = []
        ip("link", "add", self.bridge, "type", "bridge")
        ip("addr", "add", "10.77.0.254/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        for number in range(1, count + 1):
            self.hosts.append(Host(self, number))

    def close(self):
        for host in self.hosts:
            subprocess.run(["ip", "netns", "del", host.namespace], capture_output=True)
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True)


class Host:
    def __init__(self, network, number):
        self.namespace = f"ch{network.mark}{number}"
        self.address = f"10.77.0.{number}"
        outer, inner = f"cv{network.mark}{number}", f"ci{network.mark}{number}"
        ip("netns", "add", self.namespace)
        ip("link", "add", outer, "type", "veth", "peer", "name", inner)
        ip("link", "set", inner, "netns", self.namespace)
        ip("link", "set", outer, "master", network.bridge, "up")
        self.inside("ip", "addr", "add", f"{self.address}/24", "dev", inner)
        self.inside("ip", "link", "set", inner, "up")
        self.inside("ip", "link", "set", "lo", "up")

    def command(self, *arguments):
        return ["ip", "netns", "exec", self.namespace, *arguments]

    def inside(self, *arguments):
        subprocess.run(self.command(*arguments), check=True, capture_output=True)


class Listener:
    """Takes down every byte that crosses the bridge, and looks for texts in it."""

    def __init__(self, network, secrets):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
        self.socket.bind((network.bridge, 0))
        self.secrets = [secret.encode() for secret in secrets]
        self.heard, self.packets = set(), 0
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                packet = self.socket.recv(65536)
            except OSError:
                return
            self.packets += 1
            for secret in self.secrets:
                if secret in packet:
                    self.heard.add(secret.decode())

    def close(self):
        self.socket.close()
