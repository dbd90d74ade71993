#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of virtio-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh
. /ranchu/virtio-lib.sh

# devices SUFFIX LINUX-ARGS OPTION...
devices() {
	suffix=$1
	args=$2
	shift 2
	small_peers
	: > "$console"
	# busybox's timeout is the program itself, and another process watches it.
	# shellcheck disable=SC2086 # a list of words
	timeout 300 vmmctl run --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
		--memory 512M --no-reboot "$@" $small_devices \
		--append "$linux_args $args ranchu.run=virtio-in-guest" \
		</dev/null >"$console" 2>&1 &
	vmm=$!
	small_talk
	wait "$vmm"
	small_results "_$suffix"
	# shellcheck disable=SC2046 # a list of numbers
	kill $(jobs -p) 2>/dev/null
}

load_modules
echo "1..11"
devices off "" --virtio-packed off
# As a guest has it that lets its devices see nothing but its bounce buffers.
# 16 MiB of them: Linux on arm64 keeps 512 KiB unless told, which input events fill.
devices on swiotlb=8192,force --virtio-packed on --access-platform on
# The balloon's driver gives pages away and has no use for the feature.
printed '^platform: 1 1 1 1 0' && printed '^bounced: [1-9]'
result only_bounce_buffers_are_shared $?
[ "$failed" -eq 0 ]
