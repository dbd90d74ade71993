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

# annotate GCOV DIR: what gcov says of every object below DIR.
annotate() {
	find "$2" -name '*.gcda' | sort | while read -r data; do
		"$1" -t -o "${data%.gcda}.gcno" "${data%.gcda}.c" 2>>"$OUT/gcov.log"
	done
}

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

# A line that ran anywhere has run; one that no compiler made code of is none.
awk -v missed="$OUT/missed" '
	$1 ~ /^-:$/ && $2 ~ /^0:Source/ {
		file = $0
		sub(/.*Source:/, "", file)
		n = match(file, /(drivers|include)\/(virt|vhost|linux)\/.*$/)
		file = n ? substr(file, n) : ""
		next
	}
	file !~ /^drivers\// || file ~ /\/tests\// { next }
	{
		split($0, part, ":")
		count = part[1]
		line = part[2] + 0
		gsub(/ /, "", count)
		if (count == "-" || !line)
			next
		key = file SUBSEP line
		if (!(key in seen)) {
			lines[file]++
			seen[key] = 0
			text[key] = $0
		}
		if (!seen[key] && count !~ /^[#=]/) {
			seen[key] = 1
			ran[file]++
		}
	}
	END {
		for (file in lines)
			printf "%-48s %5d %5d %6.1f\n", file, ran[file], lines[file],
				100 * ran[file] / lines[file] | "sort"
		for (key in seen)
			if (!seen[key]) {
				split(key, at, SUBSEP)
				sub(/^[^:]*:[^:]*:/, "", text[key])
				printf "%s:%d:%s\n", at[1], at[2], text[key] | \
					("sort -t: -k1,1 -k2,2n > " missed)
			}
		close("sort")
		for (file in lines) {
			all += lines[file]
			covered += ran[file]
		}
		printf "%-48s %5d %5d %6.1f\n", "TOTAL", covered, all, all ? 100 * covered / all : 0
	}' "$OUT"/*.gcov
[ $# -gt 0 ] || awk -f tools/ci/uncovered.awk tools/ci/uncovered.txt "$OUT/missed"
exit "$rc"
