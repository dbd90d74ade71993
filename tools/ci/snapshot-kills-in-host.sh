#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Kills programs while they save or load a snapshot of a stock guest, inside the emulated
# host (busybox's sh).
set -u

. /ranchu/host-lib.sh
. /ranchu/snapshot-lib.sh

tried=0
lost=0

# moment SECONDS: somewhere in so many, another one each time.
moment() {
	tried=$((tried + 1))
	sleep "$(awk -v seed="$tried" -v most="$1" 'BEGIN { srand(seed); print rand() * most }')"
}

# whole: what was there is, and what a dead program has left is taken away.
whole() {
	rm -rf /tmp/snap.new-*
	vmmctl snapshot check /tmp/snap > /tmp/checked 2>&1 && return
	sed 's/^/# /' /tmp/checked
	lost=$((lost + 1))
	return 1
}

load_modules
adb start-server 2>/dev/null
echo "1..4"
start one --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio --memory 256M \
	--append "$linux_args ranchu.run=snapshot-in-guest" --vsock 42
one=$pid
device emulator-5554 && vmmctl snapshot save one /tmp/snap && whole
result a_guest_is_saved $?

bad=0
for _ in 1 2 3 4 5 6 7 8 9 10; do
	vmmctl snapshot save one /tmp/snap > /tmp/save 2>&1 &
	save=$!
	moment 2
	kill -KILL $save 2>/dev/null
	wait $save 2>/dev/null
	whole || bad=1
done
tick=$(tick_of emulator-5554)
sleep 1
later emulator-5554 $((tick + 1)) || bad=1
result who_makes_the_files_is_killed $bad

bad=0
for _ in 1 2 3 4 5 6 7 8 9 10; do
	start two --from /tmp/snap --clone
	moment 4
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	whole || bad=1
done
result who_loads_is_killed $bad

# The VM that writes them; who makes the files says so, and leaves nothing behind.
bad=0
for _ in 1 2 3 4 5; do
	start two --from /tmp/snap --clone
	two=$pid
	device emulator-5556 60 || bad=1
	vmmctl snapshot save two /tmp/snap > /tmp/save 2>&1 &
	save=$!
	moment 2
	kill -KILL "$two"
	wait "$two" 2>/dev/null
	wait $save || [ "$(wc -l < /tmp/save)" -eq 1 ] || bad=1
	[ -z "$(find /tmp -name 'snap.new-*' -maxdepth 1)" ] || bad=1
	whole || bad=1
	gone emulator-5556 || bad=1
done
result who_is_saved_is_killed $bad
echo "# kills: $tried, lost: $lost"

ends "$one"
adb kill-server
unload_modules
[ "$failed" -eq 0 ]
