"""Runs libFuzzer on the decoders of what comes from peers, files and clients, with the address sanitizer.

Builds the pure targets and the readers of the JSON gateway in a package of its own, without third parties, and with what libFuzzer needs
in every module. What it finds is written to the scratch directory; the same command goes on from the inputs that it has gathered there.

Exit status 0: nothing was found; 1: something was, and the output tells with which bytes; 2: it does not build.
"""
import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

MANIFEST = """
let fuzzed: Set = ["ByteCoding", "Raft", "WriteAheadLog", "Replica", "KeyValue", "Links", "Simulation"]
package.products = []
package.dependencies = []
package.traits = []
package.targets.removeAll { !fuzzed.contains($0.name) }
let readers = ["APIError", "Base64", "JSONReader", "JSONWriter", "KeyValueService", "MessageField", "RequestMessages", "RequestReader"]
package.targets += [
  .target(name: "EtcdAPI", dependencies: ["KeyValue", "Raft", "Replica"], sources: readers.map { $0 + ".swift" }),
  .executableTarget(
    name: "fuzz", dependencies: ["ByteCoding", "EtcdAPI", "KeyValue", "Links", "Raft", "Replica", "Simulation", "WriteAheadLog"],
    path: "Tests/FuzzingTests", exclude: ["FuzzingTests.swift", "LibFuzzer/run.py"]),
]
"""
# The linker that comes with the toolchain: others refuse two functions `main`, libFuzzer's and that of SwiftPM, which counts.
BUILD = "swift build -c release --product fuzz -Xswiftc -enable-testing -Xswiftc -sanitize=fuzzer,address -Xswiftc -use-ld=lld " \
    "-Xlinker -z -Xlinker muldefs"


def build(scratch):
    scratch.mkdir(parents=True, exist_ok=True)
    for name in ("Sources", "Tests", "Simulator"):
        link = scratch / name
        # Made by another clone, perhaps.
        if link.is_symlink() and link.resolve() != (ROOT / name).resolve():
            link.unlink()
        if not link.exists():
            link.symlink_to(ROOT / name)
    text = (ROOT / "Package.swift").read_text() + MANIFEST
    if not (scratch / "Package.swift").exists() or (scratch / "Package.swift").read_text() != text:
        (scratch / "Package.swift").write_text(text)
    done = subprocess.run(BUILD.split(), cwd=scratch, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        print("\n".join(line for line in done.stdout.splitlines() if "Cannot export" not in line))
        sys.exit(2)
    return scratch / ".build" / "release" / "fuzz"


def fuzz(binary, target, corpus, options):
    """Whether nothing was found."""
    # Swift's own report of a crash needs minutes with sanitizers; libFuzzer says where it was.
    environment = os.environ | {"FUZZ_TARGET": target, "SWIFT_BACKTRACE": "enable=no", "ASAN_OPTIONS": "detect_leaks=0"}
    found = corpus / f"{target}-"
    command = [binary, f"-max_total_time={options.seconds}", f"-seed={options.seed}", f"-artifact_prefix={found}", "-timeout=10",
               "-print_final_stats=1", "-max_len=8192", corpus / target]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          text=True, errors="replace")
    statistics = dict(line.removeprefix("stat::").split(":", 1) for line in done.stdout.splitlines() if line.startswith("stat::"))
    executed = statistics.get("number_of_executed_units", "?").strip()
    edges = [line.split("cov: ")[1].split()[0] for line in done.stdout.splitlines() if "cov: " in line]
    verdict = "nothing found" if done.returncode == 0 else "FOUND something"
    print(f"{target}: {executed} inputs, {edges[-1] if edges else '?'} edges, {verdict}", flush=True)
    if done.returncode != 0:
        print("\n".join(done.stdout.splitlines()[-60:]), flush=True)
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="which targets; all if none is given")
    parser.add_argument("--seconds", type=int, default=60, help="for how long each (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of what libFuzzer draws; 0 for another one each time")
    parser.add_argument("--list", action="store_true", help="only print the names of the targets")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "coracle-fuzz",
                        help="where the build and the inputs are kept from one time to the next (default %(default)s)")
    options = parser.parse_args()
    binary = build(options.scratch.resolve())
    names = subprocess.run([binary, "list"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    if options.list:
        print("\n".join(names))
        return 0
    unknown = set(options.targets) - set(names)
    if unknown:
        parser.error(f"no target is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    corpus = options.scratch.resolve() / "corpus"
    subprocess.run([binary, "seeds", corpus], check=True)
    clean = [fuzz(binary, target, corpus, options) for target in options.targets or names]
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
