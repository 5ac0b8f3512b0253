#!/usr/bin/env python3
"""Puts known mistakes back into the code, one at a time, and shows that the simulator or a test catches each.

Works on a copy of the tracked files, so nothing happens to the working tree. For each patch: apply it, build `simulate`, run the swarm until a
judge finds something; if none does, run the tests; take the patch back. The unpatched copy goes first, and must pass.

Exit status 0: every mutant was caught; 1: at least one survived; 2: nothing can be said, since a patch does not apply or build any more, or
the unpatched code does not pass.
"""
import argparse
import fnmatch
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FIELDS = ("Mistake", "Pitfall", "Expected")
NAME = re.compile(r"\d\d\d-[a-z0-9]+(-[a-z0-9]+)*\.patch")
VIOLATION = re.compile(r"^violation: seed=(\d+) judge=(\w+) at=\S+ run=(\d+) simulated=(\S+): (.*)", re.M)
FAILED_TEST = re.compile(r"^\S+ +Test (?:\"([^\"]+)\"|(\w+)\(.*?\)) (?:recorded an issue|failed)", re.M)
FAILED_SUITE = re.compile(r"^\S+ +Suite (?:\"([^\"]+)\"|(\w+)) failed", re.M)
TESTS_LIMIT_SECONDS = 1200
# Not the simulator's own tests, which would only be more of the swarm.
TESTS = "^(ByteCoding|Raft|WriteAheadLog|Replica|KeyValue|Links)Tests\\."

# One file changes at a time: built file by file, not module by module, that takes seconds, and what comes out runs half as fast.
RELEASE = ("-c", "release", "--product", "simulate", "-Xswiftc", "-no-whole-module-optimization", "-Xswiftc", "-enable-batch-mode")

# The copy's manifest: the pure targets, their tests and the simulator, so that hardly anything of third parties is resolved or built.
PRUNE = """
let pure: Set = [
  "ByteCoding", "Raft", "WriteAheadLog", "Replica", "KeyValue", "Links", "LocalStore", "Simulation", "simulate", "ByteCodingTests",
  "RaftTests", "WriteAheadLogTests", "ReplicaTests", "KeyValueTests", "LinksTests", "SimulationTests",
]
package.targets.removeAll { !pure.contains($0.name) }
package.products.removeAll { !pure.contains($0.name) }
package.dependencies.removeAll { dependency in
  guard case .sourceControl(_, let location, _) = dependency.kind else { return true }
  return !location.hasSuffix("swift-argument-parser")
}
"""


class Unusable(Exception):
    """A patch, or the unpatched code, that cannot be judged."""


class ControlFailed(Unusable):
    """The unpatched code does not pass: then no mutant can be judged."""


class Mutant:
    def __init__(self, path):
        self.path = path
        self.name = path.stem
        head = path.read_text().split("\n--- ", 1)[0].splitlines()
        self.fields = dict(line.split(": ", 1) for line in head if ": " in line)
        missing = [field for field in FIELDS if not self.fields.get(field)]
        if missing or not NAME.fullmatch(path.name):
            raise Unusable(f"{path.name}: begins with lines {', '.join(FIELDS)} and is called NNN-short-name.patch; see README.md")


class Verdict:
    """What caught a mutant: `by` is None if nothing did."""

    def __init__(self, by=None, text="", seeds="", simulated=""):
        self.by, self.text, self.seeds, self.simulated = by, text, seeds, simulated


def run(*command, limit=None, directory=None):
    """Exit status (None if it took too long) and everything that was printed."""
    # No repository around the copy may decide what a patch means.
    environment = dict(os.environ, GIT_CEILING_DIRECTORIES=str(Path(directory).parent) if directory else "")
    with subprocess.Popen(
        [str(word) for word in command], cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as process:
        try:
            output, _ = process.communicate(timeout=limit)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            process.kill()
            return None, process.communicate()[0]


class Workshop:
    """The copy, its builds, and the control runs that say what the unpatched code does."""

    def __init__(self, scratch, first, seeds):
        self.source, self.build = scratch / "source", scratch / "build"
        self.first, self.seeds = first, seeds
        self.swarm_limit = None
        self.tests_pass = False

    def refresh(self):
        """Brings the copy up to date; a file that is the same keeps its time, so that builds are incremental."""
        status, listing = run("git", "ls-files", "-z", directory=ROOT)
        if status != 0:
            raise Unusable(f"git ls-files: {listing}")
        wanted = {Path(name) for name in listing.split("\0") if name and (ROOT / name).is_file()}
        for file in [file for file in self.source.rglob("*") if file.is_file()]:
            if file.relative_to(self.source) not in wanted and file.name != "Package.resolved":
                file.unlink()
        for name in wanted:
            content = (ROOT / name).read_bytes()
            if name == Path("Package.swift"):
                content += PRUNE.encode()
            target = self.source / name
            if not target.exists() or target.read_bytes() != content:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)

    def apply(self, mutant, *options):
        status, output = run("git", "apply", *options, mutant.path, directory=self.source)
        if status != 0:
            raise Unusable(f"{mutant.name}: does not apply any more: {output.strip()}")

    def swift(self, *arguments, limit=None):
        return run("swift", arguments[0], "--package-path", self.source, "--scratch-path", self.build, *arguments[1:], limit=limit)

    def compile(self, what, *arguments):
        status, output = self.swift("build", *arguments)
        if status != 0:
            errors = [line for line in output.splitlines() if "error:" in line] or output.splitlines()[-5:]
            raise Unusable(f"{what}: does not build: " + "\n  ".join(errors[:5]))

    # The swarm

    def swarm(self, first, count):
        return run(self.build / "release" / "simulate", "swarm", "--seed", first, "--runs", count, "--stop", limit=self.swarm_limit)

    def try_swarm(self, what):
        self.compile(what, *RELEASE)
        status, output = self.swarm(self.first, self.seeds)
        if status == 0:
            return Verdict()
        found = VIOLATION.search(output)
        if found:
            return Verdict(found[2], f"seed {found[1]}: {found[5]}", found[3], found[4])
        if status is None:
            return Verdict("hang", f"no end within {int(self.swarm_limit)} s")
        last = (output.strip().splitlines() or [""])[-1]
        if status > 0:
            return Verdict("the swarm", last, str(self.seeds))
        return Verdict("trap", f"signal {-status}: {last}", str(self.seeds_until_trap()))

    def seeds_until_trap(self):
        """A process that was trapped does not say which seed it was at."""
        clean, trapped = 0, self.seeds
        while trapped - clean > 1:
            middle = (clean + trapped) // 2
            status, _ = self.swarm(self.first + clean, middle - clean)
            clean, trapped = (middle, trapped) if status == 0 else (clean, middle)
        return trapped

    # The tests

    def try_tests(self, what):
        self.compile(what, "--build-tests")
        status, output = self.swift("test", "--skip-build", "--filter", TESTS, limit=TESTS_LIMIT_SECONDS)
        if status == 0:
            return Verdict()
        if status is None:
            return Verdict("tests: hang", f"no end within {TESTS_LIMIT_SECONDS} s")
        tests, suites = (sorted({a or b for a, b in pattern.findall(output)}) for pattern in (FAILED_TEST, FAILED_SUITE))
        if not tests:
            return Verdict("tests: trap", (output.strip().splitlines() or [""])[-1])
        more = f" and {len(tests) - 2} more" if len(tests) > 2 else ""
        return Verdict(f"{', '.join(suites)}: {', '.join(tests[:2])}{more}", "")

    # Control

    def control_swarm(self):
        began = time.monotonic()
        verdict = self.try_swarm("the unpatched code")
        if verdict.by:
            raise ControlFailed(f"the unpatched code does not pass the swarm: {verdict.by}: {verdict.text}")
        elapsed = time.monotonic() - began
        self.swarm_limit = 120 + 5 * elapsed
        return elapsed

    def control_tests(self):
        if self.tests_pass:
            return
        try:
            verdict = self.try_tests("the unpatched code")
        except Unusable as problem:
            raise ControlFailed(str(problem)) from None
        if verdict.by:
            raise ControlFailed(f"the unpatched code does not pass its tests: {verdict.by}")
        self.tests_pass = True

    # One mutant

    def judge(self, mutant, options):
        verdict = Verdict()
        if not options.tests_only:
            verdict = self.patched(mutant, self.try_swarm)
        if verdict.by or options.swarm_only:
            return verdict
        self.control_tests()
        return self.patched(mutant, self.try_tests)

    def patched(self, mutant, attempt):
        self.apply(mutant)
        try:
            return attempt(mutant.name)
        finally:
            self.apply(mutant, "--reverse")


class Table:
    """Rows are printed as they come, and kept in a file if there is one."""

    def __init__(self, path):
        self.path = path
        self.lines = []
        self.add("mutant", "pitfall", "caught by", "seeds", "simulated", "wall")
        self.add(*["---"] * 6)

    def add(self, *cells):
        self.lines.append("| " + " | ".join(str(cell).replace("|", "\\|") or "–" for cell in cells) + " |")
        print(self.lines[-1], flush=True)
        if self.path:
            self.path.write_text("\n".join(self.lines) + "\n")


def select(patterns, sample, seed):
    mutants = [Mutant(path) for path in sorted(HERE.glob("*.patch"))]
    numbers = [mutant.name[:3] for mutant in mutants]
    if len(set(numbers)) != len(numbers):
        raise Unusable("two patches have one number")
    if patterns:
        chosen = [m for m in mutants if any(fnmatch.fnmatch(m.name, p) or m.name.startswith(p) for p in patterns)]
        if not chosen:
            raise Unusable(f"no mutant is called {' or '.join(patterns)}")
        mutants = chosen
    if sample and sample < len(mutants):
        mutants = sorted(random.Random(seed).sample(mutants, sample), key=lambda mutant: mutant.name)
    return mutants


def check(mutants):
    """Whether every patch applies to the working tree, which it leaves as it is."""
    for mutant in mutants:
        status, output = run("git", "apply", "--check", mutant.path, directory=ROOT)
        if status != 0:
            raise Unusable(f"{mutant.name}: does not apply any more: {output.strip()}")
    print(f"{len(mutants)} mutants apply")


def judge_all(mutants, options):
    began = time.monotonic()
    scratch = options.scratch.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    workshop = Workshop(scratch, options.first, options.seeds)
    workshop.refresh()
    if options.tests_only:
        workshop.control_tests()
        print("the unpatched code passes its tests", flush=True)
    else:
        elapsed = workshop.control_swarm()
        print(f"the unpatched code passes {options.seeds} seeds from {options.first} on ({elapsed:.0f} s)", flush=True)
    table = Table(options.table)
    survivors, unusable = [], []
    for mutant in mutants:
        start = time.monotonic()
        try:
            verdict = workshop.judge(mutant, options)
        except ControlFailed:
            raise
        except Unusable as problem:
            unusable.append(str(problem))
            verdict = Verdict("ERROR")
        if not verdict.by:
            survivors.append(mutant)
        caught = verdict.by or "**survived**"
        table.add(mutant.name, mutant.fields["Pitfall"], caught, verdict.seeds, verdict.simulated, f"{time.monotonic() - start:.0f} s")
    for mutant in survivors:
        print(f"{mutant.name} survived: {mutant.fields['Mistake']} Expected: {mutant.fields['Expected']}")
    for problem in unusable:
        print(f"error: {problem}")
    caught = len(mutants) - len(survivors) - len(unusable)
    print(f"{caught} of {len(mutants)} mutants caught in {time.monotonic() - began:.0f} s")
    return 2 if unusable else 1 if survivors else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", metavar="NAME", help="which mutants: beginnings of names, or globs; all if none is given")
    parser.add_argument("--check", action="store_true", help="only see whether every patch still applies; takes seconds")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--tests-only", action="store_true", help="leave the swarm out")
    part.add_argument("--swarm-only", action="store_true", help="leave the tests out")
    parser.add_argument("--seeds", type=int, default=300, help="most seeds for each mutant (default %(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default %(default)s)")
    parser.add_argument("--sample", type=int, metavar="K", help="K mutants drawn at random")
    parser.add_argument("--seed", type=int, default=None, help="what the drawing depends on")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table here too, as Markdown")
    parser.add_argument(
        "--scratch", type=Path, default=Path(tempfile.gettempdir()) / "coracle-mutants",
        help="where the copy and its builds are kept from one time to the next (default %(default)s)")
    options = parser.parse_args()
    try:
        mutants = select(options.patterns, options.sample, options.seed)
        if options.check:
            check(mutants)
            return 0
        if not shutil.which("swift"):
            raise Unusable("there is no swift on the path")
        return judge_all(mutants, options)
    except Unusable as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
