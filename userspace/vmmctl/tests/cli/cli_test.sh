#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vmmctl as a user calls it: exit codes, one line for each failure, and nothing
# half made left behind.
#
#	VMMCTL=program cli_test.sh
set -uo pipefail

VMMCTL=${VMMCTL:?the program to test}
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
n=0
bad=0

result() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n $2"
	else
		echo "not ok $n $2"
		bad=1
	fi
}

# fails CODE NAME ARGS...: ends with CODE and one line that names the program.
fails() {
	local code=$1 name=$2 rc=0

	shift 2
	"$VMMCTL" "$@" >"$DIR/out" 2>"$DIR/err" </dev/null || rc=$?
	[ "$rc" -eq "$code" ] && [ ! -s "$DIR/out" ] && [ "$(wc -l <"$DIR/err")" -eq 1 ] &&
		grep -q '^vmmctl: ' "$DIR/err"
	result $? "$name"
}

echo "1..11"
fails 2 "no command is refused"
fails 2 "an unknown command is refused" walk
fails 2 "an unknown option is refused" dtb --walk
fails 1 "a kernel that is no kernel is refused" dtb --kernel "$VMMCTL"
fails 1 "a kernel that is not there is refused" dtb --kernel "$DIR/none"
fails 1 "a directory is no initrd" dtb --initrd "$DIR"
if [ -c /dev/full ]; then
	fails 1 "a full disk is noticed, and a device is not removed" dtb -o /dev/full
	[ -c /dev/full ] || { echo "# /dev/full is gone"; bad=1; }
else
	n=$((n + 1))
	echo "ok $n a full disk is noticed # SKIP no /dev/full here"
fi
fails 1 "run says in one line why it does not" run --kernel "$DIR/none"

# No pipe into grep -q: it goes early, and the writer dies of that.
"$VMMCTL" help >"$DIR/help" && grep -q '^usage: ' "$DIR/help"
result $? "help prints how it is used"

"$VMMCTL" dtb --cpus 2 -o "$DIR/a.dtb" && "$VMMCTL" dtb --cpus 2 >"$DIR/b.dtb" &&
	[ -s "$DIR/a.dtb" ] && cmp "$DIR/a.dtb" "$DIR/b.dtb"
result $? "dtb writes the same to a file and to stdout"

head -c 100000 /dev/zero >"$DIR/initrd"
"$VMMCTL" dtb --initrd "$DIR/initrd" -o "$DIR/c.dtb" &&
	grep -aq 'linux,initrd-end' "$DIR/c.dtb"
result $? "dtb tells where an initrd will be"
exit $bad
