#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The demo's part inside the host, emulated or not (busybox's sh will do):
# loads the modules, boots the stock guest once per way of serving its pipe and
# prints the table.
#
#	in-host.sh MODULES-DIR GUEST-DIR VMMCTL [ARGUMENT OF pipe_guest]...
set -eu

MODULES=$1
GUEST=$2
VMMCTL=$3
shift 3
HERE=$(dirname "$0")
. "$HERE/host-lib.sh"
OUT=$(mktemp -d)
LOADED=

cleanup() {
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

# At every line with which the guest marks the begin or end of a phase vmmctl
# takes a snapshot of its statistics, with that line as its label.
boot() {
	mode=$1
	shift
	echo "--- the stock guest, its pipe served by ${mode}"
	"$VMMCTL" run --kernel "$GUEST/Image" --initrd "$GUEST/initrd.cpio" \
		--memory 512M --no-reboot --pipe "$mode" \
		--disk "$GUEST/root" --stats="$OUT/$mode.json" --stats-at "RANCHU-MARK " \
		--append "$linux_args ranchu.root=/dev/vda ranchu.run=\"pipe_guest $*\"" \
		</dev/null 2>"$OUT/$mode.err" | tr -d '\r' | tee "$OUT/$mode.txt" || true
	if ! grep -q '^GUEST-EXIT: 0$' "$OUT/$mode.txt"; then
		cat "$OUT/$mode.err"
		echo "demo: the guest failed with --pipe=$mode"
		exit 1
	fi
}

load ranchu
load vhost_goldfish_pipe
load vhost_ranchu_blk
boot kernel "$@"
boot user "$@"

echo
[ -z "${NOTE:-}" ] || echo "$NOTE"
awk -f "$HERE/table.awk" "$OUT/kernel.json" "$OUT/user.json"
