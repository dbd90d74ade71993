# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What both measurements of coverage share. Sourced, never run; $OUT is where they work.

# annotate GCOV DIR: what gcov says of every object below DIR.
annotate() {
	find "$2" -name '*.gcda' | sort | while read -r data; do
		"$1" -t -o "${data%.gcda}.gcno" "${data%.gcda}.c" 2>>"$OUT/gcov.log"
	done
}
