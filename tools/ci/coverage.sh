#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Which lines of drivers/ the tests run: the kselftests in the sanitizers' host, on
# modules that count, and the modules' pure logic here (its KUnit suites). Prints a
# table by file; the lines that did not run are in build/coverage/missed.
#
#	tools/ci/coverage.sh [--add | --table] [TEST]...
#
#	--add	to what was measured before: the whole is long, and can be had in parts
#	--table	runs nothing in the host, only counts what was measured
#
# The last line of the table is "TOTAL covered lines percent"; behind it are the lines
# that did not run and that uncovered.txt does not explain, if all tests have run.
# Ends with 1 if a test fails.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
OUT=$RANCHU_BUILD/coverage
MODE=${1:-}
case $MODE in
--add | --table) shift ;;
*) rm -rf "$OUT" ;;
esac
mkdir -p "$OUT/native"
rc=0

. tools/ci/coverage-lib.sh

# in_host [TEST]...: leaves PART.log, PART.klog, PART.gcov, and PART with the counts.
in_host() {
	local built=$RANCHU_BUILD/arm64/sanitizer-kasan-gcov part

	part=$(mktemp -d "$OUT/part-XXXXXX")
	tools/ci/sanitizers.sh --log "$part.klog" --gcov "$@" > "$part.log" || rc=$?
	grep -v '^# gcov: ' "$part.log" | grep -E '^(not )?ok |^ +not ok |^# .* s$' || true
	# Each is at the path of its object on this machine, where what it means is.
	find "$built" -name '*.gcno' | cpio -pd --quiet "$part"
	sed -n 's/^# gcov: //p' "$part.log" | base64 -d | tar -xz -C "$part"
	annotate "$(cross_prefix arm64)gcov" "$part" > "$part.gcov"
}

[ "$MODE" = --table ] || in_host "$@"
make -s -C tools/testing/native "O=$OUT/native" "CC=gcc --coverage" check \
	> "$OUT/native.log" || rc=$?
# Of a file that it does not find gcov says nothing: these have paths from there.
(cd tools/testing/native && annotate gcov "$OUT/native") > "$OUT/native.gcov"

awk -v missed="$OUT/missed" -v tree="(drivers|include)/(virt|vhost|linux)/" -v of="^drivers/" \
	-f tools/ci/covered.awk "$OUT"/*.gcov
[ $# -gt 0 ] || awk -f tools/ci/uncovered.awk tools/ci/uncovered.txt "$OUT/missed"
exit "$rc"
