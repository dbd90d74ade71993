#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The demo's last part inside the host, emulated or not (busybox's sh will do): boots the
# stock guest with Linux' framebuffer driver, and writes what is on its screen to FILE.
#
#	screen-in-host.sh GUEST-DIR VMMCTL FILE
set -eu

GUEST=$1
VMMCTL=$2
FILE=$3
. "$(dirname "$0")/host-lib.sh"
OUT=$(mktemp -d)
export XDG_RUNTIME_DIR="$OUT"

cleanup() {
	[ $? -eq 0 ] || cat "$OUT/console"
	[ -z "${vmm:-}" ] || { kill "$vmm" && wait "$vmm"; } 2>/dev/null || true
	rm -rf "$OUT"
}
trap cleanup EXIT

echo "--- the guest's screen"
# The console is this screen's from the beginning: a PC's has one of its own, and Linux 6.12
# trips over taking that away.
echo "\$ vmmctl run --name demo --screen-width 320 --screen-height 240 ..."
"$VMMCTL" run --name demo --kernel "$GUEST/Image" --initrd "$GUEST/screen.cpio" --memory 512M \
	--pipe none --screen-width 320 --screen-height 240 \
	--append "$linux_args fbcon=map:0 ranchu.run=screen-in-guest" </dev/null > "$OUT/console" 2>&1 &
vmm=$!
tries=0
until grep -q SCREEN-READY "$OUT/console"; do
	tries=$((tries + 1))
	kill -0 $vmm && [ $tries -lt 300 ]
	sleep 1
done
echo "\$ vmmctl screenshot demo ${FILE##*/}"
"$VMMCTL" screenshot demo "$FILE"
"$VMMCTL" stop demo
# 143 is how a VM ends that is stopped.
wait $vmm || [ $? -eq 143 ]
vmm=
