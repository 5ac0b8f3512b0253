"""What the libraries offer to programs: compares it with the committed lists, and builds the documentation from it.

The lists in this directory have one line for each public declaration, each protocol that a type conforms to, and each declaration of another
library that comes with one. A line that is gone or differs may break a program that uses the
library: say so in the commit, and write the lists anew with `--update`. The documentation must build without a warning.

Run it from the top of the repository after `swift build`. Exit status 0: nothing differs; 1: something does, and the output says what.
"""
import argparse
import difflib
import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LISTS = Path(__file__).resolve().parent
# The libraries that a program may depend on, and where their pages are.
LIBRARIES = {
    "ByteCoding": "Sources/ByteCoding", "Raft": "Sources/Raft", "WriteAheadLog": "Sources/WriteAheadLog", "Replica": "Sources/Replica",
    "KeyValue": "Sources/KeyValue", "Simulation": "Simulator/Simulation", "Coracle": "Sources/Coracle",
}


def run(*command):
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def target():
    status, output = run("swiftc", "-print-target-info")
    return json.loads(output)["target"]["unversionedTriple"]


def extract(library, build, graphs):
    """Writes the library's symbol graph. C modules of its dependencies are found by their headers, or by the maps that the build made."""
    headers = [argument for path in sorted((ROOT / ".build/checkouts").glob("*/Sources/*/include")) for argument in ("-I", str(path))]
    maps = [argument for path in sorted(build.glob("*.build/module.modulemap")) for argument in ("-Xcc", f"-fmodule-map-file={path}")]
    shutil.rmtree(graphs, ignore_errors=True)
    graphs.mkdir(parents=True)
    status, output = run(
        "swift", "symbolgraph-extract", "-module-name", library, "-I", str(build / "Modules"), *headers, *maps, "-target", target(),
        "-minimum-access-level", "public", "-skip-synthesized-members", "-skip-inherited-docs", "-output-dir", str(graphs))
    if status != 0:
        sys.exit(f"{library}: its symbols cannot be read. Has `swift build` run?\n{output}")


def declarations(library, graphs):
    """A line for each public declaration, in an order that does not depend on the compiler."""
    lines = set()
    for graph in sorted(graphs.glob(f"{library}*.symbols.json")):
        if graph.name.split(".")[0].split("@")[0] != library:
            continue
        content = json.loads(graph.read_text())
        for symbol in content["symbols"]:
            text = "".join(part["spelling"] for part in symbol["declarationFragments"])
            lines.add(f"{'.'.join(symbol['pathComponents'])}: {' '.join(text.split())}\n")
        names = {symbol["identifier"]["precise"]: ".".join(symbol["pathComponents"]) for symbol in content["symbols"]}
        for relationship in content["relationships"]:
            if relationship["kind"] == "conformsTo" and relationship["source"] in names:
                protocol = relationship.get("targetFallback") or names.get(relationship["target"], relationship["target"])
                lines.add(f"{names[relationship['source']]}: conforms to {protocol}\n")
    for source in sorted((ROOT / LIBRARIES[library]).glob("*.swift")):
        lines |= {line + "\n" for line in source.read_text().splitlines() if line.startswith("@_exported import ")}
    return sorted(lines)


def compare(library, lines, update):
    """Whether nothing differs."""
    path = LISTS / f"{library}.txt"
    if update:
        path.write_text("".join(lines))
        return True
    before = path.read_text().splitlines(keepends=True) if path.exists() else []
    changes = [line for line in difflib.unified_diff(before, lines, n=0) if line[:3] not in ("---", "+++") and line[0] in "+-"]
    if changes:
        print(f"{library}: its public interface is not what {path.relative_to(ROOT)} says:\n{''.join(changes)}")
    return not changes


def document(library, graphs, output):
    """Whether the documentation builds without a warning."""
    catalogue = ROOT / LIBRARIES[library] / f"{library}.docc"
    status, text = run(
        "docc", "convert", str(catalogue), "--fallback-display-name", library, "--fallback-bundle-identifier", f"coracle.{library}",
        "--additional-symbol-graph-dir", str(graphs), "--output-path", str(output), "--warnings-as-errors")
    if status != 0:
        print(f"{library}: its documentation has warnings:\n{text}")
    return status == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write the lists anew")
    options = parser.parse_args()
    build = ROOT / ".build/debug"
    isClean = True
    for library in LIBRARIES:
        graphs = ROOT / ".build/documentation/symbols" / library
        extract(library, build, graphs)
        isClean &= compare(library, declarations(library, graphs), options.update)
        isClean &= document(library, graphs, ROOT / ".build/documentation" / library)
    if isClean:
        print(f"the interface of {', '.join(LIBRARIES)} is as listed; the documentation is in .build/documentation")
    else:
        print("If the change of the interface is meant: python3 Tests/PublicInterface/check.py --update")
    return 0 if isClean else 1


if __name__ == "__main__":
    sys.exit(main())
