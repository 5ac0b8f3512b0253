#!/usr/bin/env python3
"""What a long command prints is there when it is printed, through a pipe too: nobody waits for the end to learn that it runs."""

import pathlib
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import PROGRAM, check, run, step

COMMANDS = {
    "swarm": ["swarm", "--seconds", "6"],
    "exhaustive": ["exhaustive", "elections", "--seconds", "6"],
}


def test(_):
    simulate = pathlib.Path(PROGRAM).with_name("simulate")
    for name, arguments in COMMANDS.items():
        began = time.monotonic()
        with subprocess.Popen([simulate, *arguments], stdout=subprocess.PIPE, text=True) as process:
            line = process.stdout.readline()
            waited = time.monotonic() - began
            check(line.strip() != "" and process.poll() is None and waited < 4, f"{name}: the first line came after {waited:.1f} s: {line!r}")
            step(f"{name} said after {waited:.1f} s: {line.strip()}")
            process.stdout.read()
        check(process.returncode == 0, f"{name}: status {process.returncode}")


run(test)
