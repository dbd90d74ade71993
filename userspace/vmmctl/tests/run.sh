#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs test programs and prints their results as KTAP. What they write to stderr
# (messages of vmmctl, reports of a sanitizer) is shown where one fails.
#
#	run.sh PROGRAM...
set -uo pipefail

err=$(mktemp)
trap 'rm -f "$err"' EXIT
rc=0
n=0
echo "KTAP version 1"
echo "1..$#"
for test; do
	n=$((n + 1))
	name=$(basename "$test")
	echo "    KTAP version 1"
	echo "    # Subtest: $name"
	if timeout 120 "$test" 2>"$err" | sed 's/^/    /'; then
		echo "ok $n $name"
	else
		sed 's/^/    # /' "$err"
		echo "not ok $n $name"
		rc=1
	fi
done
exit $rc
