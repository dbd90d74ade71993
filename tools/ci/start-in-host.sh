#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The part of start-test.sh inside the host (busybox's sh): one VM with a device of each
# kind that the host can have, without anything that listens for TCP.
set -u

. /ranchu/host-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime
mkdir -p $XDG_RUNTIME_DIR
head -c 1048576 /dev/zero > /tmp/one
head -c 1048576 /dev/zero > /tmp/two
load_modules
echo "1..1"

# A small kernel is enough: the guest does not run. Its header says what it is.
head -c 65536 /ranchu/guest/Image > /tmp/Image
head -c 4096 /dev/zero > /tmp/initrd

fail_nth $XDG_RUNTIME_DIR/ranchu vmmctl run --name fail --kernel /tmp/Image \
	--initrd /tmp/initrd --memory 128M --cpus 2 --disk /tmp/one \
	--disk /tmp/two,served=user --vsock 3 --vsock-uds $XDG_RUNTIME_DIR/ranchu/uds \
	--adb off --adb-socket $XDG_RUNTIME_DIR/ranchu/adb \
	--pipe-socket $XDG_RUNTIME_DIR/ranchu/pipe --virtio rng --virtio balloon \
	--stats=/tmp/stats 2>&1
result each_call_of_the_start_may_fail $?

unload_modules || failed=1
[ "$failed" -eq 0 ]
