#!/usr/bin/env bash
# Tests under a sanitizer, in a build of its own. From the top of the repository: `Tests/sanitize.sh address|thread [FILTER]`.
# FILTER is that of `swift test`, as `CoracleTests`; without it all tests run. Exit status 0: all passed, and nothing was found.
set -euo pipefail
case "${1:-}" in
  address | thread) ;;
  *) sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 64 ;;
esac
# What is allocated once for the life of a process is no leak; a finding ends the run; and Swift's own report of a crash, which takes
# minutes with a sanitizer, would add nothing to the sanitizer's.
export ASAN_OPTIONS=detect_leaks=0:halt_on_error=1 TSAN_OPTIONS=halt_on_error=1 SWIFT_BACKTRACE=enable=no
exec swift test --sanitize "$1" --scratch-path ".build/sanitize-$1" --no-parallel ${2:+--filter "$2"} < /dev/null
