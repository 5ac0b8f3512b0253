#!/usr/bin/env python3
"""The operator's own certificates on the client port and the links port: who is shown which, what a start refuses, and new files, linked as
certbot links them, while requests go on: none fails. Commands and servers of the cluster go on knowing it by its own authority. And users at
the links page, whose passwords need such a port."""

import http.client
import json
import os
import pathlib
import re
import ssl
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import PROGRAM, check, encoded, free_ports, run, step, wait_until

# A name that the certificate has, and one that it has too, though commands of the cluster use it.
NAME, OTHER = "api.example.test", "localhost"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Company:
    """An authority that the cluster knows nothing of, and its certificates, kept as certbot keeps them: live/ links to archive/."""

    def __init__(self, directory):
        self.directory = directory
        self.ca, self.ca_key = directory / "company.pem", directory / "company.key"
        (directory / "live").mkdir()
        (directory / "archive").mkdir()
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=A company",
                "-keyout", self.ca_key, "-out", self.ca)

    def live(self, name):
        return self.directory / "live" / f"{name}.pem"

    def archive(self, name, number):
        return self.directory / "archive" / f"{name}{number}.pem"

    def issue(self, number, *key):
        """Makes the certificate of this number; an RSA key, as long as nothing else is said."""
        request, extensions = self.directory / "request.pem", self.directory / "names"
        extensions.write_text(f"subjectAltName=DNS:{NAME},DNS:{OTHER}\nextendedKeyUsage=serverAuth\n")
        openssl("req", "-newkey", *(key or ["rsa:2048"]), "-nodes", "-subj", f"/CN={NAME}", "-keyout", self.archive("privkey", number), "-out", request)
        os.chmod(self.archive("privkey", number), 0o600)
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial", "-days", "20",
                "-extfile", extensions, "-out", self.archive("fullchain", number))

    def link(self, name, number):
        new = self.directory / "live" / "new"
        new.symlink_to(pathlib.Path("..") / "archive" / f"{name}{number}.pem")
        os.replace(new, self.live(name))

    def serial(self, number):
        text = ssl.PEM_cert_to_DER_cert(self.archive("fullchain", number).read_text())
        return text


class Server:
    def __init__(self, name, directory, company):
        self.ports = free_ports(3)
        self.data, self.log, self.out = directory / name, directory / f"{name}.log", directory / f"{name}.out"
        client, peer, links = (f"127.0.0.1:{port}" for port in self.ports)
        pair = [company.live("fullchain"), company.live("privkey")]
        self.options = [
            "--name", name, "--data-dir", self.data, "--client-address", client, "--peer-address", peer, "--links-address", links,
            "--cert-file", pair[0], "--key-file", pair[1], "--links-cert-file", pair[0], "--links-key-file", pair[1]]
        self.process = None

    def begin(self, *arguments):
        with open(self.log, "ab") as log, open(self.out, "ab") as out:
            self.process = subprocess.Popen(
                [PROGRAM, *arguments, *map(str, self.options)], stdin=subprocess.DEVNULL, stdout=out, stderr=log)

    def refused(self, *mentions):
        """Starts, and says why it cannot."""
        done = subprocess.run([PROGRAM, "serve", *map(str, self.options)], capture_output=True, text=True, timeout=20)
        check(done.returncode == 1, f"it started, or ended with status {done.returncode}: {done.stderr}")
        for mention in mentions:
            check(str(mention) in done.stderr, f"{mention} is not said: {done.stderr}")

    def logged(self, text):
        return text in self.log.read_text()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)


def curl(port, authority, path, *arguments, name=NAME):
    return subprocess.run(
        ["curl", "-sS", "-m", "10", "--resolve", f"{NAME}:{port}:127.0.0.1", "--cacert", str(authority), *map(str, arguments),
         f"https://{name}:{port}{path}"], capture_output=True, text=True)


class Load:
    """Requests, one after the other, over connections that are kept for a while; each connection notes what it is shown."""

    def __init__(self, port, company, credentials, path, body):
        self.port, self.path, self.body = port, path, body
        self.context = ssl.create_default_context(cafile=company.ca)
        if credentials:
            self.context.load_cert_chain(credentials / "client.crt", credentials / "client.key")
        self.done, self.failures, self.shown, self.goes_on = 0, [], set(), True
        self.thread = threading.Thread(target=self.work, daemon=True)
        # One that is open all the while.
        self.old = self.connect()
        self.thread.start()

    def connect(self):
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=10, context=self.context)
        connection.connect()
        return connection

    def ask(self, connection):
        connection.request("POST" if self.body else "GET", self.path, self.body)
        answer = connection.getresponse()
        text = answer.read()
        check(answer.status == 200, f"{answer.status} {text[:200]}")
        self.done += 1

    def work(self):
        while self.goes_on:
            try:
                connection = self.connect()
                self.shown.add(connection.sock.getpeercert(True))
                for _ in range(10):
                    self.ask(connection)
                    self.ask(self.old)
                    time.sleep(0.005)
                connection.close()
            except Exception as error:
                self.failures.append(repr(error))
                time.sleep(0.1)

    def stop(self):
        self.goes_on = False
        self.thread.join(15)


def look_at_users(server, company):
    step("where there are users, links are changed by who may, and followed by anybody")
    files = server.data / "credentials"

    def administer(call, **fields):
        done = curl(server.ports[0], files / "ca.crt", f"/v3/auth/{call}", "--cert", files / "node.crt", "--key", files / "node.key",
                    "-d", json.dumps(fields), name="127.0.0.1")
        check(done.stdout.startswith('{"header"'), f"{call}: {done.stdout}{done.stderr}")

    def links(path, *arguments):
        """The status of an answer."""
        return curl(server.ports[2], company.ca, path, "-o", os.devnull, "-w", "%{http_code}", *arguments).stdout

    new = ("-d", '{"target":"https://example.org/","slug":"docs"}', "-H", "Content-Type: application/json")
    check(links("/_links", *new) == "201", "there are no users, and a link was not made")
    administer("user/add", name="root", password="r")
    administer("role/add", name="root")
    administer("user/grant", user="root", role="root")
    administer("user/add", name="berta", password="b")
    administer("role/add", name="links")
    administer("role/grant", name="links", perm={"permType": "READWRITE", "key": encoded("shortlinks/"), "range_end": encoded("shortlinks0")})
    administer("user/grant", user="berta", role="links")
    administer("user/add", name="carl", password="c")
    administer("enable")
    wait_until("the links page knows of users", 5, lambda: links("/_links") == "401")
    for path, arguments, expected in (
            ("/", (), "401"), ("/_links", ("-u", "berta:x"), "401"), ("/_links", ("-u", "carl:c"), "403"),
            ("/_links", ("-u", "berta:b"), "200"), ("/_links/docs", ("-u", "carl:c", "-X", "DELETE"), "403"), ("/docs", (), "302"),
            ("/_links/docs", ("-u", "berta:b", "-X", "DELETE"), "204"), ("/docs", (), "404")):
        status = links(path, *arguments)
        check(status == expected, f"{path} {arguments}: {status}, not {expected}")
    began = time.monotonic()
    for _ in range(20):
        check(links("/_links", "-u", "berta:b") == "200", "a password that was right is wrong")
    check(time.monotonic() - began < 10, "every request hashes the password")
    check(server.logged("a login at the links page was refused"), "a wrong password is not in the log")


def main(directory):
    company = Company(directory)
    for number in (1, 2):
        company.issue(number)
    company.issue(3, "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    first, second = (Server(name, directory, company) for name in "ab")
    try:
        step("a start with files that cannot be used says what is wrong")
        first.refused(f"cannot read {company.live('fullchain')}")
        company.link("fullchain", 1)
        company.link("privkey", 2)
        first.refused("is not that of the first certificate", company.live("privkey"))
        company.link("privkey", 1)
        os.chmod(company.archive("privkey", 1), 0o644)
        first.refused(f"chmod 600 {company.live('privkey')}")
        os.chmod(company.archive("privkey", 1), 0o600)

        step("clients that ask for a name of the certificate are shown it; the cluster's commands and servers know the cluster as before")
        first.begin("serve")
        line = wait_until("the server prints what to type on the others", 20, lambda: re.search(r"coracle join (\S+) --token (\S+)", first.out.read_text()))
        port, links = first.ports[0], first.ports[2]
        alice = directory / "alice"

        def coracle(*arguments, credentials=first.data):
            return subprocess.run(
                [PROGRAM, *map(str, arguments), "--credentials", str(credentials), "--endpoints", f"{OTHER}:{port}"],
                capture_output=True, text=True, timeout=30)

        made = wait_until("alice has a certificate", 10, lambda: coracle("client-cert", "alice", "--out", alice).returncode == 0 or alice.exists())
        check(made, "no certificate")
        shown = ("--cert", alice / "client.crt", "--key", alice / "client.key")
        put = ("-d", json.dumps({"key": encoded("a"), "value": encoded("b")}))
        answers = {
            "the company's authority, and the name": (curl(port, company.ca, "/v3/kv/put", *shown, *put), '"revision"'),
            "the same without a certificate": (curl(port, company.ca, "/v3/kv/put", *put), "client certificate"),
            "the cluster's authority, and the address": (curl(port, alice / "ca.crt", "/v3/kv/put", *shown, *put, name="127.0.0.1"), '"revision"'),
            "the links port": (curl(links, company.ca, "/_health"), '"ok"'),
        }
        for what, (done, expected) in answers.items():
            check(expected in done.stdout, f"{what}: {done.stdout}{done.stderr}")
        for authority, name in ((alice / "ca.crt", NAME), (company.ca, "127.0.0.1")):
            check(curl(port, authority, "/health", name=name).returncode == 60, f"{authority} was believed under {name}")
        for credentials in (alice, first.data):
            done = coracle("put", "by-command", "1", credentials=credentials)
            check(done.returncode == 0, f"coracle put: {done.stderr}")
        second.begin("join", f"{OTHER}:{port}", "--token", line[2])
        wait_until("the second server is a member", 20, lambda: coracle("member", "list").stdout.count(" voter ") == 2)

        step("new files are shown, half of them are not, connections go on, and no request fails")
        loads = [Load(port, company, alice, "/v3/kv/range", put[1]), Load(links, company, None, "/_health", None)]

        def shows(number):
            return all(company.serial(number) in load.shown for load in loads)
        wait_until("the first is shown", 5, lambda: shows(1))
        company.link("fullchain", 2)
        wait_until("half a pair is told", 5, lambda: first.log.read_text().count("cannot be used") == 2)
        check(not shows(2), "half a pair is shown")
        company.link("privkey", 2)
        wait_until("the second is shown", 5, lambda: shows(2))
        company.link("privkey", 3)
        company.link("fullchain", 3)
        wait_until("the third, with a key of another kind, is shown", 5, lambda: shows(3))
        for load in loads:
            load.stop()
            check(not load.failures, f"{len(load.failures)} requests failed: {load.failures[:3]}")
        step(f"  {sum(load.done for load in loads)} requests")
        check(first.process.poll() is None, "the server ended")
        look_at_users(first, company)
    finally:
        for server in (first, second):
            server.stop()


run(main)
