#!/usr/bin/env python3
"""The test suite of etcd3gw, a Python client of etcd's JSON gateway, against one node: all its tests must pass, and none may be left out.

Without arguments it starts a node of its own, whose client port is 2379: that is where the suite looks. `--port PORT` runs the suite
against a server that runs already on this machine, to see what it says of etcd itself.
"""

import argparse
import os
import pathlib
import re
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import Cluster, check, free_ports, run, step
from packages import python_environment

# Both lie in the package, beside what they test. The second asks a server; it skips what it cannot ask, so the sum is checked.
MODULES = ["etcd3gw.tests.test_client", "etcd3gw.tests.test_etcd3gw"]
TESTS = 39
PORT = 2379
# Its watches sleep for seven seconds each; it takes 25 seconds in all.
SECONDS = 120


def check_free(port):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.settimeout(2)
                taken = probe.connect_ex((host, port)) == 0
        except OSError:
            continue
        check(not taken, f"port {port} is taken by another program on {host}: end it, or name its port with --port to test it instead")


def run_suite(programs, port):
    variables = {**os.environ, "TOOZ_TEST_HTTP_URL": f"http://localhost:{port}", "TOOZ_TEST_ETCD_PORT": str(port)}
    # A proxy would be asked for this machine's own addresses.
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        variables.pop(name, None)
    done = subprocess.run(
        [programs / "python", "-W", "ignore", "-m", "unittest", *MODULES], env=variables, cwd=programs,
        capture_output=True, text=True, timeout=SECONDS)
    report = done.stderr
    ran = re.search(r"^Ran (\d+) tests?", report, re.MULTILINE)
    check(ran, f"the suite did not run: {report[-4000:]}")
    count = int(ran[1])
    outcome = report[ran.end():]
    amiss = {word: int(number) for word, number in re.findall(r"(failures|errors|skipped)=(\d+)", outcome)}
    passed = count - sum(amiss.values())
    bad = re.findall(r"^(?:ERROR|FAIL): (\S+)", report, re.MULTILINE)
    step(f"etcd3gw's suite: {passed} of {count} tests passed")
    if bad:
        print(report[-20_000:])
    check(count >= TESTS, f"only {count} tests were found, not {TESTS}")
    check(not amiss and done.returncode == 0, f"{passed} of {count} tests passed; {amiss}: {', '.join(bad)}")


def test(directory):
    port = options.port or PORT
    if not options.port:
        check_free(port)
    programs = python_environment(directory / "environment", "etcd3gw", "oslotest")
    step("etcd3gw is installed")
    if options.port:
        run_suite(programs, port)
        return
    check_free(port)
    with Cluster(directory, size=1, ports=[port, *free_ports(2)]):
        run_suite(programs, port)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--port", type=int, help="test the server that listens on this port, whatever it is")
options = parser.parse_args()
run(test, needs_program=not options.port)
