"""Packages by name, from wherever this machine is set up to get them: PyPI's into a folder of the caller's, Debian's into the system."""

import os
import shutil
import subprocess
import sys

from cluster import check

# Enough for a registry that is slow today; it ends a script that would wait for ever.
SECONDS = 300


def install(command, package):
    """Installs a Debian package if the command is not there. Needs root only then."""
    if shutil.which(command) is None:
        debian(package)


def debian(*packages):
    variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", *arguments], env=variables, capture_output=True, text=True, timeout=SECONDS)
        check(done.returncode == 0, f"apt-get {' '.join(arguments)} failed; install {' '.join(packages)} by hand: {done.stderr[-2000:]}")


def python_environment(directory, *packages, python=sys.executable):
    """A virtual environment with these packages of PyPI; returns its folder of programs."""
    def make():
        return subprocess.run([python, "-m", "venv", "--clear", str(directory)], capture_output=True, text=True, timeout=SECONDS)

    if make().returncode != 0:
        # Debian's Python comes without what makes an environment.
        debian("python3-venv")
        made = make()
        check(made.returncode == 0, f"no virtual environment can be made: {made.stdout}{made.stderr}")
    programs = directory / "bin"
    done = subprocess.run(
        [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
        capture_output=True, text=True, timeout=SECONDS)
    check(done.returncode == 0, f"pip cannot install {' '.join(packages)}: {done.stderr[-2000:]}")
    return programs
