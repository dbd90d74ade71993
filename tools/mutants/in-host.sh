#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The part of tools/mutants/run.sh inside the emulated host (busybox's sh): for each line of
# "list", a name and its tests, loads the modules of that name and runs the tests. Prints
# "NAME begins", and then "NAME survived" or "NAME found by TEST". Modules that cannot be
# unloaded end it.
cd /ranchu/mutants || exit 2

splat() {
	dmesg -c > /tmp/log
	grep -q -E -f splats.txt /tmp/log
}

unload() {
	tac "$1/order" | while read -r module; do
		rmmod "$module" || exit 1
	done
}

dmesg -c > /dev/null
while read -r name tests; do
	echo "$name begins"
	while read -r module; do
		insmod "$name/$module.ko" || exit 1
	done < "$name/order" || { echo "$name found by insmod"; exit 1; }
	words=survived
	for test in $tests; do
		(cd /ranchu/tests && timeout -s KILL 200 "./${test}_test") > /tmp/out 2>&1 < /dev/null
		rc=$?
		if [ $rc -ne 0 ] && [ $rc -ne 4 ]; then
			words="found by host:$test"
			[ "$name" != none ] || sed 's/^/# /' /tmp/out
		elif splat; then
			words="found by the kernel in host:$test"
		else
			continue
		fi
		break
	done
	echo "$name $words"
	# A process that is still there ends with the host.
	unload "$name" || exit 1
done < list
