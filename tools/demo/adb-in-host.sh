#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The demo's second part inside the emulated host (busybox's sh): Debian's adb finds
# a stock guest that runs Debian's adbd, and moves data.
set -eu

. "$(dirname "$0")/host-lib.sh"
export HOME=/tmp
MODULES="ranchu vhost_goldfish_pipe vhost_vsock_adb vhost_ranchu_blk"

cleanup() {
	[ $? -eq 0 ] || cat /tmp/console
	adb kill-server 2>/dev/null || true
	[ -z "${vmm:-}" ] || { kill "$vmm" && wait "$vmm"; } 2>/dev/null || true
	for module in $MODULES; do
		echo "$module"
	done | tac | xargs rmmod
}
trap cleanup EXIT

# Shows what it does.
run() {
	echo "\$ $*"
	"$@"
}

exits() {
	kill -USR1 "$vmm"
	sleep 1
	sed -n 's/.*"userspace_exits":\([0-9]*\).*/\1/p' /tmp/stats | tail -n 1
}

# moved WHAT COMMAND...: 16 MiB
moved() {
	what=$1
	shift
	before=$(exits)
	start=$(awk '{ print $1 }' /proc/uptime)
	"$@" > /tmp/moved 2>&1 || { cat /tmp/moved; exit 1; }
	end=$(awk '{ print $1 }' /proc/uptime)
	after=$(exits)
	awk -v what="$what" -v start="$start" -v end="$end" -v exits=$((after - before)) 'BEGIN {
		printf "%-16s 16 MiB  %6.1f MB/s  %d exits to userspace\n", what,
			16.777216 / (end - start), exits }'
}

for module in $MODULES; do
	insmod "/ranchu/modules/$module.ko"
done
echo "--- adb over vsock, relayed in the kernel"
adb start-server 2>/dev/null
echo "\$ vmmctl run --disk root --vsock 42 ..."
vmmctl run --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio --memory 512M \
	--disk /ranchu/guest/root --vsock 42 --stats=/tmp/stats \
	--append "$linux_args ranchu.root=/dev/vda ranchu.run=guest-adbd" \
	</dev/null >/tmp/console 2>&1 &
vmm=$!
timeout 120 adb wait-for-device
run adb devices
run adb shell uname -a
sleep 10
head -c 16777216 /dev/urandom > /tmp/file
# Once, so that both ends have what they need.
adb push -Z /tmp/file /data/local/tmp/file > /tmp/moved 2>&1
moved "adb push" adb push -Z /tmp/file /data/local/tmp/file
moved "adb pull" adb pull -Z /data/local/tmp/file /tmp/back
cmp /tmp/file /tmp/back
