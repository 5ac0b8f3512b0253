#!/usr/bin/env bash
# A program that uses the product `Raft` alone, with no traits, resolves no third-party package, compiles and runs.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# SwiftPM names a package by the last part of its path: the link gives it the name that users see.
ln -s "$repository" "$scratch/coracle"
mkdir -p "$scratch/alone/Sources/alone"
cd "$scratch/alone"

cat > Package.swift <<'SWIFT'
// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "alone",
  platforms: [.macOS(.v15)],
  dependencies: [.package(path: "../coracle", traits: [])],
  targets: [
    .executableTarget(name: "alone", dependencies: [.product(name: "Raft", package: "coracle")])
  ]
)
SWIFT

cat > Sources/alone/main.swift <<'SWIFT'
import Raft

let member = Member(id: NodeID(1), name: "a", peerAddress: "a.example:2380", clientAddress: "a.example:2379")
let configuration = Configuration(voters: [member])
print("voters: \(configuration.voters.map(\.name).joined(separator: ","))")
SWIFT

swift package show-dependencies --format json > dependencies.json
python3 - dependencies.json <<'PYTHON'
import json
import sys

with open(sys.argv[1]) as file:
    text = file.read()
program = json.loads(text[text.index("{"):])
direct = [package["name"] for package in program["dependencies"]]
if direct != ["coracle"]:
    sys.exit(f"library-alone: expected coracle as the only dependency, found {direct}")
below = [package["name"] for package in program["dependencies"][0]["dependencies"]]
if below:
    sys.exit(f"library-alone: without traits, coracle resolves {below}")
PYTHON
if [ -s Package.resolved ] && grep -q '"identity"' Package.resolved; then
  echo "library-alone: packages were pinned:" && cat Package.resolved
  exit 1
fi
if [ -d .build/checkouts ] && [ -n "$(ls -A .build/checkouts)" ]; then
  echo "library-alone: packages were checked out: $(ls .build/checkouts)"
  exit 1
fi

swift build
printed=$("$(swift build --show-bin-path)/alone")
if [ "$printed" != "voters: a" ]; then
  echo "library-alone: the program printed '$printed'"
  exit 1
fi
echo "library-alone: Raft alone resolves nothing, compiles and runs."
