#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# no-doorbell-test.sh's part inside the host (busybox's sh).
set -u
. /ranchu/host-lib.sh
. /ranchu/sync-lib.sh

# says NAME TEXT [COUNT]: since the last time, the kernel's log has it, and that many
# different sentences on how doorbells are served; tests load the module again.
says() {
	dmesg -c > "$console"
	grep -q "$2" "$console" && [ "$(sed -n 's/.*ranchu: doorbells are served//p' \
		"$console" | sort -u | wc -l)" -eq "${3:-1}" ]
	result "$1" $?
}

# refused NAME PARAMETER TEXT
refused() {
	! insmod "/ranchu/ranchu-queue.ko" "$2" 2>/dev/null
	result "$1: is not loaded" $?
	says "$1: says why" "$3" 0
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

# doctor NAME CODE TEXT: how vmmctl doctor ends, and a line that it prints.
doctor() {
	# shellcheck disable=SC2086 # none, or words
	timeout 60 $runner vmmctl doctor > "$console" 2>&1
	[ $? -eq "$2" ] && grep -q "$3" "$console"
	result "$1: doctor" $?
}

# guest NAME OPTION...: in a stock guest fences and pipes work, and /tmp/disk if it is
# there. The commands of the sync device may exit.
guest() {
	name=$1
	shift
	case $* in
	*--disk*) look="head -c 1048576 /dev/vda | sha256sum" want="^$(sum /tmp/disk)" ;;
	*) look=true want="^GUEST-READY$" ;;
	esac
	start "sync-in-guest fences && pipe_guest test && $look" --cpus 2 --no-reboot \
		--stats=/tmp/stats --stats-at MARK "$@"
	render answer
	ended && printed '^sync_fences 100 1: done.* wrong 0' && printed "$want"
	result "$name" $?
	end_renderer -TERM
	echo "# exits of the sync device: $(exits)"
}

# once TEXT: vmmctl has said it in one line.
once() {
	appears 1 "^vmmctl: .*$1"
	result "$name: says \"$1\"" $?
}

# without WHAT: from here on KVM seems to lack it.
without() {
	runner="/ranchu/kvm_without $1"
}

dmesg -c > /dev/null
refused "doorbell=export without an export" doorbell=export "does not export task_work_add"
refused "a way that there is not" doorbell=soon "invalid for parameter"

dd if=/dev/urandom of=/tmp/disk bs=1M count=1 2>/dev/null

load queue
served "own queue" queue doorbell_test parked_test pipe_ioctl_test vq_notify_test blk_data_test
says "own queue: said" "by a queue of our own"
doctor "own queue" 0 "ok  *The synchronous doorbell works, by a queue of the module's own"

# The modules can do all; KVM cannot.
without ioeventfd
doctor "no ioeventfds" 1 "MISSING  KVM lacks ioeventfds: doorbells exit"
guest "no ioeventfds" --disk /tmp/disk,served=user
once "has no ioeventfds: the sync device is served by vmmctl$"
once "has no ioeventfds: pipe commands will exit$"
once "has no ioeventfds: virtio notifications will exit$"
[ "$(exits)" -ge 300 ]
result "no ioeventfds: commands exit" $?
refuses "--sync kernel needs ioeventfds, .* lacks; try --sync user" --pipe none --sync kernel
result "no ioeventfds: --sync kernel is refused" $?
without irqfd
doctor "no irqfds" 1 "MISSING  KVM lacks irqfds: virtio devices, "
guest "no irqfds" --pipe user
once "has no irqfds: the sync device is served by vmmctl$"
refuses "--pipe kernel needs irqfds, .* lacks; try --pipe user" --sync none
result "no irqfds: --pipe kernel is refused" $?
refuses "virtio-rng needs irqfds, " --pipe none --sync none --virtio rng
result "no irqfds: virtio devices are refused" $?
without resample
doctor "no resampling irqfds" 1 "MISSING  KVM lacks resampling irqfds: --pipe kernel "
refuses "--pipe kernel needs resampling irqfds, .* lacks; try --pipe user" --sync none
result "no resampling irqfds: --pipe kernel is refused" $?
without readonly
doctor "no read-only memory" 1 "MISSING  KVM lacks read-only memory slots: reads of registers exit"
guest "no read-only memory" --disk /tmp/disk,served=user
once "no register window: this host's KVM has no read-only memory$"
refuses "--window on needs read-only memory slots, .* lacks; try --window off" --window on
result "no read-only memory: --window on is refused" $?
runner=
unload_modules

load too-new
served "a kernel nobody has tried" off pipe_ioctl_test
says "a kernel nobody has tried: said" \
	"userspace exits: this kernel exports no task_work_add and is newer than those"
doctor "a kernel nobody has tried" 1 "MISSING .*ranchu.ko has doorbell=off, or does not know"
unload_modules

load too-new queue
served "a kernel that the user tries" queue pipe_ioctl_test
says "a kernel that the user tries: said" "by a queue of our own"
unload_modules

# The first call is never made: nothing may wait for it, and no doorbell is accepted.
load broken
served "a queue that does not work" queue pipe_protocol_test vq_ring_test pipe_ioctl_test
grep -q 'ok .*doorbells_that_cannot_be$' /tmp/tests
result "a queue that does not work: there are no doorbells" $?
says "a queue that does not work: said" "userspace exits: a call that was queued as a test" 2
doctor "a queue that does not work" 1 "MISSING .*and the module's own queue fails"
unload_modules

load queue off
served "switched off" off pipe_ioctl_test pipe_protocol_test vq_notify_test vq_ring_test \
	blk_data_test vsock_wire_test
says "switched off: said" "through userspace exits: doorbell=off"
doctor "switched off" 1 "MISSING .*No synchronous doorbell: ranchu.ko has doorbell=off"
guest "switched off, by the modules" --disk /tmp/disk
once "no synchronous doorbell: pipe commands will exit$"
once "no synchronous doorbell: sync commands will exit$"
[ "$(exits)" -ge 100 ]
result "switched off: commands exit" $?
guest "switched off, by vmmctl" --pipe user --sync user --disk /tmp/disk,served=user
! printed '^vmmctl: '
result "switched off, by vmmctl: nothing is missed" $?
unload_modules

echo "1..$number"
[ "$failed" -eq 0 ]
