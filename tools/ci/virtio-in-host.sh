#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of virtio-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh
. /ranchu/virtio-lib.sh

# devices PACKED
devices() {
	small_peers
	: > "$console"
	# busybox's timeout is the program itself, and another process watches it.
	# shellcheck disable=SC2086 # a list of words
	timeout 300 vmmctl run --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
		--memory 512M --no-reboot --virtio-packed "$1" $small_devices \
		--append "$linux_args ranchu.run=virtio-in-guest" \
		</dev/null >"$console" 2>&1 &
	vmm=$!
	small_talk
	wait "$vmm"
	small_results "_$1"
	# shellcheck disable=SC2046 # a list of numbers
	kill $(jobs -p) 2>/dev/null
}

load_modules
echo "1..10"
devices off
devices on
[ "$failed" -eq 0 ]
