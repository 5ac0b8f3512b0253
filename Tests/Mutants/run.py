"""Puts known mistakes back into the code, and shows that the simulator or a test catches each.

Works on a copy of the tracked files, so nothing happens to the working tree. All mutants are built into one binary, each behind a switch
(switches.py). For each: run the swarm until a checker finds something; if none does, run the tests that the patch names; if they do not,
all tests. Without a switch the copy must pass the same seeds and tests.

What came of a mutant is kept, and used again as long as neither the code nor the patch changes (`--anew` does without).

Exit status 0: every mutant was caught; 1: at least one survived; 2: nothing can be said, since a patch does not apply or build any more, or
the unpatched code does not pass.
"""
import argparse
import concurrent.futures
import fnmatch
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import switches

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FIELDS = ("Mistake", "Pitfall", "Expected")
NAME = re.compile(r"\d\d\d-[a-z0-9]+(-[a-z0-9]+)*\.patch")
FILE = re.compile(r"^\+\+\+ b/(\S+)", re.M)
VIOLATION = re.compile(r"^violation: seed=(\d+) checker=(\w+) at=\S+ run=(\d+) simulated=(\S+): (.*)", re.M)
FAILED_TEST = re.compile(r"^\S+ +Test (?:\"([^\"]+)\"|(\w+)\(.*?\)) (?:recorded an issue|failed)", re.M)
FAILED_SUITE = re.compile(r"^\S+ +Suite (?:\"([^\"]+)\"|(\w+)) failed", re.M)
NAMED_TEST = re.compile(r"\b(\w+Tests\.\w+)")
TESTS_LIMIT_SECONDS = 600
# Not the simulator's own tests, which would only be more of the swarm.
TESTS = "^(ByteCoding|Raft|WriteAheadLog|Replica|KeyValue|Links)Tests\\."

# The copy's manifest: the pure targets, their tests and the simulator, so that hardly anything of third parties is resolved or built.
PRUNE = """
let pure: Set = [
  "ByteCoding", "Raft", "WriteAheadLog", "Replica", "KeyValue", "Links", "LocalStore", "Golden", "Simulation", "simulate",
  "benchmark", "ByteCodingTests", "RaftTests", "WriteAheadLogTests", "ReplicaTests", "KeyValueTests", "LinksTests", "SimulationTests",
]
package.targets.removeAll { !pure.contains($0.name) }
package.products.removeAll { !pure.contains($0.name) }
package.dependencies.removeAll { dependency in
  guard case .sourceControl(_, let location, _) = dependency.kind else { return true }
  return !location.hasSuffix("swift-argument-parser")
}
"""


class Unusable(Exception):
    """A patch, or the unpatched code, that cannot be checked."""


class Mutant:
    def __init__(self, path):
        self.path = path
        self.name = path.stem
        self.number = path.name[:3]
        self.text = path.read_text()
        head = self.text.split("\n--- ", 1)[0].splitlines()
        self.fields = dict(line.split(": ", 1) for line in head if ": " in line)
        missing = [field for field in FIELDS if not self.fields.get(field)]
        if missing or not NAME.fullmatch(path.name):
            raise Unusable(f"{path.name}: begins with lines {', '.join(FIELDS)} and is called NNN-short-name.patch; see README.md")
        self.files = sorted(set(FILE.findall(self.text)))
        self.tests = NAMED_TEST.findall(self.fields["Expected"])


class Verdict:
    """What caught a mutant: `by` is None if nothing did."""

    def __init__(self, by=None, text="", seeds="", simulated="", wall=0.0):
        self.by, self.text, self.seeds, self.simulated, self.wall = by, text, seeds, simulated, wall


def run(*command, limit=None, directory=None, mutant="0"):
    """Exit status (None if it took too long) and everything that was printed."""
    # No repository around the copy may decide what a patch means.
    environment = dict(os.environ, CORACLE_MUTANT=mutant, GIT_CEILING_DIRECTORIES=str(Path(directory).parent) if directory else "")
    # A mistake may well be one that the compiler warns of.
    environment.pop("CORACLE_STRICT", None)
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


class Source:
    """The files that git tracks, as they are, with what each mutant makes of them."""

    def __init__(self, mutants):
        status, listing = run("git", "ls-files", "-z", directory=ROOT)
        if status != 0:
            raise Unusable(f"git ls-files: {listing}")
        self.files = {name: (ROOT / name).read_bytes() for name in listing.split("\0") if name and (ROOT / name).is_file()}
        self.mutants = mutants

    def switched(self):
        """All mutants in one source."""
        variants = {}
        with tempfile.TemporaryDirectory() as scratch:
            for mutant in self.mutants:
                for file, changes in self.changes(mutant, Path(scratch)).items():
                    for place, text in changes.items():
                        variants.setdefault(file, {}).setdefault(place, []).append((int(mutant.number), text))
        files = {name: data for name, data in self.files.items() if not name.startswith("Tests/Mutants/")}
        files["Package.swift"] += PRUNE.encode()
        for file, of_file in variants.items():
            files[file] = switches.merge(files[file].decode(), of_file).encode()
            files[str(Path(*Path(file).parts[:2]) / "ActiveMutant.swift")] = switches.SWITCH.encode()
        return files

    def changes(self, mutant, scratch):
        """For each file that the patch changes: the bodies that change, and their new text."""
        for file in mutant.files:
            (scratch / file).parent.mkdir(parents=True, exist_ok=True)
            (scratch / file).write_bytes(self.files.get(file, b""))
        status, output = run("git", "apply", mutant.path, directory=scratch)
        if status != 0:
            raise Unusable(f"{mutant.name}: does not apply any more: {output.strip()}")
        try:
            return {file: switches.changed_bodies(self.files[file].decode(), (scratch / file).read_text()) for file in mutant.files}
        except switches.NotSwitchable as problem:
            raise Unusable(f"{mutant.name}: {problem}; a mutant changes bodies of functions, and nothing else") from None

    def digest(self, mutant):
        """Of all that a verdict depends on."""
        code = hashlib.sha256()
        for name in sorted(self.files):
            if name.endswith(".swift"):
                code.update(name.encode() + b"\0" + self.files[name] + b"\0")
        code.update(mutant.text.encode())
        return code.hexdigest()


class Workshop:
    """The copy, its builds, and the control runs that say what the unpatched code does."""

    def __init__(self, scratch, first, seeds, jobs):
        self.source, self.build = scratch / "source", scratch / "build"
        self.first, self.seeds, self.jobs = first, seeds, jobs
        self.swarm_limit = None
        self.passing = set()
        self.control_lock = threading.Lock()

    def refresh(self, files):
        """Brings the copy up to date; a file that is the same keeps its time, so that builds are incremental."""
        for file in [file for file in self.source.rglob("*") if file.is_file()]:
            if str(file.relative_to(self.source)) not in files and file.name != "Package.resolved":
                file.unlink()
        for name, content in files.items():
            target = self.source / name
            if not target.exists() or target.read_bytes() != content:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)

    def compile(self, *arguments):
        status, output = run("swift", "build", "--package-path", self.source, "--scratch-path", self.build, *arguments)
        if status != 0:
            errors = [line for line in output.splitlines() if "error:" in line] or output.splitlines()[-5:]
            raise Unusable("the code with its switches does not build: " + "\n  ".join(errors[:5]))

    # The swarm

    def swarm(self, first, count, mutant="0", jobs=1):
        simulate = self.build / "release" / "simulate"
        return run(
            simulate, "swarm", "--seed", first, "--runs", count, "--stop", "--jobs", jobs, limit=self.swarm_limit, mutant=mutant)

    def try_swarm(self, mutant):
        status, output = self.swarm(self.first, self.seeds, mutant)
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
        return Verdict("trap", f"signal {-status}: {last}", str(self.seeds_until_trap(mutant)))

    def seeds_until_trap(self, mutant):
        """A process that was trapped does not say which seed it was at."""
        clean, trapped = 0, self.seeds
        while trapped - clean > 1:
            middle = (clean + trapped) // 2
            status, _ = self.swarm(self.first + clean, middle - clean, mutant)
            clean, trapped = (middle, trapped) if status == 0 else (clean, middle)
        return trapped

    def control_swarm(self):
        began = time.monotonic()
        status, output = self.swarm(self.first, self.seeds, jobs=self.jobs)
        if status != 0:
            raise Unusable("the unpatched code does not pass the swarm: " + (output.strip().splitlines() or [""])[-1])
        elapsed = time.monotonic() - began
        self.swarm_limit = 120 + 10 * elapsed
        print(f"the unpatched code passes {self.seeds} seeds from {self.first} on ({elapsed:.0f} s)", flush=True)

    # The tests

    def try_tests(self, filter, mutant="0"):
        # Not `swift test`, of which only one can run at a time.
        tests = self.build / "release" / "coraclePackageTests.xctest"
        status, output = run(tests, "--testing-library", "swift-testing", "--filter", filter, limit=TESTS_LIMIT_SECONDS, mutant=mutant)
        if status == 0:
            if "Test run with 0 tests" in output:
                raise Unusable(f"no test is called {filter}")
            return Verdict()
        if status is None:
            return Verdict("tests: hang", f"no end within {TESTS_LIMIT_SECONDS} s")
        tests, suites = (sorted({a or b for a, b in pattern.findall(output)}) for pattern in (FAILED_TEST, FAILED_SUITE))
        if not tests:
            return Verdict("tests: trap", (output.strip().splitlines() or [""])[-1])
        more = f" and {len(tests) - 2} more" if len(tests) > 2 else ""
        return Verdict(f"{', '.join(suites)}: {', '.join(tests[:2])}{more}", "")

    def control_tests(self, filter):
        with self.control_lock:
            if filter in self.passing:
                return
            verdict = self.try_tests(filter)
            if verdict.by:
                raise Unusable(f"the unpatched code does not pass its tests: {verdict.by}")
            self.passing.add(filter)

    # One mutant

    def check(self, mutant, options):
        began = time.monotonic()
        verdict = Verdict() if options.tests_only else self.try_swarm(mutant.number)
        for filter in [f"^{re.escape(test)}" for test in mutant.tests] + [TESTS]:
            if verdict.by or options.swarm_only:
                break
            self.control_tests(filter)
            verdict = self.try_tests(filter, mutant.number)
        verdict.wall = time.monotonic() - began
        return verdict


class Results:
    """What came of each mutant, a line each, as it comes."""

    def __init__(self, path, conditions, anew):
        self.path, self.conditions = path, conditions
        self.known = {}
        if path.exists() and not anew:
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                self.known[entry["digest"], entry["conditions"]] = Verdict(**entry["verdict"])

    def get(self, digest):
        return self.known.get((digest, self.conditions))

    def add(self, digest, verdict):
        with self.path.open("a") as file:
            file.write(json.dumps({"digest": digest, "conditions": self.conditions, "verdict": vars(verdict)}) + "\n")


class Table:
    """Rows are printed as they come, and written to a file, in the order of the mutants, if there is one."""

    HEAD = ("mutant", "pitfall", "caught by", "seeds", "simulated", "wall")

    def __init__(self, path):
        self.path, self.rows = path, {}
        print(self.line(self.HEAD) + "\n" + self.line(["---"] * 6), flush=True)

    def line(self, cells):
        return "| " + " | ".join(str(cell).replace("|", "\\|") or "–" for cell in cells) + " |"

    def add(self, mutant, verdict):
        caught = verdict.by or "**survived**"
        cells = (mutant.name, mutant.fields["Pitfall"], caught, verdict.seeds, verdict.simulated, f"{verdict.wall:.0f} s")
        self.rows[mutant.name] = self.line(cells)
        print(self.rows[mutant.name], flush=True)
        if self.path:
            rows = [self.rows[name] for name in sorted(self.rows)]
            self.path.write_text("\n".join([self.line(self.HEAD), self.line(["---"] * 6), *rows]) + "\n")


def select(mutants, patterns, sample, seed):
    if patterns:
        chosen = [m for m in mutants if any(fnmatch.fnmatch(m.name, p) or m.name.startswith(p) for p in patterns)]
        if not chosen:
            raise Unusable(f"no mutant is called {' or '.join(patterns)}")
        mutants = chosen
    if sample and sample < len(mutants):
        mutants = sorted(random.Random(seed).sample(mutants, sample), key=lambda mutant: mutant.name)
    return mutants


def all_mutants():
    mutants = [Mutant(path) for path in sorted(HERE.glob("*.patch"))]
    numbers = [mutant.number for mutant in mutants]
    if len(set(numbers)) != len(numbers):
        raise Unusable("two patches have one number")
    return mutants


def check_all(mutants, source, options):
    began = time.monotonic()
    scratch = options.scratch.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    part = "tests" if options.tests_only else "swarm" if options.swarm_only else "all"
    results = Results(scratch / "results.jsonl", f"{part}, seeds {options.first} and {options.seeds - 1} more", options.anew)
    table = Table(options.table)
    survivors, problems = [], []
    waiting = []
    for mutant in mutants:
        if known := results.get(source.digest(mutant)):
            table.add(mutant, known)
            survivors += [] if known.by else [mutant]
        else:
            waiting.append(mutant)
    if waiting:
        workshop = Workshop(scratch, options.first, options.seeds, options.jobs)
        workshop.refresh(source.switched())
        workshop.compile("-c", "release", "-Xswiftc", "-enable-testing", "--build-tests")
        if not options.tests_only:
            workshop.control_swarm()
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            futures = {pool.submit(workshop.check, mutant, options): mutant for mutant in waiting}
            for future in concurrent.futures.as_completed(futures):
                mutant = futures[future]
                try:
                    verdict = future.result()
                except Unusable as problem:
                    problems.append(f"{mutant.name}: {problem}")
                    continue
                results.add(source.digest(mutant), verdict)
                table.add(mutant, verdict)
                survivors += [] if verdict.by else [mutant]
    for mutant in survivors:
        print(f"{mutant.name} survived: {mutant.fields['Mistake']} Expected: {mutant.fields['Expected']}")
    for problem in problems:
        print(f"error: {problem}")
    caught = len(mutants) - len(survivors) - len(problems)
    print(f"{caught} of {len(mutants)} mutants caught in {time.monotonic() - began:.0f} s")
    return 2 if problems else 1 if survivors else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", metavar="NAME", help="which mutants: beginnings of names, or globs; all if none is given")
    parser.add_argument("--check", action="store_true", help="only see whether every patch still applies; takes seconds")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--tests-only", action="store_true", help="leave the swarm out")
    part.add_argument("--swarm-only", action="store_true", help="leave the tests out")
    parser.add_argument("--seeds", type=int, default=100, help="most seeds for each mutant (default %(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default %(default)s)")
    parser.add_argument("--sample", type=int, metavar="K", help="K mutants drawn at random")
    parser.add_argument("--seed", type=int, default=None, help="what the drawing depends on")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many mutants at a time (default %(default)s)")
    parser.add_argument("--anew", action="store_true", help="use no result of an earlier run")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table here too, as Markdown")
    parser.add_argument(
        "--scratch", type=Path, default=Path(tempfile.gettempdir()) / "coracle-mutants",
        help="where the copy, its builds and the results are kept from one time to the next (default %(default)s)")
    options = parser.parse_args()
    try:
        mutants = all_mutants()
        source = Source(mutants)
        if options.check:
            source.switched()
            print(f"{len(mutants)} mutants apply")
            return 0
        if not shutil.which("swift"):
            raise Unusable("there is no swift on the path")
        return check_all(select(mutants, options.patterns, options.sample, options.seed), source, options)
    except Unusable as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
