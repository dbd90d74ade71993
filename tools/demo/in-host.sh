#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The demo's part inside the host, emulated or not (busybox's sh will do): loads the modules,
# boots the stock guest once per way of serving its pipe and its disk, and prints the table.
# With ADB=1 Debian's adb moves a file to and from Debian's adbd in each guest. What is on
# the first guest's screen is written to FILE.
#
#	in-host.sh MODULES-DIR GUEST-DIR VMMCTL FILE
set -eu

MODULES=$1
GUEST=$2
VMMCTL=$3
FILE=$4
ADB=${ADB:-}
ADB_BYTES=8388608
HERE=$(dirname "$0")
. "$HERE/host-lib.sh"
OUT=$(mktemp -d)
LOADED=
vmm=
# adb's keys are there, and a VM's socket.
export HOME="$OUT" XDG_RUNTIME_DIR="$OUT"

cleanup() {
	[ -z "$vmm" ] || "$VMMCTL" stop demo 2>/dev/null || true
	[ -z "$ADB" ] || adb kill-server 2>/dev/null || true
	wait
	for module in $LOADED; do
		rmmod "$module" || true
	done
	rm -rf "$OUT"
}
trap cleanup EXIT

load() {
	if [ ! -d "/sys/module/$1" ]; then
		insmod "$MODULES/$1.ko"
		LOADED="$1 $LOADED"
	fi
}

fail() {
	cat "$OUT/$mode.err"
	echo "demo: $1, with all served by $mode"
	exit 1
}

# boot MODE COMMAND OPTION...: in the background, and shown. At every line with which the
# guest marks the begin or end of a phase vmmctl takes a snapshot of its statistics, with
# that line as its label.
boot() {
	mode=$1
	command=$2
	shift 2
	echo "--- the stock guest, its pipe and its disk served by $mode"
	echo "\$ vmmctl run --pipe $mode $* ..."
	: > "$OUT/$mode.txt"
	# The console is this screen's from the beginning: a PC's has one of its own, and
	# Linux 6.12 trips over taking that away.
	"$VMMCTL" run --name demo --kernel "$GUEST/Image" --initrd "$GUEST/initrd.cpio" \
		--memory 512M --no-reboot --pipe "$mode" "$@" \
		--screen-width 320 --screen-height 240 \
		--stats="$OUT/$mode.json" --stats-at "RANCHU-MARK " \
		--append "$linux_args fbcon=map:0 ranchu.root=/dev/vda ranchu.run=\"$command\"" \
		</dev/null 2>"$OUT/$mode.err" | tr -d '\r' | tee "$OUT/$mode.txt" &
	vmm=$!
}

# says TEXT: the guest has said it, or will.
says() {
	until grep -q "$1" "$OUT/$mode.txt"; do
		kill -0 "$vmm" 2>/dev/null || fail "the guest has ended"
		! grep -q '^GUEST-EXIT: ' "$OUT/$mode.txt" || fail "the guest has failed"
		sleep 1
	done
}

exits() {
	"$VMMCTL" stats demo | sed -n 's/.*"userspace_exits": \([0-9]*\).*/\1/p' | head -n 1
}

# moved WHAT COMMAND...: ADB_BYTES
moved() {
	what=$1
	shift
	before=$(exits)
	start=$(awk '{ print $1 }' /proc/uptime)
	"$@" > "$OUT/moved" 2>&1 || { cat "$OUT/moved"; fail "adb $what has failed"; }
	end=$(awk '{ print $1 }' /proc/uptime)
	after=$(exits)
	awk -v row="$mode $what $ADB_BYTES" -v start="$start" -v end="$end" \
		-v exits=$((after - before)) 'BEGIN { print row, end - start, exits }' >> "$OUT/adb.txt"
}

# Shows what it does.
run() {
	echo "\$ $*"
	"$@"
}

use_adb() {
	timeout 120 adb wait-for-device || fail "adb finds no guest"
	run adb devices
	run adb shell uname -a
	head -c $ADB_BYTES /dev/urandom > "$OUT/file"
	# Once, so that both ends have what they need.
	adb push -Z "$OUT/file" /data/local/tmp/file > "$OUT/moved" 2>&1
	moved push adb push -Z "$OUT/file" /data/local/tmp/file
	moved pull adb pull -Z /data/local/tmp/file "$OUT/back"
	cmp "$OUT/file" "$OUT/back" || fail "adb has moved wrong bytes"
}

end_guest() {
	"$VMMCTL" stop demo
	wait "$vmm"
	vmm=
}

load ranchu
load vhost_goldfish_pipe
load vhost_ranchu_blk
: > "$OUT/adb.txt"
if [ -n "$ADB" ]; then
	load vhost_vsock_adb
	adb start-server 2>/dev/null
fi

boot kernel "pipe_guest demo && demo-in-guest${ADB:+ vsock}" --disk "$GUEST/root" ${ADB:+--vsock 42}
says SCREEN-READY
[ -z "$ADB" ] || use_adb
echo "\$ vmmctl screenshot demo ${FILE##*/}"
"$VMMCTL" screenshot demo "$FILE"
end_guest

boot user "pipe_guest demo && demo-in-guest${ADB:+ pipe}" --disk "$GUEST/root,served=user" \
	${ADB:+--adb-transport pipe}
says SCREEN-READY
[ -z "$ADB" ] || use_adb
end_guest

echo
[ -z "${NOTE:-}" ] || echo "$NOTE"
awk -f "$HERE/table.awk" "$OUT/kernel.json" "$OUT/user.json" "$OUT/adb.txt"
