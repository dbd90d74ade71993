#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# no-doorbell-test.sh's part inside the host (busybox's sh).
set -u
. /ranchu/host-lib.sh

# says NAME TEXT: since the last time, the kernel's log has it.
says() {
	dmesg -c > "$console"
	grep -q "$2" "$console"
	result "$1" $?
}

# refused NAME PARAMETER TEXT
refused() {
	! insmod "/ranchu/ranchu-queue.ko" "$2" 2>/dev/null
	result "$1: is not loaded" $?
	says "$1: says why" "$3"
}

# served NAME WAY TEST...: tests pass, with doorbells served in that way.
served() {
	name=$1
	way=$2
	shift 2
	kselftests "$@"
	result "$name: tests" $?
	[ "$(cat /sys/module/ranchu/parameters/doorbell)" = "$way" ]
	result "$name: it is $way" $?
}

# load NAME [WAY]: which ranchu.ko the next tests load; the other modules stay.
load() {
	cp "/ranchu/ranchu-$1.ko" /ranchu/modules/ranchu.ko
	RANCHU_DOORBELL=${2:-}
	export RANCHU_DOORBELL
}

dmesg -c > /dev/null
refused "doorbell=export without an export" doorbell=export "does not export task_work_add"
refused "a way that there is not" doorbell=soon "invalid for parameter"

load queue
served "own queue" queue doorbell_test parked_test pipe_ioctl_test vq_notify_test blk_data_test
says "own queue: said" "by a queue of our own"
unload_modules

load too-new
served "a kernel nobody has tried" off pipe_ioctl_test
says "a kernel nobody has tried: said" "newer than those that our own queue was tried on"
unload_modules

load too-new queue
served "a kernel that the user tries" queue pipe_ioctl_test
unload_modules

# The first call is never made: nothing may wait for it, and no doorbell is accepted.
load broken
served "a queue that does not work" queue pipe_protocol_test vq_ring_test pipe_ioctl_test
grep -q 'ok .*doorbells_that_cannot_be$' /tmp/tests
result "a queue that does not work: there are no doorbells" $?
unload_modules

load queue off
served "switched off" off pipe_ioctl_test pipe_protocol_test vq_notify_test vq_ring_test \
	blk_data_test vsock_wire_test
says "switched off: said" "through userspace exits"
unload_modules

echo "1..$number"
[ "$failed" -eq 0 ]
