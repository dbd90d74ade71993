#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs every *_test beside this script on a host that serves goldfish pipes,
# as one TAP report with the tests' own reports nested in it. The exit code is
# 0 only if there were tests and none failed.
#
#	RANCHU_MODULES=DIR	where the modules are, and the file "order" that
#				names them in load order; loaded first, unless
#				they are loaded already
#	RANCHU_DOORBELL=WAY	how ranchu.ko serves doorbells: its parameter
#	run_all.sh [TEST]...	only these
cd "$(dirname "$0")" || exit 2

load() {
	if grep -q "^$1 " /proc/modules; then
		return
	fi
	parameters=
	[ "$1" != ranchu ] || parameters=${RANCHU_DOORBELL:+doorbell=$RANCHU_DOORBELL}
	# shellcheck disable=SC2086 # none, or one word
	if ! insmod "$RANCHU_MODULES/$1.ko" $parameters; then
		echo "Bail out! $1.ko does not load"
		exit 1
	fi
}

# Without the files they may be built in, or the tests will say skip.
if [ -n "$RANCHU_MODULES" ]; then
	while read -r module; do
		load "$module"
	done < "$RANCHU_MODULES/order" || exit 2
fi

if [ $# -eq 0 ]; then
	set -- ./*_test
fi
echo "TAP version 13"
echo "1..$#"

number=0
failed=0
code=$(mktemp) || exit 2
for test; do
	number=$((number + 1))
	name=${test##*/}
	start=$(date +%s)
	# A pipe's exit code is its last command's, so the test's goes by file.
	{
		"./$name" 2>&1
		echo $? > "$code"
	} | sed 's/^/    /'
	echo "# $name: $(($(date +%s) - start)) s"
	case $(cat "$code") in
	0) echo "ok $number $name" ;;
	4) echo "ok $number $name # SKIP" ;;
	*)
		echo "not ok $number $name # exit $(cat "$code")"
		failed=$((failed + 1))
		;;
	esac
done
rm -f "$code"
echo "# $failed of $number failed"
[ "$failed" -eq 0 ] && [ "$number" -gt 0 ]
